from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest

from maskmill.models.encoders.weights import file_sha256, pinned_sha256, resolve_clip, shipped_folder
from maskmill.schemas.errors import WeightsError

Folder = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path, tiny_clip_folder: Folder) -> Path:
    return Path(shutil.copytree(tiny_clip_folder("vit"), tmp_path / "mine"))


def test_a_folder_resolves_to_its_weights_and_is_called_by_its_name(folder: Path) -> None:
    source = resolve_clip(str(folder))
    assert (source.name, source.model, source.tag) == ("mine", f"local-dir:{folder}", None)
    assert source.file == folder / "open_clip_model.safetensors"


def test_demo_is_the_shipped_folder() -> None:
    assert resolve_clip("demo").file.parent == shipped_folder("demo_clip")


def test_of_several_files_open_clips_own_choice_is_taken(folder: Path) -> None:
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"other")
    assert resolve_clip(str(folder)).file.name == "open_clip_model.safetensors"


def test_several_files_of_unknown_names_are_an_error(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").rename(folder / "a.safetensors")
    (folder / "b.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"several weight files \(a.safetensors, b.safetensors\)"):
        resolve_clip(str(folder))


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("open_clip_config.json", "has no open_clip_config.json"),
        ("open_clip_model.safetensors", "has no weights"),
    ],
)
def test_a_folder_without_one_of_its_files_is_an_error(folder: Path, missing: str, text: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(WeightsError, match=text):
        resolve_clip(str(folder))


@pytest.mark.parametrize("spec", ["ViT-B-32", "no/such/folder", "no/such:folder"])
def test_what_is_neither_name_nor_folder_is_an_error(spec: str) -> None:
    with pytest.raises(WeightsError, match="MODEL:PRETRAINED"):
        resolve_clip(spec)


def test_an_unknown_model_brings_near_names() -> None:
    with pytest.raises(WeightsError, match=r"near names: .*ViT-B-32"):
        resolve_clip("ViT-B-33:openai")


def test_unknown_weights_bring_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"it has: .*laion2b_s34b_b79k"):
        resolve_clip("ViT-B-32:nothing")


def test_a_failed_download_says_how_to_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: object) -> str:
        raise FileNotFoundError("no route to host")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    with pytest.raises(WeightsError, match=r"no route to host.*copy a folder"):
        resolve_clip("ViT-B-32:laion2b_s34b_b79k")


def test_the_checksum_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"weights")
    assert file_sha256(tmp_path / "w.bin") == hashlib.sha256(b"weights").hexdigest()
    assert pinned_sha256(tmp_path / "w.bin") == hashlib.sha256(b"weights").hexdigest()


def test_a_missing_file_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        file_sha256(tmp_path / "nothing")


def test_another_checksum_than_the_pinned_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"weights")
    pins = {"w.bin": hashlib.sha256(b"weights").hexdigest(), "other": "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": pins}))
    assert pinned_sha256(tmp_path / "w.bin") == pins["w.bin"]
    (tmp_path / "w.bin").write_bytes(b"Weights")
    with pytest.raises(WeightsError, match="pins"):
        pinned_sha256(tmp_path / "w.bin")


@pytest.mark.parametrize("body", ["{", "[]", '{"sha256": []}'])
def test_a_manifest_of_another_form_is_an_error(tmp_path: Path, body: str) -> None:
    (tmp_path / "w.bin").write_bytes(b"weights")
    (tmp_path / "manifest.json").write_text(body)
    with pytest.raises(WeightsError, match="manifest"):
        pinned_sha256(tmp_path / "w.bin")
