"""The tagger and WordNet themselves are real data; what is made of their answers is shown on them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nltk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskmill.schemas.errors import ConfigError
from maskmill.tasks.entities import EntityReason, NounCounts, select_entities
from maskmill.tasks.entity_words import NO_REGION, PERSONS, SAME, THINGS
from maskmill.tasks.nltk_data import PACKAGES
from maskmill.tasks.nouns import Nouns

REALDATA = Path(os.environ.get("MASKMILL_REALDATA", Path(__file__).parents[2] / "../shared/data"))


@pytest.fixture(scope="module")
def nouns() -> Nouns:
    if not REALDATA.is_dir():
        pytest.skip(f"no real data at {REALDATA}; set MASKMILL_REALDATA")
    return Nouns(str(REALDATA / "nltk_data"))


def test_without_data_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(ConfigError, match=r"wordnet not found.*python -m nltk\.downloader"):
        Nouns()


def test_damaged_data_is_a_configuration_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for package, resource in PACKAGES.items():
        (tmp_path / resource).mkdir(mode=0o755, parents=True)
        (tmp_path / resource / f"{package}.weights.json").write_text("{")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(ConfigError, match="damaged"):
        Nouns()


def test_the_word_lists_do_not_contradict_each_other() -> None:
    same = frozenset(SAME).union(*SAME.values())
    assert not NO_REGION & (THINGS | PERSONS | same)
    assert not PERSONS & (THINGS | same)
    assert not THINGS & same


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two dogs chase a ball", {"dog": "dog", "ball": "ball"}),
        ("A MAN AND A WOMAN", {"man": "people", "woman": "people"}),
        ("knives on the couch", {"knife": "knife", "couch": "sofa"}),
        ("The skier's jeans", {"skier": "people", "jeans": "jeans"}),
        ("a cafe\u0301 table", {"table": "table"}),
        ("", {}),
        ("!!! 42 ...", {}),
        ("犬と猫 🐕", {}),
    ],
)
def test_nouns_come_as_lemmas_with_their_groups(nouns: Nouns, caption: str, expected: dict[str, str]) -> None:
    found = nouns(caption)
    assert expected.items() <= found.items()
    assert set(found) - set(expected) <= {"café"}


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["dog", "cat", "car", "table", "pizza", "tree", "guitar", "sky", "book", "kite"]
)
def test_things_with_a_region_are_visual(nouns: Nouns, name: str) -> None:
    assert nouns.judge(name) is EntityReason.KEPT


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("art", "listed_no_region"),
        ("view", "listed_no_region"),
        ("illustration", "listed_no_region"),
        ("night", "listed_no_region"),
        ("photo", "listed_no_region"),
        ("kitchen", "listed_no_region"),
        ("happiness", "abstract"),
        ("summer", "abstract"),
        ("city", "listed_no_region"),
        ("qwxz", "not_in_wordnet"),
    ],
)
def test_abstract_nouns_are_not(nouns: Nouns, name: str, reason: str) -> None:
    assert nouns.judge(name).value == reason


@pytest.mark.realdata
@pytest.mark.parametrize(
    "noun", ["tiger", "goat", "coach", "monitor", "hanger", "bear", "computer", "fry", "forward", "native"]
)
def test_a_word_that_also_means_a_person_does_not_become_people(nouns: Nouns, noun: str) -> None:
    assert nouns.group(noun) == noun


def coco_captions(count: int) -> list[str]:
    body = json.loads((REALDATA / "captions/coco_captions_val2017.json").read_text("utf-8"))
    return [annotation["caption"] for annotation in body["annotations"][:count]]


def cc3m_captions(count: int) -> list[str]:
    with (REALDATA / "captions/cc3m_Validation_GCC-1.1.0.tsv").open(encoding="utf-8") as file:
        return [row[0] for _, row in zip(range(count), csv.reader(file, delimiter="\t"), strict=False)]


def one_by_one(nouns: Nouns, captions: list[str]) -> NounCounts:
    counts = NounCounts()
    for caption in captions:
        counts.count(nouns(caption))
    return counts


@pytest.mark.realdata
def test_counting_captions_together_gives_what_counting_one_by_one_does(nouns: Nouns) -> None:
    captions = [*coco_captions(1500), *cc3m_captions(1500)]
    together = nouns.count(captions)
    assert together == one_by_one(nouns, captions)
    assert together.captions == 3000 and together.groups["people"] > 500
    assert any(" " in lemma for members in together.members.values() for lemma in members)


@pytest.mark.realdata
@given(
    st.lists(
        st.text(max_size=12)
        | st.lists(
            st.sampled_from(
                (
                    *("a", "the", "hot", "dogs", "dog", "fire-hydrant", "fire", "hydrants", "teddy", "bears"),
                    *("police", "car", "cars", "big", "fish", "stop", "sign", "surf", "board", "in", "of"),
                    *("_", ".", "'s", "caf\u00e9", "\u03a3\u0391\u03a3", "t-shirts", "tennis", "\n"),
                )
            ),
            max_size=8,
        ).map(" ".join),
        max_size=6,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_captions_are_counted_as_one_by_one(nouns: Nouns, captions: list[str]) -> None:
    assert nouns.count(captions) == one_by_one(nouns, captions)


@pytest.mark.realdata
def test_words_that_are_forgotten_and_learnt_anew_are_counted_alike(
    nouns: Nouns, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = cc3m_captions(400)
    expected = nouns.count(captions)
    monkeypatch.setattr(nouns._columns._tagger.vocabulary, "_limit", 0)
    monkeypatch.setattr("maskmill.tasks.noun_columns._BATCH", 50)
    monkeypatch.setattr("maskmill.tasks.noun_columns._CACHED", 20)
    assert nouns.count(captions) == expected
    assert nouns.count([]) == NounCounts()


@pytest.mark.realdata
def test_pruning_drops_what_nobody_knows_and_changes_no_member(nouns: Nouns) -> None:
    counts = nouns.count(cc3m_captions(3000))
    pruned = counts.pruned(nouns.is_known)
    assert len(counts.groups) > len(pruned.groups)
    assert all(counts.groups[name] == 1 for name in counts.groups if name not in pruned.groups)
    before, after = (select_entities(c, nouns.judge, 100, 1) for c in (counts, pruned))
    assert before.kept == after.kept


@pytest.mark.realdata
def test_the_set_derived_from_coco_covers_the_frequent_classes_of_cc4m(nouns: Nouns) -> None:
    counts = nouns.count(coco_captions(5000))
    kept = [entity.name for entity in select_entities(counts, nouns.judge, 100, 2).kept]
    assert len(kept) == 100 and kept[0] == "people"
    expected = {
        "dog",
        "cat",
        "train",
        "bus",
        "car",
        "table",
        "pizza",
        "horse",
        "clock",
        "bed",
        "tv",
        "toilet",
    }
    assert expected <= set(kept)
    assert not {"photo", "picture", "view", "front", "group", "day", "room", "top", "couple"} & set(kept)


@pytest.mark.realdata
def test_alt_text_of_cc3m_gives_people_and_things(nouns: Nouns) -> None:
    counts = nouns.count(cc3m_captions(3000))
    kept = [entity.name for entity in select_entities(counts, nouns.judge, 20, 2).kept]
    assert kept[:2] == ["people", "house"]
    assert {"car", "tree", "dog"} <= set(kept)


@pytest.mark.realdata
def test_packages_work_as_the_zip_files_that_nltk_downloads(tmp_path: Path) -> None:
    source = REALDATA / "nltk_data"
    for resource in PACKAGES.values():
        target = (tmp_path / resource).with_suffix(".zip")
        target.parent.mkdir(mode=0o755, parents=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted((source / resource).rglob("*")):
                archive.write(path, path.relative_to((source / resource).parent))
    code = f"from maskmill.tasks.nouns import Nouns; print(sorted(Nouns({str(tmp_path)!r})('two mice')))"
    # In a fresh process, since NLTK's WordNet reader stays with the data that it has read first.
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mouse']"
