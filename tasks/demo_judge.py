"""How good the demo weights are on drawings that they have not seen; only here truth is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..catalogs.demo import THINGS, Scene
from ..models.encoders.clip import ClipEncoder
from ..models.objectness import Objectness
from ..schemas.vocabulary import Vocabulary
from .demo_pictures import Pictures

_SHORT_SIDE: Final = 448  # CLIP-DIY's
_PATCHES: Final = (256, 128, 64)
_QUANTILES: Final = (0.0, 0.05, 0.5, 0.95, 1.0)


def zero_shot_cosines(clip: ClipEncoder, pictures: Pictures) -> Tensor:
    """Return (N, 21) cosines of pictures with "a photo of a {}" of the background and of every thing."""
    crops = F.interpolate(_floats(pictures.images), _square(clip), mode="bilinear", antialias=True)
    return _cosines(clip, crops)


def zero_shot_accuracy(clip: ClipEncoder, pictures: Pictures) -> float:
    """Return the share of close-ups (or bare backgrounds) whose best of 21 prompts is right."""
    truth = torch.tensor([THINGS.index(things[0]) + 1 if things else 0 for things in pictures.things])
    best = zero_shot_cosines(clip, pictures).argmax(dim=1)
    return float((best == truth).float().mean())


def cosine_levels(clip: ClipEncoder, closeups: Pictures, backgrounds: Pictures) -> dict[str, list[float]]:
    """Return the 0, 5, 50, 95 and 100 % quantiles of the cosines of like and of unlike pairs."""
    shown, empty = zero_shot_cosines(clip, closeups), zero_shot_cosines(clip, backgrounds)
    truth = torch.tensor([THINGS.index(things[0]) + 1 for things in closeups.things])
    own = F.one_hot(truth, shown.shape[1]).bool()
    other = ~own
    other[:, 0] = False
    pairs = {
        "thing, its name": shown[own],
        "thing, another name": shown[other],
        "thing, background": shown[:, 0],
        "background, background": empty[:, 0],
        "background, a name": empty[:, 1:].flatten(),
    }
    return {name: [round(float(np.quantile(c, q)), 3) for q in _QUANTILES] for name, c in pairs.items()}


def tile_accuracy(clip: ClipEncoder, scenes: Sequence[Scene]) -> dict[str, float]:
    """Judge CLIP on the tiles that CLIP-DIY cuts (Sec. 3.1).

    Returns:
        The share of tiles with a thing on at least 30 % (50 %) of their area whose best name is that thing's,
        the same by patch size, and the share of tiles without a thing that are called background.
    """
    hits: dict[str, list[bool]] = {}
    for scene in scenes:
        for patch in _PATCHES:
            crops, shares = _tiles(scene, patch, clip)
            cosines = _cosines(clip, crops)
            for cosine, share in zip(cosines, shares, strict=True):
                for kind, hit in _verdicts(cosine, share, patch):
                    hits.setdefault(kind, []).append(hit)
    return {kind: round(float(np.mean(hits[kind])), 4) for kind in sorted(hits)}


def foreground_iou(objectness: Objectness, scenes: Sequence[Scene]) -> float:
    """Return the mean over scenes of the IoU of objectness > 0.5 with the area of all things."""
    ious = []
    for scene in scenes:
        found = (objectness(_floats(scene.image[None])[0]) > 0.5).cpu().numpy()
        truth = scene.labels > 0
        ious.append(int((found & truth).sum()) / max(1, int((found | truth).sum())))
    return float(np.mean(ious))


def _verdicts(cosine: Tensor, share: NDArray[np.float64], patch: int) -> Iterator[tuple[str, bool]]:
    largest = int(share[1:].argmax()) + 1
    right = int(cosine[1:].argmax()) + 1 == largest
    if share[largest] >= 0.3:
        yield "thing on 30 %", right
        yield f"thing on 30 %, patch {patch}", right
    if share[largest] >= 0.5:
        yield "thing on 50 %", right
    if share[0] == 1.0:
        yield "background only", int(cosine.argmax()) == 0


def _tiles(scene: Scene, patch: int, clip: ClipEncoder) -> tuple[Tensor, list[NDArray[np.float64]]]:
    """Cut (N, 3, S, S) crops and the area share of the 21 labels in each."""
    scale = _SHORT_SIDE / min(scene.labels.shape)
    size = [round(side * scale) for side in scene.labels.shape]
    image = F.interpolate(_floats(scene.image[None]), size, mode="bilinear", antialias=True)[0]
    labels = F.interpolate(torch.from_numpy(scene.labels)[None, None].float(), size, mode="nearest")[0, 0]
    rows, columns = (_starts(side, patch) for side in size)
    windows = [(slice(y, y + patch), slice(x, x + patch)) for y in rows for x in columns]
    crops = torch.stack([image[:, y, x] for y, x in windows])
    counts = [np.bincount(labels[w].int().numpy().ravel(), minlength=len(THINGS) + 1) for w in windows]
    return F.interpolate(crops, _square(clip), mode="bilinear", antialias=True), [
        c / patch**2 for c in counts
    ]


def _starts(side: int, patch: int) -> list[int]:
    return [round(s) for s in np.linspace(0, side - patch, math.ceil(side / patch))]


def _cosines(clip: ClipEncoder, crops: Tensor) -> Tensor:
    text = clip.embed_text(Vocabulary.of(THINGS))
    return torch.cat([clip.embed_crops(part) @ text.T for part in crops.split(256)]).cpu()


def _square(clip: ClipEncoder) -> tuple[int, int]:
    return clip.image_size, clip.image_size


def _floats(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
