"""Weight files: where they lie, what their checksum is, and whether it is the pinned one."""

from __future__ import annotations

import difflib
import hashlib
import json
import pickle
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import open_clip
import torch
from safetensors import SafetensorError

from ...schemas.errors import WeightsError

CONFIG_FILE = "open_clip_config.json"
MANIFEST_FILE = "manifest.json"

# What open_clip, timm, torch and safetensors raise for names, downloads and files that do not work: damaged
# ones, and those of another architecture.
LOAD_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    SafetensorError,
    pickle.UnpicklingError,
)

# open_clip's own order of preference where a folder holds several forms of the same weights.
_PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_SUFFIXES = (".safetensors", ".bin", ".pth")


@dataclass(frozen=True)
class ClipSource:
    """One CLIP, resolved to a file on this disk.

    Args:
        name: what it is called in ids.
        model: open_clip's model name, or ``local-dir:FOLDER``.
        tag: open_clip's pretrained tag; None for a folder.
        file: the weight file.
    """

    name: str
    model: str
    tag: str | None
    file: Path


def resolve_clip(spec: str) -> ClipSource:
    """Find the weights that ``spec`` names: ``demo``, ``MODEL:PRETRAINED`` of open_clip, or a folder.

    Raises:
        WeightsError: the name is unknown, the folder is no open_clip folder, or the download failed.
    """
    if spec == "demo":
        return _from_folder(shipped_folder("demo_clip"), "demo")
    folder = Path(spec)
    if folder.is_dir():
        return _from_folder(folder, folder.resolve().name)
    model, _, tag = spec.partition(":")
    if not tag or "/" in model:
        raise WeightsError(
            f"no CLIP {spec!r}: give 'demo', a folder with {CONFIG_FILE} and weights, or an open_clip pair "
            "MODEL:PRETRAINED such as ViT-B-32:laion2b_s34b_b79k"
        )
    return _from_hub(model, tag)


def shipped_folder(name: str) -> Path:
    """Return the folder of weights that ship with the package."""
    return Path(str(resources.files("maskmill.models.weights").joinpath(name)))


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, 64 hex digits.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise WeightsError(f"weights {str(path)!r} cannot be read: {err}") from err


def pinned_sha256(path: Path) -> str:
    """Return a weight file's sha256 after holding it against the pin beside it, if there is one.

    The pin is a ``manifest.json`` in the same folder: ``{"sha256": {file name: 64 hex digits}}``; a file that
    it does not name is not pinned.

    Raises:
        WeightsError: the file cannot be read, or its checksum is not the pinned one.
    """
    digest = file_sha256(path)
    pin = _pins(path.parent).get(path.name)
    if pin is not None and pin != digest:
        raise WeightsError(
            f"weights {str(path)!r} have sha256 {digest}, but {MANIFEST_FILE} beside them pins {pin}: "
            "the file is damaged or was replaced; install it again"
        )
    return digest


def state_sha256(model: torch.nn.Module) -> str:
    """Return the sha256 over a model's tensors, by name; it does not depend on how files are split."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _pins(folder: Path) -> dict[str, str]:
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file():
        return {}
    try:
        pins = json.loads(manifest.read_text("utf-8")).get("sha256", {})
        return {str(name): str(pin) for name, pin in pins.items()}
    except (OSError, ValueError, AttributeError) as err:
        raise WeightsError(f"manifest {str(manifest)!r} cannot be read: {err}") from err


def _from_folder(folder: Path, name: str) -> ClipSource:
    if not (folder / CONFIG_FILE).is_file():
        raise WeightsError(f"CLIP folder {str(folder)!r} has no {CONFIG_FILE}")
    found = sorted(f for f in folder.iterdir() if f.suffix in _SUFFIXES)
    preferred = [folder / n for n in _PREFERRED if folder / n in found]
    if not found:
        raise WeightsError(
            f"CLIP folder {str(folder)!r} has no weights: put {_PREFERRED[0]} beside {CONFIG_FILE}"
        )
    if not preferred and len(found) > 1:
        raise WeightsError(
            f"CLIP folder {str(folder)!r} has several weight files ({', '.join(f.name for f in found)}): "
            f"keep one, or name one {_PREFERRED[0]}"
        )
    return ClipSource(name, f"local-dir:{folder}", None, (preferred or found)[0])


def _from_hub(model: str, tag: str) -> ClipSource:
    if model not in open_clip.list_models():
        near = difflib.get_close_matches(model, open_clip.list_models(), 3, 0.4)
        raise WeightsError(f"open_clip knows no model {model!r}; near names: {', '.join(near) or 'none'}")
    config = open_clip.get_pretrained_cfg(model, tag)
    if not config:
        tags = open_clip.list_pretrained_tags_by_model(model)
        raise WeightsError(
            f"open_clip has no weights {tag!r} of {model!r}; it has: {', '.join(tags) or 'none'}"
        )
    try:
        path = Path(open_clip.download_pretrained(config))
    except (OSError, RuntimeError, ValueError) as err:
        raise WeightsError(
            f"weights {model}:{tag} are not in the cache and could not be downloaded ({err}): go online "
            f"once, or copy a folder with {CONFIG_FILE} and {_PREFERRED[0]} here and give its path"
        ) from err
    return ClipSource(f"{model}:{tag}", model, tag, path)
