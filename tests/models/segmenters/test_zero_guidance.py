from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.segmenters import zero_guidance
from maskmill.models.segmenters.zero_guidance import (
    CARD,
    ZeroGuidance,
    ZeroGuidanceOptions,
    candidate_rule,
    create_zero_guidance,
    mask_rule,
)
from maskmill.models.zero_guidance.agglomeration import PAPER_CUT, RELEASED_CUT
from maskmill.models.zero_guidance.candidates import CandidateRule
from maskmill.models.zero_guidance.dino_keys import ClipKeys
from maskmill.models.zero_guidance.language import Described
from maskmill.models.zero_guidance.refinement import Crf
from maskmill.models.zero_guidance.retrieval import NounRetrieval
from maskmill.models.zero_guidance.zerocap import Steering
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.vocabulary import Vocabulary

NOUNS = ["cat", "dog", "tree", "sky", "car"]
GIVEN = Vocabulary.of(["house", "boat"])
SMALL: dict[str, Any] = {
    "backbone": "clip",
    "short_side": 48,
    "masked_layers": 2,
    "split_threshold": 0.999,
    "merge": False,
}


def _image(height: int = 50, width: int = 70) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60, (height, width, 3))
    image[10:40, 20:50, 0] += 180
    image[:, 55:, 2] += 150
    return image.astype(np.uint8)


def _segmenter(clip: ClipEncoder, **options: Any) -> ZeroGuidance:
    return ZeroGuidance(
        clip, ClipKeys(clip), NounRetrieval(clip, NOUNS), ZeroGuidanceOptions(**SMALL | options)
    )


def test_labels_are_free_text_whatever_was_asked_for(tiny_vit: ClipEncoder) -> None:
    segmenter = _segmenter(tiny_vit, encoding="crop")
    one, two = segmenter([_image()] * 2, [GIVEN, Vocabulary.of([])])
    assert one.label_kind == "free_text"
    assert one.names[0] == "background"
    assert set(one.names[1:]) <= set(NOUNS)
    assert len(set(one.names)) == len(one.names) >= 2
    assert one.names == two.names
    assert np.array_equal(one.labels, two.labels)


def test_each_pixel_has_its_segments_text_and_cosine(tiny_vit: ClipEncoder) -> None:
    segmenter = _segmenter(tiny_vit, encoding="crop")
    segments = segmenter.segments(_image(48, 66))
    (found,) = segmenter([_image(48, 66)], [GIVEN])
    assert len(segments) > 2
    for segment in segments:
        mask = segment.mask.numpy()
        assert {found.names[label] for label in np.unique(found.labels[mask])} == {segment.described.text}
        cosine = max(0.0, float(segment.embedding @ segment.described.embedding))
        assert np.allclose(found.scores[mask].astype(float), cosine, atol=1e-3)


