"""A few images with their ground truth and what a subject finds in them, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..schemas.config import CorpusConfig, EvaluateConfig
from ..schemas.labelmap import LabelMap
from ..schemas.samples import Sample
from .evaluate import plan_evaluation
from .evaluate_shard import EvaluationSubject, load_subject


@dataclass(frozen=True)
class Example:
    """One judged image.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: with the ground truth's own names, also of things that the vocabulary does not hold.
        miou: by the first protocol of the evaluation, over the classes that the image holds.
    """

    key: str
    image: NDArray[np.uint8]
    captions: tuple[str, ...]
    truth: LabelMap
    prediction: LabelMap
    miou: float


def find_examples(
    subject: EvaluationSubject, corpus: CorpusConfig, config: EvaluateConfig, keys: Sequence[str]
) -> dict[str, Example]:
    """Segment and judge the images with these keys, in this process; nothing is stored.

    Args:
        subject, corpus, config: as of :func:`maskmill.tasks.evaluate.evaluate_run`.

    Returns:
        By key; keys that the corpus does not hold are missing.

    Raises:
        ConfigError, WeightsError, CorpusError, StageError: as of ``evaluate_run``.
    """
    plan = plan_evaluation(subject, corpus, config)
    job, wanted = plan.job, set(keys)
    samples = (
        sample
        for shard in plan.shards
        for sample in job.reader.read(shard)
        if isinstance(sample, Sample) and sample.key in wanted
    )
    segmenter = load_subject(subject, config.device)
    found = {}
    for judged in job.judged(segmenter, samples):
        sure = np.ones(judged.truth.shape, np.float16)
        found[judged.sample.key] = Example(
            judged.sample.key,
            judged.image,
            tuple(caption for caption in judged.sample.captions if caption),
            LabelMap(judged.truth, sure, job.judge.truth_names),
            judged.prediction,
            judged.miou,
        )
    return found
