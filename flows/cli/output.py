"""What a command leaves on the terminal: progress and a summary, or one JSON object."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...tasks.progress import Progress, SilentProgress
from ..watchers import WATCHER, BarProgress, LineProgress
from .options import OutputOptions

# The keys of a JSON summary, in order; a command prints those that apply.
SUMMARY_KEYS = (
    "catalog", "version", "run_id", "images", "captions", "captions_kept", "entities", "masks", "labels",
    "errors", "protocol", "teacher_miou", "student_miou", "features_miou", "known_miou", "unknown_miou",
    "harmonic_miou", "boundary_f", "image_iou", "segment_recall", "text_generation_quality",
    "segment_text_image_iou", "segment_text_segment_recall", "jaccard", "j", "f", "j_and_f", "accuracy",
    "worst_group_accuracy", "waterbird_delta", "landbird_delta", "report", "seconds",
)  # fmt: skip


class Summary:
    """Collects what a command has to tell; ``notes`` are lines for people only."""

    def __init__(self, watcher: Progress) -> None:
        self.watcher = watcher
        self.fields: dict[str, Any] = {}
        self.notes: list[str] = []
        self._began = time.monotonic()

    def add(self, **fields: Any) -> None:
        self.fields.update({k: v for k, v in fields.items() if k in SUMMARY_KEYS and v is not None})

    def ordered(self) -> dict[str, Any]:
        self.fields.setdefault("seconds", round(time.monotonic() - self._began, 2))
        return {key: self.fields[key] for key in SUMMARY_KEYS if key in self.fields}


@contextmanager
def reporting(output: OutputOptions) -> Iterator[Summary]:
    """Watch the stages of a command on stderr, then print its summary on stdout."""
    summary = Summary(_watcher(output))
    token = WATCHER.set(summary.watcher)
    try:
        yield summary
    finally:
        WATCHER.reset(token)
    if output.json:
        print(json.dumps(summary.ordered()))
        return
    _print_table(summary)


def _watcher(output: OutputOptions) -> Progress:
    console = Console(stderr=True)
    if output.quiet:
        return SilentProgress()
    if console.is_terminal:
        return BarProgress(console)
    return LineProgress(lambda line: print(line, file=sys.stderr, flush=True))


def _print_table(summary: Summary) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for key, value in summary.ordered().items():
        table.add_row(key.replace("_", " ").replace("miou", "mIoU"), escape(_shown(key, value)))
    console.print(table)
    for note in summary.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _shown(key: str, value: Any) -> str:
    if isinstance(value, float) and key != "seconds":
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and key != "version" else str(value)


def print_found(fields: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print what a look at a catalog found: its fields, then one table line for each row."""
    if as_json:
        print(json.dumps({**fields, "rows": list(rows)}, default=_as_json))
        return
    import pyarrow as pa

    from ...catalogs.formatting import format_table

    told = {name: value for name, value in fields.items() if value not in (None, [], ())}
    width = max((len(name) for name in told), default=0)
    for name, value in told.items():
        print(f"{name.replace('_', ' '):<{width}}  {_told(value)}")
    if rows:
        lines = [{name: _told(value) for name, value in row.items()} for row in rows]
        print(format_table(pa.Table.from_pylist(lines), "table"))


def _told(value: Any) -> Any:
    """Return a value as a person reads it: several with commas, those of one entry with blanks."""
    match value:
        case datetime():
            return value.isoformat(" ", "seconds")
        case Mapping():
            return ", ".join(f"{name} {number}" for name, number in value.items())
        case list() | tuple():
            return ", ".join(
                " ".join(map(str, one)) if isinstance(one, list | tuple) else str(one) for one in value
            )
    return value


def _as_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
