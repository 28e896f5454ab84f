"""Untrained CLIPpy towers of a few thousand weights, in the forms that they are loaded from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch

ARCHITECTURE = "vit_tiny_patch16_224"
VIT: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3}
MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.4, 0.6)
WORDS = ("cat", "dog", "tree", "house", "car", "sky", "thing", "red", "background", "photo", "of", "a", "an")
WIDTH = 16


def write_vit(folder: Path, **sizes: Any) -> Path:
    """Write a tiny vision transformer as a timm model folder."""
    folder.mkdir(parents=True)
    arguments = VIT | sizes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model(ARCHITECTURE, num_classes=0, **arguments)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    pretrained = {"input_size": [3, 32, 32], "mean": MEAN, "std": STD, "num_classes": 0}
    body = {"architecture": ARCHITECTURE, "num_classes": 0, "model_args": arguments} | {
        "pretrained_cfg": pretrained
    }
    (folder / "config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def write_t5(folder: Path, dense: int | None = 24, parts: tuple[str, ...] = ()) -> Path:
    """Write a tiny T5 encoder as a sentence-transformers folder; without ``dense`` it is a bare T5's."""
    from transformers import T5EncoderModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = T5EncoderModel(_write_tokenizer(folder))
        for parameter in encoder.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        weight = torch.randn(dense or 1, WIDTH)
    encoder.save_pretrained(folder)
    if dense is not None:
        kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
        kinds |= {f"extra_{part}": part for part in parts}
        modules = [{"path": path, "type": f"sentence_transformers.models.{k}"} for path, k in kinds.items()]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "2_Dense").mkdir()
        safetensors.torch.save_file({"linear.weight": weight}, folder / "2_Dense" / "model.safetensors")
    return folder


def _write_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config

    names = ["<pad>", "</s>", "<unk>", *WORDS, *map(str, range(200))]
    tokenizer = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return T5Config(
        vocab_size=len(names), d_model=WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2, dropout_rate=0.0
    )


def checkpoint_tensors(vit: Path, t5: Path) -> dict[str, torch.Tensor]:
    """Return both towers by the names of the released code."""
    trunk = safetensors.torch.load_file(vit / "model.safetensors")
    text = safetensors.torch.load_file(t5 / "model.safetensors")
    dense = safetensors.torch.load_file(t5 / "2_Dense" / "model.safetensors")
    return {
        **{f"visual.trunk.{name}": tensor for name, tensor in trunk.items()},
        **{f"text.0.auto_model.{name}": tensor for name, tensor in text.items()},
        "text.2.linear.weight": dense["linear.weight"],
        "logit_scale": torch.tensor(3.0),
    }
