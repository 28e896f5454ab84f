"""What is settled before any model is loaded."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from maskmill.catalogs.corpora import open_corpus
from maskmill.schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, CorpusError, WeightsError
from maskmill.tasks import label_plan
from maskmill.tasks.label_plan import LabelPlan, plan_label
from maskmill.tasks.progress import SILENT
from maskmill.tasks.runs import RunSummary


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    with tarfile.open(tmp_path / "birds.tar", "w") as archive:
        for name in ("a.jpg", "a.txt"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return CorpusConfig(uri=str(tmp_path / "birds.tar"), name="birds")


def plan(corpus: CorpusConfig, tmp_path: Path, **fields: Any) -> LabelPlan:
    config = LabelConfig.model_validate({"vocabulary": "demo", **fields})
    return plan_label(corpus, str(tmp_path / "catalog"), config, None, SILENT, None)


DEMO = {"clip": "demo", "objectness": "none"}


def test_weights_are_part_of_the_identity_and_known_before_they_are_loaded(
    corpus: CorpusConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan(corpus, tmp_path, segmenter=DEMO)
    assert len(first.weights["clip"]) == 64
    monkeypatch.setattr(label_plan, "weight_files", lambda config: {"clip": "0" * 64})
    assert plan(corpus, tmp_path, segmenter=DEMO).head.run_id != first.head.run_id


def test_the_pool_is_no_part_of_the_identity(corpus: CorpusConfig, tmp_path: Path) -> None:
    plans = [plan(corpus, tmp_path, segmenter=DEMO, pool={"workers": n}, batch_images=n) for n in (1, 2)]
    assert plans[0].head.run_id == plans[1].head.run_id


def test_the_corpus_name_is_part_of_the_identity(corpus: CorpusConfig, tmp_path: Path) -> None:
    other = corpus.model_copy(update={"name": "planes"})
    ids = {plan(c, tmp_path, segmenter=DEMO).head.run_id for c in (corpus, other)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("segmenter", "error"),
    [
        ({"id": "no-such-method"}, ConfigError),
        ({"clip": "NoModel:no-tag"}, WeightsError),
        ({"clip": "/nowhere"}, WeightsError),
        ({"clip": "demo", "objectness": "/nowhere/head.safetensors"}, WeightsError),
    ],
)
def test_a_wrong_segmenter_fails_before_a_catalog_is_made(
    corpus: CorpusConfig, tmp_path: Path, segmenter: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        plan(corpus, tmp_path, segmenter=segmenter)
    assert not (tmp_path / "catalog").exists()


def test_a_missing_corpus_is_told_before_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere"):
        plan(CorpusConfig(uri="/nowhere/at/all"), tmp_path, segmenter={"clip": "NoModel:no-tag"})


@pytest.mark.parametrize(("own", "expected"), [({}, 7), ({"workers": 3}, 3)])
def test_the_filter_stage_uses_the_label_stages_pool_unless_it_has_its_own(
    corpus: CorpusConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, int],
    expected: int,
) -> None:
    seen: list[PoolConfig] = []

    def fake_filter(corpus: Any, uri: str, config: Any, progress: Any) -> RunSummary:
        seen.append(config.pool)
        return RunSummary("filter", "filter-1", 1, {"captions": 5, "captions_kept": 4}, 0.0)

    monkeypatch.setattr(label_plan, "filter_run", fake_filter)
    made = plan(
        corpus, tmp_path, vocabulary="captions", segmenter=DEMO, pool={"workers": 7}, filter={"pool": own}
    )
    assert [pool.workers for pool in seen] == [expected]
    assert made.head.parent_run_id == "filter-1"
    assert made.caption_counts == {"captions": 5, "captions_kept": 4}
    assert made.job.vocabulary is None


def test_a_run_remembers_how_to_read_its_corpus_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}]}))
    monkeypatch.chdir(tmp_path)
    corpus = CorpusConfig(uri="photos.json", images="photos", shard_size=7, limit=1)
    config = LabelConfig(vocabulary="demo", segmenter=SegmenterConfig(clip="demo", objectness="none"))
    plan = plan_label(corpus, str(tmp_path / "catalog"), config, None, SILENT, None)
    assert plan.head.reading is not None
    monkeypatch.chdir("/")
    (shard,) = open_corpus(plan.head.reading).shards()
    assert (plan.head.reading.shard_size, plan.head.reading.limit, shard.last) == (7, None, 1)
    assert plan.head.reading.images == str(tmp_path / "photos")
