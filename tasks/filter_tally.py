"""Count what a filter run has committed, so that a resumed run reports the same as one in a single go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..catalogs.store import Catalog

_COLUMNS = ["image_id", "caption", "keep", "entities"]


@dataclass
class CaptionTally:
    """Totals of the caption rows of a run; ``entities``: name -> captions that name it."""

    images: int = 0
    images_kept: int = 0
    captions: int = 0
    captions_kept: int = 0
    entities: Counter[str] = field(default_factory=Counter)

    def add(self, rows: pa.Table) -> None:
        """Count the rows of one shard, which hold all captions of its images."""
        kept = rows.filter(rows["keep"])
        self.images += pc.count_distinct(rows["image_id"]).as_py()
        self.images_kept += pc.count_distinct(kept["image_id"]).as_py()
        self.captions += pc.count(rows["caption"]).as_py()
        self.captions_kept += kept.num_rows
        for pair in pc.value_counts(pc.list_flatten(kept["entities"])).to_pylist():
            self.entities[pair["values"]] += pair["counts"]

    def counts(self) -> dict[str, int]:
        names = ("images", "images_kept", "captions", "captions_kept")
        return {name: getattr(self, name) for name in names}


def committed_captions(catalog: Catalog, run_id: str) -> CaptionTally:
    """Return the totals over a run's committed caption files, published or not."""
    tally = CaptionTally()
    for uri in catalog.run_files("captions", run_id):
        with fsspec.open(uri, "rb") as file:
            tally.add(pq.read_table(file, columns=_COLUMNS))
    return tally
