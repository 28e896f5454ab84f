from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def catalog_script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, all of it in this process: starting ten others takes longer than what they do here."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("catalog")

    def here(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
        return work(*arguments), 1.0

    monkeypatch.setattr(script, "apart", here)
    monkeypatch.setattr(script, "TIMES", 1)
    return script


def test_a_small_catalog_is_measured_from_end_to_end(
    catalog_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog_script.main(
        [
            *("--rows", "20000", "--shard-masks", "400", "--compared", "2000", "--pool", "120"),
            *("--folder", str(tmp_path)),
        ]
    )
    told = capsys.readouterr().out
    assert re.match(r"20,0\d\d masks of \d,\d+ images in \d+ shards", told)
    assert all(told.count(question) == 2 for question in catalog_script.QUERIES)
    before, after = (int(n) for n in re.findall(r"(\d+) files -> (\d+)", told)[0])
    assert before > 80
    assert after == 3
    assert "'findings': 0, 'ok': True" in told
    assert "Changes(added=0, removed=0, changed=0)" in told
    lines = re.findall(r"^(.{46}) *([\d.]+) +[\d.]+$", told, re.MULTILINE)
    sizes = {name.strip(): float(size) for name, size in lines}
    assert 0 < sizes["catalog, images and masks"] < sizes["COCO JSON"] < sizes["JSON lines"]
    assert list(tmp_path.iterdir()) == []
