from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from maskmill.catalogs.files import FileAdd, read_files, write_rows
from maskmill.catalogs.maintenance.compaction import compact
from maskmill.catalogs.maintenance.findings import CODES
from maskmill.catalogs.maintenance.verification import verify
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

RunRow = Callable[..., dict[str, Any]]
Change = Callable[[list[dict[str, Any]]], Any]


def _codes(catalog: Catalog, **how: Any) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in verify(catalog.uri, **how).findings]


def _rewritten(
    catalog: Catalog, run_row: RunRow, table: str, change: Callable[[list[dict[str, Any]]], Any]
) -> str:
    """Commit a changed copy of the first file of a table under a run of its own, with its image rows."""
    for name in ("images", "masks"):
        rows = read_files(name, catalog.files(name, 1)[:1]).drop_columns(["run_id"]).to_pylist()
        if name == table:
            change(rows)
        catalog.commit([write_rows(catalog.uri, name, "odd", "00000", rows)])
    catalog.publish(run_row(), "odd")
    return f"{table}/run_id=odd"


def test_a_whole_catalog_has_no_findings(labelled: Catalog) -> None:
    found = verify(labelled.uri)
    assert found.ok
    assert found.findings == ()
    assert (found.version, found.files, found.masks_measured) == (1, 19, 24)
    assert found.rows_read == 12 + 24 + 6 + 1
    every = [Path(uri) for uris in labelled.all_files().values() for uri in uris]
    assert found.bytes_read == sum(path.stat().st_size for path in every)
    assert verify(labelled.uri, measure=6).masks_measured == 6
    assert found.fields()["findings"] == 0


def test_missing_and_cut_files_are_found_by_name(labelled: Catalog) -> None:
    missing, cut = (Path(uri) for uri in labelled.files("masks")[:2])
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-9])
    assert _codes(labelled)[:3] == [
        ("missing_file", f"masks/run_id=a/{missing.name}"),
        ("size_differs", f"masks/run_id=a/{cut.name}"),
        ("damaged_file", f"masks/run_id=a/{cut.name}"),
    ]
    found = verify(labelled.uri)
    assert not found.ok
    assert all(set(row) == {"code", "place", "detail", "advice"} for row in found.rows())


def _flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1 << at % 8]) + body[at + 1 :]


def test_a_flipped_byte_is_found_wherever_it_is(labelled: Catalog) -> None:
    path = Path(labelled.files("masks")[0])
    body = path.read_bytes()
    for at in [*range(0, len(body), 397), len(body) - 1]:
        path.write_bytes(_flipped(body, at))
        assert {code for code, _ in _codes(labelled)} >= {"damaged_file"}, at
    path.write_bytes(body)
    assert verify(labelled.uri).ok


def test_pages_have_checksums_of_their_own(labelled: Catalog) -> None:
    # Readers see such a fault at once, without a verification.
    path = Path(labelled.files("masks")[0])
    body = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    rle = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "rle")
    path.write_bytes(_flipped(body, rle.data_page_offset + rle.total_compressed_size - 3))
    with pytest.raises(CatalogError, match=r"crc|CRC|checksum"):
        read_files("masks", [str(path)])


def test_a_damaged_row_of_runs_is_a_finding_too(labelled: Catalog) -> None:
    path = Path(labelled.files("runs")[0])
    path.write_bytes(path.read_bytes()[:-5])
    assert {code for code, _ in _codes(labelled)} == {"size_differs", "damaged_file"}


def test_a_file_with_other_content_than_committed_is_found(labelled: Catalog) -> None:
    first, second = (Path(uri) for uri in labelled.files("errors")[:2])
    assert first.stat().st_size == second.stat().st_size
    first.write_bytes(second.read_bytes())
    place = f"errors/run_id=a/{first.name}"
    assert _codes(labelled) == [("damaged_file", place), ("wrong_statistics", place)]
    assert "shard_id" in verify(labelled.uri).findings[1].detail


def test_a_stray_file_is_no_fault(labelled: Catalog, write_errors: Callable[..., FileAdd]) -> None:
    add = write_errors(labelled, "b", "0")
    assert _codes(labelled) == [("orphan_file", f"errors/{add.path}")]
    assert verify(labelled.uri).ok
    compact(labelled.uri)  # whose sources are in the log
    assert _codes(labelled) == [("orphan_file", f"errors/{add.path}")]


