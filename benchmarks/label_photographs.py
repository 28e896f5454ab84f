"""CLIP-DIY with ConSE in place of CLIP on captioned COCO photos: the label flow, two baselines, and variants.

Usage: MASKMILL_REALDATA=FOLDER PYTHONPATH=tests/support python benchmarks/label_photographs.py [--limit N]

No CLIP weights are needed: an ImageNet SqueezeNet averages CLIP text vectors of class names (ConSE),
objectness is FOUND's head trained on SqueezeNet features of Flickr8k photos, entities come from the photos'
own captions. It is weak, and the same for all rows; what is compared is what is done with it.

The first row is the catalog that `maskmill label` writes, on Ray. The variants then run in this process on
the same photos with the same words: both readings of CLIP-DIY, with FOUND, with FOUND-bkg on SqueezeNet's
features, and without objectness. CutLER's and DINO's weights do not ship with maskmill; their rows are not
run. Standard errors are of a bootstrap over photos.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import conse
import numpy as np
import photographs
import torch
from ablation_order import Estimate, miou_of, resamples, table_lines
from demo_scenes import RememberedCrops, clip_diy
from numpy.typing import NDArray
from paper_tables import CLIP_DIY_TABLE_4, FOUND, FOUND_BKG, NONE

from maskmill.catalogs.report.found import PicturePlan
from maskmill.models.metrics import ConfusionMatrix
from maskmill.models.objectness import FoundBkg, FoundObjectness, NoObjectness, Objectness, load_head
from maskmill.models.segmenters import Segmenter
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.report import ReportPlan, write_report

Method = Callable[[photographs.Photo], photographs.Painting]
MODES = ("paper", "released")


class EachPhoto(photographs.Scoring):
    """The same judgement, photo by photo."""

    def counts(self, photo: photographs.Photo, method: Method) -> NDArray[np.int64]:
        """Return (C, C + 1) counts of one photo."""
        self._photos = [photo]
        return self.score(method).counts


def objectness(head: Path) -> dict[str, Objectness]:
    """Return the variants that need no other weights; FOUND-bkg as it starts the training of the head."""
    backbone = conse.SqueezenetBackbone()
    threshold = photographs.HEAD_CONFIG.background_threshold
    return {
        FOUND: FoundObjectness(backbone, load_head(head)),
        FOUND_BKG: FoundBkg(backbone, threshold),
        NONE: NoObjectness(),
    }


def variants(head: Path) -> dict[tuple[str, str], Method]:
    """Return (mode, objectness) -> method; all share the vectors of the crops that they look at."""
    encoder, found = RememberedCrops(conse.ConseEncoder(), limit=1000), {}
    for mode in MODES:
        options = ClipDiyOptions(mode=mode)
        for name, source in objectness(head).items():
            found[mode, name] = painter(clip_diy(encoder, source, options))
    return found


def painter(segmenter: Segmenter) -> Method:
    """Return what paints a photo with a segmenter's answer to the words of its captions."""

    def paint(photo: photographs.Photo) -> photographs.Painting:
        return painting(segmenter([photo.image], [Vocabulary.of(photo.vocabulary, "captions")])[0])

    return paint


def painting(answer: LabelMap) -> photographs.Painting:
    """Return the masks of all classes but the background."""
    return [(name, answer.labels == index) for index, name in enumerate(answer.names) if index]


def count_photos(
    scoring: EachPhoto, photos: Sequence[photographs.Photo], methods: Mapping[tuple[str, str], Method]
) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Judge photo by photo, all methods on one photo before the next; (photos, C, C + 1) for each."""
    found: dict[tuple[str, str], list[NDArray[np.int64]]] = {name: [] for name in methods}
    for photo in photos:
        for name, method in methods.items():
            found[name].append(scoring.counts(photo, method))
    return {name: np.stack(parts) for name, parts in found.items()}


def print_rows(counts: Mapping[tuple[str, str], NDArray[np.int64]], first: float) -> dict[str, Estimate]:
    """Print a line for each method, with the first row's mIoU over its own; return the estimates."""
    estimates = {}
    for (mode, name), parts in counts.items():
        weights = resamples(len(parts))
        estimate, total = miou_of(parts, weights), ConfusionMatrix(parts.shape[1]).merge(parts.sum(axis=0))
        line = f"{f'{mode} {name}'.strip():<36}{100 * estimate.value:>8.1f}{100 * estimate.error:>7.1f}"
        print(f"{line}{first / estimate.value:>15.2f}{100 * total.pixel_accuracy():>16.1f}", flush=True)
        estimates[f"{mode} {name}"] = estimate
    return estimates


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int, help="photos to label")
    parser.add_argument("--out", type=Path, help="folder to keep; default: a temporary one")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    corpus, head, catalog = photographs.captioned_photos(out), out / "head.safetensors", str(out / "catalog")
    if not head.is_file():
        photographs.train_head(head)
    began = time.perf_counter()
    summary = photographs.run_label_flow(corpus, head, catalog, arguments.limit)
    seconds = time.perf_counter() - began
    print(f"{summary.counts['images']} photos, {summary.counts['masks']} masks, {seconds:.0f} s")
    print_scores(corpus, head, catalog)
    plan = ReportPlan(shown=PicturePlan(pictures=36), images=str(corpus.images))
    write_report(catalog, out / "report.html", plan)
    print(f"report: {out / 'report.html'}")


def print_scores(corpus: photographs.Corpus, head: Path, catalog: str) -> None:
    """Judge the catalog, the baselines and the variants on the photos that were labelled."""
    torch.set_num_threads(1)
    photos = list(photographs.labelled_photos(catalog, corpus))
    scoring, baselines = EachPhoto(corpus, photos), photographs.Baselines(head)
    methods: dict[tuple[str, str], Method] = {
        ("CLIP-DIY", "by the flow"): lambda photo: list(photo.masks),
        ("best class,", "whole image"): baselines.whole_image,
        ("best class,", "object region"): baselines.object_region,
        **variants(head),
    }
    counts = count_photos(scoring, photos, methods)
    ours = ConfusionMatrix(len(scoring.names)).merge(counts["CLIP-DIY", "by the flow"].sum(axis=0)).miou()
    print(f"{'method':<36}{'mIoU':>8}{'s.e.':>7}{'CLIP-DIY / it':>15}{'pixel accuracy':>16}")
    estimates = print_rows(counts, ours)
    for mode in MODES:
        here = {name: estimates[f"{mode} {name}"] for name in (FOUND, FOUND_BKG, NONE)}
        print(f"\n=== mode {mode}\n" + "\n".join(table_lines(CLIP_DIY_TABLE_4, here)))


if __name__ == "__main__":
    main()
