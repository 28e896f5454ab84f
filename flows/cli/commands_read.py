"""Commands that read or inspect: sql, report, demo-corpus, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .app import app
from .options import OutputOptions, Version, version_or_tag
from .output import reporting


@app.command(
    help_epilogue="""
Examples:

    maskmill sql demo/catalog "SELECT label, count(*) AS masks FROM masks GROUP BY label ORDER BY masks DESC"
    maskmill sql demo/catalog "FROM label_stats" --format csv
    maskmill sql s3://bucket/catalog "FROM unlabelled_images LIMIT 10" --version 3
"""
)
def sql(
    catalog: str,
    statement: str,
    *,
    version: Version = None,
    format: Annotated[Literal["table", "json", "csv"], Parameter(help="How rows are printed.")] = "table",
) -> None:
    """Answer one SELECT over the tables and views of CATALOG with DuckDB, read-only."""
    from ...catalogs.formatting import format_table
    from ...catalogs.query import query

    print(format_table(query(catalog, statement, version_or_tag(version)), format))


@app.command(
    help_epilogue="""
Examples:

    maskmill report demo/catalog --out report.html
    maskmill report demo/catalog --out report/ --pictures 200
    maskmill report demo/catalog --out report.html --compare label-d15023db073bb327 review-7be5efa054fd3c7f
    maskmill report s3://bucket/catalog --out report.html --version 3
"""
)
def report(
    catalog: str,
    *,
    out: Annotated[
        Path, Parameter(help="HTML file to write (.html), or a folder: index.html and pictures beside it.")
    ],
    version: Version = None,
    pictures: Annotated[int, Parameter(help="How many labelled images are shown; 0 for none.")] = 24,
    classes: Annotated[int, Parameter(help="How many labels are shown mask by mask; 0 for none.")] = 12,
    compare: Annotated[
        tuple[str, str] | None,
        Parameter(negative="", help="Two label or review runs; default: the newest two of one corpus."),
    ] = None,
    images: Annotated[str | None, Parameter(help="Image folder; default: where the run found them.")] = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write an HTML page about a version of CATALOG: figures, provenance, masks by class, runs compared."""
    from ...catalogs.report import PicturePlan
    from ...tasks.report import ReportPlan, write_report

    with reporting(output) as summary:
        shown = PicturePlan(pictures=pictures, classes=classes, compare=compare)
        plan = ReportPlan(version=version_or_tag(version), shown=shown, images=images)
        written = write_report(catalog, out.resolve(), plan, summary.watcher)
        summary.add(catalog=catalog, version=written.version, report=str(written.page))


@app.command(
    help_epilogue="""
Examples:

    maskmill demo-corpus --out ./scenes --seed 7 --images 500
"""
)
def demo_corpus(
    *,
    out: Annotated[Path, Parameter(help="Folder for shards and ground truth.")],
    seed: Annotated[int, Parameter(help="Same seed, same bytes.")] = 7,
    images: Annotated[int, Parameter(help="Scenes to label and learn from.")] = 640,
    held_out: Annotated[int, Parameter(help="Further scenes to judge on.")] = 160,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Draw scenes of everyday things with captions, as img2dataset shards, and exact masks beside them."""
    from ..drawing import draw

    with reporting(output) as summary:
        draw(out.resolve(), seed, images, held_out, summary.watcher)
        summary.add(images=images + held_out)
        summary.notes.append(
            f"shards   {out / 'train'}\nheld out {out / 'val'}\ntruth    {out / 'ground_truth'}"
        )


@app.command(
    help_epilogue="""
Examples:

    maskmill doctor
    maskmill doctor --json
"""
)
def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Tell what is installed, which accelerators, NLTK data and weights are found, and how to fill gaps."""
    from ..doctor import examine, print_findings

    return print_findings(examine(), json)
