from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from maskmill.catalogs.report.data import Bin
from maskmill.catalogs.report.svg import columns, line, spark


def heights(svg: str) -> list[float]:
    return [float(rect.attrib["height"]) for rect in ET.fromstring(svg).iter("rect")]


def test_columns_are_as_tall_as_their_counts() -> None:
    a, b, c = heights(columns([Bin("a", 50), Bin("b", 100), Bin("c", 0)], "Things", "kind"))
    assert b == pytest.approx(2 * a)
    assert c == 0


def test_a_single_one_among_millions_can_still_be_seen() -> None:
    assert min(heights(columns([Bin("a", 1), Bin("b", 5_000_000)], "Things", "kind"))) >= 1


def test_columns_tell_their_numbers_to_those_who_cannot_see_them() -> None:
    svg = ET.fromstring(columns([Bin("<1%", 3)], "Masks", "area"))
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "Masks. <1%: 3"


def test_names_are_escaped() -> None:
    assert "<b>" not in columns([Bin("<b>", 1)], "<b>", "<b>")


def test_all_columns_empty_is_no_error() -> None:
    assert heights(columns([Bin("a", 0)], "Nothing", "kind")) == [0]


def test_a_histogram_needs_a_bin() -> None:
    with pytest.raises(ValueError, match="at least one bin"):
        columns([], "Things", "kind")


def test_line_runs_from_left_to_right_and_falls_with_the_loss() -> None:
    curve = ET.fromstring(line([(0, 2.0), (50, 1.0), (100, 0.5)], "Loss", "step")).find("polyline")
    assert curve is not None
    points = [tuple(map(float, p.split(","))) for p in curve.attrib["points"].split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted(y for _, y in points)


def test_losses_that_are_not_finite_are_left_out() -> None:
    svg = line([(0, 2.0), (1, float("nan")), (2, float("inf")), (3, 1.0)], "Loss", "step")
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_line_needs_two_points() -> None:
    with pytest.raises(ValueError, match="two finite points"):
        line([(1, 2.0), (2, float("nan"))], "Loss", "step")


def test_spark_has_a_column_for_every_bin_that_holds_something() -> None:
    drawn = str(spark([0, 3, 1], 'Scores of "cat"'))
    assert drawn.count("M") == 2
    assert 'aria-label="Scores of &#34;cat&#34;: 0, 3, 1"' in drawn


def test_spark_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one bin"):
        spark([], "none")
