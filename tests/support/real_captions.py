"""Real captions for tests and benchmarks: COCO val2017 (descriptions), CC3M validation (alt-text)."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder of the real data."""
    default = Path(__file__).parents[3] / "shared" / "data"
    return Path(os.environ.get("MASKMILL_REALDATA", default))


def coco_captions() -> list[str]:
    """Return the 25,014 captions of COCO val2017, five or six per image."""
    text = (data_folder() / "captions" / "coco_captions_val2017.json").read_text("utf-8")
    return [annotation["caption"] for annotation in json.loads(text)["annotations"]]


def cc3m_captions() -> list[str]:
    """Return the 15,833 captions of CC3M's validation set."""
    path = data_folder() / "captions" / "cc3m_Validation_GCC-1.1.0.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
