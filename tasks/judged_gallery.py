"""Pictures of a dataset with what teacher and student found in them, beside the ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..catalogs.report import GalleryItem, index_map
from ..schemas.errors import StageError
from ..schemas.samples import BadSample, Sample
from .evaluate import EvaluationPlan
from .evaluate_shard import Judged, load_subject

Scores = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class GalleryPlan:
    """Which pictures are shown.

    Args:
        teacher, student: what judges them, on the same dataset.
        scores: (key, mIoU) of all images by the student.
        pictures: how many, a third each of the best, the worst and random ones.
    """

    teacher: EvaluationPlan
    student: EvaluationPlan
    scores: Scores = ()
    pictures: int = 24


def judged_gallery(plan: GalleryPlan) -> list[GalleryItem]:
    """Segment the chosen pictures again with both, for the gallery.

    Raises:
        StageError: a picture cannot be judged.
    """
    groups = choose(plan.scores, plan.pictures)
    teacher, student = (_judged(side, groups) for side in (plan.teacher, plan.student))
    return [_item(plan, group, teacher[key], student[key]) for key, group in groups.items()]


def choose(scores: Scores, pictures: int) -> dict[str, str]:
    """Return key -> ``best``, ``worst`` or ``random``, a third each, no key twice."""
    ranked = [key for key, _ in sorted(scores, key=lambda s: (-s[1], s[0]))]
    third = min(-(-pictures // 3), len(ranked) // 3)
    chosen = {
        **dict.fromkeys(ranked[:third], "best"),
        **dict.fromkeys(ranked[len(ranked) - third :], "worst"),
    }
    rest = [key for key in ranked if key not in chosen]
    drawn = np.random.default_rng(0).permutation(len(rest))[: max(0, pictures - len(chosen))]
    return {**chosen, **{rest[i]: "random" for i in drawn}}


def _judged(plan: EvaluationPlan, keys: dict[str, str]) -> dict[str, Judged]:
    segmenter = load_subject(plan.job.subject, plan.job.config.device)
    wanted = _samples(plan, keys)
    return {judged.sample.key: judged for judged in plan.job.judged(segmenter, wanted)}


def _samples(plan: EvaluationPlan, keys: dict[str, str]) -> Iterator[Sample | BadSample]:
    for shard in plan.shards:
        yield from (s for s in plan.job.reader.read(shard) if s.key in keys)


def _item(plan: GalleryPlan, group: str, teacher: Judged, student: Judged) -> GalleryItem:
    if teacher.sample.key != student.sample.key:
        raise StageError("teacher and student were judged on different datasets")
    judge = plan.teacher.job.judge
    truth = judge.targets(teacher.truth)[0]
    return GalleryItem(
        key=teacher.sample.key,
        image=teacher.image,
        truth=index_map(truth, judge.vocabulary.names),
        teacher=teacher.prediction,
        student=student.prediction,
        scores=(teacher.miou, student.miou),
        captions=tuple(c for c in teacher.sample.captions if c),
        group=group,
    )
