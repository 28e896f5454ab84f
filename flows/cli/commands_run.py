"""Commands that do work: demo, filter, label, train, evaluate. Flows are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ...schemas.config import (
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    TrainConfig,
)
from ...schemas.config_files import load_config
from ...schemas.demo_config import DemoConfig
from ...schemas.errors import ConfigError
from .app import app
from .judging_options import JudgingOptions
from .options import (
    ConfigFile,
    CorpusOptions,
    FilterOptions,
    OutputOptions,
    PoolOptions,
    SegmenterOptions,
    Version,
    version_or_tag,
)
from .output import reporting

CatalogUri = Annotated[
    str, Parameter(help="Catalog: a folder or an object-store prefix, created when missing.")
]
RunId = Annotated[
    str | None, Parameter(help="Name of the run; default: it follows from corpus and configuration.")
]


@app.command(
    help_epilogue="""
Examples:

    maskmill demo --out demo
    maskmill demo --out demo --images 200 --held-out 150 --json
"""
)
def demo(
    *,
    out: Annotated[Path, Parameter(help="Folder for corpus, catalog, student and report.")],
    images: Annotated[int | None, Parameter(help="Images to label and learn from; default: 640.")] = None,
    held_out: Annotated[int | None, Parameter(help="Images to judge on; default: 160.")] = None,
    seed: Annotated[int | None, Parameter(help="Seed of the drawn scenes, below 1000; default: 7.")] = None,
    config: ConfigFile = None,
    pool: PoolOptions = PoolOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Draw scenes, label them, train a student, judge both, write a report; done work is not done again."""
    overrides = {
        "images": images,
        "held_out": held_out,
        "seed": seed,
        **pool.overrides("label.pool"),
        **pool.overrides("evaluate.pool"),
    }
    settings = load_config(DemoConfig, config, overrides)
    from ..demo import demo as demo_flow

    with reporting(output) as summary:
        result = demo_flow(out.resolve(), settings)
        summary.add(**result.fields())
        summary.notes.extend(result.notes())


