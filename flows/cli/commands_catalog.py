"""Commands on a catalog itself: catalog info, history, diff, verify, compact, vacuum, tag, sql-script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ...schemas.errors import ConfigError
from .app import app
from .options import Flag, Version, version_or_tag
from .output import print_found

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
