"""A catalog of millions of mask rows: its size, queries, opening, committing, compacting, checking; and the
same masks as COCO JSON through pycocotools and as JSON lines.

Usage: python benchmarks/catalog.py [--rows 10000000] [--shard-masks 1000] [--compared 200000] [--pool 1000]
    [--folder FOLDER] [--seed 7]

Rows are generated (see catalog_data.py): blobs in 640 x 480, a pool of ``--pool`` images whose shapes repeat
from shard to shard but never inside a file. Every measured part runs in a process of its own with two threads
at most, and its peak memory is that process's. Queries are those of docs/sql.md: median of five, the first
being the coldest (the files themselves are in the system's cache, where they fit). What takes COCO JSON and
JSON lines too long at this size is measured on the first ``--compared`` masks and scaled up in proportion.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pyarrow as pa
from catalog_building import ALONE, Building, Settings, build, tables_of
from catalog_data import Pool, draw_pool
from catalog_rivals import catalog_answer, coco_answer, lines_answer, write_coco, write_lines

import maskmill
from maskmill.catalogs.maintenance import compact, diff, info, verify

QUERIES = (
    "How many masks has each class, and how unbalanced are they?",
    "Which class weights balance the loss?",
    "How many masks are small?",
    "Which masks is the segmenter least sure of?",
    "Which images have no mask, and why?",
)
TIMES = 5
THREADS = 2


def apart(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Call a function in a process of its own; return its result and the peak MB of that process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_with_peak, work, *arguments).result()


def _with_peak(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    pa.set_cpu_count(THREADS)
    result = work(*arguments)
    return result, _peak()


def _peak() -> float:
    """Return the peak memory of this process, MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # a spawned process inherits its parent's ru_maxrss, but not this
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / (1 << 10)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def answered(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return connection.sql(sql).to_arrow_table()


def recipes() -> dict[str, str]:
    """Return question -> SQL of docs/sql.md."""
    text = (Path(__file__).parents[1] / "docs" / "sql.md").read_text("utf-8")
    sections = (section.partition("\n") for section in text.split("\n### ")[1:])
    return {question: body.partition("```sql\n")[2].partition("```")[0] for question, _, body in sections}


def ask(uri: str, version: int) -> tuple[list[float], dict[str, list[float]]]:
    """Time opening a version and each of the queries, all on one connection."""
    opening = []
    for _ in range(TIMES):
        began = time.perf_counter()
        connection = maskmill.connect(uri, version)
        opening.append(time.perf_counter() - began)
        connection.close()
    statements = recipes()
    with maskmill.connect(uri, version) as connection:
        connection.execute(f"SET threads = {THREADS}")
        connection.execute("SET enable_progress_bar = false")
        times = {
            question: [seconds(partial(answered, connection, statements[question])) for _ in range(TIMES)]
            for question in QUERIES
        }
    return opening, times


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - began, result


def print_building(done: Building, uri: str) -> None:
    fresh, full = done.commits[:ALONE], done.commits[-ALONE:]
    print(f"{done.masks:,} masks of {done.images:,} images in {done.shards:,} shards; ", end="")
    print(f"{done.masks / done.writing:,.0f} masks/s generated and written\n")
    print(f"{'committing one shard (2 tables)':46}{'median s':>10}{'worst s':>10}")
    print(f"{'into a fresh catalog':46}{median(fresh):10.3f}{max(fresh):10.3f}")
    last = f"as number {done.shards:,}"
    print(f"{last:46}{median(full):10.3f}{max(full):10.3f}")
    every = done.commits
    print(f"{f'all {len(every):,} commits together':46}{sum(every):10.1f}{max(every):10.3f}\n")


def print_queries(what: str, opening: list[float], times: dict[str, list[float]], peak: float) -> None:
    print(f"{what:68}{'median s':>10}{'first s':>10}")
    print(f"{'  maskmill.connect':68}{median(opening):10.3f}{opening[0]:10.3f}")
    for question, taken in times.items():
        print(f"  {question:66}{median(taken):10.3f}{taken[0]:10.3f}")
    print(f"  peak memory {peak:,.0f} MB\n")


def compacting(uri: str) -> None:
    before = info(uri).rows()
    (taken, _), peak = apart(timed, compact, uri)
    files = [sum(table["files"] for table in rows) for rows in (before, info(uri).rows())]
    size = [sum(table["bytes"] for table in rows) for rows in (before, info(uri).rows())]
    print(f"compaction: {taken:.1f} s, {files[0]:,} files -> {files[1]:,}, ", end="")
    print(f"{size[0] / 1e6:,.0f} -> {size[1] / 1e6:,.0f} MB, peak memory {peak:,.0f} MB\n")


def checking(uri: str) -> None:
    (taken, found), peak = apart(timed, verify, uri)
    told = {name: value for name, value in found.fields().items() if name != "catalog"}
    print(f"verify: {taken:.1f} s, {told}, peak memory {peak:,.0f} MB")
    (taken, found), peak = apart(timed, diff, uri, 1, 2)
    print(
        f"diff 1 2 (before and after compaction): {taken:.1f} s, {found.masks}, peak memory {peak:,.0f} MB\n"
    )


def comparing(folder: Path, pool: Pool, settings: Settings, done: Building, table_bytes: int) -> None:
    """Ask the catalog, COCO JSON and JSON lines of the same masks, and print sizes and ratios."""
    few = Settings(min(settings.compared, done.masks), settings.shard_masks, 0, settings.seed)
    small = build(str(folder / "small"), pool, few)
    compact(str(folder / "small"))
    coco, lines = folder / "coco.json", folder / "samples.jsonl"
    masks = write_coco(coco, tables_of(pool, few))
    write_lines(lines, tables_of(pool, few))
    asked = {
        "catalog": apart(timed, catalog_answer, str(folder / "small")),
        "COCO JSON": apart(timed, coco_answer, str(coco)),
        "JSON lines": apart(timed, lines_answer, str(lines)),
    }
    answers = [answer for (_, answer), _ in asked.values()]
    if not answers[0] == answers[1] == answers[2]:
        raise SystemExit("the answers differ")
    (whole, _), whole_peak = apart(timed, catalog_answer, str(folder / "catalog"))
    print_sizes(masks, {"COCO JSON": coco, "JSON lines": lines}, small, table_bytes / done.masks)
    print_ratios(asked, masks, done.masks, (whole, whole_peak))


def print_sizes(masks: int, files: dict[str, Path], small: Building, each: float) -> None:
    print(f"{'bytes per mask':46}{'bytes':>10}{'of COCO':>10}")
    sizes = {"catalog, images and masks": each}
    sizes |= {name: path.stat().st_size / masks for name, path in files.items()}
    sizes["index PNG, no scores and no names"] = small.png_bytes / small.masks
    for name, size in sizes.items():
        print(f"{name:46}{size:10.1f}{size / sizes['COCO JSON']:10.2f}")
    print()


def print_ratios(asked: dict[str, Any], masks: int, rows: int, whole: tuple[float, float]) -> None:
    (base, _), _ = asked["catalog"]
    print(f"masks and pixels of every class, opening included; {masks:,} masks")
    print(f"{'':46}{'s':>10}{'ratio':>10}{'peak MB':>10}{f'at {rows:,}':>18}")
    for name, ((taken, _), peak) in asked.items():
        scaled = whole[0] if name == "catalog" else taken * rows / masks
        told = "measured" if name == "catalog" else f"scaled up, {scaled / whole[0]:,.0f} x"
        print(f"{name:46}{taken:10.2f}{taken / base:10.1f}{peak:10,.0f}{scaled:12.1f} s {told}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--shard-masks", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=200_000)
    parser.add_argument("--pool", type=int, default=1000, help="drawn images whose shapes are dealt out")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    settings = Settings(given.rows, given.shard_masks, given.compared, given.seed)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        measure(Path(name), given.pool, settings)


def measure(folder: Path, images: int, settings: Settings) -> None:
    """Run all parts and print their tables."""
    pool = draw_pool(images, settings.seed)
    uri = str(folder / "catalog")
    done = build(uri, pool, settings)
    print_building(done, uri)
    size = sum(table["bytes"] for table in info(uri).rows() if table["table"] in ("images", "masks"))
    print_queries(f"queries before compaction, {THREADS} threads", *_flat(apart(ask, uri, 1)))
    compacting(uri)
    print_queries(f"queries after compaction, {THREADS} threads", *_flat(apart(ask, uri, 2)))
    checking(uri)
    comparing(folder, pool, settings, done, size)


def _flat(found: tuple[tuple[Any, Any], float]) -> tuple[Any, Any, float]:
    (opening, times), peak = found
    return opening, times, peak


if __name__ == "__main__":
    main()
