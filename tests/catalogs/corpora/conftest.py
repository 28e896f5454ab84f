from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from maskmill.catalogs.corpora import CorpusReader
from maskmill.schemas.samples import CAPTION_BATCH, BadSample, Sample

Members = Sequence[tuple[str, bytes]]


@pytest.fixture
def tar_bytes() -> Callable[[Members], bytes]:
    """Pack (name, data) pairs in the order given, names allowed more than once."""

    def pack(members: Members) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return packed.getvalue()

    return pack


@pytest.fixture
def write_tar(tar_bytes: Callable[[Members], bytes]) -> Callable[[Path, Members], Path]:
    def write(path: Path, members: Members) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tar_bytes(members))
        return path

    return write


@pytest.fixture
def caption_rows() -> Callable[..., tuple[list[dict[str, Any]], list[BadSample]]]:
    """Read the captions of a whole corpus: its rows, checked against the schema, and faults."""

    def read(corpus: CorpusReader, content: bool = False) -> tuple[list[dict[str, Any]], list[BadSample]]:
        rows: list[dict[str, Any]] = []
        bad: list[BadSample] = []
        for shard in corpus.shards():
            for batch in corpus.captions(shard, content):
                if isinstance(batch, BadSample):
                    bad.append(batch)
                    continue
                batch.validate(full=True)
                assert batch.schema.equals(CAPTION_BATCH)
                assert 0 < len(batch) <= 16_384
                rows += batch.to_pylist()
        return rows, bad

    return read


@pytest.fixture
def agrees() -> Callable[[CorpusReader], None]:
    """Check that captions are those of the samples, and that the digest is that of the image."""

    def check(corpus: CorpusReader) -> None:
        for shard in corpus.shards():
            samples = list(corpus.read(shard))
            expected = [
                (s.key, list(s.captions), hashlib.sha256(s.image).hexdigest())
                for s in samples
                if isinstance(s, Sample)
            ]
            batches = list(corpus.captions(shard, True))
            rows = [row for b in batches if not isinstance(b, BadSample) for row in b.to_pylist()]
            assert [(row["key"], row["captions"], row["digest"]) for row in rows] == expected
            faults = [s for s in samples if isinstance(s, BadSample)]
            assert [b for b in batches if isinstance(b, BadSample)] == faults

    return check


@pytest.fixture
def jpeg() -> Callable[..., bytes]:
    """A JPEG of a size as stored, with an EXIF orientation."""

    def make(width: int = 6, height: int = 4, orientation: int = 1) -> bytes:
        packed, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (width, height), "red").save(packed, "JPEG", exif=exif)
        return packed.getvalue()

    return make
