"""From the word in a configuration to an objectness."""

from __future__ import annotations

from ...schemas.errors import WeightsError
from ..encoders.clip import ClipEncoder
from .backbones import DenseBackbone, clip_backbone
from .found import FoundBkg, FoundObjectness, NoObjectness, Objectness
from .heads import FoundHead, head_file, load_head
from .instances import InstanceObjectness, load_instances
from .timm_backbone import TimmBackbone

# Of a head whose file names no backbone: the authors' own, whose features their head was trained on.
FOUND_BACKBONE = "timm:vit_small_patch8_224.dino"


def load_objectness(spec: str, clip: ClipEncoder) -> Objectness:
    """Build an objectness on the encoder's device.

    Args:
        spec: ``none``; ``demo``; a head's file (``.safetensors`` or the authors' ``.pt``), on the backbone
            that it names, else on DINO ViT-S/8, or on another as ``FILE@BACKBONE``; ``bkg:BACKBONE`` for
            FOUND-bkg; ``instances:SOURCE`` for Eq. 5 of CLIP-DIY over instance masks, see
            :func:`load_instances`. BACKBONE is ``clip``, or a timm model as :class:`TimmBackbone` takes it.
        clip: the encoder whose own features ``clip`` means.

    Raises:
        WeightsError: no such head or backbone, or they do not fit each other.
    """
    if spec == "none":
        return NoObjectness()
    if spec.startswith("bkg:"):
        name = spec.removeprefix("bkg:")
        return FoundBkg(_backbone("clip" if name == "clip" else f"timm:{name}", clip, None))
    if spec.startswith("instances:"):
        return InstanceObjectness(load_instances(spec.removeprefix("instances:"), clip.device))
    file, named = head_file(spec)
    head = load_head(file)
    _check_clip(head, clip)
    backbone = head.settings.get("backbone", FOUND_BACKBONE)
    if named:
        backbone = named if named == "clip" else f"timm:{named}"
    return FoundObjectness(_backbone(backbone, clip, head.settings.get("layer")), head)


def _check_clip(head: FoundHead, clip: ClipEncoder) -> None:
    trained_on = head.settings.get("clip_sha256", clip.sha256)
    if trained_on != clip.sha256:
        raise WeightsError(
            f"the objectness head was trained on the CLIP with sha256 {trained_on[:12]}..., not {clip.id}: "
            "use that CLIP, or another objectness"
        )


def _backbone(name: str, clip: ClipEncoder, layer: str | None) -> DenseBackbone:
    if name == "clip":
        return clip_backbone(clip, layer)
    kind, _, model = name.partition(":")
    if kind != "timm" or not model:
        raise WeightsError(f"no backbone {name!r}: it is 'clip' or a timm name")
    return TimmBackbone(model, clip.device)
