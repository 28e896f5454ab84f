"""Commands on a catalog itself: catalog info, history, diff, verify, compact, vacuum, tag; export; review."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ...schemas.config_files import load_config
from ...schemas.errors import ConfigError
from .app import app
from .options import Flag, OutputOptions, Version, version_or_tag
from .output import print_found, reporting

Json = Annotated[bool, Parameter(negative="", help="Print one JSON object.")]

catalog = App(
    name="catalog",
    help="Look after a catalog: what it holds, how versions differ, whether it is whole, tags, old files.",
    help_epilogue="""
Examples:

    maskmill catalog info ./catalog
    maskmill catalog diff ./catalog 3 5
    maskmill catalog tag ./catalog paper --version 5
    maskmill catalog verify ./catalog
    maskmill catalog vacuum ./catalog --keep-days 30 --delete
""",
)
app.command(catalog)
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


@catalog.command
def info(uri: str, *, version: Version = None, json: Json = False) -> None:
    """Tell rows, files and bytes of each table of a version, its tags and runs."""
    from ...catalogs.maintenance import info as measure

    found = measure(uri, version_or_tag(version))
    print_found(found.fields(), found.rows(), json)


@catalog.command
def history(uri: str, *, json: Json = False) -> None:
    """List the versions, oldest first: which run made each, when, with which counts and tags."""
    from ...catalogs.maintenance import history as list_versions

    print_found({}, [entry.fields() for entry in list_versions(uri)], json)


@catalog.command
def diff(uri: str, first: str, second: str | None = None, /, *, json: Json = False) -> None:
    """Tell what changed from the version FIRST to SECOND (default: the newest), label by label."""
    from ...catalogs.maintenance import diff as compare

    found = compare(uri, version_or_tag(first) or first, version_or_tag(second))
    print_found(found.fields(), found.rows(), json)


@catalog.command
def verify(
    uri: str,
    *,
    version: Version = None,
    measure: Annotated[str, Parameter(help="Masks to measure again: a number, all or none.")] = "20000",
    seed: Annotated[int, Parameter(help="Which masks are drawn for it.")] = 0,
    json: Json = False,
) -> int:
    """Read a version whole and list what is missing, damaged, doubled or strayed; exit code 4 on a fault."""
    from ...catalogs.maintenance import verify as check

    number = {"all": None, "none": 0}[measure] if measure in ("all", "none") else _whole_number(measure)
    found = check(uri, version_or_tag(version), number, seed)
    print_found(found.fields(), found.rows(), json)
    return 0 if found.ok else 4


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--measure {text!r} must be a number of masks, all or none")
    return int(text)


@catalog.command
def compact(
    uri: str,
    *,
    run_id: Annotated[str | None, Parameter(help="Only this run; default: all finished runs.")] = None,
    json: Json = False,
) -> None:
    """Merge the small files of finished runs into a new version; earlier versions stay as they are."""
    from ...catalogs.maintenance import compact as merge

    found = merge(uri, run_id)
    print_found(found.fields(), found.rows(), json)


@catalog.command
def vacuum(
    uri: str,
    *,
    keep_days: Annotated[float, Parameter(help="Versions and files of the last days stay.")] = 7,
    delete: Annotated[bool, Flag, Parameter(help="Delete; without it, only tell what would go.")] = False,
    json: Json = False,
) -> None:
    """Find the files that no tag, no recent and not the newest version needs, and delete them if asked to."""
    from ...catalogs.maintenance import vacuum as sweep

    found = sweep(uri, keep_days, dry_run=not delete)
    print_found(found.fields(), found.rows(), json)


@catalog.command
def tag(
    uri: str,
    name: str,
    *,
    version: Version = None,
    force: Annotated[bool, Flag, Parameter(help="Move the tag if there is one.")] = False,
    json: Json = False,
) -> None:
    """Give a version a name that vacuum respects."""
    from ...catalogs.maintenance import tag as give

    print_found(give(uri, name, version_or_tag(version), force).fields(), [], json)


@catalog.command
def untag(uri: str, name: str, *, json: Json = False) -> None:
    """Take a name away; the version stays until vacuum finds it old."""
    from ...catalogs.maintenance import untag as take

    print_found(take(uri, name).fields(), [], json)


@catalog.command
def sql_script(
    uri: str,
    *,
    version: Version = None,
    out: Annotated[Path | None, Parameter(help="File to write; default: stdout.")] = None,
) -> None:
    """Print the views of a version as SQL for the plain `duckdb` program."""
    from ...catalogs.sql_script import sql_script as script
    from ...catalogs.storage import reported_as

    text = script(uri, version_or_tag(version))
    if out is None:
        print(text, end="")
        return
    with reported_as(ConfigError, f"cannot write {str(out)!r}"):
        out.write_text(text, "utf-8")


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