@pytest.mark.parametrize(("table", "named"), [("masks", " label=cat"), ("images", "")])
def test_rows_that_are_there_twice_are_found(
    labelled: Catalog, run_row: RunRow, table: str, named: str
) -> None:
    place = _rewritten(labelled, run_row, table, lambda rows: rows.append(rows[0]))
    assert _codes(labelled) == [(f"duplicate_{table[:-1]}", f"{place} image_id=id-00000-0{named}")]
    assert verify(labelled.uri).findings[0].detail == "2 rows"


def test_masks_of_an_image_without_a_row_are_found(labelled: Catalog, run_row: RunRow) -> None:
    _rewritten(labelled, run_row, "images", lambda rows: rows.pop(0))
    assert _codes(labelled) == [("mask_without_image", "masks/run_id=odd image_id=id-00000-0")]
    assert "2 masks" in verify(labelled.uri).findings[0].detail


@pytest.mark.parametrize(
    ("column", "value"),
    [("area", 1), ("bbox_x", 3), ("bbox_y", 3), ("bbox_w", 1), ("bbox_h", 1), ("area_fraction", 0.75)],
)
def test_measures_that_disagree_with_the_rle_are_found(
    labelled: Catalog, run_row: RunRow, column: str, value: float
) -> None:
    place = _rewritten(labelled, run_row, "masks", lambda rows: rows[1].update({column: value}))
    assert _codes(labelled) == [("wrong_mask", f"{place}/00000.parquet image_id=id-00000-0 label=dog")]
    assert verify(labelled.uri).findings[0].detail.startswith(f"{column} is {value}")


@pytest.mark.parametrize("rle", [b"\x00\xff", b"", b"0", b"\x9c3"])
def test_damaged_counts_are_found(labelled: Catalog, run_row: RunRow, rle: bytes) -> None:
    _rewritten(labelled, run_row, "masks", lambda rows: rows[0].update(rle=rle))
    assert [code for code, _ in _codes(labelled)] == ["wrong_mask"]


def test_an_old_version_is_checked_as_it_was(labelled: Catalog, label: Callable[..., int]) -> None:
    label(labelled, "b", seed=100)
    Path(next(uri for uri in labelled.files("images") if "run_id=b" in uri)).unlink()
    assert not verify(labelled.uri).ok
    assert verify(labelled.uri, 1).ok


def test_every_code_says_what_to_do() -> None:
    assert all(advice for _, advice in CODES.values())


def test_where_no_catalog_lies_nothing_can_be_verified(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is missing"):
        verify(str(tmp_path))


def test_a_sample_of_the_masks_is_drawn_from_all_files_by_seed(labelled: Catalog) -> None:
    measured = [verify(labelled.uri, measure=n) for n in (0, 6, 23, 24, 25)]
    assert [(found.masks, found.masks_measured) for found in measured] == [
        (24, n) for n in (0, 6, 23, 24, 24)
    ]
    with pytest.raises(CatalogError, match="-1 masks"):
        verify(labelled.uri, measure=-1)


def test_only_measured_masks_can_be_found_wrong(labelled: Catalog, run_row: RunRow) -> None:
    place = _rewritten(labelled, run_row, "masks", lambda rows: rows[1].update(area=1))
    assert _codes(labelled, measure=0) == []
    by_seed = [_codes(labelled, measure=14, seed=seed) for seed in range(8)]
    wrong = [("wrong_mask", f"{place}/00000.parquet image_id=id-00000-0 label=dog")]
    assert [] in by_seed
    assert wrong in by_seed
    assert by_seed == [_codes(labelled, measure=14, seed=seed) for seed in range(8)]


def test_an_image_file_that_is_lost_hides_no_fault_and_accuses_no_mask(
    labelled: Catalog, label: Callable[..., int], run_row: RunRow
) -> None:
    label(labelled, "b", ["00000"], seed=100)
    Path(next(uri for uri in labelled.files("images") if "run_id=b" in uri)).unlink()
    place = _rewritten(labelled, run_row, "images", lambda rows: rows.pop(0)).replace("images/", "masks/")
    assert [code for code, _ in _codes(labelled)] == ["missing_file", "mask_without_image"]
    assert _codes(labelled)[1][1] == f"{place} image_id=id-00000-0"
