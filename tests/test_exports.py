"""The public names exist, and importing one half of maskmill does not load the other."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["setuptools"]["packages"]
HEAVY = ("torch", "ray", "prefect", "duckdb", "deltalake", "open_clip", "timm", "nltk")


def loaded_by(code: str) -> set[str]:
    """Return which of the heavy libraries a fresh interpreter has loaded after running ``code``."""
    tail = f"\nimport json, sys\nprint('\\n' + json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def ended_with(arguments: list[str], code: int) -> str:
    """Return code that runs the command line and goes on, if the exit code is the given one."""
    run = f"from maskmill.flows.cli import main\ntry: main({arguments})\n"
    return f"{run}except SystemExit as end: assert (end.code or 0) == {code}"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_the_names_that_it_exports(name: str) -> None:
    package = importlib.import_module(name)
    exported = getattr(package, "__all__", [])
    assert len(set(exported)) == len(exported)
    assert [n for n in exported if not hasattr(package, n)] == []


@pytest.mark.parametrize(
    ("name", "promised"),
    [
        ("maskmill", {"__version__", "connect"}),
        ("maskmill.catalogs", {"Catalog", "MaskDataset", "MaskStream", "connect", "open_corpus", "query"}),
        ("maskmill.catalogs", {"Mention", "PartnerIndex", "Triplet", "TripletStream", "masked"}),
        ("maskmill.catalogs.exporters", {"export", "ExportConfig", "ExportSummary"}),
        ("maskmill.catalogs.corpora", {"CorpusReader", "corpus_fingerprint", "open_corpus"}),
        ("maskmill.models.objectness", {"Objectness", "load_objectness"}),
        ("maskmill.models.segmenters", {"Segmenter", "create_segmenter", "register", "registered"}),
        ("maskmill.flows.cli", {"main"}),
    ],
)
def test_names_that_others_build_on_stay(name: str, promised: set[str]) -> None:
    assert promised <= set(importlib.import_module(name).__all__)


def test_the_package_alone_loads_no_library() -> None:
    assert loaded_by("import maskmill; assert maskmill.__version__") == set()


def test_reading_a_catalog_needs_no_torch_no_ray_and_no_prefect() -> None:
    loaded = loaded_by("import maskmill.catalogs, maskmill.catalogs.report, maskmill.catalogs.demo")
    assert loaded <= {"duckdb", "deltalake"}


@pytest.mark.slow
def test_models_need_no_catalog_no_ray_and_no_prefect() -> None:
    loaded = loaded_by("import maskmill.models.segmenters, maskmill.models.students.segmenter")
    assert loaded.isdisjoint({"ray", "prefect", "duckdb", "deltalake", "nltk"})


@pytest.mark.parametrize("arguments", [["--help"], ["label", "--help"], ["--version"]])
def test_help_waits_for_no_library(arguments: list[str]) -> None:
    code = ended_with(arguments, 0)
    assert loaded_by(code) == set()


def test_sql_waits_for_no_torch_and_no_prefect(tmp_path: Path) -> None:
    code = ended_with(["sql", str(tmp_path), "SELECT 1"], 4)
    assert loaded_by(code) <= {"duckdb", "deltalake"}
