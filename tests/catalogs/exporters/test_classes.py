from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskmill.catalogs.exporters.classes import ClassMap
from maskmill.schemas.errors import CatalogError, ConfigError
from maskmill.schemas.labelmap import IGNORE


def _file(folder: Path, classes: list[object]) -> str:
    (folder / "classes.json").write_text(json.dumps(classes))
    return str(folder / "classes.json")


def test_labels_are_classes_by_name_after_the_background() -> None:
    classes = ClassMap.of_labels(["dog", "cat", "background", "cat"])
    assert classes.names == ("background", "cat", "dog")
    assert [classes.id_of(name) for name in ("background", "cat", "dog")] == [0, 1, 2]


def test_synonyms_of_a_vocabulary_go_to_their_class(tmp_path: Path) -> None:
    animals = {"name": "animal", "synonyms": ["cat", "dog"]}
    classes = ClassMap.load(_file(tmp_path, [animals, "dog"]), "ignore")
    assert classes.names == ("background", "animal", "dog")
    assert [classes.id_of(name) for name in ("cat", "dog", "tree")] == [1, 2, IGNORE]
    assert ClassMap.load(str(tmp_path / "classes.json"), "background").id_of("tree") == 0


def test_a_word_of_two_classes_is_refused(tmp_path: Path) -> None:
    classes = [{"name": "a", "synonyms": ["x"]}, {"name": "b", "synonyms": ["x"]}]
    with pytest.raises(ConfigError, match="'x' stands for 'a' and for 'b'"):
        ClassMap.load(_file(tmp_path, classes), "ignore")


def test_a_background_that_is_not_first_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="background must be its first class"):
        ClassMap.load(_file(tmp_path, ["cat", "background"]), "ignore")


def test_no_class_at_all_is_refused() -> None:
    with pytest.raises(CatalogError, match="no class is left"):
        ClassMap.of_labels(["background"])
