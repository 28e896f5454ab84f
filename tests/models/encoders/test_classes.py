from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F

from maskmill.models.encoders import classes
from maskmill.models.encoders.classes import ClassTexts
from maskmill.models.encoders.text_cache import TextCache
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

TOKENIZER = open_clip.get_tokenizer("ViT-B-32", context_length=12)
TEMPLATES = ("a photo of a {}", "the {}", "a low resolution photo of the {}")


class Tower:
    """Embeds a text as some fixed vector of its tokens, and counts what it is given."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.batches: list[torch.Tensor] = []

    def ends(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.argmax(dim=-1)

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        self.batches.append(tokens)
        mixed = torch.sin(tokens[:, :8].double() * torch.arange(1, 9))
        return F.normalize(mixed, dim=1).float()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def _texts(tower: Tower, cache: TextCache | None = None, namespace: str = "weights") -> ClassTexts:
    return ClassTexts(TOKENIZER, tower, namespace, cache)  # type: ignore[arg-type]


def _vocabulary(*names: str, templates: tuple[str, ...] = TEMPLATES) -> Vocabulary:
    named = tuple(VocabularyClass(name=n, synonyms=(f"{n} thing",) * (n == "dog")) for n in names)
    return Vocabulary(name="v", classes=named, templates=templates)


def _expected(vocabulary: Vocabulary) -> torch.Tensor:
    rows = []
    for named in vocabulary.classes:
        prompts = [t.replace("{}", w) for t in vocabulary.templates for w in (named.name, *named.synonyms)]
        rows.append(F.normalize(Tower().encode(TOKENIZER(prompts)).sum(dim=0), dim=0))
    return torch.stack(rows)


def test_a_class_is_the_mean_over_templates_and_synonyms_in_the_vocabularys_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(classes, "_PROMPT_BATCH", 4)
    vocabulary = _vocabulary("cat", "dog", "dining table", "tv monitor", "sheep")
    result = _texts(Tower()).embed(vocabulary)
    torch.testing.assert_close(result, _expected(vocabulary), atol=1e-6, rtol=0)
    torch.testing.assert_close(result.norm(dim=1), torch.ones(5))


def test_batches_are_of_prompts_of_like_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "_PROMPT_BATCH", 5)
    tower = Tower()
    _texts(tower).embed(_vocabulary(*(f"thing {n}" for n in range(5))))
    spread = [tower.ends(batch).unique().tolist() for batch in tower.batches]
    assert tower.sizes == [5, 5, 5]
    assert [len(ends) for ends in spread] == [1, 1, 1]


def test_many_prompts_go_in_groups_that_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "_GROUP_PROMPTS", 7)
    tower, vocabulary = Tower(), _vocabulary("dog", "cat", "bird", "dog house")
    result = _texts(tower).embed(vocabulary)
    assert tower.sizes == [6, 6, 3]
    torch.testing.assert_close(result, _expected(vocabulary), atol=1e-6, rtol=0)


def test_a_class_is_embedded_once_whatever_the_vocabulary() -> None:
    tower = Tower()
    texts = _texts(tower)
    first = texts.embed(_vocabulary("cat", "dog", templates=("a {}",)))
    second = texts.embed(_vocabulary("dog", "bird", "cat", templates=("a {}",)))
    assert tower.sizes == [3, 1]
    assert torch.equal(second[[2, 0]], first)
    texts.embed(_vocabulary("cat", templates=("my {}",)))
    assert tower.sizes == [3, 1, 1]


def test_memory_forgets_what_was_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "_CACHED_CLASSES", 3)
    tower = Tower()
    texts = _texts(tower)
    for names in (["background", "cat", "bird"], ["background", "cat"], ["fish"], ["cat"], ["bird"]):
        texts.embed(_vocabulary(*names, templates=("a {}",)))
    assert tower.sizes == [3, 1, 1]
    assert texts.embed(_vocabulary(*(f"word {n}" for n in range(9)))).shape == (9, 8)


def test_the_next_run_reads_what_this_one_embedded(tmp_path: Path) -> None:
    first, second = Tower(), Tower()
    vocabulary = _vocabulary("cat", "dog", "bird")
    made = _texts(first, TextCache(tmp_path)).embed(vocabulary)
    found = _texts(second, TextCache(tmp_path)).embed(_vocabulary("bird", "fish", "dog", "cat"))
    assert (first.sizes, second.sizes) == ([12], [3])
    assert torch.equal(found[[3, 2, 0]], made)
    torch.testing.assert_close(made, _expected(vocabulary), atol=1e-6, rtol=0)


@pytest.mark.parametrize("change", ["weights", "templates", "synonyms", "tokenizer"])
def test_what_changes_the_embedding_is_another_key(tmp_path: Path, change: str) -> None:
    _texts(Tower(), TextCache(tmp_path)).embed(_vocabulary("dog"))
    tower = Tower()
    texts = _texts(tower, TextCache(tmp_path), "other" if change == "weights" else "weights")
    if change == "tokenizer":
        other = open_clip.get_tokenizer("ViT-B-32", context_length=16)
        texts = ClassTexts(other, tower, "weights", TextCache(tmp_path))  # type: ignore[arg-type]
    vocabulary = _vocabulary("dog", templates=TEMPLATES[:2] if change == "templates" else TEMPLATES)
    if change == "synonyms":
        vocabulary = Vocabulary(name="v", classes=(VocabularyClass(name="dog"),), templates=TEMPLATES)
    texts.embed(vocabulary)
    assert sum(tower.sizes) > 0


def test_two_classes_of_the_same_prompts_are_one_entry(tmp_path: Path) -> None:
    tower = Tower()
    result = _texts(tower, TextCache(tmp_path)).embed(_vocabulary("Cat", "cat"))
    assert tower.sizes == [3]
    assert torch.equal(result[0], result[1])
    assert len(list(tmp_path.glob("*/*"))) == 1
