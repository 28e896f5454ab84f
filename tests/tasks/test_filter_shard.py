"""What the passes of a filter run tell whoever watches them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from maskmill.schemas.config import CorpusConfig, FilterConfig, PoolConfig
from maskmill.tasks.caption_filter import filter_run
from maskmill.tasks.progress import SilentProgress


class Heard(SilentProgress):
    """Keeps the counts of each stage."""

    def __init__(self) -> None:
        self.stages: dict[str, Counter[str]] = {}
        self._now: Counter[str] = Counter()

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self.stages[stage] = self._now = Counter()

    def advance(self, done: int, **counts: int) -> None:
        self._now.update(counts)


def test_an_image_without_a_caption_is_not_told_as_a_caption(tmp_path: Path) -> None:
    table = pa.table({"key": ["a", "b", "c"], "caption": ["a cat", None, "nothing"]})
    pq.write_table(table, tmp_path / "few.parquet")
    config, heard = FilterConfig(entities="demo", pool=PoolConfig(backend="inline")), Heard()
    corpus = CorpusConfig(uri=str(tmp_path / "few.parquet"))
    run = filter_run(corpus, str(tmp_path / "catalog"), config, progress=heard)
    assert heard.stages["filter captions"] == {"captions": 2, "captions_kept": 1, "errors": 0}
    assert (run.counts["images"], run.counts["captions"], run.counts["captions_kept"]) == (3, 2, 1)
