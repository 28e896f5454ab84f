"""A GPT-2 of a few thousand random weights, with a tokenizer of bytes and a few words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

WORDS = ("cat", "dog", "tree", "house", "image", "of", "the", "a")


def write_tiny_gpt2(folder: Path) -> Path:
    """Write a random GPT-2 and its tokenizer as a folder that transformers loads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    vocabulary = {"<|endoftext|>": 0}
    for symbol in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[symbol] = len(vocabulary)
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        joined = "Ġ"
        for letter in word:
            if joined + letter not in vocabulary:
                merges.append((joined, letter))
                vocabulary[joined + letter] = len(vocabulary)
            joined += letter
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    ).save_pretrained(folder)
    config = GPT2Config(
        vocab_size=len(vocabulary),
        n_positions=48,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="ZeroCap needs transformers, of the extra zero-guidance")
    return write_tiny_gpt2(tmp_path_factory.mktemp("language") / "tiny_gpt2")
