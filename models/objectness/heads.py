"""FOUND's trained head and its file."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...schemas.errors import WeightsError
from ..encoders.weights import pinned_sha256, shipped_folder


@dataclass(frozen=True)
class FoundHead:
    """A 1x1 convolution from D channels to one, with bias.

    Args:
        weight: (D,) float32.
        bias: scalar float32.
        settings: what it was trained on, all optional: ``backbone`` (``clip`` or ``timm:NAME``), ``layer``,
            ``short_side`` in pixels, ``clip_sha256``.
        sha256: of the file it was read from; empty for a head that has no file yet.
    """

    weight: Tensor
    bias: Tensor
    settings: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""

    @property
    def short_side(self) -> int | None:
        """Short side of the images it was trained on; None where it took them as they were."""
        value = self.settings.get("short_side", "")
        return int(value) if value else None

    def logits(self, features: Tensor) -> Tensor:
        """Map (B, D, h, w) features to (B, h, w) logits, positive on things."""
        weight, bias = self.weight.to(features.device), self.bias.to(features.device)
        return torch.einsum("bdhw,d->bhw", features, weight) + bias


def save_head(head: FoundHead, path: Path) -> None:
    """Write a head as safetensors, its settings as metadata; the same head gives the same bytes."""
    tensors = {"weight": head.weight.float().contiguous(), "bias": head.bias.float().reshape(1)}
    packed = save(tensors, metadata=dict(head.settings))
    # safetensors writes metadata in random order; its header is a length, then JSON padded with spaces.
    end = 8 + int.from_bytes(packed[:8], "little")
    header = json.dumps(json.loads(packed[8:end]), sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(packed[:8] + header.ljust(end - 8) + packed[end:])


def head_file(spec: str) -> tuple[Path, str]:
    """Return the file that ``demo``, ``FILE`` or ``FILE@BACKBONE`` means, and BACKBONE or nothing."""
    if spec == "demo":
        return shipped_folder("demo_objectness") / "head.safetensors", ""
    file, _, backbone = (spec, "", "") if Path(spec).is_file() else spec.partition("@")
    return Path(file), backbone


def load_head(path: Path) -> FoundHead:
    """Read a head: :func:`save_head`'s safetensors, or the authors' ``decoder_weights.pt``.

    Raises:
        WeightsError: no such file, a checksum that is not the pinned one, or no head in it.
    """
    if not path.is_file():
        raise WeightsError(
            f"no objectness head {str(path)!r}: give 'none', 'demo', a .safetensors or .pt file of a head, "
            "'bkg:clip' or 'bkg:' with a timm name"
        )
    digest = pinned_sha256(path)
    try:
        tensors, settings = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except (SafetensorError, RuntimeError, OSError, EOFError, KeyError, pickle.UnpicklingError) as err:
        raise WeightsError(f"objectness head {str(path)!r} cannot be read: {err}") from err
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or bias.numel() != 1 or weight.numel() != max(weight.shape, default=0):
        raise WeightsError(
            f"{str(path)!r} is no objectness head (a weight of D values and one bias): it holds "
            f"{', '.join(f'{n} {tuple(t.shape)}' for n, t in sorted(tensors.items())) or 'nothing'}"
        )
    if not settings.get("short_side", "1").isdecimal() or settings.get("short_side") == "0":
        raise WeightsError(f"objectness head {str(path)!r} has the short side {settings['short_side']!r}")
    return FoundHead(weight.float().flatten(), bias.float().reshape(()), settings, digest)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in ("weight", "bias") if name in set(file.keys())}
        return tensors, dict(file.metadata() or {})


def _read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a state dict, alone or under the key ``decoder`` as the authors save it."""
    body = torch.load(path, map_location="cpu", weights_only=True)
    state = body.get("decoder", body) if isinstance(body, dict) else {}
    tensors = state if isinstance(state, dict) else {}
    return {name: t for name, t in tensors.items() if isinstance(t, Tensor)}, {}
