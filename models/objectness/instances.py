"""Objectness from instance masks (CLIP-DIY Eq. 5), e.g. those of CutLER."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch
import torchvision
from torch import Tensor

from ...schemas.errors import WeightsError
from ..encoders.weights import LOAD_ERRORS, pinned_sha256

CUTLER_THRESHOLD = 0.3
_PIXEL_THRESHOLD = 0.5


class InstanceMasks(Protocol):
    """Any model that finds things and outlines them.

    Attributes:
        id: name and checksum of the weights.
    """

    @property
    def id(self) -> str: ...

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (3, H, W) float RGB in [0, 1] to masks (N, H, W) in [0, 1] and scores (N,) in [0, 1]."""
        ...


class InstanceObjectness:
    """Eq. 5: M = sum_n sigma_n zeta_n / Z over masks zeta_n whose score sigma_n is at least ``threshold``,
    where Z is the largest value of that sum, so that the map's maximum is 1. Nil everywhere without a mask.
    """

    def __init__(self, source: InstanceMasks, threshold: float = CUTLER_THRESHOLD) -> None:
        self._source, self._threshold = source, threshold
        self.id = f"instances/{source.id}"
        self.weights: Mapping[str, str] = {"objectness_instances": source.id}

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        masks, scores = self._source(image)
        certain = scores >= self._threshold
        summed = torch.einsum("n,nhw->hw", scores[certain].float(), masks[certain].float())
        largest = summed.max() if summed.numel() else summed.sum()
        return summed / largest if bool(largest > 0) else torch.zeros(image.shape[-2:], device=image.device)


class TorchvisionInstances:
    """One of torchvision's Mask R-CNNs with weights from this disk; its classes play no part.

    Raises:
        WeightsError: torchvision has no such model, or the file does not fit it.
    """

    def __init__(self, name: str, file: Path, device: torch.device) -> None:
        digest = pinned_sha256(file)
        self.id = f"{name}@{digest[:12]}"
        self._device = device
        try:
            state = (
                safetensors.torch.load_file(file)
                if file.suffix == ".safetensors"
                else torch.load(file, map_location="cpu", weights_only=True)
            )
            classes = len(state["roi_heads.box_predictor.cls_score.bias"])
            model: Any = torchvision.models.get_model(
                name, weights=None, weights_backbone=None, num_classes=classes
            )
            model.load_state_dict(state)
        except LOAD_ERRORS as err:
            raise WeightsError(
                f"instance masks {name!r} could not be loaded from {str(file)!r}: {err}. Give one of "
                "torchvision's Mask R-CNNs and a state dict of it, such as maskrcnn_resnet50_fpn:FILE"
            ) from err
        self._model = model.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        (found,) = self._model([image.to(self._device)])
        return (found["masks"][:, 0] >= _PIXEL_THRESHOLD).float(), found["scores"]


def load_instances(spec: str, device: torch.device) -> InstanceMasks:
    """Build a source of instance masks.

    Args:
        spec: ``MODEL:FILE``, one of torchvision's Mask R-CNNs with a state dict, or
            ``package.module:factory``, which is called with the device (CutLER itself, in detectron2, comes
            in this way).

    Raises:
        WeightsError: no such model, file or factory.
    """
    name, _, rest = spec.partition(":")
    if name in torchvision.models.list_models(module=torchvision.models.detection):
        return TorchvisionInstances(name, Path(rest), device)
    try:
        made: InstanceMasks = getattr(importlib.import_module(name), rest)(device)
        return made
    except (ImportError, AttributeError, ValueError) as err:
        raise WeightsError(
            f"no instance masks {spec!r} ({err}): give MODEL:FILE with one of torchvision's Mask R-CNNs, or "
            "package.module:factory"
        ) from err
