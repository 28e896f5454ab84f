"""Repeated samples over a whole corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.schemas.errors import CatalogError
from maskmill.schemas.samples import CAPTION_BATCH
from maskmill.tasks.repeats import find_repeats
from maskmill.tasks.staging import Staging

Rows = list[tuple[str, str | None]]


def batch(rows: Rows) -> pa.RecordBatch:
    """Samples of (key, digest) without captions."""
    return pa.RecordBatch.from_pylist(
        [
            {"key": key, "captions": [], "digest": digest, "width": None, "height": None}
            for key, digest in rows
        ],
        CAPTION_BATCH,
    )


def stage(folder: Path, shards: list[Rows]) -> tuple[Staging, list[str]]:
    staging, names = Staging(str(folder), "run"), []
    for number, rows in enumerate(shards):
        names.append(f"s{number}")
        staging.write(names[-1], [batch(rows)], [])
    return staging, names


def expected(shards: list[Rows]) -> dict[str, tuple[list[int], list[int]]]:
    """One sample after the other, remembering all that came before."""
    keys: set[str] = set()
    digests: set[str] = set()
    found: dict[str, tuple[list[int], list[int]]] = {}
    for number, rows in enumerate(shards):
        repeated: tuple[list[int], list[int]] = ([], [])
        for row, (key, digest) in enumerate(rows):
            if key in keys:
                repeated[0].append(row)
                continue
            keys.add(key)
            if digest is not None and digest in digests:
                repeated[1].append(row)
            elif digest is not None:
                digests.add(digest)
        if any(repeated):
            found[f"s{number}"] = repeated
    return found


def test_the_first_of_equal_samples_stays_whatever_its_shard(tmp_path: Path) -> None:
    staging, names = stage(tmp_path, [[("a", "x"), ("b", "y")], [("c", "x"), ("d", "z")], [("e", "z")]])
    found = find_repeats(staging, names)
    assert {name: list(repeats.images) for name, repeats in found.items()} == {"s1": [0], "s2": [0]}
    assert all(len(repeats.keys) == 0 for repeats in found.values())


def test_equal_images_are_not_looked_for_where_they_may_stay(tmp_path: Path) -> None:
    staging, names = stage(tmp_path, [[("a", "x"), ("b", "x"), ("a", "y")]])
    found = find_repeats(staging, names, images=False)
    assert list(found["s0"].keys) == [2]
    assert len(found["s0"].images) == 0


def test_an_unknown_digest_equals_no_other(tmp_path: Path) -> None:
    staging, names = stage(tmp_path, [[("a", None), ("b", None)], [("c", None)]])
    assert find_repeats(staging, names) == {}


def test_a_sample_whose_key_was_taken_is_nobodys_original(tmp_path: Path) -> None:
    staging, names = stage(tmp_path, [[("a", "x"), ("a", "y")], [("b", "y")]])
    found = find_repeats(staging, names)
    assert list(found) == ["s0"]
    assert list(found["s0"].keys) == [1]


def test_nothing_staged_repeats_nothing(tmp_path: Path) -> None:
    assert find_repeats(Staging(str(tmp_path), "run"), []) == {}


def test_a_damaged_staged_file_is_named(tmp_path: Path) -> None:
    staging, names = stage(tmp_path, [[("a", "x")]])
    Path(staging.uri("s0")).write_bytes(b"PAR1")
    with pytest.raises(CatalogError, match="repeated samples"):
        find_repeats(staging, names)


_SHARDS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, "x", "y", "z", "w"])), max_size=5),
    min_size=1,
    max_size=4,
)


@given(_SHARDS)
def test_it_is_what_one_pass_with_a_memory_finds(shards: list[Rows]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        staging, names = stage(Path(folder), shards)
        found = find_repeats(staging, names)
    assert {name: (list(r.keys), list(r.images)) for name, r in found.items()} == expected(shards)
    assert all(isinstance(r.keys, np.ndarray) for r in found.values())
