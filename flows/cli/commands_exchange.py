"""Commands that hand a catalog's masks to other tools and take them back: export, review import."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ...schemas.config_files import load_config
from .app import app
from .options import Flag, OutputOptions, Version, version_or_tag
from .output import reporting

review = App(
    name="review",
    help="Bring corrections back.",
    help_epilogue="""
Examples:

    maskmill review import ./catalog corrected.json
    maskmill review import ./catalog ./annotations --format index-png --classes labels.txt
""",
)
app.command(review)


@app.command(
    help_epilogue="""
Examples:

    maskmill export ./catalog --format index-png --out ./voc --classes voc21
    maskmill export s3://bucket/catalog --format coco --version paper --min-score 0.5 --out ./coco
    maskmill export ./catalog --format index-png --layout cityscapes --out ./city --no-corrections
"""
)
def export(
    uri: str,
    *,
    out: Annotated[str, Parameter(help="A new or empty folder.")],
    format: Literal["coco", "coco-panoptic", "index-png", "yolo-seg", "webdataset", "hf", "labelstudio"],
    version: Version = None,
    run_id: Annotated[str | None, Parameter(help="Label run; default: the newest in the version.")] = None,
    no_corrections: Annotated[
        bool,
        Flag,
        Parameter(help="The masks of the label run as they are, also where people corrected them."),
    ] = False,
    classes: Annotated[str | None, Parameter(help="Vocabulary by name or file; default: all labels.")] = None,
    min_score: Annotated[float | None, Parameter(help="Masks below are left out.")] = None,
    min_area: Annotated[int | None, Parameter(help="Smaller masks are left out, in pixels.")] = None,
    val_share: Annotated[float | None, Parameter(help="Share of the images held out as val.")] = None,
    masks_only: Annotated[bool, Flag, Parameter(help="Write no images.")] = False,
    layout: Annotated[
        Literal["mmseg", "cityscapes"] | None, Parameter(help="File names of index-png; default: mmseg.")
    ] = None,
    config: Annotated[Path | None, Parameter(help="TOML file with further fields of ExportConfig.")] = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write the masks of a label run for other tools; run again to go on after an interruption."""
    from ...catalogs.exporters import ExportConfig
    from ...catalogs.exporters import export as write

    given = {
        "format": format,
        "version": version_or_tag(version),
        "run_id": run_id,
        "corrections": False if no_corrections else None,
        "classes": classes,
        "min_score": min_score,
        "min_area": min_area,
        "val_share": val_share,
        "images": "none" if masks_only else None,
        "layout": layout,
    }
    settings = load_config(ExportConfig, config, given)
    with reporting(output) as summary:
        done = write(uri, out, settings, summary.watcher)
        summary.add(catalog=uri, version=done.version, run_id=done.run_id, **done.counts)
        reviews = len(done.review_run_ids)
        if reviews:
            summary.notes.append(
                f"{done.counts.get('corrected', 0)} images are as people left them (review runs: {reviews})"
            )
        what = "written to" if done.shards_done else "nothing was left to write in"
        summary.notes.append(f"{what} {done.out}")


@review.command(name="import")
def import_(
    uri: str,
    source: str,
    *,
    format: Annotated[
        Literal["coco", "index-png", "labelstudio"] | None, Parameter(help="Of SOURCE; default: coco.")
    ] = None,
    corpus: Annotated[str | None, Parameter(help="Whose images; default: the catalog's only corpus.")] = None,
    classes: Annotated[str | None, Parameter(help="Classes of index PNGs: one a line, or JSON.")] = None,
    annotator: Annotated[str | None, Parameter(help="Who corrected, where the file does not say.")] = None,
    new_labels: Annotated[bool, Flag, Parameter(help="Take labels the corpus has not had.")] = False,
    config: Annotated[Path | None, Parameter(help="TOML file with further fields of ReviewConfig.")] = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Add what people corrected in SOURCE to a catalog as a run of its own; nothing is overwritten."""
    from ...tasks.review_import import ReviewConfig, review_import

    given = {
        "format": format,
        "corpus": corpus,
        "classes": classes,
        "annotator": annotator,
        "new_labels": new_labels or None,
    }
    settings = load_config(ReviewConfig, config, given)
    with reporting(output) as summary:
        done = review_import(uri, source, settings, progress=summary.watcher)
        summary.add(catalog=uri, version=done.version, run_id=done.run_id, **done.counts)
        if done.resumed:
            summary.notes.append("These corrections are in the catalog already.")
        if done.counts.get("unreviewed"):
            summary.notes.append(
                f"{done.counts['unreviewed']} images that nobody has looked at were left out."
            )
        if done.counts.get("errors"):
            # Run ids are letters, digits and . _ - alone.
            why = f"SELECT key, reason, detail FROM errors WHERE run_id = '{done.run_id}'"  # noqa: S608
            summary.notes.append(f'What was not taken, and why: maskmill sql {quote(uri)} "{why}"')
