from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.encoders.clip import ClipEncoder
from maskmill.models.zero_guidance.language import embed_texts
from maskmill.models.zero_guidance.retrieval import NounRetrieval, load_nouns
from maskmill.schemas.errors import ConfigError
from maskmill.schemas.vocabulary import Vocabulary

NOUNS = ["cat", "dog", "tree", "house"]


def test_each_segment_gets_the_noun_of_greatest_cosine(tiny_vit: ClipEncoder) -> None:
    vectors = F.normalize(torch.randn(6, 12, generator=torch.Generator().manual_seed(0)), dim=1)
    described = NounRetrieval(tiny_vit, NOUNS)(vectors)
    prompts = tiny_vit.embed_text(Vocabulary.of(NOUNS).model_copy(update={"templates": ("Image of a {}.",)}))[
        1:
    ]
    for vector, found in zip(vectors, described, strict=True):
        cosines = [float(vector @ prompt) for prompt in prompts]
        best = cosines.index(max(cosines))
        assert found.text == NOUNS[best]
        assert torch.allclose(found.embedding, prompts[best], atol=1e-6)


def test_segments_together_are_described_as_alone(tiny_vit: ClipEncoder) -> None:
    retrieval = NounRetrieval(tiny_vit, NOUNS, "a photo of a {}")
    vectors = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    together = [described.text for described in retrieval(vectors)]
    assert together == [retrieval(vector[None])[0].text for vector in vectors]


def test_its_id_tells_lists_and_templates_apart(tiny_vit: ClipEncoder) -> None:
    ids = {
        NounRetrieval(tiny_vit, NOUNS).id,
        NounRetrieval(tiny_vit, NOUNS[:3]).id,
        NounRetrieval(tiny_vit, NOUNS, "a {}").id,
    }
    assert len(ids) == 3
    assert NounRetrieval(tiny_vit, NOUNS).id in ids


def test_texts_are_embedded_in_order_with_repeats(tiny_vit: ClipEncoder) -> None:
    texts = ["dog", "cat", "dog"]
    embedded = embed_texts(tiny_vit, texts)
    assert torch.equal(embedded[0], embedded[2])
    assert torch.allclose(embedded[1:2], embed_texts(tiny_vit, ["cat"]), atol=1e-6)


def test_the_shipped_list_holds_common_things_once() -> None:
    nouns = load_nouns("nouns")
    assert len(nouns) == len(set(nouns)) > 1000
    assert {"dog", "sky", "water", "table", "giraffe"} <= set(nouns)
    assert all(noun.isalpha() and noun.islower() for noun in nouns)


def test_vocabularies_and_files_are_lists_too(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("kite\nbackground\nfence\n")
    assert load_nouns(str(tmp_path / "words.txt")) == ("kite", "fence")
    assert "background" not in load_nouns("demo")
    (tmp_path / "none.txt").write_text("background\n")
    with pytest.raises(ConfigError, match="is empty"):
        load_nouns(str(tmp_path / "none.txt"))
    with pytest.raises(ConfigError, match="no vocabulary"):
        load_nouns("nowhere")
