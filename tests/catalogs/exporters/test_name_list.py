from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.exporters.name_list import line_name, name_line


@pytest.mark.parametrize("name", ["cat", "it's", "a, b/c: d", 'the "big" one', "größe 🐈", "a\\nb"])
def test_most_names_stand_there_as_they_are(name: str) -> None:
    assert name_line(name) == name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a\nb", r'"a\nb"'),
        (" a", '" a"'),
        ('"a"', r'"\"a\""'),
        ("", '""'),
        ("a\u2028b", r'"a\u2028b"'),
    ],
)
def test_names_that_are_no_line_stand_as_json(name: str, line: str) -> None:
    assert name_line(name) == line


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_is_one_line_and_comes_back(name: str) -> None:
    line = name_line(name)
    assert f"{line}\n".splitlines() == [line]
    assert line_name(line) == name


@pytest.mark.parametrize("line", ['"a', '"a" and "b"', '"', "a"])
def test_what_is_no_json_string_is_itself(line: str) -> None:
    assert line_name(line) == line
