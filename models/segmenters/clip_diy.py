"""CLIP-DIY (Wysoczanska et al. 2024): CLIP on patches of several sizes, refined by objectness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.config import SegmenterConfig
from ...schemas.labelmap import LabelMap
from ...schemas.templates import templates_or_own, with_templates
from ...schemas.vocabulary import Vocabulary
from ..encoders.clip import load_clip
from ..encoders.weights import pinned_sha256, resolve_clip
from ..objectness import Objectness, load_objectness
from ..objectness.heads import head_file
from ..resizing import resize_short_side
from .base import Segmenter, check_batch, to_tensor
from .clip_diy_options import ClipDiyOptions, CropEncoder
from .clip_diy_released import ClipDiyReleased
from .crop_batches import embed_in_batches
from .registry import SegmenterCard, options_of, register
from .tiles import TileGrid, interpolation_matrix

_MAP_VALUES = 4_000_000  # float32 values of one dense map (classes x rows x W) held at once


class ClipDiy:
    """Eq. 1-4 of the paper; :class:`ClipDiyReleased` is the other reading.

    Each image x is resized to ``short_side`` and tiled at every patch size (:class:`TileGrid`); every patch
    is resized to the encoder's input, bicubic with antialiasing. The inner products of patches and queries
    form a grid per query and scale, which Upsample of Eq. 1 stretches bilinearly over the image. H x W
    there are those of the original image: interpolation between patches gives one continuous map, which is
    sampled where labels are wanted instead of at the working size and then again. The mean over scales (Eq.
    2) is weighed by objectness (Eq. 3); the label is the argmax of Eq. 4. Eq. 4 has no temperature, which
    leaves its softmax close to uniform; ``confidence_scale`` gives the scores one and changes no label.

    Objectness sees the original image, or the resized one where that is smaller, and its map is resized back:
    the working size bounds the cost, and an enlarged image would show it nothing new.

    Args:
        encoder: embeds crops and queries.
        objectness: Theta of Eq. 3.
        config: sizes and scales.

    Attributes:
        id: method, encoder and objectness, with their checksums.
        weights: what -> sha256 or id.
    """

    def __init__(self, encoder: CropEncoder, objectness: Objectness, config: ClipDiyOptions) -> None:
        self._encoder, self._objectness, self._config = encoder, objectness, config
        self._templates = templates_or_own(config.templates)
        self.id = f"clip-diy-{config.mode}/{encoder.id}/{objectness.id}"
        self.weights: Mapping[str, str] = {"clip": encoder.sha256, **objectness.weights}

    @torch.no_grad()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images, each with its own vocabulary (:class:`Segmenter`); crops of all share batches.

        Raises:
            ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
        """
        check_batch(images, vocabularies)
        pictures = [to_tensor(image, self._encoder.device) for image in images]
        working = [resize_short_side(picture, self._config.short_side) for picture in pictures]
        crops = (some for picture in working for some in self._crops(picture))
        vectors = embed_in_batches(self._encoder, crops, self._config.crop_batch)
        parts = vectors.split([sum(g.rows * g.columns for g in self._grids(w)) for w in working])
        return [
            self._label(
                self._similarity(resized, part, vocabulary), self._theta(picture, resized), vocabulary
            )
            for picture, resized, part, vocabulary in zip(pictures, working, parts, vocabularies, strict=True)
        ]

    @torch.no_grad()
    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        """Return the similarities of every scale, objectness, and the refined map that is labelled by."""
        check_batch([image], [vocabulary])
        picture = to_tensor(image, self._encoder.device)
        working = resize_short_side(picture, self._config.short_side)
        vectors = embed_in_batches(self._encoder, self._crops(working), self._config.crop_batch)
        grids, theta = self._similarity(working, vectors, vocabulary), self._theta(picture, working)
        weights = self._config.scale_weights or (1.0,) * len(grids)
        size = (theta.shape[0], theta.shape[1])
        stretched = [
            weight * F.interpolate(grid[None], size, mode="bilinear")[0]
            for weight, grid in zip(weights, grids, strict=True)
        ]
        refined = torch.stack(stretched).sum(dim=0) / sum(weights)
        refined[0] *= 1 - theta
        refined[1:] *= theta
        scales = {f"{p} px": g for p, g in zip(self._config.patch_sizes, grids, strict=True)}
        maps = {**scales, "objectness": theta[None], "refined": refined}
        return {what: values.cpu().numpy() for what, values in maps.items()}

    def logits(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[NDArray[np.float32]]:
        """Return the refined maps of Eq. 3 times ``confidence_scale``, (C, H, W) at the images' sizes.

        Raises:
            ValueError: as for a call.
        """
        check_batch(images, vocabularies)
        scale = np.float32(self._config.confidence_scale)
        pairs = zip(images, vocabularies, strict=True)
        return [self.heat_maps(image, words)["refined"] * scale for image, words in pairs]

    def _grids(self, working: Tensor) -> list[TileGrid]:
        height, width = working.shape[-2:]
        divisor = self._config.stride_divisor or 1
        return [TileGrid(height, width, patch, divisor) for patch in self._config.patch_sizes]

    def _crops(self, working: Tensor) -> Iterator[Tensor]:
        """Yield the patches of each scale, (N, 3, S, S) in [0, 1]."""
        side = self._encoder.image_size
        for grid in self._grids(working):
            yield _to_square(grid.cut(working), side)

    def _similarity(self, working: Tensor, vectors: Tensor, vocabulary: Vocabulary) -> list[Tensor]:
        """Return the grid of inner products of each scale, (C, rows, columns)."""
        grids = self._grids(working)
        products = self._encoder.embed_text(with_templates(vocabulary, self._templates)) @ vectors.T
        parts = products.split([grid.rows * grid.columns for grid in grids], dim=1)
        return [p.unflatten(1, (g.rows, g.columns)) for p, g in zip(parts, grids, strict=True)]

    def _theta(self, picture: Tensor, working: Tensor) -> Tensor:
        """Return the objectness of the original pixels, (H, W)."""
        if picture.shape[-2] <= working.shape[-2]:
            return self._objectness(picture)
        size = (picture.shape[-2], picture.shape[-1])
        smaller = self._objectness(working)[None, None]
        return F.interpolate(smaller, size, mode="bilinear", align_corners=False)[0, 0].clamp(0, 1)

    def _label(self, grids: list[Tensor], theta: Tensor, vocabulary: Vocabulary) -> LabelMap:
        """Label the image in bands of rows, so that memory does not grow with image size times classes."""
        height, width = theta.shape
        across = [grid @ interpolation_matrix(width, grid.shape[2]).to(grid).T for grid in grids]
        weights = self._config.scale_weights or (1.0,) * len(grids)
        down = [
            w * interpolation_matrix(height, g.shape[1]).to(g) for w, g in zip(weights, grids, strict=True)
        ]
        stacked, matrix = torch.cat(across, dim=1), torch.cat(down, dim=1) / sum(weights)
        step = max(1, _MAP_VALUES // (len(stacked) * width))
        labels, scores = zip(
            *(
                self._label_rows(matrix[top : top + step] @ stacked, theta[top : top + step])
                for top in range(0, height, step)
            ),
            strict=True,
        )
        return LabelMap(
            torch.cat(labels).cpu().numpy().astype(np.uint16),
            torch.cat(scores).cpu().numpy().astype(np.float16),
            vocabulary.names,
        )

    def _label_rows(self, m_clip: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and scores (h, W) of M_CLIP (C, h, W) and Theta (h, W): Eq. 3 and 4."""
        m_clip[0] *= 1 - theta
        m_clip[1:] *= theta
        best, labels = m_clip.max(dim=0)
        others = m_clip.sub_(best).mul_(self._config.confidence_scale).exp_().sum(dim=0)
        return labels, others.reciprocal_()


def _to_square(crops: Tensor, side: int) -> Tensor:
    if crops.shape[-2:] == (side, side):
        return crops
    resized = F.interpolate(crops, (side, side), mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp_(0, 1)


def _files(config: SegmenterConfig) -> dict[str, str]:
    """Weights that only timm or a factory knows how to find are left out."""
    weights = {"clip": pinned_sha256(resolve_clip(config.clip).file)}
    if config.objectness != "none" and not config.objectness.startswith(("bkg:", "instances:")):
        weights["objectness"] = pinned_sha256(head_file(config.objectness)[0])
    return weights


CARD = SegmenterCard(
    name="clip-diy",
    summary="CLIP on patches of several sizes, refined by objectness; no training",
    paper="Wysoczanska et al., CLIP-DIY, WACV 2024",
    weights="an open_clip model (paper: ViT-B-32:laion2b_s34b_b79k); FOUND's head on DINO ViT-S/8",
    licence="OpenCLIP LAION weights MIT, FOUND and DINO Apache-2.0; the authors' code has no licence",
    options=ClipDiyOptions,
    files=_files,
)


@register(CARD)
def create_clip_diy(config: SegmenterConfig) -> Segmenter:
    """Build CLIP-DIY on the CLIP and the objectness that the configuration names."""
    options = options_of(config, ClipDiyOptions)
    clip = load_clip(config.clip, config.device, options.encoder)
    method = ClipDiyReleased if options.mode == "released" else ClipDiy
    return method(clip, load_objectness(config.objectness, clip), options)
