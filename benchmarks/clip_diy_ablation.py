"""CLIP-DIY's Tables 2, 3 and 4 on drawn scenes, in both readings, and where their order is not the paper's.

Usage: python benchmarks/clip_diy_ablation.py [--scenes 80] [--seed 7] [--instances SPEC]

Scenes are those that the demo holds out (same seed, same bytes); every method is asked the whole known
vocabulary and judged as by `maskmill evaluate`: dataset-level areas, background included, unknown things are
background. Standard errors are of a bootstrap over scenes. Crops per image are the method's cost; a crop that
several rows look at is run once here, so rows are not timed (benchmarks/segmenters.py does that).

`--instances` names instance masks for the row of CutLER, as in `--objectness instances:SPEC`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Literal

import torch
from ablation_order import Estimate, miou_of, resamples, table_lines
from demo_scenes import CountedCrops, RememberedCrops, clip_diy, counts_by_method, held_out
from paper_tables import (
    CLIP_DIY_SCALES,
    CLIP_DIY_TABLE_2,
    CLIP_DIY_TABLE_3,
    CLIP_DIY_TABLE_4,
    CUTLER,
    FOUND,
    FOUND_BKG,
    FULL,
    NONE,
    ONE_SCALE,
    PaperTable,
)

from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.objectness import load_objectness
from maskmill.models.segmenters import Segmenter
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions

MODES: tuple[Literal["paper", "released"], ...] = ("paper", "released")
ALL_SCALES = "256+128+64"
OBJECTNESS = {FOUND: "demo", FOUND_BKG: "bkg:clip", NONE: "none"}
# Which measured row each row of a table is.
ROWS: tuple[tuple[PaperTable, Mapping[str, str]], ...] = (
    (CLIP_DIY_TABLE_2, {FULL: ALL_SCALES, ONE_SCALE: "256", NONE: NONE}),
    (CLIP_DIY_TABLE_3, {scales: scales for scales in CLIP_DIY_SCALES}),
    (CLIP_DIY_TABLE_4, {FOUND: ALL_SCALES, CUTLER: CUTLER, FOUND_BKG: FOUND_BKG, NONE: NONE}),
)


def methods(
    clip: ClipEncoder, mode: Literal["paper", "released"], instances: str | None
) -> dict[str, tuple[Segmenter, CountedCrops]]:
    """Return every distinct row with the encoder that counts its crops."""
    sources = dict(OBJECTNESS) if instances is None else {**OBJECTNESS, CUTLER: f"instances:{instances}"}
    built = {name: load_objectness(spec, clip) for name, spec in sources.items()}
    rows = {scales: (FOUND, sizes) for scales, sizes in CLIP_DIY_SCALES.items()}
    rows |= {name: (name, CLIP_DIY_SCALES[ALL_SCALES]) for name in built if name != FOUND}
    shared = RememberedCrops(clip)
    found: dict[str, tuple[Segmenter, CountedCrops]] = {}
    for row, (objectness, sizes) in rows.items():
        counter, options = CountedCrops(shared), ClipDiyOptions(mode=mode, patch_sizes=sizes)
        found[row] = (clip_diy(counter, built[objectness], options), counter)
    return found


def rows_of(names: Mapping[str, str], measured: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return a table's rows, as far as they were measured."""
    return {row: measured[name] for row, name in names.items() if name in measured}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--instances", help="instance masks, such as maskrcnn_resnet50_fpn:FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = held_out(arguments.seed, arguments.scenes)
    clip, weights = load_clip("demo", "cpu"), resamples(len(scenes))
    print(f"{len(scenes)} scenes, seed {arguments.seed}, demo CLIP and its objectness head")
    if arguments.instances is None:
        print(f"{CUTLER}: not run, no such weights ship with maskmill; --instances takes them")
    for mode in MODES:
        rows = methods(clip, mode, arguments.instances)
        counts = counts_by_method({name: method for name, (method, _) in rows.items()}, scenes)
        measured = {name: miou_of(found, weights) for name, found in counts.items()}
        print(f"\n=== mode {mode}")
        crops = ", ".join(f"{name} {counter.asked / len(scenes):.0f}" for name, (_, counter) in rows.items())
        print(f"crops per image: {crops}")
        for table, names in ROWS:
            print("\n" + "\n".join(table_lines(table, rows_of(names, measured))), flush=True)


if __name__ == "__main__":
    main()
