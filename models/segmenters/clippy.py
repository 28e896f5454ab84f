"""CLIPpy (Ranasinghe et al. 2023, "Perceptual Grouping in Contrastive Vision-Language Models")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.config import SegmenterConfig
from ...schemas.errors import WeightsError
from ...schemas.labelmap import LabelMap
from ...schemas.vocabulary import Vocabulary
from ..clippy.grouping import group_similarity
from ..clippy.image_tower import Tokens
from ..clippy.pooling import pool
from ..clippy.wording import Wording
from ..resizing import working_size
from .base import Segmenter, check_batch, in_order, to_tensor
from .clippy_options import ClippyOptions, Towers, weight_files
from .maskclip_scores import label_logits
from .registry import SegmenterCard, options_of, register
from .sampling import Axis, bands

_MAP_VALUES = 4_000_000  # float32 values of one dense map (classes x rows x W) held at once


class Clippy:
    """Cosines of every patch's token with every text; the best at each pixel is its label (Sec. 3.5).

    A class is the mean of the unit embeddings of its words (Appendix I), scaled to unit norm. Tokens are
    scaled to unit norm on the grid and multiplied with the texts there; the C cosines are then sampled
    bilinearly at the pixels. Sampling is linear over cells and a product with a text is linear over channels,
    so this equals sampling the E channels first, as the released code does, as long as nothing is scaled
    between the two, and enlarges C channels instead of E. Scores are the softmax of the scaled cosines.

    ``released`` is what the code published with the paper (a replication by its first author) computes where
    that is something else: every word of class 0 is a class of its own, any of which means background;
    prompts read "a photo of a", or "an", and the word in lower case; positions are resampled with DINO's
    offset; and an image's vector is the maximum over all tokens, CLS included. That code resizes to a
    224 x 224 square too.

    Class 0 of a vocabulary without a background is never answered.

    Args:
        towers: of images and texts, in one space.
        config: options.

    Attributes:
        id: method and towers, with their checksums.
        weights: what -> sha256.

    Raises:
        ConfigError: there are no such templates.
        WeightsError: the towers' vectors differ in length.
    """

    def __init__(self, towers: Towers, config: ClippyOptions) -> None:
        self._image, self._text, self._config = towers.image, towers.text, config
        self._wording = config.wording
        self._scale = config.logit_scale or towers.logit_scale
        self.id = f"clippy-{config.mode}/{towers.id}"
        self.weights: Mapping[str, str] = towers.weights
        length = self._text.embed_text(Vocabulary.of([])).shape[1]
        if length != self._image.dim:
            raise WeightsError(
                f"the image tower {self._image.id!r} gives vectors of {self._image.dim} values, the text "
                f"tower {self._text.id!r} of {length}: they were not trained together"
            )

    @torch.no_grad()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images, each with its own vocabulary (:class:`Segmenter`); those of one size go together.

        Raises:
            ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
        """
        check_batch(images, vocabularies)
        return in_order(
            (place, self._label(cells, _size(images[place]), vocabularies[place]))
            for place, cells in self._see(images)
        )

    @torch.no_grad()
    def logits(self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]) -> list[Tensor]:
        """Return the scaled cosines of all classes, class 0 among them, (C, H, W) at the images' sizes.

        Raises:
            ValueError: as for a call.
        """
        check_batch(images, vocabularies)
        return in_order(
            (place, torch.cat(list(self._logits(cells, _size(images[place]), vocabularies[place])), dim=1))
            for place, cells in self._see(images)
        )

    @torch.no_grad()
    def image_scores(self, images: Sequence[NDArray[np.uint8]], vocabulary: Vocabulary) -> Tensor:
        """Return (B, C) float32 cosines of the pooled images and the classes, as in classification.

        The background's words are averaged in either mode.
        """
        check_batch(images, [vocabulary] * len(images))
        texts, _ = self._texts(vocabulary, replace(self._wording, each=False))
        rows = in_order((place, self._pooled_scores(cells, texts)) for place, cells in self._see(images))
        return torch.stack(rows) if rows else texts.new_zeros(0, len(texts))

    @torch.no_grad()
    def groups(self, image: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return regions without names, (H, W) ids from 0, of the tokens alone (:func:`group_similarity`)."""
        check_batch([image], [Vocabulary.of([])])
        ((_, cells),) = self._see([image])
        grid = cells.patches.T.unflatten(1, cells.grid)
        values = group_similarity(grid, self._config.groups, self._config.centred_groups)
        rows, columns = (Axis.of(*sides) for sides in zip(image.shape[:2], values.shape[1:], strict=True))
        parts = [band.argmax(dim=0) for band in bands(values, [rows], [columns], _MAP_VALUES)]
        return torch.cat(parts).cpu().numpy().astype(np.uint16)

    @torch.no_grad()
    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        """Return the cosines of the classes on the grid of patches."""
        check_batch([image], [vocabulary])
        ((_, cells),) = self._see([image])
        texts, background = self._texts(vocabulary, self._wording)
        values = _folded(self._cosines(cells, texts), background)
        if not vocabulary.has_background:
            values[0] = -1.0
        return {"patches": values.cpu().numpy()}

    def _see(self, images: Sequence[NDArray[np.uint8]]) -> Iterator[tuple[int, _Cells]]:
        """Yield each image's place and tokens; images of one working size go through the tower together."""
        places: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            places[self._working_size(image.shape[0], image.shape[1])].append(place)
        step = self._config.batch_images
        for size, alike in places.items():
            for batch in (alike[start : start + step] for start in range(0, len(alike), step)):
                resized = [_resized(to_tensor(images[place], self._image.device), size) for place in batch]
                tokens = self._image.tokens(torch.stack(resized))
                yield from zip(batch, _cells(tokens), strict=True)

    def _working_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that the tower sees: whole cells, at least one."""
        square = self._config.shape == "square"
        sides = (self._config.size,) * 2 if square else working_size(height, width, self._config.size)
        rows, columns = (
            max(1, round(side / cell)) * cell for side, cell in zip(sides, self._image.cell, strict=True)
        )
        return rows, columns

    def _label(self, cells: _Cells, size: tuple[int, int], vocabulary: Vocabulary) -> LabelMap:
        if len(vocabulary.classes) == 1:
            return LabelMap(np.zeros(size, np.uint16), np.ones(size, np.float16), vocabulary.names)
        parts = []
        for band in self._logits(cells, size, vocabulary):
            if not vocabulary.has_background:
                band[0] = -torch.inf
            parts.append(label_logits(band))
        labels, scores = (torch.cat(rows).cpu().numpy() for rows in zip(*parts, strict=True))
        return LabelMap(labels.astype(np.uint16), scores.astype(np.float16), vocabulary.names)

    def _logits(self, cells: _Cells, size: tuple[int, int], vocabulary: Vocabulary) -> Iterator[Tensor]:
        """Yield bands of rows of the scaled cosines, (C, n, W)."""
        texts, background = self._texts(vocabulary, self._wording)
        rows, columns = (Axis.of(*sides) for sides in zip(size, cells.grid, strict=True))
        for band in bands(self._scale * self._cosines(cells, texts), [rows], [columns], _MAP_VALUES):
            yield _folded(band, background)

    def _cosines(self, cells: _Cells, texts: Tensor) -> Tensor:
        """Return (K, h, w) cosines of patches and texts."""
        features = F.normalize(self._image.project(cells.patches), dim=-1)
        return (texts.to(features) @ features.T).unflatten(1, cells.grid)

    def _pooled_scores(self, cells: _Cells, texts: Tensor) -> Tensor:
        """Return (C,) cosines of one image's pooled tokens and the texts."""
        how, temperature = self._config.used_pooling, self._config.temperature
        similarity = self._cosines(cells, texts).flatten(1)
        pooled = pool(cells.prefix, cells.patches, similarity, how, temperature)
        vectors = F.normalize(self._image.project(pooled), dim=-1)
        return (vectors * texts.to(vectors)).sum(dim=-1)

    def _texts(self, vocabulary: Vocabulary, wording: Wording) -> tuple[Tensor, int]:
        """Return unit vectors (K, E), and how many of the first mean class 0."""
        asked, background = wording.ask(vocabulary)
        return self._text.embed_text(asked), background


class _Cells(NamedTuple):
    """One image's part of :class:`Tokens`: prefix (P, D), patches (h * w, D), grid (h, w)."""

    prefix: Tensor
    patches: Tensor
    grid: tuple[int, int]


def _cells(tokens: Tokens) -> Iterator[_Cells]:
    for prefix, patches in zip(tokens.prefix, tokens.patches, strict=True):
        yield _Cells(prefix, patches, tokens.grid)


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (3, H, W) as CLIP's and DINO's preprocessing does, bicubic with antialiasing."""
    resized = F.interpolate(picture[None], size, mode="bicubic", align_corners=False, antialias=True)[0]
    return resized.clamp(0, 1)


def _folded(values: Tensor, background: int) -> Tensor:
    """Return (C, h, w) of (K, h, w): the best of the first ``background`` rows stands for class 0."""
    return torch.cat([values[:background].amax(dim=0, keepdim=True), values[background:]])


CARD = SegmenterCard(
    name="clippy",
    summary="patch tokens of a ViT that was trained with max pooling, compared with texts",
    paper="Ranasinghe et al., Perceptual Grouping in Contrastive Vision-Language Models, ICCV 2023",
    weights="a checkpoint of the released code (timm ViT-B/16, sentence-T5), or two towers of one space",
    licence="DINO and sentence-T5 Apache-2.0; the released code, which its checkpoint comes with, GPL-3.0",
    options=ClippyOptions,
    files=weight_files,
)


@register(CARD)
def create_clippy(config: SegmenterConfig) -> Segmenter:
    """Build CLIPpy on the towers that the configuration names."""
    options = options_of(config, ClippyOptions)
    return Clippy(Towers(config, options), options)
