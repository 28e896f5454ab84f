"""Zero-guidance segmentation's Table 3 on drawn scenes, and where its order is not the paper's.

Usage: python benchmarks/zero_guidance_ablation.py [--scenes 40] [--sentence-encoder FOLDER]

What is the paper's: four ways to embed the segments of an image, judged after segment-to-text reassignment
with the constant threshold 0.1; IoU is the mean over images, Recall the share of ground-truth segments found
with an IoU above one half, TGQ (Text Generation Quality) the share of ground-truth segments whose text lies
near its class for a sentence encoder, of which `--sentence-encoder` names a folder or a hub name.

What is not, because the weights that ship here are one small CLIP of a ResNet: candidates come from its layer
3 instead of DINO's keys, attention is masked in its pool instead of in the last four layers of a ViT-L, and
words are retrieved from `--nouns` instead of being written by GPT-2. With `--clip` and `--backbone` the same
runs on other weights.

PC-59, where all that is seen has a class, is held against scenes with the background as one more class;
PAS-20 against the things alone, all else unjudged. Candidates of an image are found once for the four rows.
The demo CLIP's texts in a template have cosines near 0.9 with each other, so the paper's threshold of
merging, 0.8, leaves one segment of an image; `--merge` runs the rows with others, too. Standard errors are of
a bootstrap over scenes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from ablation_order import Estimate, ratio_of, resamples, table_lines
from demo_scenes import Scene, held_out
from numpy.typing import NDArray
from paper_tables import ZERO_GUIDANCE_TABLE_3

from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.metrics.free_text import (
    IOU_THRESHOLD,
    SEGMENT_THRESHOLD,
    TEXT_THRESHOLD,
    FreeTextScore,
    reassign,
)
from maskmill.models.resizing import resize_short_side
from maskmill.models.segmenters.base import to_tensor
from maskmill.models.segmenters.zero_guidance import ZeroGuidanceOptions, candidate_rule, mask_rule
from maskmill.models.zero_guidance.candidates import find_candidates
from maskmill.models.zero_guidance.dino_keys import ClipKeys, DinoKeys, KeySource
from maskmill.models.zero_guidance.merging import Segment, describe_segments, merge_up
from maskmill.models.zero_guidance.retrieval import NounRetrieval, load_nouns
from maskmill.models.zero_guidance.segment_encoders import SegmentEncoder, segment_encoder
from maskmill.models.zero_guidance.sentences import SentenceEncoder, load_sentence_encoder
from maskmill.schemas.labelmap import IGNORE
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary

MODES: tuple[Literal["paper", "released"], ...] = ("paper", "released")
ROWS: Mapping[str, Mapping[str, Any]] = {
    "crop and mask": {"encoding": "crop"},
    "without global subtraction": {"subtract": False},
    "without merging": {"merge": False},
    "full": {},
}
# A measure here -> the columns of the paper that it is held against.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "IoU, background a class": ("PC-59 IoU", "PC-459 IoU"),
    "Recall, background a class": ("PC-59 Recall",),
    "TGQ": ("PC-59 TGQ",),
    "IoU, things alone": ("PAS-20 IoU",),
}


@dataclass
class Tally:
    """(part, whole) of each image, for each measure, and how many segments were found."""

    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    segments: list[int] = field(default_factory=list)

    def add(self, measure: str, part: float, whole: float) -> None:
        self.pairs.setdefault(measure, []).append((part, whole))

    def estimate(self, measure: str, weights: NDArray[np.int64]) -> Estimate | None:
        """Return the ratio of the sums, or None where nothing was measured."""
        pairs = np.array(self.pairs.get(measure, []), np.float64).reshape(-1, 2)
        return ratio_of(pairs[:, 0], pairs[:, 1], weights) if pairs[:, 1].any() else None


Tallies = Mapping[float, Mapping[str, Tally]]
"""Threshold of merging -> method -> tally."""


@dataclass(frozen=True)
class Judge:
    """Scores the segments of one image against its ground truth."""

    clip: ClipEncoder
    vocabulary: Vocabulary
    sentences: SentenceEncoder | None

    def segments(self, tally: Tally, segments: Sequence[Segment], truth: NDArray[np.uint16]) -> None:
        """Add IoU and Recall of what was found, with and without the background as a class."""
        tally.segments.append(len(segments))
        place = torch.stack([s.mask for s in segments]).int().argmax(dim=0)
        full = F.interpolate(place[None, None].float(), truth.shape, mode="nearest-exact")[0, 0].long()
        vectors, texts = torch.stack([s.embedding for s in segments]), self.clip.embed_text(self.vocabulary)
        things = np.where(truth == 0, IGNORE, truth)
        for what, target, first in (("background a class", truth, 0), ("things alone", things, 1)):
            assigned = reassign(vectors.numpy(), texts[first:].numpy(), SEGMENT_THRESHOLD)
            assigned = np.where(assigned >= 0, assigned + first, assigned)
            score = FreeTextScore(len(self.vocabulary.classes))
            ious = score.class_ious(full.numpy(), assigned, target)
            held = ious[~np.isnan(ious)]
            tally.add(f"IoU, {what}", float(held.mean()) if len(held) else 0.0, float(len(held) > 0))
            tally.add(f"Recall, {what}", float((held > IOU_THRESHOLD).sum()), float(len(held)))

    def texts(self, tally: Tally, described: Sequence[str], names: Sequence[str]) -> None:
        """Add TGQ: which texts of true segments lie near their classes' names."""
        if self.sentences is None:
            return
        cosines = (self.sentences.embed(described) * self.sentences.embed(names)).sum(dim=1)
        tally.add("TGQ", float((cosines > TEXT_THRESHOLD).sum()), float(len(names)))


