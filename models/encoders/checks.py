"""Whether a loaded CLIP is run as its weights were trained: activation, normalisation, input size."""

from __future__ import annotations

import json
from typing import Any

import open_clip
from open_clip.hf_model import HFTextEncoder
from open_clip.timm_model import TimmModel
from open_clip.transformer import QuickGELU
from torch import nn

from ...schemas.errors import WeightsError
from .weights import CONFIG_FILE, ClipSource


def wants_quick_gelu(source: ClipSource) -> bool:
    """Return whether the weights were trained with QuickGELU, by what is published with them.

    That is open_clip's entry of the tag (OpenAI's weights, whatever the model is called), or the folder's own
    ``model_cfg``.
    """
    return bool(_said_of(source).get("quick_gelu", False))


def check_model(model: Any, source: ClipSource) -> None:
    """Hold a loaded model against what is published with its weights.

    Raises:
        WeightsError: a tower has the other kind of GELU; or a folder's ``preprocess_cfg`` says no mean and
            std, or others, or another input size, than what the tower is.
    """
    wanted = wants_quick_gelu(source)
    text = model.text if hasattr(model, "text") else model.transformer
    for name, tower in (("image", model.visual), ("text", text)):
        found = _has_quick_gelu(tower)
        if found is not None and found != wanted:
            raise WeightsError(
                f"CLIP {source.name!r} was trained with {_gelu(wanted)}, but its {name} tower has "
                f"{_gelu(found)}: take the model name that fits, with or without -quickgelu"
            )
    if source.tag is None:
        _check_preprocessing(model.visual, source)


def _check_preprocessing(visual: Any, source: ClipSource) -> None:
    """open_clip fills in its defaults for what a folder does not say; a guess is no normalisation."""
    said = _folder_config(source).get("preprocess_cfg", {})
    lacking = [key for key in ("mean", "std") if len(said.get(key) or ()) != 3]
    if lacking:
        raise WeightsError(
            f"CLIP folder of {source.name!r}: preprocess_cfg in {CONFIG_FILE} gives no "
            f"{' and no '.join(lacking)} of three channels, and what the weights were trained with cannot be "
            "guessed"
        )
    side, built = said.get("size"), visual.image_size
    if side is not None and _pair(side) != _pair(built):
        raise WeightsError(
            f"CLIP folder of {source.name!r}: preprocess_cfg in {CONFIG_FILE} says images of {side}, but "
            f"the image tower is built for {built}: one of the two belongs to other weights"
        )


def _said_of(source: ClipSource) -> dict[str, Any]:
    if source.tag is not None:
        return dict(open_clip.get_pretrained_cfg(source.model, source.tag))
    return dict(_folder_config(source).get("model_cfg", {}))


def _folder_config(source: ClipSource) -> dict[str, Any]:
    file = source.file.parent / CONFIG_FILE
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as err:
        raise WeightsError(f"{str(file)!r} cannot be read: {err}") from err


def _has_quick_gelu(tower: nn.Module) -> bool | None:
    """Return which GELU a tower of open_clip's own has; None where it has none or is not open_clip's."""
    if isinstance(tower, TimmModel | HFTextEncoder):
        return None
    modules = [m for m in tower.modules() if isinstance(m, QuickGELU | nn.GELU)]
    return any(isinstance(m, QuickGELU) for m in modules) if modules else None


def _gelu(quick: bool) -> str:
    return "QuickGELU" if quick else "plain GELU"


def _pair(size: Any) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)
