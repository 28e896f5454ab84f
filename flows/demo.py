"""The demo flow: draw scenes, label them, train a student, judge both, write a report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_link_artifact

from ..catalogs.report import PicturePlan, readme_picture
from ..schemas.config import CorpusConfig, EvaluateConfig
from ..schemas.demo_config import DemoConfig
from ..tasks.evaluate import EvaluationSummary, plan_evaluation
from ..tasks.judged_gallery import GalleryPlan, judged_gallery
from ..tasks.pool import session
from ..tasks.report import ReportPlan, write_report
from ..tasks.runs import RunSummary
from ..tasks.train import TrainSummary
from .drawing import draw
from .evaluate import evaluate
from .label import label
from .progress import stage_progress
from .stages import stage
from .train import train

_PICTURES = 24


@dataclass(frozen=True)
class DemoResult:
    """What the demo found; the scores are mIoU in [0, 1] on the held-out scenes."""

    catalog: str
    labelled: RunSummary
    trained: TrainSummary
    teacher: EvaluationSummary
    teacher_with_captions: EvaluationSummary
    student: EvaluationSummary
    report: Path
    seconds: float

    def fields(self) -> dict[str, Any]:
        """Return the fields of the command line's summary."""
        return {
            "catalog": self.catalog,
            "version": self.student.run.version,
            "run_id": self.labelled.run_id,
            **self.labelled.counts,
            "teacher_miou": round(self.teacher.miou, 4),
            "student_miou": round(self.student.miou, 4),
            "report": str(self.report),
            "seconds": round(self.seconds, 1),
        }

    def notes(self) -> list[str]:
        """Return lines for a person: what was not done again, and the scores beside the summary."""
        again = [
            (self.labelled.resumed, "Nothing was labelled again: the run was finished before."),
            (self.trained.run.resumed, "Nothing was trained again: the student was there before."),
        ]
        points = 100 * (self.student.miou - self.teacher.miou)
        return [
            *(line for done, line in again if done),
            f"On {self.student.images} held-out scenes, whole vocabulary: teacher {self.teacher.miou:.3f}, "
            f"student {self.student.miou:.3f} ({points:+.1f} points); "
            f"teacher told each image's caption entities: {self.teacher_with_captions.miou:.3f}",
        ]


@stage("draw scenes")
def draw_corpus(out: Path, seed: int, images: int, held_out: int) -> None:
    """Draw the demo corpus, unless the same one lies there already."""
    draw(out, seed, images, held_out, stage_progress())


@stage("write report")
def report_stage(catalog: str, out: Path, version: int, plan: GalleryPlan) -> None:
    """Write the report with its gallery, and the picture that a README can show."""
    gallery = judged_gallery(plan)
    shown = PicturePlan(pictures=0)
    write_report(
        catalog, out, ReportPlan(version, shown, gallery=gallery, title="maskmill demo"), stage_progress()
    )
    wide = [item for item in gallery if item.group != "worst" and item.image.shape[1] > item.image.shape[0]]
    if wide:
        readme_picture(wide[-5:], out.with_name("picture.png"))


@flow(name="demo")
def demo(out: Path, config: DemoConfig | None = None) -> DemoResult:
    """Run the whole job on drawn scenes; what is done in ``out`` already is not done again.

    Args:
        out: folder; gets ``corpus``, ``catalog``, ``student``, ``report.html`` and ``picture.png``.
        config: default: :class:`DemoConfig`.

    Raises:
        MaskmillError: see :mod:`maskmill.schemas.errors`.
    """
    config, began = config or DemoConfig(), time.monotonic()
    catalog = str(out / "catalog")
    held_out = CorpusConfig(uri=str(out / "corpus"), name="demo-val")
    draw_corpus(out / "corpus", config.seed, config.images, config.held_out)
    with session(config.label.pool):
        labelled = label(CorpusConfig(uri=str(out / "corpus" / "train"), name="demo"), catalog, config.label)
        trained = train(catalog, labelled.version, out / "student", config.train)
        teacher, with_captions, student = (
            evaluate(subject, held_out, catalog, judge)
            for subject, judge in (
                (config.label.segmenter, config.evaluate),
                (config.label.segmenter, _with_captions(config.evaluate)),
                (trained.weights, config.evaluate),
            )
        )
    report = out / "report.html"
    if student.per_image or not report.is_file():
        shown = GalleryPlan(
            teacher=plan_evaluation(config.label.segmenter, held_out, config.evaluate),
            student=plan_evaluation(trained.weights, held_out, config.evaluate),
            scores=student.per_image,
            pictures=_PICTURES,
        )
        report_stage(catalog, report, student.run.version, shown)
    create_link_artifact(key="demo-report", link=report.as_uri(), link_text="report")
    seconds = time.monotonic() - began
    return DemoResult(catalog, labelled, trained, teacher, with_captions, student, report, seconds)


def _with_captions(config: EvaluateConfig) -> EvaluateConfig:
    return config.model_copy(update={"restrict_to_captions": True})
