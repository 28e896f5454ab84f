from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.vocabulary import (
    Vocabulary,
    VocabularyClass,
    load_vocabulary,
    shipped_vocabularies,
    shipped_wordings,
)


def test_every_shipped_vocabulary_loads_with_the_background_first() -> None:
    assert {"voc21", "cc4m", "demo"} <= set(shipped_vocabularies())
    for name in shipped_vocabularies():
        vocabulary = load_vocabulary(name)
        assert vocabulary.names[0] == "background"
        assert len(vocabulary.names) > 1


COUNTS = {
    "voc21": 20, "voc20": 20, "context60": 59, "context59": 59, "context459": 459, "coco_object": 80,
    "coco80": 80, "coco_stuff171": 171, "ade150": 150, "cityscapes19": 19, "waterbirds": 2,
}  # fmt: skip
ENDS = {
    "voc21": ("aeroplane", "tvmonitor"),
    "context60": ("aeroplane", "wood"),
    "context459": ("accordion", "wool"),
    "coco_object": ("person", "toothbrush"),
    "coco_stuff171": ("person", "wood"),
    "ade150": ("wall", "flag"),
    "cityscapes19": ("road", "bicycle"),
}
SPOTS = [
    ("voc21", 11, "diningtable"),
    ("voc21", 15, "person"),
    ("context60", 40, "pottedplant"),
    ("context459", 2, "aeroplane"),
    ("context459", 431, "unknown"),
    ("coco_object", 11, "fire hydrant"),
    ("coco_stuff171", 81, "banner"),
    ("coco_stuff171", 169, "window-blind"),
    ("ade150", 8, "bed"),
    ("ade150", 59, "screen door"),
    ("cityscapes19", 13, "rider"),
]


def test_shipped_vocabularies_have_the_classes_of_their_datasets() -> None:
    for name, count in COUNTS.items():
        vocabulary = load_vocabulary(name)
        assert len(set(vocabulary.names)) == len(vocabulary.names) == count + 1, name
        assert vocabulary.has_background == (name in {"voc21", "context60", "coco_object", "waterbirds"})
    for name, (first, last) in ENDS.items():
        assert (load_vocabulary(name).names[1], load_vocabulary(name).names[-1]) == (first, last)
    for name, number, expected in SPOTS:
        assert load_vocabulary(name).names[number] == expected
    assert load_vocabulary("coco_object").names == load_vocabulary("coco80").names
    assert load_vocabulary("coco80").names == load_vocabulary("coco_stuff171").names[:81]
    assert all("\n" not in n and n == n.strip() for v in COUNTS for n in load_vocabulary(v).names)


def test_every_wording_names_classes_of_its_vocabulary_and_keeps_their_names() -> None:
    worded = [f"{name}:{family}" for name in COUNTS for family in shipped_wordings(name)]
    assert {"voc21:groupvit", "voc21:clip-diy", "ade150:clippy", "context60:sclip"} <= set(worded)
    for name in worded:
        vocabulary, plain = load_vocabulary(name), load_vocabulary(name.partition(":")[0])
        assert vocabulary.names == plain.names
        assert vocabulary.name == name
        assert set(vocabulary.renames) <= set(plain.names)


def _words(vocabulary: str, name: str) -> tuple[str, ...]:
    return next(c.words for c in load_vocabulary(vocabulary).classes if c.name == name)


@pytest.mark.parametrize(
    ("vocabulary", "name", "words"),
    [
        ("voc21", "diningtable", ("dining table",)),
        ("voc21:tcl", "diningtable", ("diningtable",)),
        ("voc21:groupvit", "diningtable", ("table",)),
        ("voc21:clip-diy", "tvmonitor", ("tv/monitor",)),
        ("voc21:clip-diy", "diningtable", ("diningtable",)),
        ("voc20:sclip", "boat", ("ship",)),
        ("context59:groupvit", "aeroplane", ("airplane",)),
        ("coco_object:clip-dinoiser", "airplane", ("aeroplane",)),
        ("coco_stuff171:sclip", "traffic light", ("trafficlight",)),
        ("voc21:clippy", "cat", ("cat", "cats", "kitties", "kitty")),
        ("ade150:clippy", "screen door", ("screen", "door", "screen")),
        ("ade150:clippy", "swimming pool", ("swimming", "pool", "swimming", "bath", "natatorium")),
        ("ade150:clippy", "wall", ("wall",)),
    ],
)
def test_a_class_is_asked_for_by_the_words_of_the_family(
    vocabulary: str, name: str, words: tuple[str, ...]
) -> None:
    assert _words(vocabulary, name) == words


def test_clippys_background_is_its_long_list_with_words_that_stand_twice() -> None:
    words = _words("voc21:clippy", "background")
    assert (words[0], words[-1], len(words)) == ("background", "woods", 74)
    assert (words.count("bag"), words.count("tiles")) == (2, 2)
    assert [len(_words("waterbirds", bird)) for bird in ("waterbird", "landbird")] == [43, 157]


def test_words_are_prompts_or_else_name_and_synonyms() -> None:
    plain = VocabularyClass(name="sofa", synonyms=("couch",))
    assert plain.words == ("sofa", "couch")
    assert plain.model_copy(update={"prompts": ("settee",)}).words == ("settee",)


def test_words_for_a_class_that_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"wording 'mine' names no class of 'given': \['dog'\]"):
        Vocabulary.of(["cat"]).worded("mine", {"dog": ["hound"]})


def test_hashes_of_vocabularies_without_words_or_gaps_are_those_of_earlier_catalogs() -> None:
    assert load_vocabulary("demo").hash == "0add79ac292b150e"
    assert load_vocabulary("cc4m").hash == "74ece5083f93e053"
    kept, unknown = load_vocabulary("voc21"), load_vocabulary("voc20")
    assert len({kept.hash, unknown.hash, load_vocabulary("voc21:tcl").hash}) == 3


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
    with pytest.raises(ConfigError, match=r"voc21:WORDING with one of clip-dinoiser, clip-diy"):
        load_vocabulary("voc21:nobody")
