"""Tiny things that stand for large ones: an untrained CLIP, a segmenter by colour, a labelled catalog."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image

from maskmill.schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.label import label_run

INLINE = PoolConfig(backend="inline")
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def write_clip(folder: Path) -> Path:
    """Write an untrained CLIP of some 100,000 image weights as a folder that open_clip loads."""
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**MODEL)
    body = {"model_cfg": MODEL, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
    (folder / "open_clip_config.json").write_text(json.dumps(body))
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


class RedSegmenter:
    """Answers the second class of its vocabulary wherever red is above one half, else the background."""

    id = "red@1"

    def __init__(self, config: SegmenterConfig) -> None:
        self.weights = {"red": "abc"}

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        return [
            LabelMap((i[..., 0] > 127).astype(np.uint16), np.full(i.shape[:2], 0.75, np.float16), v.names)
            for i, v in zip(images, vocabularies, strict=True)
        ]


def red_rectangle(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Return (40, 48, 3) dark noise with a red rectangle, and its (40, 48) labels, 1 in the rectangle."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 100, (40, 48, 3), np.uint8)
    top, left = rng.integers(0, 16, 2)
    labels = np.zeros((40, 48), np.uint16)
    labels[top : top + 20, left : left + 24] = 1
    image[labels == 1] = (250, 20, 20)
    return image, labels


def write_tar(path: Path, samples: dict[str, tuple[NDArray[np.uint8], str]]) -> None:
    """Write (image, caption) by key as one img2dataset-style shard of PNGs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, (image, caption) in samples.items():
            packed = io.BytesIO()
            Image.fromarray(image).save(packed, "PNG")
            for suffix, body in (("png", packed.getvalue()), ("txt", caption.encode())):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(body)
                tar.addfile(member, io.BytesIO(body))


def write_corpus(root: Path, images: int) -> CorpusConfig:
    """Write red rectangles, captioned as houses, as two shards in ``root/val``, and index PNGs."""
    (root / "truth").mkdir(parents=True)
    classes = [{"id": 0, "name": "background"}, {"id": 1, "name": "house"}]
    (root / "truth" / "classes.json").write_text(json.dumps(classes))
    for shard in range(2):
        keys = [f"{n:04d}" for n in range(images) if n % 2 == shard]
        drawn = {key: red_rectangle(int(key)) for key in keys}
        captioned = {key: (image, "a house") for key, (image, _) in drawn.items()}
        write_tar(root / "val" / f"{shard:05d}.tar", captioned)
        for key, (_, labels) in drawn.items():
            Image.fromarray(labels.astype(np.uint8)).save(root / "truth" / f"{key}.png")
    return CorpusConfig(uri=str(root / "val"))


def label_corpus(corpus: CorpusConfig, catalog: Path, run_id: str | None = None) -> str:
    """Label a corpus with :class:`RedSegmenter` and return the run's id."""
    config = LabelConfig(vocabulary="demo", pool=INLINE)
    return label_run(corpus, str(catalog), config, run_id, segmenter_factory=RedSegmenter).run_id