@app.command(
    name="filter",
    help_epilogue="""
Examples:

    maskmill filter ./cc3m/ --catalog ./catalog
    maskmill filter s3://bucket/cc12m/ --catalog s3://bucket/catalog --top-k 100
    maskmill filter photos.json --catalog ./catalog --entities classes.txt
    maskmill filter cc12m.tsv --catalog ./catalog --sample 0.1 --workers 16
""",
)
def filter_(
    corpus: str,
    *,
    catalog: CatalogUri,
    run_id: RunId = None,
    config: ConfigFile = None,
    rules: FilterOptions = FilterOptions(),
    reading: CorpusOptions = CorpusOptions(),
    pool: PoolOptions = PoolOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Turn the captions of CORPUS into an entity set and one decision per caption."""
    overrides = {**rules.overrides(), **pool.overrides("pool")}
    settings = load_config(FilterConfig, config, overrides)
    from ..filter import filter_captions

    with reporting(output) as summary:
        result = filter_captions(reading.of(corpus), catalog, settings, run_id)
        summary.add(catalog=catalog, version=result.version, run_id=result.run_id, **result.counts)
        if result.resumed:
            summary.notes.append("This run was finished before; nothing was filtered again.")


@app.command(
    help_epilogue="""
Examples:

    maskmill label ./cc3m/ --catalog ./catalog --clip ViT-B-32:laion2b_s34b_b79k
    maskmill label s3://bucket/cc12m/ --catalog s3://bucket/catalog --workers 8 --ray-address auto
    maskmill label photos.json --images ./photos --catalog ./catalog --vocabulary voc21 --limit 200
"""
)
def label(
    corpus: str,
    *,
    catalog: CatalogUri,
    vocabulary: Annotated[
        str | None, Parameter(help="`captions` (the default), a vocabulary's name or file.")
    ] = None,
    run_id: RunId = None,
    config: ConfigFile = None,
    segmenter: SegmenterOptions = SegmenterOptions(),
    rules: FilterOptions = FilterOptions(),
    reading: CorpusOptions = CorpusOptions(),
    pool: PoolOptions = PoolOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Label every image of CORPUS once and write its masks to the catalog; run again to resume."""
    overrides = {
        "vocabulary": vocabulary,
        **segmenter.overrides("segmenter."),
        **rules.overrides("filter."),
        **pool.overrides("pool"),
    }
    settings = load_config(LabelConfig, config, overrides)
    from ..label import label as label_flow

    with reporting(output) as summary:
        result = label_flow(reading.of(corpus), catalog, settings, run_id)
        summary.add(catalog=catalog, version=result.version, run_id=result.run_id, **result.counts)
        if result.resumed:
            summary.notes.append("This run was finished before; nothing was labelled again.")
        if result.counts.get("captions_kept", 1) == 0:
            summary.notes.append("No caption names an entity, so no image was labelled: give a --vocabulary.")


@app.command(
    help_epilogue="""
Examples:

    maskmill train ./catalog --version 4 --out ./student
    maskmill train ./catalog --version paper --no-corrections --out ./student
    maskmill train s3://bucket/catalog --out ./student --encoder RN50:openai --steps 20000 --device cuda
"""
)
def train(
    catalog: str,
    *,
    out: Annotated[Path, Parameter(help="Folder for student.safetensors and train.json.")],
    version: Version = None,
    encoder: Annotated[
        str | None, Parameter(help="CLIP whose image trunk starts the student; default: `demo`.")
    ] = None,
    steps: Annotated[int | None, Parameter(help="Optimiser steps; default: 1600.")] = None,
    device: Annotated[str | None, Parameter(help="`auto` (the default), `cpu`, `cuda` ...")] = None,
    corrections: Annotated[
        bool | None,
        Parameter(help="Prefer the masks that people drew; the default.", negative="--no-corrections"),
    ] = None,
    config: ConfigFile = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train a student segmentation network on one pinned version of CATALOG."""
    overrides = {"encoder": encoder, "steps": steps, "device": device, "corrections": corrections}
    settings = load_config(TrainConfig, config, overrides)
    from ..train import train as train_flow

    with reporting(output) as summary:
        result = train_flow(catalog, version_or_tag(version), out.resolve(), settings)
        summary.add(
            catalog=catalog, version=result.run.version, run_id=result.run.run_id, **result.run.counts
        )
        summary.notes.append(f"student  {result.weights}")
        if result.run.resumed:
            summary.notes.append("This student was trained before; nothing was trained again.")


@app.command(
    help_epilogue="""
Examples:

    maskmill evaluate demo/corpus --catalog demo/catalog --student demo/student/student.safetensors
    maskmill evaluate voc:./VOC2012 --catalog ./catalog --protocol clip-diy --segmenter clip-diy
    maskmill evaluate --dataset ade20k:s3://bucket/ADEChallengeData2016 --catalog ./catalog --protocol tcl
    maskmill evaluate val.json --images ./val2017 --catalog ./catalog --clip ViT-B-32:openai
    maskmill evaluate voc20:./VOC2012 --catalog ./catalog --segmenter zero-guidance --protocol zero-guidance
    maskmill evaluate voc:./VOC2012 --catalog ./catalog --protocol grouping --segmenter clippy
"""
)
def evaluate(
    dataset: str,
    *,
    catalog: CatalogUri,
    student: Annotated[Path | None, Parameter(help="Judge this student instead of a segmenter.")] = None,
    config: ConfigFile = None,
    judging: JudgingOptions = JudgingOptions(),
    segmenter: SegmenterOptions = SegmenterOptions(),
    reading: CorpusOptions = CorpusOptions(),
    pool: PoolOptions = PoolOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Judge a segmenter or a student by mIoU against the ground truth of DATASET.

    Parameters
    ----------
    dataset
        LAYOUT:PATH (voc, voc20, context60, context59, context459, coco-object, coco-stuff, coco-instances,
        ade20k, cityscapes), a demo corpus or a COCO JSON.
    """
    overrides = {**judging.overrides(), "device": segmenter.device, **pool.overrides("pool")}
    settings = load_config(EvaluateConfig, config, overrides)
    if student is not None and segmenter.segmenter is not None:
        raise ConfigError("give --student or --segmenter, not both")
    from ..evaluate import evaluate as evaluate_flow
    from ..evaluate import subject_of

    with reporting(output) as summary:
        subject = subject_of(student, segmenter.overrides())
        result = evaluate_flow(subject, reading.of(dataset), catalog, settings)
        numbers = {f"{result.subject}_miou": result.miou, **result.metrics()}
        summary.add(catalog=catalog, images=result.images, protocol=result.scores[0].protocol, **numbers)
        summary.notes.extend(result.lines())
