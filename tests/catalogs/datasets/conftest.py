from __future__ import annotations

from pathlib import Path

import pytest
from mask_catalog import ALL, LEFT, RIGHT, Masks, commit, png, write_tar

from maskmill.catalogs.store import Catalog


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_tar(tmp_path / "c" / "00000.tar", {k: png(int(k)) for k in ("10", "11", "12")})
    write_tar(tmp_path / "c" / "00001.tar", {"20": png(20)})
    return tmp_path / "c"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "catalog"))


@pytest.fixture
def labelled(catalog: Catalog, corpus: Path) -> Catalog:
    """Image 10 is a dog and a cat, 11 has no masks, 12 was not shown to the segmenter, 20 is all cat."""
    first: Masks = {"10": [("dog", 0.9, LEFT), ("cat", 0.4, RIGHT)], "11": [], "12": None}
    commit(catalog, corpus, "label-1", {"00000": first, "00001": {"20": [("cat", 0.8, ALL)]}})
    return catalog


@pytest.fixture
def many(catalog: Catalog, tmp_path: Path) -> Catalog:
    """Seven shards of up to five images, 23 in all, keys from 100 on; one of them is empty."""
    shards: dict[str, Masks] = {}
    key = 100
    for number, count in enumerate((5, 1, 4, 0, 3, 5, 5)):
        keys = [str(key + i) for i in range(count)]
        key += count
        shards[f"{number:05d}"] = {k: [("cat", 0.5, LEFT)] for k in keys}
        write_tar(tmp_path / "m" / f"{number:05d}.tar", {k: png(int(k)) for k in keys})
    commit(catalog, tmp_path / "m", "label-1", shards)
    return catalog
