from __future__ import annotations

from pathlib import Path

import open_clip
import pytest

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.templates import TEMPLATE_SETS, load_templates
from maskmill.schemas.vocabulary import Vocabulary


def test_the_eighty_are_those_published_with_clip() -> None:
    assert load_templates("80") == tuple(make("{}") for make in open_clip.OPENAI_IMAGENET_TEMPLATES)


def test_the_eighty_five_are_the_eighty_and_five_scenes() -> None:
    templates = load_templates("85")
    assert templates[:80] == load_templates("80")
    assert all(t.endswith("{} in the scene.") for t in templates[80:])


@pytest.mark.parametrize("name", sorted(TEMPLATE_SETS))
def test_a_set_has_as_many_templates_as_its_name_says_all_different_and_usable(name: str) -> None:
    templates = load_templates(name)
    assert len(set(templates)) == len(templates) == int(name)
    assert Vocabulary.of(["cat"]).model_copy(update={"templates": templates}).templates == templates


def test_a_file_gives_a_template_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a drawing of a {}\n\n  the {} here \n")
    assert load_templates(str(tmp_path / "t.txt")) == ("a drawing of a {}", "the {} here")


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"a drawing\n", "got 'a drawing'"), (b"{} {}", "exactly one"), (b" \n", "got ''"), (b"\xff", "read")],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, body: bytes, text: str) -> None:
    (tmp_path / "t.txt").write_bytes(body)
    with pytest.raises(ConfigError, match=text):
        load_templates(str(tmp_path / "t.txt"))


def test_an_unknown_set_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match="1, 80, 85"):
        load_templates("7")
