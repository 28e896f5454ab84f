"""The watcher of a stage inside a Prefect flow, and outside of any."""

from __future__ import annotations

from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from maskmill.flows import progress as module
from maskmill.flows.progress import ArtifactProgress, slug, stage_progress
from maskmill.flows.watchers import WATCHER, LineProgress
from maskmill.tasks.progress import SilentProgress


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Label shards", "label-shards"),
        ("s3://bucket/A_b.c", "s3-bucket-a-b-c"),
        ("Zürich", "z-rich"),
        ("日本", "stage"),
        ("", "stage"),
    ],
)
def test_a_slug_is_a_valid_artifact_key(text: str, key: str) -> None:
    assert slug(text) == key


@pytest.mark.usefixtures("prefect_server")
def test_a_stage_in_a_flow_leaves_a_progress_artifact_that_ends_at_its_total() -> None:
    @flow(name="watched")
    def watched() -> None:
        progress = ArtifactProgress(every=0.0)
        progress.start("Count sheep", 4, "sheep")
        progress.advance(1, images=3)
        progress.advance(3, images=9)
        progress.finish()

    watched()
    with get_client(sync_client=True) as client:
        (found,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["count-sheep"]))
        )
    assert (found.type, found.data) == ("progress", 100.0)
    assert found.description is not None
    assert found.description.startswith("Count sheep: 4/4 sheep, 12 images")


def test_updates_of_the_artifact_are_rationed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[float] = []

    def update(artifact_id: UUID, progress: float, description: str) -> None:
        sent.append(progress)

    monkeypatch.setattr(module, "create_progress_artifact", lambda **fields: UUID(int=1))
    monkeypatch.setattr(module, "update_progress_artifact", update)
    progress = ArtifactProgress(every=3600.0)
    progress.start("label", 4)
    for _ in range(4):
        progress.advance(1)
    assert sent == []
    progress.finish()
    progress.finish()
    assert sent == [100.0]


def test_outside_of_flows_the_command_lines_watcher_is_used_alone() -> None:
    silent = SilentProgress()
    token = WATCHER.set(silent)
    try:
        assert stage_progress() is silent
    finally:
        WATCHER.reset(token)
    assert isinstance(stage_progress(), LineProgress)
