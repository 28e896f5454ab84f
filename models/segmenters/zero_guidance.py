"""Zero-guidance segmentation (Rewatbowornwong et al. 2023) as a segmenter: its labels are its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...schemas.config import Frozen, SegmenterConfig
from ...schemas.labelmap import LabelMap
from ...schemas.vocabulary import Vocabulary
from ..encoders.clip import DEFAULTS, IN_MEMORY, ClipEncoder, load_clip
from ..encoders.weights import pinned_sha256, resolve_clip
from ..resizing import resize_short_side
from ..zero_guidance.agglomeration import CutRule
from ..zero_guidance.candidates import CandidateRule, find_candidates
from ..zero_guidance.dino_keys import ClipKeys, DinoKeys, KeySource
from ..zero_guidance.language import Describer
from ..zero_guidance.language_model import load_language_model
from ..zero_guidance.masked_attention import MaskRule
from ..zero_guidance.merging import Segment, describe_segments, merge_up
from ..zero_guidance.refinement import Crf
from ..zero_guidance.retrieval import SHIPPED_NOUNS, NounRetrieval, load_nouns
from ..zero_guidance.segment_encoders import SegmentEncoder, segment_encoder
from ..zero_guidance.zerocap import Steering, ZeroCap
from .base import Segmenter, check_batch, to_tensor
from .registry import SegmenterCard, options_of, register

BACKGROUND_NAME = "background"
_RELEASED_SPLITS = 10


class ZeroGuidanceOptions(Frozen):
    """Zero-guidance segmentation; the defaults are the paper's, but for text by retrieval.

    ``released`` differs from ``paper`` in three places: saliency compares attention weights instead of
    outputs, the tree is cut at most 10 times and always at the root (at most 11 leaves), and DINO's positions
    are resampled as in DINO's code.
    """

    mode: Literal["paper", "released"] = "paper"
    backbone: str = Field(
        "vit_small_patch8_224.dino", description="timm model whose keys are clustered, or 'clip'"
    )
    short_side: int = Field(224, ge=8, description="pixels, at which candidates are found")
    stride: int = Field(2, ge=1, description="pixels between the backbone's patches")
    max_positions: int = Field(20_000, ge=64, description="grid positions above which the stride is doubled")
    clusters: int = Field(20, ge=1, description="n of Sec. 3.1")
    split_threshold: float = Field(0.9, description="T_DINO: siblings at least this alike are not split")
    refine: bool = Field(True, description="conditional random field over the candidates")
    encoding: Literal["attention", "crop"] = Field("attention", description="'crop' is Table 3's baseline")
    masked_layers: int = Field(
        4, ge=1, description="the last so many layers are masked; a ResNet has one, its pool"
    )
    subtract: bool = Field(True, description="global subtraction, Eq. 3")
    variance: float = Field(2.5, gt=0, description="sigma^2 of Eq. 4")
    text: Literal["retrieval", "zerocap"] = "retrieval"
    nouns: str = Field(SHIPPED_NOUNS, description="of retrieval: 'nouns', a vocabulary's name or a file")
    language_model: str = Field("gpt2-medium", description="of ZeroCap: Hugging Face name or folder")
    beams: int = Field(5, ge=1)
    tokens: int = Field(15, ge=1, description="longest text, in tokens")
    merge: bool = Field(True, description="merge siblings that are alike")
    merge_threshold: float = Field(0.8, description="tau_merge")
    assign: Literal["free", "vocabulary"] = Field(
        "free", description="'vocabulary': give each segment the nearest given class instead (Eq. 6)"
    )
    assign_threshold: float = Field(0.1, description="tau_CLIP: segments below it stay background")


class ZeroGuidance:
    """Segments and words for a whole image, asked for by nobody.

    Candidates are found at a working size; the segments are described by CLIP, which sees the original image.
    Labels are enlarged to the image by nearest neighbour.

    With ``assign = "free"`` the given vocabulary is not looked at: names are ``background`` and then each
    text once, in order of its first segment; several segments of one text share a label; a segment called
    "background", or for which there are no words, is background. A score is the cosine of the segment and its
    text in CLIP's space, at least 0: it orders segments, and is no probability. With
    ``assign = "vocabulary"`` segments take the nearest class (Eq. 6) where their cosine is at least
    ``assign_threshold``, and the score is that cosine.

    Args:
        clip: encodes segments and texts.
        keys: dense features for candidates.
        describer: words.
        options: all else.

    Attributes:
        id: method, encoder, backbone and source of words, with their checksums.
        weights: what -> sha256 or id.
    """

    def __init__(
        self, clip: ClipEncoder, keys: KeySource, describer: Describer, options: ZeroGuidanceOptions
    ) -> None:
        self._clip, self._keys, self._describer, self._options = clip, keys, describer, options
        self._encoder: SegmentEncoder = segment_encoder(clip, options.encoding, mask_rule(options))
        self.id = f"zero-guidance-{options.mode}/{clip.id}/{keys.id}/{describer.id}"
        self.weights: Mapping[str, str] = {"clip": clip.sha256, "backbone": keys.id, **describer.weights}

    @torch.no_grad()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images one by one; see the class for what names and scores are.

        Raises:
            ValueError: there is not one vocabulary for each image, or an image is not (H, W, 3) uint8.
        """
        check_batch(images, vocabularies)
        return [self._label(image, given) for image, given in zip(images, vocabularies, strict=True)]

    @torch.no_grad()
    def describe(self, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> list[Segment]:
        """Embed and describe (S, H, W) masks that somebody else found, such as a ground truth's."""
        seen = self._encoder.see(to_tensor(image, self._clip.device))
        return describe_segments(torch.from_numpy(masks), seen, self._describer)

    def embed_classes(self, vocabulary: Vocabulary) -> Tensor:
        """Return (C, E) unit vectors of classes, comparable with those of segments (Eq. 6)."""
        return self._clip.embed_text(vocabulary)

    @torch.no_grad()
    def segments(self, image: NDArray[np.uint8]) -> list[Segment]:
        """Return the segments of an (H, W, 3) image, with masks at the working size."""
        options = self._options
        picture = to_tensor(image, self._clip.device)
        working = resize_short_side(picture, options.short_side)
        tree = find_candidates(working, self._keys, candidate_rule(options))
        seen = self._encoder.see(working if options.encoding == "crop" else picture)
        threshold = options.merge_threshold if options.merge else None
        return merge_up(tree, seen, self._describer, threshold)

    def _label(self, image: NDArray[np.uint8], given: Vocabulary) -> LabelMap:
        segments = self.segments(image)
        if self._options.assign == "vocabulary":
            names = given.names
            numbers, scores = self._assigned(segments, given)
        else:
            texts = (s.described.text for s in segments if s.described.text)
            names = tuple(dict.fromkeys((BACKGROUND_NAME, *texts)))
            numbers = [names.index(s.described.text or BACKGROUND_NAME) for s in segments]
            scores = [float(s.embedding @ s.described.embedding.to(s.embedding)) for s in segments]
        kind = "vocabulary" if self._options.assign == "vocabulary" else "free_text"
        labels, confidence = _painted(segments, numbers, scores, (image.shape[0], image.shape[1]))
        return LabelMap(labels, confidence, names, kind)

    def _assigned(self, segments: list[Segment], given: Vocabulary) -> tuple[list[int], list[float]]:
        """Return each segment's nearest class, 0 below the threshold, and its cosine (Eq. 6)."""
        texts = self._clip.embed_text(given)
        cosines, nearest = (torch.stack([s.embedding for s in segments]).to(texts) @ texts.T).max(dim=1)
        numbers = torch.where(cosines >= self._options.assign_threshold, nearest, 0)
        return numbers.tolist(), cosines.tolist()


def candidate_rule(options: ZeroGuidanceOptions) -> CandidateRule:
    """Return how candidates are found."""
    released = options.mode == "released"
    splits = options.clusters - 1
    cut = CutRule(
        splits=min(splits, _RELEASED_SPLITS) if released else splits,
        threshold=options.split_threshold,
        always_root=released,
    )
    return CandidateRule(cut, Crf() if options.refine else None)


def mask_rule(options: ZeroGuidanceOptions) -> MaskRule:
    """Return how attention is masked."""
    return MaskRule(options.masked_layers, options.subtract, options.variance, options.mode)


def _painted(
    segments: list[Segment], numbers: list[int], scores: list[float], size: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.float16]]:
    """Return labels and scores of the original pixels."""
    which = torch.stack([s.mask for s in segments]).int().argmax(dim=0)
    full = F.interpolate(which[None, None].float(), size, mode="nearest-exact")[0, 0].long().cpu().numpy()
    values = np.clip(np.array(scores, np.float32), 0, 1).astype(np.float16)
    return np.array(numbers, np.uint16)[full], values[full]


