"""MaskCLIP (Zhou et al. 2022, "Extract Free Dense Labels from CLIP"): the last layer's values as features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...schemas.config import Frozen, SegmenterConfig
from ...schemas.labelmap import LabelMap
from ...schemas.templates import templates_or_own, with_templates
from ...schemas.vocabulary import Vocabulary
from ..encoders.clip import ClipEncoder, load_clip
from ..encoders.dense_clip import DenseClip
from ..encoders.options import EncoderOptions
from ..encoders.weights import pinned_sha256, resolve_clip
from ..resizing import resize_short_side
from .base import Segmenter, check_batch, in_order, to_tensor
from .maskclip_scores import denoise, label_logits, label_shares, smooth
from .registry import SegmenterCard, options_of, register
from .sampling import Axis, bands

_MAP_VALUES = 4_000_000  # float32 values of one dense map (classes x rows x W) held at once
_LEAST = 1e-12  # probability whose logarithm stands for that of zero
_RELEASED_RATIO = 4  # the authors' images are at most 2048 x 512


class MaskClipOptions(Frozen):
    """MaskCLIP as in the paper's Sec. 3.2 and 3.4, or as the authors' code computes it."""

    mode: Literal["paper", "released"] = Field(
        "paper", description="released keeps the last block's residual and feed-forward half (see MaskClip)"
    )
    short_side: int = Field(
        512, ge=1, description="images are resized to this short side; the authors' for VOC, 520 for Context"
    )
    templates: str = Field(
        "85", description="1, 80, 85 (the paper's), own (the vocabulary's), or a text file, a template a line"
    )
    key_smoothing: float = Field(
        0.0, ge=0, le=1, description="cells less sure than this take others' answers; 0 is off, 1 all cells"
    )
    prompt_denoising: float = Field(
        0.0, ge=0, le=1, description="classes nowhere surer than this are removed; 0 is off, the paper's 0.5"
    )
    background: Literal["text", "threshold", "none"] = Field(
        "text", description="class 0 is a text like others; where no other is sure enough; never answered"
    )
    threshold: float = Field(0.5, ge=0, le=1, description="of the background rule of that name")
    logit_scale: float | None = Field(
        None, gt=0, description="of the softmax; default: the weights' own, 100 for OpenAI's"
    )
    batch_images: int = Field(8, ge=1, description="images of one size per forward pass")
    encoder: EncoderOptions = EncoderOptions()


class MaskClip:
    """Cosines of :class:`DenseClip` features and embedded texts, one answer per pixel.

    Features are scaled to unit norm per cell of the grid and multiplied with the texts there; the C cosines
    are then sampled bilinearly at the pixels. Nothing is normalised in between, so this equals sampling the E
    channels of the features first. Scores are the softmax of the scaled cosines.

    Options of Sec. 3.4, on the grid: prompt denoising removes classes whose probability stays below its
    threshold in all cells (unless that were all classes; a background that is a text is never removed). Key
    smoothing replaces the probabilities p of a cell i, where its best is below the threshold, by
    sum_j cos(k_i, k_j) p_j. With key smoothing or the background rule ``threshold`` it is probabilities that
    are sampled.

    ``paper`` lays the grid over the pixels that it covers, cutting off what was added to fill the last cells,
    and samples it at the image's own pixels. ``released`` computes what the authors' code does: it resizes
    images without antialiasing, to at most 4 short sides, stretches the grid over the resized image, cells of
    padding included, and resizes once more to the original; and its key smoothing divides each channel of the
    keys by its norm over the cells, not each key by its own.

    Args:
        encoder: a CLIP with open_clip's own ViT or ResNet image tower.
        config: options.

    Attributes:
        id: method and encoder, with its checksum.
        weights: what -> sha256.

    Raises:
        ConfigError: there are no such templates.
        WeightsError: the image tower gives no dense features.
    """

    def __init__(self, encoder: ClipEncoder, config: MaskClipOptions) -> None:
        self._encoder, self._config = encoder, config
        self._dense = DenseClip(encoder, config.mode)
        self._templates = templates_or_own(config.templates)
        self._scale = config.logit_scale or encoder.logit_scale
        self.id = f"maskclip-{config.mode}/{encoder.id}"
        self.weights: Mapping[str, str] = {"clip": encoder.sha256}

    @torch.no_grad()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images, each with its own vocabulary (:class:`Segmenter`); those of one size go together.

        Raises:
            ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
        """
        check_batch(images, vocabularies)
        working = [self._resize(to_tensor(image, self._encoder.device)) for image in images]
        return in_order(
            (place, self._label(cells, self._axes(images[place], working[place], cells), vocabularies[place]))
            for place, cells in self._embed(working)
        )

    @torch.no_grad()
    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        """Return the cosines of the classes on the grid of features."""
        check_batch([image], [vocabulary])
        working = self._resize(to_tensor(image, self._encoder.device))
        ((_, cells),) = self._embed([working])
        cosines = torch.einsum("ce,ehw->chw", self._texts(vocabulary), cells.features)
        return {"cosine": cosines.cpu().numpy()}

    @torch.no_grad()
    def logits(self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]) -> list[Tensor]:
        """Return the scaled cosines of all classes, the background's word among them, (C, H, W) at the sizes
        of the images; with key smoothing the logarithms of the smoothed probabilities.

        Raises:
            ValueError: as for a call.
        """
        check_batch(images, vocabularies)
        working = [self._resize(to_tensor(image, self._encoder.device)) for image in images]
        return in_order(
            (
                place,
                self._logits(cells, self._axes(images[place], working[place], cells), vocabularies[place]),
            )
            for place, cells in self._embed(working)
        )

    def _resize(self, picture: Tensor) -> Tensor:
        """Resize (3, H, W) to the working size."""
        short = self._config.short_side
        if self._config.mode == "paper":
            return resize_short_side(picture, short)
        height, width = picture.shape[1:]
        scale = min(short / min(height, width), _RELEASED_RATIO * short / max(height, width))
        size = (max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))
        return F.interpolate(picture[None], size, mode="bilinear", align_corners=False)[0]

    def _embed(self, working: Sequence[Tensor]) -> Iterator[tuple[int, _Cells]]:
        """Yield each image's place and cells; images of one size go through the encoder together."""
        places: dict[torch.Size, list[int]] = defaultdict(list)
        for place, picture in enumerate(working):
            places[picture.shape].append(place)
        size = self._config.batch_images
        for alike in places.values():
            for batch in (alike[start : start + size] for start in range(0, len(alike), size)):
                dense = self._dense.embed(torch.stack([working[place] for place in batch]))
                yield from zip(batch, map(_Cells, dense.features, dense.keys), strict=True)

    def _axes(self, image: NDArray[np.uint8], working: Tensor, cells: _Cells) -> list[list[Axis]]:
        """Return for rows and for columns how the grid is laid over the image's pixels."""
        grid_sides = cells.features.shape[1:]
        sides = zip(image.shape[:2], working.shape[1:], grid_sides, self._dense.stride, strict=True)
        if self._config.mode == "released":
            return [[Axis.of(resized, grid), Axis.of(side, resized)] for side, resized, grid, _ in sides]
        return [[Axis.of(side, grid, resized / stride)] for side, resized, grid, stride in sides]

    def _logits(self, cells: _Cells, axes: list[list[Axis]], vocabulary: Vocabulary) -> Tensor:
        smoothed = self._config.key_smoothing > 0
        values = self._scores(cells, self._texts(vocabulary), 1, smoothed)
        rows, columns = axes
        sampled = torch.cat(list(bands(values, rows, columns, _MAP_VALUES)), dim=1)
        return sampled.clamp_min(_LEAST).log() if smoothed else sampled

    def _label(self, cells: _Cells, axes: list[list[Axis]], vocabulary: Vocabulary) -> LabelMap:
        rows, columns = axes
        first = 0 if self._config.background == "text" else 1
        if len(vocabulary.classes) == first:
            shape = (len(rows[-1].fraction), len(columns[-1].fraction))
            return LabelMap(np.zeros(shape, np.uint16), np.ones(shape, np.float16), vocabulary.names)
        values = self._values(cells, self._texts(vocabulary)[first:])
        pairs = [self._decide(band) for band in bands(values, rows, columns, _MAP_VALUES)]
        labels, scores = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return LabelMap(
            labels.cpu().numpy().astype(np.uint16), scores.cpu().numpy().astype(np.float16), vocabulary.names
        )

    def _texts(self, vocabulary: Vocabulary) -> Tensor:
        return self._encoder.embed_text(with_templates(vocabulary, self._templates))

    def _values(self, cells: _Cells, texts: Tensor) -> Tensor:
        """Return what is sampled, (C, h, w): scaled cosines, or probabilities where a rule needs them."""
        return self._scores(cells, texts, int(self._config.background == "text"), self._samples_shares)

    def _scores(self, cells: _Cells, texts: Tensor, kept: int, as_shares: bool) -> Tensor:
        """Return scaled cosines or probabilities; the first ``kept`` classes are never removed."""
        config = self._config
        cosines = torch.einsum("ce,ehw->chw", texts, cells.features)
        if config.prompt_denoising:
            cosines = denoise(cosines, self._scale, config.prompt_denoising, kept)
        if not as_shares:
            return self._scale * cosines
        shares = (self._scale * cosines).softmax(dim=0)
        if not config.key_smoothing:
            return shares
        return smooth(shares, cells.keys, config.key_smoothing, by_channel=config.mode == "released")

    @property
    def _samples_shares(self) -> bool:
        return self._config.key_smoothing > 0 or self._config.background == "threshold"

    def _decide(self, band: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and scores (n, W) of a band (C, n, W) of :meth:`_values`."""
        if self._config.background == "threshold":
            return label_shares(band, self._config.threshold)
        labels, scores = label_shares(band) if self._samples_shares else label_logits(band)
        return (labels if self._config.background == "text" else labels + 1), scores


class _Cells(NamedTuple):
    """One image's part of a ``DenseEmbedding``: features (E, h, w) and keys (h * w, K)."""

    features: Tensor
    keys: Tensor


def _files(config: SegmenterConfig) -> dict[str, str]:
    return {"clip": pinned_sha256(resolve_clip(config.clip).file)}


CARD = SegmenterCard(
    name="maskclip",
    summary="the values of CLIP's last attention layer as dense features, compared with texts; no training",
    paper="Zhou et al., Extract Free Dense Labels from CLIP, ECCV 2022",
    weights="an open_clip model with its own ViT or ResNet image tower (paper: ViT-B-16:openai, RN50:openai)",
    licence="OpenAI's CLIP weights MIT, OpenCLIP LAION weights MIT; the authors' code Apache-2.0",
    options=MaskClipOptions,
    files=_files,
)


@register(CARD)
def create_maskclip(config: SegmenterConfig) -> Segmenter:
    """Build MaskCLIP on the CLIP that the configuration names."""
    options = options_of(config, MaskClipOptions)
    return MaskClip(load_clip(config.clip, config.device, options.encoder), options)
