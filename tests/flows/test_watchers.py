"""What a person sees of a running stage."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from maskmill.flows import watchers
from maskmill.flows.watchers import BarProgress, LineProgress, Meter, Together


class Clock:
    """Stands for the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watchers, "time", clock)
    return clock


def test_a_line_tells_counts_rate_and_time_left(clock: Clock) -> None:
    meter = Meter("label", 40, "shards")
    clock.now += 10
    meter.add(10, {"images": 1000, "masks": 2310})
    assert meter.line() == "label: 10/40 shards, 1,000 images, 2,310 masks, 100.0 images/s, ETA 0:00:30"
    assert meter.fraction == 0.25


def test_nothing_done_has_no_time_left_and_all_done_has_none_either(clock: Clock) -> None:
    meter = Meter("evaluate", 2, "shards")
    assert meter.line() == "evaluate: 0/2 shards"
    clock.now += 4
    meter.add(2, {})
    assert meter.line() == "evaluate: 2/2 shards"


def test_a_stage_without_units_counts_as_complete(clock: Clock) -> None:
    assert Meter("label", 0, "shards").fraction == 1.0


def test_counts_other_than_images_have_no_rate(clock: Clock) -> None:
    meter = Meter("filter", 2, "shards")
    clock.now += 1
    meter.add(1, {"captions": 5})
    assert meter.detail() == "5 captions"


def test_lines_come_at_intervals_and_once_more_at_the_end(clock: Clock) -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every=10.0)
    progress.start("label", 4)
    for seconds in (3, 3, 5, 1):
        clock.now += seconds
        progress.advance(1, images=6)
    progress.finish()
    assert [line.split(",")[0] for line in lines] == ["label: 3/4 shards", "label: 4/4 shards"]
    progress.finish()
    assert len(lines) == 2


def test_a_last_advance_that_comes_late_is_not_told_twice(clock: Clock) -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every=10.0)
    progress.start("filter", 1)
    clock.now += 30
    progress.advance(1)
    progress.finish()
    assert lines == ["filter: 1/1 shards"]


def test_an_advance_outside_a_stage_is_ignored() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every=0.0)
    progress.advance(1)
    BarProgress(Console(file=io.StringIO())).advance(1)
    progress.say("kept")
    assert lines == ["kept"]


def terminal() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console(file=screen, force_terminal=True, width=120, color_system=None), screen


def test_a_bar_ends_with_units_and_counts() -> None:
    console, screen = terminal()
    progress = BarProgress(console)
    progress.start("label", 4, "shards")
    progress.advance(4, images=24)
    progress.finish()
    last = screen.getvalue().split("\r")[-1]
    assert "label" in last
    assert "4/4" in last
    assert "24 images" in last


def test_a_new_stage_ends_the_bar_of_the_former_one() -> None:
    console, screen = terminal()
    progress = BarProgress(console)
    progress.start("filter", 1)
    progress.advance(1)
    progress.start("label", 1)  # rich raises if a live display is still there
    progress.finish()
    assert "filter" in screen.getvalue()
    assert "label" in screen.getvalue()


def test_what_is_said_is_not_read_as_markup() -> None:
    console, screen = terminal()
    BarProgress(console).say("shard [bold]00000[/x] is given up")
    assert "shard [bold]00000[/x] is given up" in screen.getvalue()


def test_several_watchers_all_hear_of_everything() -> None:
    heard: list[list[str]] = [[], []]
    both = Together(*(LineProgress(lines.append, every=0.0) for lines in heard))
    both.start("train", 2, "steps")
    both.advance(1)
    both.say("half")
    both.finish()
    assert heard[0] == heard[1]
    assert [line.split(",")[0] for line in heard[0]] == ["train: 1/2 steps", "half", "train: 1/2 steps"]
