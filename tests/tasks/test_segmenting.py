"""What a failing segmenter costs: one image, not its batch, shard or worker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.demo_config import DEMO_SEGMENTER
from maskmill.schemas.errors import ConfigError, ErrorReason, SampleError, WeightsError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.pool import WorkerFault
from maskmill.tasks.segmenting import prepare_segmenter, segment

WORDS = Vocabulary.of(["cat"])


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


class AcceleratorError(RuntimeError):
    """Named as torch's."""


class Segmenter:
    id = "fake"

    def __init__(self, fault: Callable[[list[int]], Exception | None]) -> None:
        self.weights: dict[str, str] = {}
        self.fault = fault
        self.calls: list[list[int]] = []

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        marks = [int(image[0, 0, 0]) for image in images]
        self.calls.append(marks)
        error = self.fault(marks)
        if error is not None:
            raise error
        return [
            LabelMap(np.zeros(i.shape[:2], np.uint16), np.zeros(i.shape[:2], np.float16), ("background",))
            for i in images
        ]


def run(segmenter: Segmenter, marks: list[int]) -> list[LabelMap | SampleError]:
    images = [np.full((2, 3, 3), mark, np.uint8) for mark in marks]
    return segment(segmenter, images, [WORDS] * len(images))


def test_a_good_batch_is_one_call() -> None:
    segmenter = Segmenter(lambda marks: None)
    assert all(isinstance(result, LabelMap) for result in run(segmenter, [1, 2, 3]))
    assert segmenter.calls == [[1, 2, 3]]


def test_one_failing_image_is_the_only_one_lost() -> None:
    segmenter = Segmenter(lambda marks: ValueError("odd image") if 2 in marks else None)
    first, second, third = run(segmenter, [1, 2, 3])
    assert isinstance(first, LabelMap)
    assert isinstance(third, LabelMap)
    assert isinstance(second, SampleError)
    assert second.reason == ErrorReason.SEGMENTER_FAILED
    assert second.detail.startswith("ValueError: odd image (test_segmenting.py:")


def test_a_batch_too_large_for_the_gpu_is_halved() -> None:
    segmenter = Segmenter(lambda marks: OutOfMemoryError("CUDA") if len(marks) > 2 else None)
    assert all(isinstance(result, LabelMap) for result in run(segmenter, list(range(8))))
    assert sorted(map(len, segmenter.calls)) == [2, 2, 2, 2, 4, 4, 8]


def test_an_image_too_large_for_the_gpu_on_its_own_is_an_error() -> None:
    segmenter = Segmenter(lambda marks: OutOfMemoryError("CUDA out of memory"))
    (result,) = run(segmenter, [1])
    assert isinstance(result, SampleError)
    assert "OutOfMemoryError" in result.detail


def test_a_lost_gpu_is_the_workers_fault() -> None:
    with pytest.raises(WorkerFault, match="illegal memory access"):
        run(Segmenter(lambda marks: AcceleratorError("CUDA error: an illegal memory access")), [1, 2])


def test_a_wrong_configuration_ends_the_stage() -> None:
    with pytest.raises(ConfigError, match="background"):
        run(Segmenter(lambda marks: ConfigError("the vocabulary has no background")), [1, 2])


def test_a_sample_error_of_the_segmenter_keeps_its_reason() -> None:
    error = SampleError(ErrorReason.TOO_LARGE, "side over 8192")
    assert run(Segmenter(lambda marks: error if 2 in marks else None), [1, 2])[1] is error


def test_label_maps_of_another_size_are_refused() -> None:
    class Transposed(Segmenter):
        def __call__(
            self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
        ) -> list[LabelMap]:
            return super().__call__([image.swapaxes(0, 1) for image in images], vocabularies)

    (result,) = run(Transposed(lambda marks: None), [1])
    assert isinstance(result, SampleError)
    assert "(3, 2)" in result.detail


def test_weight_files_are_hashed_without_loading_them(tmp_path: Path) -> None:
    head = tmp_path / "head.pt"
    head.write_bytes(b"weights")
    on_another = SegmenterConfig(clip="demo", objectness=f"{head}@vit_tiny_patch16_224")
    assert prepare_segmenter(on_another)[1]["objectness"] == hashlib.sha256(b"weights").hexdigest()
    assert set(prepare_segmenter(SegmenterConfig(clip="demo", objectness="bkg:clip"))[1]) == {"clip"}
    assert set(prepare_segmenter(DEMO_SEGMENTER)[1]) == {"clip", "objectness"}


def test_a_missing_head_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="gone"):
        prepare_segmenter(SegmenterConfig(clip="demo", objectness=str(tmp_path / "gone.pt")))


def test_options_are_written_out_and_checked_before_anything_is_loaded() -> None:
    config, _ = prepare_segmenter(DEMO_SEGMENTER.model_copy(update={"options": {"short_side": 64}}))
    assert (config.options["short_side"], config.options["patch_sizes"]) == (64, [256, 128, 64])
    with pytest.raises(ConfigError, match=r"segmenter\.options\.crop_batch"):
        prepare_segmenter(DEMO_SEGMENTER.model_copy(update={"options": {"crop_batch": "many"}}))
    with pytest.raises(ConfigError, match=r"segmenter\.options\.sides: no such field; there are mode"):
        prepare_segmenter(DEMO_SEGMENTER.model_copy(update={"options": {"sides": 3}}))
