"""The label flow on 174 captioned COCO photos with ConSE in place of CLIP, against two baselines.

Usage: MASKMILL_REALDATA=FOLDER PYTHONPATH=tests/support python benchmarks/label_photographs.py [--limit N]

No CLIP weights are needed: an ImageNet SqueezeNet averages CLIP text vectors of class names (ConSE),
objectness is FOUND's head trained on SqueezeNet features of Flickr8k photos, entities come from the photos'
own captions. It is weak, and the same for all rows; what is compared is what is done with it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import photographs

from maskmill.tasks.report import write_report


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
    scores = photographs.compare(catalog, corpus, head)
    ours = scores["CLIP-DIY"].miou()
    print(f"{summary.counts['images']} photos, {summary.counts['masks']} masks, {seconds:.0f} s")
    print(f"{'method':<28}{'mIoU':>8}{'CLIP-DIY / it':>15}{'pixel accuracy':>16}")
    for name, matrix in scores.items():
        ratio = ours / matrix.miou()
        print(f"{name:<28}{100 * matrix.miou():>8.1f}{ratio:>15.2f}{100 * matrix.pixel_accuracy():>16.1f}")
    write_report(catalog, out / "report.html", pictures=36, images=str(corpus.images))
    print(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    main()
