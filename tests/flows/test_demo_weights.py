"""The command that makes the demo weights: its flags and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.flows import demo_weights
from maskmill.tasks.demo_recipe import DemoWeightsConfig
from maskmill.tasks.progress import Progress


def test_flags_reach_the_stage_and_its_times_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[DemoWeightsConfig] = []

    def make(config: DemoWeightsConfig, out: Path, progress: Progress) -> dict[Path, dict[str, object]]:
        seen.append(config)
        progress.start("train CLIP", 20, "steps")
        for _ in range(20):
            progress.advance(1)
        return {out / "demo_clip": {"minutes": {"train": 1.5}, "measured": {"accuracy": 0.9}}}

    monkeypatch.setattr(demo_weights, "make_demo_weights", make)
    assert demo_weights.main(["--out", str(tmp_path), "--seed", "1001", "--share", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert seen[0].seed == 1001
    assert seen[0].pictures["closeup"] == DemoWeightsConfig().pictures["closeup"] // 2
    assert "train CLIP: 50 %" in printed
    assert printed.count("train CLIP: ") == 11
    assert "'train': 1.5" in printed


def test_a_seed_of_the_demo_corpus_ends_with_the_exit_code_of_a_bad_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo_weights.main(["--out", str(tmp_path), "--seed", "7"]) == 2
    assert "demo corpus" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_out_is_required() -> None:
    with pytest.raises(SystemExit):
        demo_weights.main([])
