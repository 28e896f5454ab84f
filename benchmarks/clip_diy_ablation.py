"""CLIP-DIY's Table 2 on drawn scenes: the full method against one scale and against no objectness.

Usage: python benchmarks/clip_diy_ablation.py [--scenes 160] [--seed 7]

Scenes are those that the demo holds out (same seed, same bytes); every method is asked the whole known
vocabulary and judged as by `maskmill evaluate`: dataset-level areas, background included, unknown things are
background.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskmill.catalogs.corpora import open_corpus
from maskmill.catalogs.demo import KNOWN, read_ground_truth, write_demo_corpus
from maskmill.catalogs.images import decode_image
from maskmill.models.metrics import ConfusionMatrix
from maskmill.models.segmenters import Segmenter, create_segmenter
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions
from maskmill.schemas.config import DEMO_SEGMENTER, CorpusConfig, SegmenterConfig
from maskmill.schemas.samples import Sample
from maskmill.schemas.vocabulary import load_vocabulary

# The paper's mIoU on (PASCAL VOC, COCO-Object), Table 2.
PAPER = {"full": (59.9, 31.0), "one scale": (56.0, 25.9), "without objectness": (24.1, 15.5)}


@dataclass(frozen=True)
class Scene:
    image: NDArray[np.uint8]
    truth: NDArray[np.uint16]


def variants() -> dict[str, SegmenterConfig]:
    """Return the rows of the table; one scale is the coarsest, as in the paper."""
    coarsest = {"patch_sizes": ClipDiyOptions().patch_sizes[:1]}
    return {
        "full": DEMO_SEGMENTER,
        "one scale": DEMO_SEGMENTER.model_copy(update={"options": coarsest}),
        "without objectness": DEMO_SEGMENTER.model_copy(update={"objectness": "none"}),
    }


def held_out(seed: int, count: int) -> list[Scene]:
    """Draw the scenes that the demo holds out, unknown things as background."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_demo_corpus(root, seed=seed, images=1, val_images=count, shard_size=40, workers=1)
        truth = dict(read_ground_truth(root, "val"))
        reader = open_corpus(CorpusConfig(uri=str(root / "val")))
        samples = [s for shard in reader.shards() for s in reader.read(shard) if isinstance(s, Sample)]
        return [
            Scene(
                decode_image(s.image, 10**8),
                np.where(truth[s.key] > len(KNOWN), 0, truth[s.key]).astype(np.uint16),
            )
            for s in samples
        ]


def judge(segmenter: Segmenter, scenes: Sequence[Scene]) -> tuple[float, float]:
    """Return mIoU and seconds per image."""
    vocabulary = load_vocabulary("demo")
    matrix = ConfusionMatrix(len(vocabulary.classes))
    began = time.perf_counter()
    for scene in scenes:
        matrix.update(segmenter([scene.image], [vocabulary])[0].labels, scene.truth)
    return matrix.miou(), (time.perf_counter() - began) / len(scenes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=160)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    scenes = held_out(arguments.seed, arguments.scenes)
    print(f"{len(scenes)} scenes, seed {arguments.seed}")
    print(f"{'method':<20}{'mIoU':>8}{'of full':>9}{'s/image':>9}   paper: VOC, COCO-Object (of full)")
    full = 0.0
    for name, config in variants().items():
        miou, seconds = judge(create_segmenter(config), scenes)
        full = full or miou
        voc, coco = PAPER[name]
        paper = f"{voc:.1f}, {coco:.1f} ({voc / PAPER['full'][0]:.2f}, {coco / PAPER['full'][1]:.2f})"
        print(f"{name:<20}{100 * miou:>8.1f}{miou / full:>9.2f}{seconds:>9.3f}   {paper}")


if __name__ == "__main__":
    main()