def _key_source(options: ZeroGuidanceOptions, clip: ClipEncoder) -> KeySource:
    if options.backbone == "clip":
        return ClipKeys(clip)
    return DinoKeys(
        options.backbone, clip.device, options.stride, options.max_positions, options.mode == "released"
    )


def _describer(options: ZeroGuidanceOptions, clip: ClipEncoder) -> Describer:
    if options.text == "retrieval":
        return NounRetrieval(clip, load_nouns(options.nouns))
    steering = Steering(beams=options.beams, tokens=options.tokens)
    return ZeroCap(clip, load_language_model(options.language_model, clip.device), steering)


def _files(config: SegmenterConfig) -> dict[str, str]:
    """Weights that only timm or transformers know how to find are left out."""
    return {"clip": pinned_sha256(resolve_clip(config.clip).file)}


CARD = SegmenterCard(
    name="zero-guidance",
    summary="segments and names them in free text, without being asked for classes; no training",
    paper="Rewatbowornwong et al., Zero-guidance Segmentation Using Zero Segment Labels, ICCV 2023",
    weights="an open_clip ViT (paper: ViT-L-14-336:openai), DINO ViT-S/8; GPT-2 medium for text = zerocap",
    licence="CLIP and GPT-2 MIT, DINO Apache-2.0; the authors' code and ZeroCap's have no licence",
    options=ZeroGuidanceOptions,
    files=_files,
)


@register(CARD)
def create_zero_guidance(config: SegmenterConfig) -> Segmenter:
    """Build zero-guidance segmentation on the CLIP that the configuration names."""
    options = options_of(config, ZeroGuidanceOptions)
    # ZeroCap tries thousands of texts that no other image will need: they are not worth a place on disk.
    kept = IN_MEMORY if options.text == "zerocap" else DEFAULTS
    clip = load_clip(config.clip, config.device, kept)
    return ZeroGuidance(clip, _key_source(options, clip), _describer(options, clip), options)
