from __future__ import annotations

import pytest

from maskmill.schemas.errors import CatalogError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary
from maskmill.tasks.entities import Entity, EntityReason, EntitySet, NounCounts, select_entities

KEPT = EntityReason.KEPT


def counts(*captions: dict[str, str]) -> NounCounts:
    total = NounCounts()
    for nouns in captions:
        total.count(nouns)
    return total


def judge(group: str) -> EntityReason:
    return EntityReason.ABSTRACT if group in ("view", "art") else KEPT


def test_a_caption_counts_once_for_a_group_however_many_of_its_nouns_it_names() -> None:
    total = counts({"man": "people", "woman": "people", "dog": "dog"}, {"man": "people"})
    assert total.groups == {"people": 2, "dog": 1}
    assert total.members == {"people": {"man": 2, "woman": 1}}
    assert total.captions == 2


def test_counts_of_shards_add_up_to_those_of_the_corpus() -> None:
    captions = [{"man": "people"}, {"cat": "cat", "kitten": "cat"}, {"man": "people", "cat": "cat"}]
    total = counts(captions[0])
    total.add(counts(*captions[1:]))
    assert total == counts(*captions)


def test_the_frequent_visual_groups_are_kept_and_every_candidate_has_its_reason() -> None:
    total = counts(
        *[{"view": "view"}] * 9,
        *[{"cat": "cat"}] * 5,
        *[{"dog": "dog"}] * 4,
        *[{"cow": "cow"}] * 3,
        {"elk": "elk"},
    )
    entities = select_entities(total, judge, top_k=2, min_count=2)
    assert [(e.name, e.rank, e.count, e.keep, e.reason) for e in entities.entities] == [
        ("view", 1, 9, False, "abstract"),
        ("cat", 2, 5, True, "kept"),
        ("dog", 3, 4, True, "kept"),
        ("cow", 4, 3, False, "beyond_top_k"),
        ("elk", 5, 1, False, "below_min_count"),
    ]
    assert [e.name for e in entities.kept] == ["cat", "dog"]


def test_equal_counts_are_ranked_by_name_in_any_order_of_shards() -> None:
    names = ["owl", "ant", "elk"]
    forward = select_entities(counts(*({n: n} for n in names)), judge, 2, 1)
    backward = select_entities(counts(*({n: n} for n in reversed(names))), judge, 2, 1)
    assert forward == backward
    assert [e.name for e in forward.kept] == ["ant", "elk"]


def test_rare_words_do_not_become_synonyms() -> None:
    total = counts(*[{"man": "people"}] * 2, {"sphinx": "people"})
    (people,) = select_entities(total, judge, 9, 2).kept
    assert people.synonyms == ("man",)


def test_pruning_keeps_what_is_known_or_repeated() -> None:
    total = counts(
        *[{"wordd": "wordd"}] * 2, {"typpo": "typpo"}, {"cat": "cat"}, {"kitty": "cat"}, {"xx": "yy"}
    )
    pruned = total.pruned({"cat"}.__contains__)
    assert pruned.groups == {"wordd": 2, "cat": 2} and pruned.members == {"cat": {"kitty": 1}}
    assert pruned.captions == total.captions == 6
    pruned.members["cat"]["kitty"] += 1
    assert total.members["cat"] == {"kitty": 1}


def test_no_noun_makes_an_empty_set() -> None:
    entities = select_entities(NounCounts(), judge, 9, 1)
    assert entities.entities == () and entities.rows() == []


def test_a_vocabulary_becomes_a_set_without_its_background() -> None:
    entities = EntitySet.of_vocabulary(load_vocabulary("demo"))
    assert "background" not in [e.name for e in entities.kept]
    assert len(entities.kept) == 16
    assert "mug" in next(e.synonyms for e in entities.kept if e.name == "cup")


def test_the_released_set_has_73_classes() -> None:
    entities = EntitySet.of_vocabulary(load_vocabulary("cc4m"))
    assert len(entities.kept) == 73
    assert {"desk"} == set(next(e.synonyms for e in entities.kept if e.name == "table"))


def entity_set(**classes: tuple[str, ...]) -> EntitySet:
    listed = tuple(VocabularyClass(name=n, synonyms=s) for n, s in classes.items())
    return EntitySet.of_vocabulary(Vocabulary(name="x", classes=listed))


def test_the_hash_follows_members_and_synonyms_and_no_counts() -> None:
    base = entity_set(cat=("kitty", "kitten"), dog=())
    assert base.hash == entity_set(dog=(), cat=("kitten", "kitty")).hash
    assert base.hash == base.counted({"dog": 7}).hash
    assert base.hash != entity_set(cat=("kitty",), dog=()).hash
    assert len(base.hash) == 16


def test_counting_ranks_anew_and_keeps_what_nobody_named() -> None:
    entities = EntitySet.of_vocabulary(Vocabulary.of(["cat", "dog", "cow"])).counted({"dog": 3, "cow": 1})
    assert [(e.name, e.count, e.rank, e.keep) for e in entities.entities] == [
        ("dog", 3, 1, True),
        ("cow", 1, 2, True),
        ("cat", 0, 3, True),
    ]


def test_rows_carry_a_set_there_and_back() -> None:
    total = counts(*[{"man": "people"}] * 2, *[{"view": "view"}] * 3)
    entities = select_entities(total, judge, 9, 1)
    assert EntitySet.of_rows("derived", list(reversed(entities.rows()))) == entities


def test_rows_of_half_a_set_are_refused() -> None:
    rows = select_entities(counts({"cat": "cat"}, {"dog": "dog"}), judge, 9, 1).rows()
    with pytest.raises(CatalogError, match="do not belong together"):
        EntitySet.of_rows("derived", rows[:1])


def test_the_hash_follows_what_keeps_a_name_from_counting() -> None:
    def with_other(name: str) -> EntitySet:
        members = entity_set(dog=()).entities
        return EntitySet("x", (*members, Entity(name, (), 1, 2, False, EntityReason.BEYOND)))

    assert with_other("hot dog").hash != entity_set(dog=()).hash
    assert with_other("wolf").hash == entity_set(dog=()).hash
