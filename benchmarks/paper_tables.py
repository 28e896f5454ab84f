"""Ablations that were published, as numbers, so that a re-run can be held against their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FOUND, FOUND_BKG, CUTLER, NONE = "FOUND", "FOUND-bkg", "CutLER saliency", "without objectness"
FULL, ONE_SCALE = "CLIP-DIY", "one scale"


@dataclass(frozen=True)
class PaperTable:
    """One published table.

    Args:
        title: where it stands.
        columns: what was measured on what.
        rows: method -> a number in percent for each column; None where the paper gives none.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]

    def column(self, name: str) -> dict[str, float]:
        """Return method -> number of one column, without the rows that lack it."""
        place = self.columns.index(name)
        return {method: value for method, row in self.rows.items() if (value := row[place]) is not None}


CLIP_DIY_TABLE_2 = PaperTable(
    "CLIP-DIY, Table 2: components (mIoU, ViT-B/32)",
    ("PASCAL VOC", "COCO Object"),
    {FULL: (59.9, 31.0), ONE_SCALE: (56.0, 25.9), NONE: (24.1, 15.5)},
)
CLIP_DIY_SCALES: Mapping[str, tuple[int, ...]] = {
    "256": (256,),
    "256+128": (256, 128),
    "256+128+64": (256, 128, 64),
    "256+128+64+32": (256, 128, 64, 32),
    "256+128+64+32+16": (256, 128, 64, 32, 16),
    "128+64+32": (128, 64, 32),
}
"""Scales 0 to 4 of Table 3; the text names 256, 128 and 64 pixels for the first three, and each halves."""
CLIP_DIY_TABLE_3 = PaperTable(
    "CLIP-DIY, Table 3: scales (mIoU, ViT-B/32)",
    ("PASCAL VOC", "COCO Object"),
    {
        "256": (56.0, 25.9),
        "256+128": (58.8, 28.7),
        "256+128+64": (59.9, 31.0),
        "256+128+64+32": (59.5, 29.9),
        "256+128+64+32+16": (59.3, 29.4),
        "128+64+32": (53.8, 26.4),
    },
)
CLIP_DIY_TABLE_4 = PaperTable(
    "CLIP-DIY, Table 4: objectness, and none as in Table 2 (mIoU, ViT-B/32)",
    ("PASCAL VOC",),
    {FOUND: (59.9,), CUTLER: (55.4,), FOUND_BKG: (48.4,), NONE: (24.1,)},
)
ZERO_GUIDANCE_TABLE_3 = PaperTable(
    "Zero-guidance, Table 3: how a segment is embedded (segment-to-text, constant threshold)",
    ("PC-59 IoU", "PC-59 Recall", "PC-59 TGQ", "PC-459 IoU", "PAS-20 IoU"),
    {
        "crop and mask": (12.1, 10.2, 16.9, 5.4, 14.0),
        "without global subtraction": (14.5, 15.0, 11.8, 7.2, 21.2),
        "without merging": (16.4, 11.8, None, 10.2, 18.3),
        "full": (17.5, 15.0, 19.0, 11.3, 20.1),
    },
)
