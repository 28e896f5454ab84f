from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from tiny_clippy import checkpoint_tensors, write_t5

from maskmill.models.clippy import text_tower
from maskmill.models.clippy.checkpoint import read_checkpoint
from maskmill.models.clippy.text_tower import TextPooling, load_sentence_t5
from maskmill.schemas.errors import WeightsError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

CPU = torch.device("cpu")
PROMPTS = ["cat", "a photo of a red house", "dog", "a photo of the 7", "sky"]


def _alone(folder: Path, prompt: str, pooling: str = "average", dense: bool = True) -> torch.Tensor:
    """Embed one text by itself, without padding, token by token."""
    from transformers import AutoTokenizer, T5EncoderModel

    tokenizer, model = AutoTokenizer.from_pretrained(folder), T5EncoderModel.from_pretrained(folder).eval()
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    with torch.no_grad():
        states = model(input_ids=ids).last_hidden_state[0]
    pooled = states[0] * 0
    for token in states:
        pooled = pooled + token / len(states)
    if pooling == "max":
        pooled = torch.stack([max(states[:, c]) for c in range(states.shape[1])])
    if dense:
        pooled = safetensors.torch.load_file(folder / "2_Dense/model.safetensors")["linear.weight"] @ pooled
    return pooled / pooled.norm()


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_texts_of_a_batch_are_embedded_as_they_would_be_alone(
    t5_folder: Path, monkeypatch: pytest.MonkeyPatch, pooling: TextPooling
) -> None:
    monkeypatch.setattr(text_tower, "_BATCH", 2)
    tower = load_sentence_t5(str(t5_folder), CPU, pooling)
    found = tower.embed_prompts(PROMPTS)
    assert found.shape == (5, 24)
    for prompt, vector in zip(PROMPTS, found, strict=True):
        torch.testing.assert_close(vector, _alone(t5_folder, prompt, pooling), atol=1e-5, rtol=1e-4)


def test_a_class_is_the_mean_over_words_and_templates(t5_folder: Path) -> None:
    classes = (VocabularyClass(name="cat", synonyms=("dog",)), VocabularyClass(name="x", prompts=("sky",)))
    vocabulary = Vocabulary(name="v", classes=classes, templates=("{}", "a photo of a {}"))
    found = load_sentence_t5(str(t5_folder), CPU).embed_text(vocabulary)
    for row, words in enumerate((("cat", "dog"), ("sky",))):
        prompts = [t.replace("{}", word) for t in vocabulary.templates for word in words]
        mean = torch.stack([_alone(t5_folder, prompt) for prompt in prompts]).mean(0)
        torch.testing.assert_close(found[row], mean / mean.norm(), atol=1e-5, rtol=1e-4)


def test_a_prompt_is_embedded_once(t5_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = load_sentence_t5(str(t5_folder), CPU)
    seen: list[str] = []
    embed = tower.embed_prompts
    monkeypatch.setattr(tower, "embed_prompts", lambda prompts: seen.extend(prompts) or embed(prompts))
    one = tower.embed_text(Vocabulary.of(["cat", "dog"]))
    two = tower.embed_text(Vocabulary.of(["dog", "tree"]))
    assert len(seen) == len(set(seen)) == 4
    assert torch.equal(one[2], two[1])


def test_a_bare_t5_has_no_dense_layer(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "bare", dense=None)
    found = load_sentence_t5(str(folder), CPU).embed_prompts(["cat"])
    torch.testing.assert_close(found[0], _alone(folder, "cat", dense=False), atol=1e-5, rtol=1e-4)


def test_a_checkpoint_takes_the_place_of_the_towers_weights(
    vit_folder: Path, t5_folder: Path, tmp_path: Path
) -> None:
    tensors = checkpoint_tensors(vit_folder, t5_folder)
    changed = {n: t * 1.5 if n.startswith("text.0") else t.clone() for n, t in tensors.items()}
    safetensors.torch.save_file(changed, tmp_path / "mine.safetensors")
    checkpoint = read_checkpoint(tmp_path / "mine.safetensors")
    tower = load_sentence_t5(str(t5_folder), CPU, checkpoint=checkpoint)
    own = load_sentence_t5(str(t5_folder), CPU)
    assert tower.id == f"mine@{checkpoint.sha256[:12]}"
    assert own.id.startswith("tiny_t5@")
    assert own.sha256 != tower.sha256
    assert not torch.allclose(tower.embed_prompts(["cat"]), own.embed_prompts(["cat"]), atol=1e-3)
    assert torch.equal(
        tower._encoder.state_dict()["shared.weight"], changed["text.0.auto_model.shared.weight"]
    )


def test_a_model_with_other_parts_is_refused(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "odd", parts=("LSTM",))
    with pytest.raises(WeightsError, match=r"LSTM; only Transformer, Pooling, Dense, Normalize"):
        load_sentence_t5(str(folder), CPU)


def test_a_dense_layer_without_weights_is_a_weights_error(t5_folder: Path, tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "half")
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="no weights of its dense layer in 2_Dense"):
        load_sentence_t5(str(folder), CPU)


def test_a_folder_without_a_model_is_a_weights_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(WeightsError, match="could not be loaded"):
        load_sentence_t5(str(tmp_path), CPU)


def test_offline_a_part_that_may_be_missing_is_not_taken_for_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    def fail(error: type[Exception]) -> Any:
        def download(spec: str, name: str) -> str:
            raise error("no")

        return download

    monkeypatch.setattr(text_tower, "hf_hub_download", fail(LocalEntryNotFoundError))
    with pytest.raises(LocalEntryNotFoundError):
        text_tower._part("some/model", "modules.json")
    monkeypatch.setattr(text_tower, "hf_hub_download", fail(EntryNotFoundError))
    assert text_tower._part("some/model", "modules.json") is None


def test_unit_norm(t5_folder: Path) -> None:
    found = load_sentence_t5(str(t5_folder), CPU).embed_prompts(PROMPTS)
    assert torch.allclose(F.normalize(found, dim=1), found, atol=1e-6)
