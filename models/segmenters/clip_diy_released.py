"""CLIP-DIY as its authors' code computes it, which is what the published table was measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.labelmap import LabelMap
from ...schemas.templates import templates_or_own, with_templates
from ...schemas.vocabulary import Vocabulary
from ..exact_resize import opencv_bilinear, pillow_bicubic
from ..objectness import Objectness
from ..resizing import resize_long_side
from .base import check_batch, to_tensor
from .clip_diy_options import ClipDiyOptions, CropEncoder
from .crop_batches import embed_in_batches
from .tiles import interpolation_matrix


@dataclass(frozen=True)
class _View:
    """One image as the method sees it: the square (3, S, S) uint8 and its objectness (S, S) in [0, 1]."""

    size: tuple[int, int]
    square: Tensor
    theta: Tensor


class ClipDiyReleased:
    """The released reading of Eq. 1-4.

    - The image becomes a square of ``square_side`` pixels whatever its ratio, by OpenCV's bilinear resizing.
    - Crops of P pixels lie P / ``stride_divisor`` apart: 1 + 9 + 49 = 59 of 256, 128 and 64 pixels.
    - Each is resized as an 8-bit picture, by Pillow's bicubic.
    - A scale's grid of cosines is stretched bilinearly over the whole square, so that cells do not lie over
      their crops' centres; scales are averaged, each times its weight. All of it is one fixed matrix of
      (pixels, crops).
    - Cosines have no logit scale, so the softmax is close to uniform; ``confidence_scale`` sharpens scores.
    - Objectness is that of the image at its own size, resized to the square: with s the objectness a pixel is
      background iff (1 - s) cos_bg >= s max cos_fg, else the foreground class of the largest cosine;
      background is the first class, and the first of equals counts.
    - Labels are brought to the image's size by taking the nearest.

    Images whose longer side exceeds ``max_objectness_side`` show the objectness a smaller copy: the only
    departure, for pictures larger than any that was published on.

    **Crops that cannot matter** (``skip_below`` = e > 0). Where s <= e at every pixel that a crop's cell is
    interpolated to, the crop enters only pixels at which background wins as soon as cos_bg > e / (1 - e):
    (1 - s) cos_bg >= (1 - e) cos_bg > e >= s >= s max cos_fg, cosines being at most 1. Such a crop is not run
    and these pixels are background; no other pixel depends on it. The condition on cos_bg is held against
    the cosines of the crops that cover the same pixels and did run, and where it fails all crops are run.
    CLIP's cosines between pictures and words are well above zero; scores of such pixels are estimates.

    Args:
        encoder: embeds crops and queries.
        objectness: s.
        options: sizes, strides and weights.
    """

    def __init__(self, encoder: CropEncoder, objectness: Objectness, options: ClipDiyOptions) -> None:
        self._encoder, self._objectness, self._options = encoder, objectness, options
        self._templates = templates_or_own(options.templates)
        self.id = f"clip-diy-released/{encoder.id}/{objectness.id}"
        self.weights: Mapping[str, str] = {"clip": encoder.sha256, **objectness.weights}
        self._cells = [self._per_side(patch) for patch in options.patch_sizes]
        self._merge = self._merge_matrix().to(encoder.device)

    @torch.no_grad()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images, each with its own vocabulary, whose class 0 is the background; maps at the images'
        sizes.

        Raises:
            ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
        """
        squares = self.grid_maps(images, vocabularies)
        return [_nearest(m, image.shape[:2]) for m, image in zip(squares, images, strict=True)]

    @torch.no_grad()
    def grid_maps(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Return the maps on the square itself, as the ``clip-diy`` protocol resizes them to its targets.

        Raises:
            ValueError: as for a call.
        """
        check_batch(images, vocabularies)
        views = [self._view(image) for image in images]
        wanted = [self._wanted(view.theta) for view in views]
        vectors = self._embed(views, wanted)
        return [
            self._label(view, mask, some, vocabulary)
            for view, mask, some, vocabulary in zip(views, wanted, vectors, vocabularies, strict=True)
        ]

    @torch.no_grad()
    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        """Return the cosines of every scale, objectness, and the logits that are labelled by."""
        check_batch([image], [vocabulary])
        view, everything = self._view(image), torch.ones(self.crops, dtype=torch.bool)
        products = self._embed([view], [everything])[0] @ self._texts(vocabulary).T
        side, counts = self._options.square_side, [cells * cells for cells in self._cells]
        parts = zip(self._options.patch_sizes, self._cells, products.split(counts), strict=True)
        maps = {f"{patch} px": part.T.unflatten(1, (cells, cells)) for patch, cells, part in parts}
        logits = (self._merge @ products).T.unflatten(1, (side, side)) * view.theta
        logits[0] = (self._merge @ products[:, 0]).view(side, side) * (1 - view.theta)
        return {
            what: values.cpu().numpy()
            for what, values in {**maps, "objectness": view.theta[None], "refined": logits}.items()
        }

    @property
    def crops(self) -> int:
        """How many crops an image has."""
        return sum(cells * cells for cells in self._cells)

    def _view(self, image: NDArray[np.uint8]) -> _View:
        side = self._options.square_side
        pixels = torch.from_numpy(np.array(image)).to(self._encoder.device).permute(2, 0, 1)
        shown = resize_long_side(to_tensor(image, self._encoder.device), self._options.max_objectness_side)
        theta = self._objectness(shown)[None, None]
        theta = F.interpolate(theta, (side, side), mode="bilinear", align_corners=False)[0, 0].clamp(0, 1)
        return _View(image.shape[:2], opencv_bilinear(pixels, (side, side)), theta)

    def _wanted(self, theta: Tensor) -> Tensor:
        """Return which crops have to run, (crops,) bool."""
        if self._options.skip_below == 0:
            return torch.ones(self.crops, dtype=torch.bool)
        relevant = (theta > self._options.skip_below).flatten().float()
        wanted = (self._merge.T @ relevant) > 0
        wanted[: self._cells[0] ** 2] = True  # the coarsest scale answers for pixels that lose all others
        return wanted.cpu()

    def _embed(self, views: Sequence[_View], wanted: Sequence[Tensor]) -> list[Tensor]:
        """Return the vectors of the wanted crops of each image, (n, D)."""
        some = (self._crops(view.square, mask) for view, mask in zip(views, wanted, strict=True))
        vectors = embed_in_batches(self._encoder, some, self._options.crop_batch)
        return list(vectors.split([int(mask.sum()) for mask in wanted]))

    def _crops(self, square: Tensor, wanted: Tensor) -> Tensor:
        """Cut the wanted crops in the order of scales and rows, (n, 3, s, s) in [0, 1]."""
        side, parts = self._encoder.image_size, []
        counts = [cells * cells for cells in self._cells]
        for patch, mask in zip(self._options.patch_sizes, wanted.split(counts), strict=True):
            stride = self._stride(patch)
            tiles = square.unfold(1, patch, stride).unfold(2, patch, stride).flatten(1, 2).transpose(0, 1)
            parts.append(pillow_bicubic(tiles[mask.to(tiles.device)], side))
        return torch.cat(parts).float().div_(255)

    def _label(self, view: _View, ran: Tensor, vectors: Tensor, vocabulary: Vocabulary) -> LabelMap:
        text = self._texts(vocabulary)
        cosines, missing = self._merged(vectors @ text.T, ran)
        theta, small = view.theta.flatten(), self._options.skip_below
        unsure = missing & (cosines[:, 0] <= small / (1 - small))
        if bool(unsure.any()):
            everything = torch.ones_like(ran)
            return self._label(view, everything, self._embed([view], [everything])[0], vocabulary)
        logits = cosines * theta[:, None]
        logits[:, 0] = cosines[:, 0] * (1 - theta)
        best, labels = logits.max(dim=1)
        labels[missing] = 0
        spread = (logits - best[:, None]).mul_(self._options.confidence_scale).exp_().sum(dim=1)
        side = self._options.square_side
        return LabelMap(
            labels.view(side, side).cpu().numpy().astype(np.uint16),
            spread.reciprocal().view(side, side).cpu().numpy().astype(np.float16),
            vocabulary.names,
        )

    def _texts(self, vocabulary: Vocabulary) -> Tensor:
        return self._encoder.embed_text(with_templates(vocabulary, self._templates))

    def _merged(self, products: Tensor, ran: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels' cosines (pixels, C), and which of them lack a crop, (pixels,) bool.

        What is there is scaled up for what is lacking.
        """
        if bool(ran.all()):
            missing = torch.zeros(len(self._merge), dtype=torch.bool, device=self._merge.device)
            return self._merge @ products, missing
        kept = self._merge[:, ran.to(self._merge.device)]
        share = kept.sum(dim=1) / self._merge.sum(dim=1)
        missing = (self._merge[:, ~ran.to(self._merge.device)] > 0).any(dim=1)
        return (kept @ products) / torch.where(missing, share, 1.0)[:, None], missing

    def _merge_matrix(self) -> Tensor:
        """Return (pixels, crops): bilinear stretching of every scale's grid, weighed and averaged."""
        side, scales = self._options.square_side, len(self._cells)
        weights = self._options.scale_weights or (1.0,) * scales
        parts = []
        for cells, weight in zip(self._cells, weights, strict=True):
            axis = interpolation_matrix(side, cells)
            parts.append(torch.kron(axis, axis) * (weight / scales))
        return torch.cat(parts, dim=1)

    def _stride(self, patch: int) -> int:
        return max(1, patch // (self._options.stride_divisor or 2))

    def _per_side(self, patch: int) -> int:
        return (self._options.square_side - patch) // self._stride(patch) + 1


def _nearest(label_map: LabelMap, size: tuple[int, int]) -> LabelMap:
    """Bring a map to another size as OpenCV's INTER_NEAREST does."""
    rows, columns = (
        np.minimum(np.floor(np.arange(n) * (1.0 / (n / side))).astype(np.int64), side - 1)
        for n, side in zip(size, label_map.labels.shape, strict=True)
    )
    grid = np.ix_(rows, columns)
    return LabelMap(label_map.labels[grid], label_map.scores[grid], label_map.names)
