from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
import torch

from maskmill.models.zero_guidance.language_model import LanguageModel, load_language_model
from maskmill.schemas.errors import ConfigError, WeightsError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tiny_gpt2: Path) -> LanguageModel:
    return load_language_model(str(tiny_gpt2), CPU)


def test_texts_become_tokens_after_the_start_token_and_back(model: LanguageModel) -> None:
    tokens = model.encode("Image of a cat")
    assert tokens[0] == 0
    assert model.decode(tokens) == "Image of a cat"
    assert model.token_text(model.end_token) == "."


def test_a_cached_context_goes_on_as_the_whole_one(model: LanguageModel) -> None:
    context = torch.stack([model.encode(" the cat"), model.encode(" the dog")])
    past = model.past(context[:, :-1])
    assert torch.allclose(model.continued(context[:, -1:], past), model.logits(context), atol=1e-5)
    assert [part.shape[2] for part in past] == [context.shape[1] - 1] * 4


def test_gradients_reach_the_past(model: LanguageModel) -> None:
    context = model.encode(" the cat")[None]
    past = [part.requires_grad_(True) for part in model.past(context[:, :-1])]
    model.continued(context[:, -1:], past).square().sum().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in past)


def test_its_id_follows_its_weights(tiny_gpt2: Path, model: LanguageModel) -> None:
    again = load_language_model(str(tiny_gpt2), CPU)
    assert again.id == model.id == f"tiny_gpt2@{model.sha256[:12]}"
    changed = again._model
    changed.transformer.wpe.weight += 1
    assert LanguageModel(changed, again._tokenizer, "x", "0" * 64, CPU).id == "x@" + "0" * 12


def test_a_folder_without_a_model_is_refused(tmp_path: Path, tiny_gpt2: Path) -> None:
    with pytest.raises(WeightsError, match="could not be loaded"):
        load_language_model(str(tmp_path), CPU)


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "transformers":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"maskmill\[zero-guidance\]"):
        load_language_model("gpt2", CPU)
