"""CLIPpy's weights as its authors' code stores them: both towers in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ...schemas.errors import WeightsError
from ..encoders.weights import LOAD_ERRORS, pinned_sha256

_LISTED = 6  # names of an error's list
_TRUNK, _HEAD = "visual.trunk.", "visual.head.proj."
_TEXT, _DENSE = "text.0.auto_model.", "text.2.linear."
_SCALE = "logit_scale"
_TIED = ("shared.weight", "encoder.embed_tokens.weight")


@dataclass(frozen=True)
class Checkpoint:
    """What one file holds, by the names that the parts themselves use.

    The authors train with open_clip: the image tower is ``visual.trunk.*``, a timm vision transformer, with
    a projection ``visual.head.proj.*`` only where it pools by average; the text tower is a
    sentence-transformers model, its T5 encoder under ``text.0.auto_model.*`` and its dense layer under
    ``text.2.linear.*``; and there is ``logit_scale``. Training in several processes puts ``module.`` before
    every name.

    Args:
        path: the file.
        sha256: of it, 64 hex digits.
        trunk, text: weights of the two transformers.
        projection: ``weight`` (E, D), and ``bias`` if it has one; empty where there is no projection.
        dense: ``weight`` (E, d), and ``bias`` if it has one; empty where there is none.
        logit_scale: what cosines are multiplied with in training.
    """

    path: Path
    sha256: str
    trunk: Mapping[str, Tensor]
    text: Mapping[str, Tensor]
    projection: Mapping[str, Tensor]
    dense: Mapping[str, Tensor]
    logit_scale: float


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a ``.safetensors`` file or one of torch's; nothing in it is run.

    Raises:
        WeightsError: it cannot be read, has another checksum than the one pinned beside it, lacks a part or
            holds names of another layout.
    """
    digest = pinned_sha256(path)
    state = {name.removeprefix("module."): tensor for name, tensor in read_tensors(path).items()}
    parts = {prefix: _part(state, prefix) for prefix in (_TRUNK, _TEXT, _HEAD, _DENSE)}
    known = {_SCALE, *(prefix + name for prefix, part in parts.items() for name in part)}
    missing = [f"{p}*" for p in (_TRUNK, _TEXT) if not parts[p]] + [_SCALE] * (_SCALE not in state)
    refuse(path, "a CLIPpy checkpoint", missing, sorted(set(state) - known))
    trunk, text, projection, dense = parts.values()
    scale = float(state[_SCALE].double().exp())
    return Checkpoint(path, digest, trunk, text, projection, dense, scale)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Load the weights of a module, each of them.

    Raises:
        WeightsError: names or shapes differ; the text lists what is missing and what is unexpected.
    """
    given = _tied(tensors)
    wanted = module.state_dict()
    shapes = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    refuse(path, what, sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted)), shapes)
    module.load_state_dict(given)


def linear(weights: Mapping[str, Tensor], path: Path, what: str) -> nn.Module:
    """Return the linear layer of these weights; the identity where there are none."""
    if not weights:
        return nn.Identity()
    refuse(path, what, ["weight"] * ("weight" not in weights), sorted(set(weights) - {"weight", "bias"}))
    outputs, inputs = weights["weight"].shape
    layer = nn.Linear(inputs, outputs, bias="bias" in weights)
    fill(layer, weights, path, what)
    return layer


def refuse(
    path: Path, what: str, missing: list[str], unexpected: list[str], shapes: list[str] | None = None
) -> None:
    """Raise a ``WeightsError`` that lists what does not fit, if anything does not."""
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": shapes or []}
    said = [f"{len(names)} {kind}: {_some(names)}" for kind, names in faults.items() if names]
    if said:
        raise WeightsError(f"{str(path)!r} does not fit {what}: {'; '.join(said)}")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file, or of one of torch's; nothing in it is run.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        body: Any = torch.load(path, map_location="cpu", weights_only=True)
        body = body.get("state_dict", body)
        return {str(name): tensor for name, tensor in body.items() if isinstance(tensor, Tensor)}
    except LOAD_ERRORS as err:
        raise WeightsError(f"weights {str(path)!r} cannot be read: {err}") from err


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}


def _tied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """T5 has one table of tokens under two names, of which a file may hold one."""
    given = dict(tensors)
    for one, other in (_TIED, _TIED[::-1]):
        if one in given:
            given.setdefault(other, given[one])
    return given


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
