"""The flows on a dozen drawn scenes, with a segmenter that needs no model, against a Prefect server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, TaskRun

from maskmill.catalogs.demo import DemoCorpus
from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.flows import stages
from maskmill.flows.evaluate import evaluate, subject_of
from maskmill.flows.filter import filter_captions
from maskmill.flows.label import label
from maskmill.schemas.config import (
    CorpusConfig,
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    PoolConfig,
    SegmenterConfig,
)
from maskmill.schemas.errors import ConfigError, CorpusError
from maskmill.tasks.runs import RunSummary

pytestmark = pytest.mark.usefixtures("prefect_server")

SUMMARY = RunSummary("label", "label-1", 1, {"images": 12, "masks": 12}, 0.1)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that flows emit, instead of sending them."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(stages, "emit_event", lambda **fields: sent.append(fields))
    return sent


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    return str(tmp_path / "catalog")


def artifacts_of(flow_run: UUID | None) -> dict[str, Artifact]:
    assert flow_run is not None
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])))
    return {str(artifact.key): artifact for artifact in found}


def task_runs_of(flow_run: UUID | None) -> list[TaskRun]:
    assert flow_run is not None
    with get_client(sync_client=True) as client:
        return client.read_task_runs(
            task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run]))
        )


def table(artifact: Artifact) -> dict[str, Any]:
    return {row["what"]: row["value"] for row in json.loads(str(artifact.data))}


def test_a_label_run_leaves_artifacts_one_event_and_a_version(
    corpus: CorpusConfig, catalog: str, label_config: LabelConfig, events: list[dict[str, Any]]
) -> None:
    state = label(corpus, catalog, label_config, return_state=True)
    summary = state.result()
    assert (summary.resumed, summary.version) == (False, Catalog.open(catalog).version())
    assert summary.counts["images"] == query(catalog, "FROM images").num_rows == 12
    left = artifacts_of(state.state_details.flow_run_id)
    assert {key: artifact.type for key, artifact in left.items()} == {
        "label": "progress",
        "label-summary": "table",
    }
    assert left["label"].data == 100.0
    assert table(left["label-summary"]) == {"version": summary.version, **summary.counts}
    (event,) = events
    assert event["event"] == "maskmill.catalog.published"
    assert event["resource"]["prefect.resource.name"] == catalog
    assert event["payload"] == {
        "catalog": catalog,
        "version": summary.version,
        "run_id": summary.run_id,
        "kind": "label",
        "counts": summary.counts,
    }


def test_a_rerun_does_nothing_and_is_no_news(
    corpus: CorpusConfig, catalog: str, label_config: LabelConfig, events: list[dict[str, Any]]
) -> None:
    first = label(corpus, catalog, label_config)
    events.clear()
    again = label(corpus, catalog, label_config)
    assert (again.resumed, again.run_id, again.version) == (True, first.run_id, first.version)
    assert events == []


def test_a_filter_run_leaves_artifacts_and_one_event(
    corpus: CorpusConfig, catalog: str, events: list[dict[str, Any]]
) -> None:
    config = FilterConfig(entities="demo", pool=PoolConfig(backend="inline"))
    state = filter_captions(corpus, catalog, config, return_state=True)
    summary = state.result()
    assert summary.counts["captions"] == query(catalog, "FROM captions").num_rows > 12
    left = artifacts_of(state.state_details.flow_run_id)
    assert table(left["filter-summary"])["captions_kept"] == summary.counts["captions_kept"]
    assert [event["payload"]["kind"] for event in events] == ["filter"]


def test_an_evaluation_is_stored_and_its_score_shown(
    scenes: DemoCorpus, catalog: str, label_config: LabelConfig
) -> None:
    config = EvaluateConfig(pool=PoolConfig(backend="inline"))
    dataset = CorpusConfig(uri=str(scenes.root), name="demo-val")
    state = evaluate(label_config.segmenter, dataset, catalog, config, return_state=True)
    summary = state.result()
    assert summary.images == 4
    shown = table(artifacts_of(state.state_details.flow_run_id)["evaluation-summary"])
    assert shown == {"mIoU": summary.miou, "images": 4}


def test_a_deliberate_error_passes_with_its_type_and_is_not_tried_again(
    corpus: CorpusConfig, catalog: str, label_config: LabelConfig
) -> None:
    unknown = label_config.model_copy(update={"vocabulary": "no-such-words"})
    state = label(corpus, catalog, unknown, return_state=True)
    with pytest.raises(ConfigError, match="no vocabulary 'no-such-words'"):
        state.result()
    (run,) = task_runs_of(state.state_details.flow_run_id)
    assert run.run_count == 1


def test_a_missing_corpus_is_a_corpus_error_and_makes_no_catalog(
    tmp_path: Path, catalog: str, label_config: LabelConfig
) -> None:
    with pytest.raises(CorpusError):
        label(CorpusConfig(uri=str(tmp_path / "nowhere")), catalog, label_config)
    assert not Path(catalog).exists()


def run_with(
    monkeypatch: pytest.MonkeyPatch, outcome: Callable[..., RunSummary], events: list[dict[str, Any]]
) -> None:
    """Let the label stage do ``outcome``, and wait no seconds between its tries."""
    monkeypatch.setattr(stages, "label_run", outcome)
    hasty = stages.label_stage.with_options(retry_delay_seconds=0)
    monkeypatch.setattr("maskmill.flows.label.label_stage", hasty)


def test_a_fault_of_the_network_is_tried_again(
    corpus: CorpusConfig,
    catalog: str,
    label_config: LabelConfig,
    events: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def flaky(*arguments: object) -> RunSummary:
        calls.append("call")
        if len(calls) < 3:
            raise ConnectionResetError("the object store hung up")
        return SUMMARY

    run_with(monkeypatch, flaky, events)
    assert label(corpus, catalog, label_config) == SUMMARY
    assert len(calls) == 3
    assert len(events) == 1


@pytest.mark.parametrize(
    ("error", "tries"),
    [(OSError("disk on fire"), 3), (PermissionError("not yours"), 1), (ValueError("a bug"), 1)],
)
def test_only_faults_of_the_system_are_tried_again_and_then_raised(
    error: Exception,
    tries: int,
    corpus: CorpusConfig,
    label_config: LabelConfig,
    events: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def failing(*arguments: object) -> RunSummary:
        calls.append("call")
        raise error

    run_with(monkeypatch, failing, events)
    with pytest.raises(type(error), match=str(error)):
        label(corpus, "unused", label_config)
    assert (len(calls), events) == (tries, [])


def test_the_subject_of_an_evaluation_is_the_student_if_there_is_one(tmp_path: Path) -> None:
    assert subject_of(tmp_path / "student.safetensors", {"clip": "demo"}) == tmp_path / "student.safetensors"
    assert subject_of(None, {"clip": "demo", "device": None}) == SegmenterConfig(clip="demo")
