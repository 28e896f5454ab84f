from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from maskmill.models import sliding
from maskmill.models.sliding import Sliding, has_logits, slide, windows, working_image
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.protocols import Background, Protocol, Window, find_protocol
from maskmill.schemas.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of(["red", "green", "blue"])
WINDOWED = Protocol("w", Background(), "short-side", 20, 60, Window(8, 5))


class Colours:
    """Logits that depend on the pixel and on where it lies in the window."""

    id = "colours@1"
    weights: Mapping[str, str] = {"colours": "1"}

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        raise AssertionError("a protocol with windows looks at logits")

    def logits(self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]) -> list[Tensor]:
        found = []
        for image, vocabulary in zip(images, vocabularies, strict=True):
            assert len(vocabulary.names) == 4
            self.sizes.append(image.shape)
            height, width = image.shape[:2]
            pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
            place = torch.linspace(0, 1, height)[:, None] * torch.linspace(1, 0, width)
            found.append(torch.cat([place[None], pixels]) * 3)
        return found


def _image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _slow(image: NDArray[np.uint8], protocol: Protocol) -> tuple[Tensor, Tensor]:
    """Average all windows of the released loop pixel by pixel, then one softmax over one large map."""
    working = working_image(image, protocol)
    height, width = working.shape[:2]
    assert protocol.window is not None
    crop, stride = protocol.window.crop, protocol.window.stride
    total, seen = torch.zeros(4, height, width), torch.zeros(height, width)
    for row in range(max(height - crop + stride - 1, 0) // stride + 1):
        for column in range(max(width - crop + stride - 1, 0) // stride + 1):
            bottom, right = min(row * stride + crop, height), min(column * stride + crop, width)
            top, left = max(bottom - crop, 0), max(right - crop, 0)
            part = np.ascontiguousarray(working[top:bottom, left:right])
            total[:, top:bottom, left:right] += Colours().logits([part], [VOCABULARY])[0]
            seen[top:bottom, left:right] += 1
    full = F.interpolate((total / seen)[None], image.shape[:2], mode="bilinear", align_corners=False)[0]
    probabilities = full.softmax(0) if protocol.background.text_class else full[1:].softmax(0)
    best, index = probabilities.max(0)
    return index + (0 if protocol.background.text_class else 1), best


@pytest.mark.parametrize("size", [(31, 45), (45, 31), (20, 20), (5, 90)])
@pytest.mark.parametrize("background", [Background(), Background(False, 0.5)])
def test_sliding_equals_the_loop(
    size: tuple[int, int], background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sliding, "_MAP_VALUES", 500)  # several bands of rows
    protocol = Protocol("w", background, "short-side", 20, 60, Window(8, 5))
    image = _image(*size)
    found = slide(Colours(), image, VOCABULARY, protocol)
    labels, scores = _slow(image, protocol)
    assert (found.labels == labels.numpy()).mean() > 0.999  # ties of rounding
    np.testing.assert_allclose(found.scores, scores.numpy(), atol=2e-3)
    assert found.names == VOCABULARY.names


def test_without_a_background_class_zero_is_never_answered() -> None:
    vocabulary = VOCABULARY.model_copy(update={"has_background": False})
    answered = slide(Colours(), _image(30, 30), vocabulary, WINDOWED).labels
    assert 0 not in answered
    assert 0 in slide(Colours(), _image(30, 30) // 8, VOCABULARY, WINDOWED).labels


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (Protocol("p"), (31, 45)),
        (Protocol("p", resize="square", size=16), (16, 16)),
        (Protocol("p", resize="short-side", size=20), (20, 29)),
        (Protocol("p", resize="short-side", size=20, longest=25), (17, 25)),
    ],
)
def test_the_working_image_has_the_size_of_the_protocol(
    protocol: Protocol, expected: tuple[int, int]
) -> None:
    image = _image(31, 45)
    working = working_image(image, protocol)
    assert working.shape == (*expected, 3)
    assert working.dtype == np.uint8
    assert (working_image(np.full_like(image, 77), protocol) == 77).all()


def test_windows_cover_every_pixel_and_never_leave_the_image() -> None:
    for height, width in ((448, 448), (448, 671), (449, 900), (100, 448)):
        seen = np.zeros((height, width), int)
        for rows, columns in windows(height, width, 448, 224):
            assert rows.stop <= height and columns.stop <= width
            seen[rows, columns] += 1
        assert seen.min() == 1 or height == width
    assert len(list(windows(448, 671, 448, 224))) == 2
    assert len(list(windows(448, 673, 448, 224))) == 3


def test_without_a_window_the_whole_image_is_seen_once() -> None:
    colours = Colours()
    slide(colours, _image(10, 12), VOCABULARY, find_protocol("known", "demo"))
    assert colours.sizes == [(10, 12, 3)]


def test_a_sliding_segmenter_is_a_segmenter_of_the_same_weights() -> None:
    colours = Colours()
    assert has_logits(colours)
    assert not has_logits(object())
    wrapped = Sliding(colours, WINDOWED)
    assert (wrapped.id, wrapped.weights) == (colours.id, colours.weights)
    images = [_image(20, 24), _image(33, 21, 1)]
    many = wrapped(images, [VOCABULARY] * 2)
    for image, found in zip(images, many, strict=True):
        assert np.array_equal(found.labels, wrapped([image], [VOCABULARY])[0].labels)
        assert found.labels.shape == image.shape[:2]