@dataclass(frozen=True)
class Method:
    """One row of the table in one mode."""

    options: ZeroGuidanceOptions
    encoder: SegmentEncoder
    describer: NounRetrieval

    def oracle_texts(
        self, picture: torch.Tensor, truth: NDArray[np.uint16], names: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """Return the texts of the true segments of things, and the names of their classes."""
        classes = [int(number) for number in np.unique(truth) if number]
        if not classes:
            return [], []
        masks = torch.stack([torch.from_numpy(truth == number) for number in classes])
        found = describe_segments(masks, self.encoder.see(picture), self.describer)
        return [segment.described.text for segment in found], [names[number] for number in classes]


def build(
    clip: ClipEncoder, mode: Literal["paper", "released"], backbone: str, nouns: str
) -> dict[str, Method]:
    """Return the rows of the table."""
    describer, found = NounRetrieval(clip, load_nouns(nouns)), {}
    for name, changed in ROWS.items():
        options = ZeroGuidanceOptions(mode=mode, backbone=backbone, nouns=nouns, **changed)
        encoder = segment_encoder(clip, options.encoding, mask_rule(options))
        found[name] = Method(options, encoder, describer)
    return found


def judge_scene(
    methods: Mapping[str, Method], keys: KeySource, judge: Judge, scene: Scene, tallies: Tallies
) -> None:
    """Segment one scene by all methods, on the same candidates, and add up what is right."""
    options = methods["full"].options
    picture = to_tensor(scene.image, judge.clip.device)
    working = resize_short_side(picture, options.short_side)
    tree = find_candidates(working, keys, candidate_rule(options))
    for name, method in methods.items():
        seen = method.encoder.see(working if method.options.encoding == "crop" else picture)
        oracle = method.oracle_texts(picture, scene.truth, judge.vocabulary.names)
        for threshold, by_name in tallies.items():
            limit = threshold if method.options.merge else None
            judge.segments(by_name[name], merge_up(tree, seen, method.describer, limit), scene.truth)
            if method.options.merge:  # a true segment is not merged
                judge.texts(by_name[name], *oracle)


def key_source(clip: ClipEncoder, backbone: str, mode: Literal["paper", "released"]) -> KeySource:
    """Return what candidates are made of."""
    if backbone == "clip":
        return ClipKeys(clip)
    return DinoKeys(backbone, clip.device, dino_positions=mode == "released")


def print_tables(tallies: Mapping[str, Tally], scenes: int) -> None:
    """Print one table for each measure."""
    weights = resamples(scenes)
    per_image = ", ".join(f"{name} {np.mean(tally.segments):.1f}" for name, tally in tallies.items())
    print(f"segments per image: {per_image}")
    for measure, columns in MEASURES.items():
        found = {name: tally.estimate(measure, weights) for name, tally in tallies.items()}
        here = {name: estimate for name, estimate in found.items() if estimate is not None}
        lines = table_lines(ZERO_GUIDANCE_TABLE_3, here, columns)
        print("\n" + "\n".join([f"{measure}:", *lines[1:]]), flush=True)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--clip", default="demo")
    parser.add_argument("--backbone", default="clip", help="'clip' or a timm model such as DINO's")
    parser.add_argument("--nouns", default="demo", help="words to retrieve: 'nouns', a vocabulary or a file")
    parser.add_argument("--sentence-encoder", help="sentence-transformers model, for TGQ")
    parser.add_argument("--merge", type=float, nargs="+", default=[0.8, 0.95], help="tau_merge")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes, clip = held_out(arguments.seed, arguments.scenes), load_clip(arguments.clip, "cpu")
    name = arguments.sentence_encoder
    sentences = load_sentence_encoder(name, clip.device) if name else None
    judge = Judge(clip, load_vocabulary("demo"), sentences)
    print(
        f"{len(scenes)} scenes, seed {arguments.seed}, CLIP {clip.id}, candidates {arguments.backbone!r}, ",
        end="",
    )
    print(
        f"words {arguments.nouns!r}, TGQ by {sentences.id if sentences else 'nothing: no --sentence-encoder'}"
    )
    print(ZERO_GUIDANCE_TABLE_3.title)
    for mode in MODES:
        methods = build(clip, mode, arguments.backbone, arguments.nouns)
        keys = key_source(clip, arguments.backbone, mode)
        tallies = {threshold: {name: Tally() for name in methods} for threshold in arguments.merge}
        for scene in scenes:
            judge_scene(methods, keys, judge, scene, tallies)
        for threshold, by_name in tallies.items():
            print(f"\n=== mode {mode}, merged from {threshold} on")
            print_tables(by_name, len(scenes))


if __name__ == "__main__":
    main()
