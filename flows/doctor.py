"""What this machine has, what is missing, and what to do about each gap."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from json import dumps
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..schemas.errors import MaskmillError

_REQUIRED = (
    "prefect", "fastapi", "ray", "torch", "torchvision", "open_clip_torch", "timm", "nltk", "pyarrow",
    "duckdb", "deltalake", "fsspec", "numpy", "scipy", "pillow", "pycocotools", "pydantic", "safetensors",
    "cyclopts", "rich", "jinja2", "huggingface_hub",
)  # fmt: skip
_REMOTE = {"s3fs": "s3://", "gcsfs": "gs://"}
_LITTLE_DISK = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at; ``remedy`` says what to do where ``status`` is not ok."""

    area: str
    what: str
    status: Literal["ok", "gap", "fault"]
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything; a check that itself breaks is a fault with its reason."""
    checks = (_packages, _machine, _accelerators, _nltk, _weights, _services)
    return [finding for check in checks for finding in _guarded(check)]


def print_findings(findings: list[Finding], as_json: bool) -> int:
    """Print findings as a table or as JSON; return 1 if any is a fault, else 0."""
    if as_json:
        print(dumps([asdict(f) for f in findings]))
    else:
        _print_table(findings)
    return int(any(f.status == "fault" for f in findings))


def _print_table(findings: list[Finding]) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False)
    for column in ("area", "what", "", "found"):
        table.add_column(column, overflow="fold")
    colours = {"ok": "green", "gap": "yellow", "fault": "red"}
    for f in findings:
        found = escape(f.detail) + (f"\n[dim]-> {escape(f.remedy)}[/dim]" if f.remedy else "")
        table.add_row(f.area, f.what, f"[{colours[f.status]}]{f.status}[/]", found)
    console.print(table)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as err:  # noqa: BLE001  (one broken part must not hide the others)
        yield Finding(
            check.__name__.strip("_"), "check", "fault", f"{type(err).__name__}: {err}", "reinstall it"
        )


def _packages() -> Iterator[Finding]:
    python = platform.python_version()
    good = sys.version_info >= (3, 11)
    yield Finding(
        "packages", "python", "ok" if good else "fault", python, "" if good else "use 3.11 or newer"
    )
    for name in _REQUIRED:
        try:
            yield Finding("packages", name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding("packages", name, "fault", "not installed", f"pip install {name}")
    for name, scheme in _REMOTE.items():
        try:
            yield Finding("packages", name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(
                "packages", name, "gap", f"not installed; {scheme} cannot be read", f"pip install {name}"
            )


def _machine() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    enough = free > _LITTLE_DISK
    yield Finding("machine", "cores", "ok", str(os.cpu_count()))
    yield Finding(
        "machine", "disk", "ok" if enough else "gap", f"{free / 2**30:.0f} GiB free here",
        "" if enough else "masks of a million images take about 20 GiB",
    )  # fmt: skip


def _accelerators() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        yield Finding("machine", "GPU", "gap", "none that torch can use; labelling runs on the processor",
                      "on a GPU machine check the driver with nvidia-smi")  # fmt: skip
        return
    for index in range(torch.cuda.device_count()):
        props = torch.cuda.get_device_properties(index)
        yield Finding("machine", f"GPU {index}", "ok", f"{props.name}, {props.total_memory / 2**30:.0f} GiB")


def _nltk() -> Iterator[Finding]:
    from ..tasks.nltk_data import HOW_TO_GET, missing_data

    missing = missing_data()
    without = "a run that derives entities tries to download it, else it uses the named set of the demo"
    detail = "found" if missing is None else f"{missing}; {without}"
    remedy = "" if missing is None else f"{HOW_TO_GET}, or set NLTK_DATA to a folder that has it"
    yield Finding("NLTK", "data", "ok" if missing is None else "gap", detail, remedy)


def _weights() -> Iterator[Finding]:
    from ..models.encoders.clip import load_clip
    from ..models.objectness import load_objectness

    try:
        clip = load_clip("demo", "cpu")
        yield Finding("weights", "demo CLIP", "ok", clip.id)
        yield Finding("weights", "demo objectness", "ok", load_objectness("demo", clip).id)
    except MaskmillError as err:
        yield Finding("weights", "demo", "fault", str(err), "reinstall maskmill")
    yield _hub_cache()


def _hub_cache() -> Finding:
    cache = Path(
        os.environ.get("HF_HUB_CACHE", Path(os.environ.get("HF_HOME", "~/.cache/huggingface")) / "hub")
    )
    found = sorted(
        p.name.removeprefix("models--").replace("--", "/") for p in cache.expanduser().glob("models--*")
    )
    return Finding(
        "weights", "hub cache", "ok" if found else "gap", ", ".join(found) or f"nothing in {cache}",
        "" if found else "open_clip and timm download into it at first use; offline give --clip a folder",
    )  # fmt: skip


def _services() -> Iterator[Finding]:
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    yield Finding("services", "Prefect", "ok", url or "none; flows start a server of their own for a run")
    yield Finding("services", "Ray", "ok", os.environ.get("RAY_ADDRESS") or "none; stages start a local Ray")
