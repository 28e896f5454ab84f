from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import open_clip.factory
import open_clip.pretrained
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU

from maskmill.models.encoders import clip as clip_module
from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.encoders.weights import file_sha256
from maskmill.schemas.errors import WeightsError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

Folder = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path, tiny_clip_folder: Folder) -> Path:
    return Path(shutil.copytree(tiny_clip_folder("vit"), tmp_path / "mine"))


def _counting(encoder: ClipEncoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the number of prompts of every forward pass of the text tower."""
    seen: list[int] = []
    encode = encoder.model.encode_text

    def count(tokens: torch.Tensor) -> torch.Tensor:
        seen.append(len(tokens))
        return encode(tokens)  # type: ignore[no-any-return]

    monkeypatch.setattr(encoder.model, "encode_text", count)
    return seen


def test_the_id_names_the_weights_and_their_checksum(tower: str, tiny_clip_folder: Folder) -> None:
    folder = tiny_clip_folder(tower)
    encoder = load_clip(str(folder), "cpu")
    digest = file_sha256(folder / "open_clip_model.safetensors")
    assert (encoder.sha256, encoder.id) == (digest, f"{tower}@{digest[:12]}")
    assert (encoder.image_size, encoder.embed_dim, encoder.device) == (32, 12, torch.device("cpu"))


def test_crops_are_normalised_by_the_weights_own_mean_and_std(tiny_clip: ClipEncoder) -> None:
    crops = torch.rand(5, 3, 32, 32)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)))
    with torch.no_grad():
        expected = tiny_clip.model.encode_image((crops - mean) / std, normalize=True)
    embedded = tiny_clip.embed_crops(crops)
    torch.testing.assert_close(embedded, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(5))
    assert not embedded.requires_grad


def test_no_crops_give_no_vectors(tiny_clip: ClipEncoder) -> None:
    assert tiny_clip.embed_crops(torch.empty(0, 3, 32, 32)).shape == (0, 12)


def test_a_class_is_the_mean_of_unit_vectors_over_templates_and_synonyms(tiny_clip: ClipEncoder) -> None:
    vocabulary = Vocabulary(
        name="v",
        classes=(
            VocabularyClass(name="background"),
            VocabularyClass(name="sofa", synonyms=("couch", "settee")),
        ),
        templates=("a photo of a {}", "the {} in a room"),
    )
    expected = []
    for words in (["background"], ["sofa", "couch", "settee"]):
        prompts = [t.format(w) for t in vocabulary.templates for w in words]
        tokens = open_clip.get_tokenizer("ViT-B-32", context_length=16)(prompts)
        with torch.no_grad():
            units = F.normalize(tiny_clip.model.encode_text(tokens), dim=-1)
        expected.append(F.normalize(units.sum(0), dim=0))
    torch.testing.assert_close(tiny_clip.embed_text(vocabulary), torch.stack(expected), atol=1e-5, rtol=0)


def test_braces_in_a_name_are_text(tiny_clip: ClipEncoder) -> None:
    assert tiny_clip.embed_text(Vocabulary.of(["a {0} {} b"])).isfinite().all()


def test_a_class_is_embedded_once_whatever_the_vocabulary(
    tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_clip(str(tiny_clip_folder("resnet")), "cpu")
    seen = _counting(encoder, monkeypatch)
    first = encoder.embed_text(Vocabulary.of(["cat", "dog"]))
    second = encoder.embed_text(Vocabulary.of(["dog", "bird", "cat"]))
    assert seen == [3, 1]
    assert torch.equal(second[[0, 3, 1]], first)
    encoder.embed_text(Vocabulary(name="v", classes=(VocabularyClass(name="cat"),), templates=("my {}",)))
    assert seen == [3, 1, 1]


def test_the_cache_forgets_what_was_used_longest_ago(
    tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_clip(str(tiny_clip_folder("resnet")), "cpu")
    monkeypatch.setattr(clip_module, "_CACHED_CLASSES", 3)
    seen = _counting(encoder, monkeypatch)
    for names in (["cat", "dog"], ["cat"], ["bird"], ["cat"], ["dog"]):
        encoder.embed_text(Vocabulary.of(names))
    assert seen == [3, 1, 1]
    large = encoder.embed_text(Vocabulary.of([f"word {n}" for n in range(9)]))
    assert large.shape == (10, 12)


def test_many_prompts_go_in_batches(tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_clip(str(tiny_clip_folder("resnet")), "cpu")
    monkeypatch.setattr(clip_module, "_PROMPT_BATCH", 4)
    seen = _counting(encoder, monkeypatch)
    encoder.embed_text(Vocabulary.of([f"thing {n}" for n in range(9)]))
    assert seen == [4, 4, 2]


def test_a_damaged_file_is_a_weights_error(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="damaged"):
        load_clip(str(folder), "cpu")


def test_weights_of_another_architecture_are_a_weights_error(folder: Path, tiny_clip_folder: Folder) -> None:
    shutil.copy(tiny_clip_folder("resnet") / "open_clip_model.safetensors", folder)
    with pytest.raises(WeightsError, match="another architecture"):
        load_clip(str(folder), "cpu")


def test_a_file_that_lacks_a_tensor_is_a_weights_error(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    tensors = safetensors.torch.load_file(file)
    del tensors["visual.proj"]
    safetensors.torch.save_file(tensors, file)
    with pytest.raises(WeightsError, match=r"visual\.proj"):
        load_clip(str(folder), "cpu")


def test_a_pickle_with_code_in_it_is_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": {"x": Path("code")}}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsError, match="could not be loaded"):
        load_clip(str(folder), "cpu")


def test_a_configuration_without_a_model_is_a_weights_error(folder: Path) -> None:
    (folder / "open_clip_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="model_cfg"):
        load_clip(str(folder), "cpu")


def test_a_tower_for_oblong_images_is_refused(folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["image_size"] = [32, 64]
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model = open_clip.CLIP(**config["model_cfg"])
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match="32x64"):
        load_clip(str(folder), "cpu")


@pytest.mark.parametrize("quick", [False, True])
def test_a_pair_of_names_brings_its_normalisation_and_activation(
    tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    folder = tiny_clip_folder("vit")
    file = folder / "open_clip_model.safetensors"
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    tag: dict[str, Any] = {"file": str(file), "mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0)}
    tag["quick_gelu"] = quick
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny", {"local": tag})
    encoder = load_clip("Tiny:local", "cpu")
    assert encoder.id == f"Tiny:local@{file_sha256(file)[:12]}"
    torch.testing.assert_close(encoder.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))
    assert isinstance(encoder.visual.transformer.resblocks[0].mlp.gelu, QuickGELU) is quick