def test_segments_of_one_text_share_a_label_and_wordless_ones_are_background(
    tiny_vit: ClipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = _segmenter(tiny_vit, encoding="crop")
    texts = ["cat", "", "cat", "background", "dog"]

    def describe(embeddings: torch.Tensor) -> list[Described]:
        return [Described(texts[i % 5], vector) for i, vector in enumerate(embeddings)]

    monkeypatch.setattr(segmenter, "_describer", describe)
    (found,) = segmenter([_image(48, 66)], [GIVEN])
    assert found.names == ("background", "cat", "dog")
    expected = {0: 1, 1: 0, 2: 1, 3: 0, 4: 2}
    for number, segment in enumerate(segmenter.segments(_image(48, 66))):
        assert set(np.unique(found.labels[segment.mask.numpy()])) == {expected[number % 5]}


@pytest.mark.parametrize("threshold", [-1.0, 0.1, 2.0])
def test_segments_can_be_given_the_vocabularys_nearest_class(tiny_vit: ClipEncoder, threshold: float) -> None:
    segmenter = _segmenter(tiny_vit, encoding="crop", assign="vocabulary", assign_threshold=threshold)
    (found,) = segmenter([_image(48, 66)], [GIVEN])
    assert (found.names, found.label_kind) == (GIVEN.names, "vocabulary")
    texts = tiny_vit.embed_text(GIVEN)
    for segment in segmenter.segments(_image(48, 66)):
        cosines = [float(segment.embedding @ text) for text in texts]
        best = cosines.index(max(cosines)) if max(cosines) >= threshold else 0
        assert set(np.unique(found.labels[segment.mask.numpy()])) == {best}


@pytest.mark.parametrize("mode", ["paper", "released"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (50, 70)])
def test_maps_have_the_images_size(tiny_clip: ClipEncoder, mode: str, size: tuple[int, int]) -> None:
    (found,) = _segmenter(tiny_clip, mode=mode)([_image(*size)], [GIVEN])
    assert found.labels.shape == size
    assert np.isfinite(found.scores).all()
    assert 0 <= found.scores.min() <= found.scores.max() <= 1


def test_merging_leaves_fewer_segments(tiny_vit: ClipEncoder) -> None:
    apart = _segmenter(tiny_vit).segments(_image())
    together = _segmenter(tiny_vit, merge=True, merge_threshold=-1.0).segments(_image())
    assert len(apart) > len(together) == 1


def test_the_two_readings_differ_where_the_authors_code_leaves_the_paper() -> None:
    paper, released = ZeroGuidanceOptions(), ZeroGuidanceOptions(mode="released")
    assert (candidate_rule(paper).cut.splits, candidate_rule(released).cut.splits) == (19, 10)
    assert (candidate_rule(paper).cut.always_root, candidate_rule(released).cut.always_root) == (False, True)
    assert (mask_rule(paper).reading, mask_rule(released).reading) == ("paper", "released")
    assert (mask_rule(paper).layers, mask_rule(paper).variance) == (4, 2.5)
    assert candidate_rule(ZeroGuidanceOptions(refine=False)).crf is None


def test_a_configuration_builds_it(tiny_clip_folder: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "nouns.txt").write_text("\n".join(NOUNS))
    folder = str(tiny_clip_folder("vit"))
    options = SMALL | {"nouns": str(tmp_path / "nouns.txt"), "mode": "released"}
    config = SegmenterConfig(id="zero-guidance", clip=folder, device="cpu", options=options)
    segmenter = create_zero_guidance(config)
    clip = load_clip(folder, "cpu")
    assert segmenter.id.startswith(f"zero-guidance-released/{clip.id}/clip:{clip.id}:keys/retrieval-5@")
    assert segmenter.weights["clip"] == clip.sha256 == CARD.files(config)["clip"]
    assert CARD.modes == ("paper", "released")


def test_too_many_masked_layers_are_a_configuration_fault(tiny_clip_folder: Callable[[str], Path]) -> None:
    config = SegmenterConfig(
        id="zero-guidance", clip=str(tiny_clip_folder("vit")), device="cpu", options={"backbone": "clip"}
    )
    with pytest.raises(ConfigError, match="4 masked layers, but"):
        create_zero_guidance(config)


@pytest.mark.parametrize("encoding", ["attention", "crop"])
def test_masks_of_somebody_else_are_described_as_its_own_are(tiny_vit: ClipEncoder, encoding: str) -> None:
    """At the working size a segment's own mask gives its own vector and word again."""
    segmenter, image = _segmenter(tiny_vit, encoding=encoding), _image(48, 66)
    own = segmenter.segments(image)
    masks = np.stack([segment.mask.numpy() for segment in own])
    for before, after in zip(own, segmenter.describe(image, masks), strict=True):
        assert torch.allclose(before.embedding, after.embedding, atol=1e-5)
        assert before.described.text == after.described.text
    assert torch.equal(segmenter.embed_classes(GIVEN), tiny_vit.embed_text(GIVEN))


def test_the_defaults_are_the_papers() -> None:
    published = {
        "mode": "paper",
        "backbone": "vit_small_patch8_224.dino",
        "short_side": 224,
        "stride": 2,
        "clusters": 20,
        "split_threshold": 0.9,
        "refine": True,
        "encoding": "attention",
        "masked_layers": 4,
        "subtract": True,
        "variance": 2.5,
        "language_model": "gpt2-medium",
        "beams": 5,
        "tokens": 15,
        "merge": True,
        "merge_threshold": 0.8,
        "assign_threshold": 0.1,
    }
    options = ZeroGuidanceOptions().model_dump()
    assert {name: options[name] for name in published} == published
    assert candidate_rule(ZeroGuidanceOptions()) == CandidateRule(PAPER_CUT, Crf(25, 1, 100, 5, 13, 10))
    assert candidate_rule(ZeroGuidanceOptions(mode="released")).cut == RELEASED_CUT
    steering = Steering()
    assert (steering.beams, steering.tokens, steering.steps, steering.candidates) == (5, 15, 5, 512)


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_the_backbone_gets_the_stride_and_in_released_mode_dinos_positions(
    mode: str, tiny_clip_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, ...]] = []

    class Watched(ClipKeys):
        def __init__(self, *args: object) -> None:
            super().__init__(load_clip(folder, "cpu"))
            given.append(args)

    folder = str(tiny_clip_folder("vit"))
    monkeypatch.setattr(zero_guidance, "DinoKeys", Watched)
    options = SMALL | {"backbone": "some_vit", "stride": 3, "mode": mode}
    create_zero_guidance(SegmenterConfig(id="zero-guidance", clip=folder, device="cpu", options=options))
    assert given == [("some_vit", torch.device("cpu"), 3, 20_000, mode == "released")]
