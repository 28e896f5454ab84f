from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

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
