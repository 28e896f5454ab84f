"""What a filter run keeps between its passes: each shard's samples without their images, read once.

The files lie in the catalog's hidden folder ``.staging``, belong to no table, and go once the run is
published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from ..catalogs.storage import is_local, join, locate, put_file, reported_as
from ..schemas.errors import CatalogError, ErrorReason
from ..schemas.samples import CAPTION_BATCH, BadSample

_BATCH = 16_384


@dataclass(frozen=True)
class Staging:
    """The staged shards of one run; can be pickled. Methods raise CatalogError where the store refuses."""

    catalog_uri: str
    run_id: str

    def done(self) -> set[str]:
        """Return the ids of the shards that are staged."""
        with reported_as(CatalogError, f"cannot list {self._folder!r}"):
            fs, path = locate(self._folder)
            fs.invalidate_cache()
            names = [PurePosixPath(name) for name in fs.ls(path, detail=False)] if fs.isdir(path) else []
        return {name.stem for name in names if name.suffix == ".parquet" and not name.name.startswith(".")}

    def uri(self, shard_id: str) -> str:
        """Return where the samples of a staged shard lie."""
        return join(self._folder, f"{shard_id}.parquet")

    def write(self, shard_id: str, batches: Iterable[pa.RecordBatch], bad: Sequence[BadSample]) -> None:
        """Stage a shard: its samples, and those that cannot be read."""
        table = pa.Table.from_batches(list(batches), CAPTION_BATCH)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="lz4", row_group_size=_BATCH, use_dictionary=False)
        faults = [[sample.key, str(sample.reason), sample.detail] for sample in bad]
        with reported_as(CatalogError, f"cannot write {self.uri(shard_id)!r}"):
            # The samples come last: with them the shard counts as staged.
            put_file(self._faults(shard_id), json.dumps(faults).encode())
            put_file(self.uri(shard_id), sink.getvalue().to_pybytes())

    def read(self, shard_id: str) -> Iterator[pa.RecordBatch]:
        """Yield the samples of a staged shard in stored order, in batches of at most 16,384."""
        uri = self.uri(shard_id)
        with reported_as(CatalogError, f"cannot read {uri!r}"):
            fs, path = locate(uri)
            with fs.open(path, "rb") as file:
                yield from pq.ParquetFile(file).iter_batches(_BATCH)

    def faults(self, shard_id: str) -> list[BadSample]:
        """Return the samples of a staged shard that cannot be read."""
        uri = self._faults(shard_id)
        with reported_as(CatalogError, f"cannot read {uri!r}"):
            fs, path = locate(uri)
            found = json.loads(fs.cat_file(path))
        return [BadSample(key, ErrorReason(reason), detail) for key, reason, detail in found]

    def remove(self) -> None:
        """Delete what is staged; nothing staged is no error."""
        with reported_as(CatalogError, f"cannot remove {self._folder!r}"):
            fs, path = locate(self._folder)
            fs.invalidate_cache()
            if fs.isdir(path):
                fs.rm(path, recursive=True)
            above = path.rpartition("/")[0]
            if is_local(fs) and fs.isdir(above) and not fs.ls(above):
                fs.rmdir(above)

    @property
    def _folder(self) -> str:
        return join(self.catalog_uri, ".staging", self.run_id)

    def _faults(self, shard_id: str) -> str:
        return join(self._folder, f"{shard_id}.json")
