"""Every registered segmenter, in every mode and with every objectness, on scenes that the demo holds out.

Usage: python benchmarks/segmenters.py [--scenes 80] [--seed 7] [--instances SPEC] [--clip demo]

Linux only. Each row runs in a process of its own, on one thread of a CPU, one image at a time:

- mIoU over the known classes and the background, as by `maskmill evaluate`; everyone is asked the whole known
  vocabulary. The standard error is of a bootstrap over scenes.
- images per second of processor time, so that other work on the machine counts little; after a first image.
- peak MB: the most memory that the process held (VmHWM); `own` is that less what it held before the weights
  were loaded, which is Python, torch and the scenes.

All rows see through the demo CLIP, a ResNet of 64 px that knows drawn things and nothing else: they tell what
runs and what it costs, and say little of how methods compare on photographs with the weights they were
published with.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablation_order import Estimate, miou_of, resamples
from demo_scenes import Scene, counts_of, held_out
from numpy.typing import NDArray
from paper_tables import CUTLER, FOUND, FOUND_BKG, NONE

from maskmill.models.segmenters import create_segmenter, registered, segmenter_card
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import MaskmillError
from maskmill.schemas.vocabulary import load_vocabulary

TAKES_OBJECTNESS = frozenset({"clip-diy"})
OBJECTNESS = {FOUND: "demo", FOUND_BKG: "bkg:clip", NONE: "none"}
# What lets a method run on the demo CLIP alone, and answer with the classes that are judged.
ON_DEMO: Mapping[str, Mapping[str, Any]] = {
    "clippy": {"image_tower": "clip", "text_tower": "clip", "size": 448},
    "zero-guidance": {"backbone": "clip", "assign": "vocabulary", "nouns": "demo"},
}
NOTES = {
    "clip-diy": "FOUND's head is the demo's own; FOUND-bkg is on the demo CLIP's layer 3, not on DINO's keys",
    "clippy": "both towers are the demo CLIP's, at 448 px, not trained with max pooling; CLIPpy's weights (a "
    "ViT-B/16 from DINO, sentence-T5) do not ship",
    "maskclip": "the CLIP is a ResNet: features are its attention pool's values, as for the paper's RN50",
    "zero-guidance": "candidates from the demo CLIP's layer 3 instead of DINO's keys; attention masked in a "
    "ResNet's pool (the paper's CLIP is a ViT-L); segments take the nearest of the asked classes",
}


@dataclass(frozen=True)
class Row:
    """One line of the table; ``reason`` says why it cannot run, where that is known beforehand."""

    method: str
    mode: str
    objectness: str
    config: SegmenterConfig
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What a row's process reports, or why it did not run.

    Args:
        counts: (scenes, C, C + 1), as ``ConfusionMatrix`` has them.
        speed: images per second of processor time.
        peak, own: MB.
    """

    counts: NDArray[np.int64] | None
    speed: float = 0.0
    peak: float = 0.0
    own: float = 0.0
    reason: str = ""


def plan(names: Sequence[str], clip: str, instances: str | None) -> Iterator[Row]:
    """Yield a row for each segmenter, mode and objectness."""
    sources = OBJECTNESS if instances is None else {**OBJECTNESS, CUTLER: f"instances:{instances}"}
    for name in names:
        for mode in segmenter_card(name).modes or ("",):
            options = {**ON_DEMO.get(name, {}), **({"mode": mode} if mode else {})}
            base = SegmenterConfig(id=name, clip=clip, device="cpu", options=options)
            if name not in TAKES_OBJECTNESS:
                yield Row(name, mode, "-", base)
                continue
            for objectness, spec in sources.items():
                yield Row(name, mode, objectness, base.model_copy(update={"objectness": spec}))
            if instances is None:
                yield Row(name, mode, CUTLER, base, "no such weights ship with maskmill; see --instances")


def measure(config: SegmenterConfig, scenes: Sequence[Scene]) -> Result:
    """Run one row; meant for a fresh process."""
    torch.set_num_threads(1)
    before, vocabulary = _peak_mb(), load_vocabulary("demo")
    try:
        segmenter = create_segmenter(config)
        counts_of(segmenter, scenes[0], vocabulary)
    except (MaskmillError, ImportError) as err:
        return Result(None, reason=str(err))
    began = time.process_time()
    counts = [counts_of(segmenter, scene, vocabulary) for scene in scenes]
    speed = len(scenes) / (time.process_time() - began)
    peak = _peak_mb()
    return Result(np.stack(counts), speed, peak, peak - before)


def _peak_mb() -> float:
    """Return the most memory that this process has held; getrusage would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def table_line(row: Row, result: Result, estimate: Estimate | None) -> str:
    """Return one line of the table."""
    start = f"{row.method:<15}{row.mode:<10}{row.objectness:<20}"
    if estimate is None:
        return f"{start}not run: {result.reason}"
    numbers = f"{100 * estimate.value:>8.1f}{100 * estimate.error:>7.1f}{result.speed:>11.2f}"
    return f"{start}{numbers}{result.peak:>9.0f}{result.own:>7.0f}"


HEAD = (
    f"{'segmenter':<15}{'mode':<10}{'objectness':<20}{'mIoU':>8}{'s.e.':>7}{'images/s':>11}"
    f"{'peak MB':>9}{'own':>7}"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--instances", help="instance masks, such as maskrcnn_resnet50_fpn:FILE")
    parser.add_argument("--clip", default="demo")
    arguments = parser.parse_args()
    # Children read these when they start: one thread, and weights that are not here are missing at once.
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    scenes = held_out(arguments.seed, arguments.scenes)
    weights, names = resamples(len(scenes)), registered()
    print(f"{len(scenes)} scenes, seed {arguments.seed}, CLIP {arguments.clip!r}, one thread")
    print(HEAD, flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for row in plan(names, arguments.clip, arguments.instances):
            done = pool.submit(measure, row.config, scenes) if not row.reason else None
            result = done.result() if done else Result(None, reason=row.reason)
            estimate = None if result.counts is None else miou_of(result.counts, weights)
            print(table_line(row, result, estimate), flush=True)
    for name in names:
        if note := NOTES.get(name):
            print(f"{name}: {note}")


if __name__ == "__main__":
    main()
