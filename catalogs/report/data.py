"""What the report says, as plain values: gathered by `figures`, set in type by `page`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bin:
    """One column of a histogram: its name on the axis and how many fell into it."""

    name: str
    count: int


@dataclass(frozen=True)
class RunFigures:
    """One row of ``runs``, its JSON columns parsed; ``counted`` where its rows enter the figures."""

    run_id: str
    kind: str
    status: str
    finished_at: str
    seconds: float
    config_hash: str
    code_version: str
    reason: str | None = None
    corpus: str | None = None
    corpus_uri: str | None = None
    parent_run_id: str | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, object] = field(default_factory=dict)
    counted: bool = False


@dataclass(frozen=True)
class ImageFigures:
    """Images of the counted label runs."""

    total: int = 0
    labelled: int = 0
    per_masks: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class LabelFigures:
    """The masks of one label; ``score`` and ``area_fraction`` are means in [0, 1].

    ``scores`` and ``areas`` are its histograms, as many columns as `MaskFigures.scores` and ``areas``; labels
    far down the list have none.
    """

    label: str
    masks: int
    score: float
    area_fraction: float
    scores: tuple[int, ...] = ()
    areas: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cooccurrence:
    """Frequent labels and, in row i and column j, the images in which labels i and j both occur."""

    labels: tuple[str, ...] = ()
    images: tuple[tuple[int, ...], ...] = ()

    @property
    def greatest_share(self) -> float:
        """The largest share, in [0, 1], of the images with one label that also have another; 0 for none."""
        rows = enumerate(self.images)
        shares = [n / row[i] for i, row in rows if row[i] for j, n in enumerate(row) if j != i]
        return max(shares, default=0.0)


@dataclass(frozen=True)
class MaskFigures:
    total: int = 0
    labels: tuple[LabelFigures, ...] = ()
    areas: tuple[Bin, ...] = ()
    scores: tuple[Bin, ...] = ()
    together: Cooccurrence = field(default_factory=Cooccurrence)


@dataclass(frozen=True)
class EntityFigures:
    """A candidate noun that was rejected, and the captions that name it."""

    entity: str
    count: int
    reason: str


@dataclass(frozen=True)
class CaptionExample:
    """A caption cut into pieces; a piece that names an entity carries the entity's canonical name."""

    pieces: tuple[tuple[str, str | None], ...]
    reason: str


@dataclass(frozen=True)
class CaptionFigures:
    """The caption filter.

    ``reasons`` counts captions and ``entity_reasons`` candidate nouns. Of ``entities``, the members of the
    entity set, and of ``per_entity`` the kept captions that name them are counted; of ``rejected`` the
    captions of the discovery, which may have seen a sample.
    """

    total: int = 0
    kept: int = 0
    images: int = 0
    images_kept: int = 0
    reasons: tuple[Bin, ...] = ()
    per_entities: tuple[Bin, ...] = ()
    per_entity: tuple[Bin, ...] = ()
    entities: tuple[Bin, ...] = ()
    rejected: tuple[EntityFigures, ...] = ()
    entity_reasons: tuple[Bin, ...] = ()
    kept_examples: tuple[CaptionExample, ...] = ()
    dropped_examples: tuple[CaptionExample, ...] = ()


@dataclass(frozen=True)
class ErrorExample:
    corpus: str
    shard_id: str
    key: str | None
    detail: str


@dataclass(frozen=True)
class ErrorFigures:
    """Errors of one stage with one reason, and the first few of them."""

    stage: str
    reason: str
    count: int
    examples: tuple[ErrorExample, ...]


@dataclass(frozen=True)
class EvaluationFigures:
    """One row of ``evaluations``; ``ious`` maps a class to its IoU in [0, 1], or None if it never occurs."""

    subject: str
    subject_id: str
    protocol: str
    vocabulary: str
    dataset_uri: str
    images: int
    miou: float
    pixel_accuracy: float
    ious: Mapping[str, float | None]


@dataclass(frozen=True)
class QualityFigures:
    """Evaluations on one dataset: ``columns`` are compared class by class, ``others`` only listed."""

    columns: tuple[EvaluationFigures, ...] = ()
    others: tuple[EvaluationFigures, ...] = ()
    teacher: EvaluationFigures | None = None
    student: EvaluationFigures | None = None

    @property
    def gain(self) -> float | None:
        """Percentage points of mIoU by which the student beats its teacher; None unless both were judged."""
        if self.teacher is None or self.student is None:
            return None
        return 100.0 * (self.student.miou - self.teacher.miou)


@dataclass(frozen=True)
class StudentFigures:
    """One trained student; ``history`` holds (step, loss), or nothing where no record was found."""

    student_id: str
    label_run_id: str
    catalog_version: int
    weights_sha256: str
    classes: int
    images: int
    steps: int
    final_loss: float
    seconds: float
    history: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class ReportData:
    """Everything that the page shows but the pictures."""

    uri: str
    version: int
    published: str = ""
    runs: tuple[RunFigures, ...] = ()
    images: ImageFigures = field(default_factory=ImageFigures)
    masks: MaskFigures = field(default_factory=MaskFigures)
    captions: CaptionFigures = field(default_factory=CaptionFigures)
    errors: tuple[ErrorFigures, ...] = ()
    quality: QualityFigures = field(default_factory=QualityFigures)
    students: tuple[StudentFigures, ...] = ()

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora whose rows were counted."""
        return tuple(dict.fromkeys(r.corpus for r in self.runs if r.counted and r.corpus))

    @property
    def error_total(self) -> int:
        return sum(e.count for e in self.errors)
