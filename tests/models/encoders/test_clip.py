from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import open_clip.factory
import open_clip.model
import open_clip.pretrained
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU

from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.encoders.dense_clip import DenseClip
from maskmill.models.encoders.options import EncoderOptions, Precision
from maskmill.models.encoders.weights import file_sha256
from maskmill.schemas.errors import WeightsError
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

Folder = Callable[[str], Path]
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


@pytest.fixture
def folder(tmp_path: Path, tiny_clip_folder: Folder) -> Path:
    return Path(shutil.copytree(tiny_clip_folder("vit"), tmp_path / "mine"))


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


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_close_and_gives_float32(
    tower: str, tiny_clip: ClipEncoder, tiny_clip_folder: Folder, precision: Precision
) -> None:
    rough = load_clip(str(tiny_clip_folder(tower)), "cpu", EncoderOptions(precision=precision))
    crops, vocabulary = torch.rand(4, 3, 32, 32), Vocabulary.of(["cat", "dog"])
    pairs = [
        (rough.embed_crops(crops), tiny_clip.embed_crops(crops)),
        (rough.embed_text(vocabulary), tiny_clip.embed_text(vocabulary)),
    ]
    for half, exact in pairs:
        assert half.dtype == torch.float32
        assert not torch.equal(half, exact)
        assert float((half * exact).sum(dim=1).min()) > 0.99
    assert (tiny_clip.dtype, rough.id) == (None, tiny_clip.id)


@pytest.mark.slow
def test_a_compiled_tower_gives_the_same(
    tiny_vit: ClipEncoder, tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    encoder = load_clip(str(tiny_clip_folder("vit")), "cpu", EncoderOptions(compile=True))
    crops = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(encoder.embed_crops(crops), tiny_vit.embed_crops(crops), atol=1e-5, rtol=0)


def test_the_image_tower_is_compiled_where_asked(
    tiny_clip_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function) or function)
    folder = str(tiny_clip_folder("vit"))
    encoder = load_clip(folder, "cpu", EncoderOptions(compile=True))
    load_clip(folder, "cpu")
    assert compiled == [encoder.model.encode_image]


def test_texts_are_kept_on_disk_where_a_folder_is_named(
    tiny_clip_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = EncoderOptions(text_cache=str(tmp_path / "texts"))
    folder, vocabulary = str(tiny_clip_folder("vit")), Vocabulary.of(["cat", "dog"])
    made = load_clip(folder, "cpu", options).embed_text(vocabulary)
    assert len(list((tmp_path / "texts").glob("*/*.safetensors"))) == 3
    again = load_clip(folder, "cpu", options)
    monkeypatch.setattr(again.model.transformer, "forward", None)  # it cannot run
    assert torch.equal(again.embed_text(vocabulary), made)


@pytest.mark.parametrize("spec", ["demo", "folder", "pair"])
def test_texts_are_kept_unasked_only_of_weights_that_lie_in_the_users_cache_too(
    spec: str, tiny_clip_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if spec == "pair":
        _name_pair(tiny_clip_folder("vit"), monkeypatch, {})
    names = {"demo": "demo", "folder": str(tiny_clip_folder("vit")), "pair": "Tiny:local"}
    load_clip(names[spec], "cpu").embed_text(Vocabulary.of(["cat"]))
    assert len(list(tmp_path.rglob("*.safetensors"))) == (2 if spec == "pair" else 0)


def test_the_logit_scale_is_as_learnt_but_at_most_a_hundred(tiny_vit: ClipEncoder, folder: Path) -> None:
    assert tiny_vit.logit_scale == pytest.approx(1 / 0.07)
    file = folder / "open_clip_model.safetensors"
    tensors = safetensors.torch.load_file(file)
    tensors["logit_scale"] = torch.tensor(7.0)
    safetensors.torch.save_file(tensors, file)
    assert load_clip(str(folder), "cpu").logit_scale == 100.0


def test_a_timm_tower_embeds_crops_and_a_bidirectional_one_texts(tmp_path: Path) -> None:
    """The form of SigLIP in open_clip: timm's tower, text that is not causal, mean and std of one half."""
    vision = {"timm_model_name": "test_vit", "timm_pool": "avg", "timm_proj": "linear", "image_size": 160}
    text = {**TEXT, "no_causal_mask": True, "pool_type": "last", "proj_bias": True}
    config = {
        "embed_dim": 12,
        "custom_text": True,
        "init_logit_bias": -10,
        "vision_cfg": vision,
        "text_cfg": text,
    }
    half = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
    built = {key: value for key, value in config.items() if key != "custom_text"}
    model = open_clip.model.CustomTextCLIP(**built).eval()
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": half}))
    safetensors.torch.save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    encoder, crops = load_clip(str(tmp_path), "cpu"), torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        images = model.encode_image(crops * 2 - 1, normalize=True)
        texts = model.encode_text(
            open_clip.get_tokenizer("ViT-B-32", context_length=16)(["a photo of a cat"])
        )
    torch.testing.assert_close(encoder.embed_crops(crops), images, atol=1e-5, rtol=0)
    embedded = encoder.embed_text(Vocabulary(name="v", classes=(VocabularyClass(name="cat"),)))
    torch.testing.assert_close(embedded, F.normalize(texts, dim=-1), atol=1e-5, rtol=0)
    with pytest.raises(WeightsError, match="TimmModel"):
        DenseClip(encoder)


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


def _name_pair(folder: Path, monkeypatch: pytest.MonkeyPatch, tag: dict[str, Any]) -> None:
    """Let open_clip know the weights of a folder as ``Tiny:local``."""
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny", config)
    described = {"file": str(folder / "open_clip_model.safetensors"), **tag}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny", {"local": described})


@pytest.mark.parametrize("quick", [False, True])
def test_a_pair_of_names_brings_its_normalisation_and_activation(
    tiny_clip_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    folder = tiny_clip_folder("vit")
    said = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0), "quick_gelu": quick}
    _name_pair(folder, monkeypatch, said)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoder = load_clip("Tiny:local", "cpu")
    assert encoder.id == f"Tiny:local@{file_sha256(folder / 'open_clip_model.safetensors')[:12]}"
    torch.testing.assert_close(encoder.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))
    assert isinstance(encoder.visual.transformer.resblocks[0].mlp.gelu, QuickGELU) is quick
