from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary, shipped_vocabularies


def test_every_shipped_vocabulary_loads_with_the_background_first() -> None:
    assert {"voc21", "cc4m", "demo"} <= set(shipped_vocabularies())
    for name in shipped_vocabularies():
        vocabulary = load_vocabulary(name)
        assert vocabulary.names[0] == "background"
        assert len(vocabulary.names) > 1


def test_voc21_has_the_classes_of_pascal_voc() -> None:
    names = load_vocabulary("voc21").names
    assert len(names) == 21
    assert {"aeroplane", "person", "sofa"} & set(names)


@given(st.lists(st.text(min_size=1)))
def test_plain_names_become_classes_once_each_in_order(names: list[str]) -> None:
    vocabulary = Vocabulary.of(names)
    assert vocabulary.names == tuple(dict.fromkeys(["background", *names]))
    assert Vocabulary.model_validate_json(vocabulary.model_dump_json()) == vocabulary


def test_the_hash_knows_classes_and_templates_but_not_the_name() -> None:
    known = Vocabulary.of(["cat", "dog"], name="a")
    assert known.hash == Vocabulary.of(["cat", "dog"], name="b").hash
    others = [
        Vocabulary.of(["dog", "cat"]),
        known.model_copy(update={"templates": ("a {}",)}),
        known.model_copy(update={"classes": (VocabularyClass(name="cat", synonyms=("kitten",)),)}),
    ]
    assert len({known.hash, *(other.hash for other in others)}) == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("v.txt", "cat\n\n dog \n"),
        ("v.json", json.dumps(["cat", "dog"])),
        ("v.json", json.dumps({"classes": ["cat", {"name": "dog"}]})),
        ("v.toml", 'classes = ["background", "cat", {name = "dog"}]'),
    ],
)
def test_a_file_is_a_vocabulary_with_a_background(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    vocabulary = load_vocabulary(str(path))
    assert vocabulary.names == ("background", "cat", "dog")
    assert vocabulary.name == "v"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("v.txt", "cat\ncat"),
        ("v.json", "{"),
        ("v.json", "3"),
        ("v.json", json.dumps({"classes": [{"synonyms": ["x"]}]})),
        ("v.json", json.dumps({"classes": ["cat"], "colour": "red"})),
        ("v.toml", "classes = 3"),
        ("v.toml", 'classes = ["cat"]\ntemplates = ["a photo"]'),
        ("v.txt", "caf\udce9"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="vocabulary"):
        load_vocabulary(str(path))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no vocabulary 'voc22'.*voc21"):
        load_vocabulary("voc22")
