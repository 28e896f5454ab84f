"""The ground truth of a demo corpus: one index PNG for each image, in one tar for each split."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ...schemas.errors import CorpusError
from .names import THINGS


def truth_path(root: Path, split: str) -> Path:
    """Return where the index images of `split` ("train" or "val") lie below the corpus folder."""
    return root / "ground_truth" / f"{split}.tar"


def encode_labels(labels: np.ndarray) -> bytes:
    """Encode (H, W) uint8 labels as a PNG of mode P whose palette gives every class its own colour."""
    picture = Image.fromarray(labels)
    picture.putpalette(_palette())
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()


def read_ground_truth(out: Path, split: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (key, labels) of every image of `split`, in the order of the keys.

    `labels` is (H, W) uint8 with the ids of `Scene.labels`, which `ground_truth/classes.json` names.
    Raises CorpusError if there is no such split.
    """
    path = truth_path(Path(out), split)
    if not path.is_file():
        raise CorpusError(f"no ground truth at {path}: write the demo corpus first")
    with tarfile.open(path) as tar:
        for member in tar:
            data = tar.extractfile(member)
            if data is not None:
                yield member.name.removesuffix(".png"), np.asarray(Image.open(data))


@cache
def _palette() -> bytes:
    colours = np.zeros((256, 3), dtype=np.uint8)
    for label in range(1, len(THINGS) + 1):
        hue = (label * 0.381966) % 1.0 * 6.0
        wheel = np.clip((abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)), 0.0, 1.0)
        colours[label] = 255 * (0.25 + 0.75 * wheel) * (1.0 if label % 2 else 0.75)
    return colours.tobytes()
