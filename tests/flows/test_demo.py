"""The whole demo flow, with numbers too small for good scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran, spawn
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.flows import stages
from maskmill.flows.demo import demo
from maskmill.schemas.config import (
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    PoolConfig,
    SegmenterConfig,
    TrainConfig,
)
from maskmill.schemas.demo_config import DemoConfig

INLINE = PoolConfig(backend="inline")
SMALL = DemoConfig(
    images=8,
    held_out=3,
    label=LabelConfig(
        segmenter=SegmenterConfig(
            clip="demo",
            objectness="none",
            options={"short_side": 64, "patch_sizes": [64, 32]},
            device="cpu",
        ),
        filter=FilterConfig(entities="demo"),
        pool=INLINE,
    ),
    train=TrainConfig(steps=2, batch_size=2, crop=32, short_side=48, device="cpu"),
    evaluate=EvaluateConfig(device="cpu", pool=INLINE),
)
TOML = """
[train]
steps = 10
batch_size = 4
[label.filter]
entities = "demo"
[label.segmenter]
clip = "demo"
objectness = "demo"
[label.segmenter.options]
short_side = 64
patch_sizes = [64, 32]
"""


def count(catalog: str, table: str) -> int:
    (row,) = query(catalog, f"SELECT count(*) AS n FROM {table}").to_pylist()
    return int(row["n"])


@pytest.mark.usefixtures("prefect_server")
def test_the_demo_ends_with_all_its_artifacts_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # scenes are drawn here, not in processes that must start
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(stages, "emit_event", lambda **fields: events.append(fields))
    first = demo(tmp_path, SMALL)
    catalog = first.catalog
    assert first.labelled.counts["images"] == count(catalog, "images") == 8
    assert first.labelled.counts["masks"] == count(catalog, "masks")
    assert count(catalog, "students") == 1
    assert first.trained.weights == tmp_path / "student" / "student.safetensors"
    assert first.report.read_text("utf-8").startswith("<!doctype html>")
    subjects = query(catalog, "SELECT subject, protocol, images FROM evaluations").to_pylist()
    assert {row["subject"] for row in subjects} == {"teacher", "student"}
    assert {row["images"] for row in subjects} == {3}
    assert first.fields()["version"] == Catalog.open(catalog).version()
    assert not any("again" in line for line in first.notes())
    assert len(events) == 1

    page = first.report.stat().st_mtime_ns
    second = demo(tmp_path, SMALL)
    assert [line.split(":")[0] for line in second.notes()[:2]] == [
        "Nothing was labelled again",
        "Nothing was trained again",
    ]
    same = ("catalog", "version", "run_id", "images", "masks", "teacher_miou", "student_miou", "report")
    assert {key: second.fields()[key] for key in same} == {key: first.fields()[key] for key in same}
    assert first.report.stat().st_mtime_ns == page
    assert len(events) == 1

    with get_client(sync_client=True) as client:
        keys = ["draw", "label", "label-summary", "train", "train-summary", "evaluate", "demo-report"]
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=keys)))
    assert {artifact.key for artifact in found} == set(keys)


@pytest.mark.slow
def test_the_demo_command_on_ray_says_what_it_found_and_then_does_nothing_again(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(TOML)
    flags = ["--images", "24", "--held-out", "8", "--workers", "1", "--config", "demo.toml"]
    command = ["demo", "--out", "out", *flags]
    first: Ran = spawn(tmp_path, *command, "--json")
    assert first.code == 0, first.err
    summary = first.summary
    catalog = str(tmp_path / "out" / "catalog")
    assert (summary["catalog"], summary["images"]) == (catalog, 24)
    assert summary["masks"] == count(catalog, "masks") > 0
    assert summary["labels"] == query(catalog, "SELECT DISTINCT label FROM masks").num_rows
    assert 0 <= summary["teacher_miou"] <= 1
    assert 0 <= summary["student_miou"] <= 1
    left = ["corpus/corpus.json", "student/student.safetensors", "student/train.json", "report.html"]
    assert [name for name in left if not (tmp_path / "out" / name).is_file()] == []
    record = json.loads((tmp_path / "out" / "student" / "train.json").read_text("utf-8"))
    assert record["steps"] == 10

    again = spawn(tmp_path, *command)
    assert again.code == 0, again.err
    assert "Nothing was labelled again" in again.out
    assert "Nothing was trained again" in again.out
    assert Catalog.open(catalog).version() == summary["version"]
