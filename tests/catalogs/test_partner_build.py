from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from filter_runs import caption_row, images_by_entity, publish_filter, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskmill.catalogs import partner_build
from maskmill.catalogs.files import write_rows
from maskmill.catalogs.partner_build import image_ids
from maskmill.catalogs.partners import PartnerIndex, write_partners
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.samples import image_id
from maskmill.schemas.tables import CAPTIONS as CAPTIONS_TABLE


def test_ids_with_an_equal_half_are_told_apart(catalog: Catalog, tmp_path: Path) -> None:
    ids = ["0" * 16 + "f" * 16, "0" * 32, "f" * 32, "f" * 16 + "0" * 16, "0" * 31 + "1"]
    rows = [caption_row(str(i), "0", 0, "a [cat]") | {"image_id": name} for i, name in enumerate(ids)]
    catalog.commit([write_rows(catalog.uri, "captions", "filter-2", "0", rows)])
    publish_filter(catalog, "filter-2", {})
    index = PartnerIndex.build(catalog.uri, None, None, tmp_path / "index")
    assert index.images("cat") == sorted(ids)
    assert [index.fetch(name).key for name in ids] == ["0", "1", "2", "3", "4"]


def test_an_image_that_two_files_hold_counts_once(catalog: Catalog, tmp_path: Path) -> None:
    shards = {
        "0": {"x": ["a [cat]"], "y": ["a [cat]"]},
        "1": {"x": ["a [dog]"], "y": ["a [cat]"], "z": ["[dog]"]},
    }
    publish_filter(catalog, "filter-2", shards)
    index = PartnerIndex.build(catalog.uri, None, None, tmp_path / "index")
    assert {entity: set(index.images(entity)) for entity in index.entities} == images_by_entity(shards)
    assert index.fetch(image_id("c", "x")).shard_id == "0"


def test_captions_that_lie_in_several_row_groups_belong_together(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskmill.catalogs.files.ROW_GROUP", 2)
    monkeypatch.setattr(partner_build, "_PAIRS_AT_ONCE", 3)
    shards = {"0": {key: [f"a [cat] {i}" for i in range(5)] + ["[dog]"] for key in "xyz"}}
    publish_filter(catalog, "filter-2", shards)
    index = PartnerIndex.build(catalog.uri, None, None, tmp_path / "index")
    assert {entity: set(index.images(entity)) for entity in index.entities} == images_by_entity(shards)
    for key in "xyz":
        seen = {index.fetch(image_id("c", key), epoch=epoch).caption_index for epoch in range(80)}
        assert seen == set(range(6))
        assert index.fetch(image_id("c", key), "dog").caption == "dog"


def test_image_ids_must_be_such(catalog: Catalog, tmp_path: Path) -> None:
    for run_id, bad in (("filter-2", "id-1"), ("filter-3", "x" * 32), ("filter-4", " " * 32)):
        rows = [caption_row("a", "0", 0, "a [cat]") | {"image_id": bad}]
        catalog.commit([write_rows(catalog.uri, "captions", run_id, "0", rows)])
        publish_filter(catalog, run_id, {})
        with pytest.raises(CatalogError, match="image ids that are not 32 hex digits"):
            PartnerIndex.build(catalog.uri, None, run_id, tmp_path / run_id)


def test_a_run_that_kept_no_caption_has_no_index(catalog: Catalog, tmp_path: Path) -> None:
    publish_filter(catalog, "filter-2", {"0": {"a": ["so nice"]}})
    with pytest.raises(CatalogError, match="at least one kept caption"):
        PartnerIndex.build(catalog.uri, None, None, tmp_path / "index")
    assert not (tmp_path / "index").exists()


@given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), min_size=1))
def test_image_ids_become_two_numbers(ids: list[str]) -> None:
    numbers = image_ids(pa.chunked_array([ids[:3], ids[3:]], pa.string()), "x")
    assert [f"{int(high):016x}{int(low):016x}" for high, low in numbers] == ids


NAMES = ("cat", "dog", "bird", "Vogel \N{BIRD}")
IMAGES = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.lists(
        st.lists(st.sampled_from(NAMES), max_size=3).map(lambda n: " ".join(f"[{e}]" for e in n)), max_size=3
    ),
    max_size=6,
)
_numbers = count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shards=st.dictionaries(st.sampled_from(["0", "1", "2"]), IMAGES, min_size=1))
def test_index_equals_the_plain_way(tmp_path: Path, shards: dict[str, dict[str, list[str]]]) -> None:
    folder = tmp_path / str(next(_numbers))
    folder.mkdir()
    files = [
        f"{tmp_path}/captions/{write_rows(str(tmp_path), 'captions', folder.name, name, rows).path}"
        for name, rows in sorted((name, rows_of(name, images)) for name, images in shards.items())
    ]
    expected = images_by_entity(shards)
    if not expected:
        with pytest.raises(CatalogError, match="at least one kept caption"):
            write_partners("filter-1", 1, "key", files, folder)
        return
    write_partners("filter-1", 1, "key", files, folder)
    index = PartnerIndex.open(folder)
    assert index.entities == tuple(sorted(expected))
    for entity, images in expected.items():
        assert index.images(entity) == sorted(images)
        for image in images:
            assert entity in index.fetch(image, entity).entities
            partner = index.partner(image, entity, seed=1)
            if partner is None:
                assert images == {image}
            else:
                assert partner in images - {image}
                # Who may be drawn for one may draw it.
                assert index.partner(partner, entity) is not None


ROWS = 300_000
_MEASURE = """
import json, sys, tracemalloc
import pyarrow as pa
from maskmill.catalogs import PartnerIndex, TripletStream

uri, folder, what = sys.argv[1:]


def work(to):
    if what == "build":
        return len(PartnerIndex.build(uri, None, None, to))
    return sum(1 for _ in TripletStream(uri))


work(folder + "-first")  # libraries import others when they are first used; that is not what is measured
tracemalloc.start()
found = work(folder)
peak = tracemalloc.get_traced_memory()[1]
print(json.dumps([found, peak, pa.default_memory_pool().max_memory()]))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A run with 300,000 kept captions of as many images, two entities each, in one file."""
    catalog = Catalog.create_or_open(str(tmp_path_factory.mktemp("large") / "catalog"))
    one = caption_row("a", "0", 0, "a [cat] and a [dog] in a park, of the usual length of a caption")
    columns = {
        name: pa.repeat(pa.scalar(value, CAPTIONS_TABLE.field(name).type), ROWS)
        for name, value in one.items()
    }
    columns["image_id"] = pa.array([image_id("c", str(i)) for i in range(ROWS)])
    columns["key"] = pa.array([str(i) for i in range(ROWS)])
    rows = pa.table([columns[name] for name in CAPTIONS_TABLE.names], CAPTIONS_TABLE.names)
    catalog.commit([write_rows(catalog.uri, "captions", "filter-1", "0", rows)])
    publish_filter(catalog, "filter-1", {})
    return catalog


@pytest.mark.slow
@pytest.mark.parametrize(("what", "traced"), [("build", 40 * ROWS + 16e6), ("stream", 64e6)])
def test_memory_is_bounded(large: Catalog, tmp_path: Path, what: str, traced: float) -> None:
    arguments = [sys.executable, "-c", _MEASURE, large.uri, str(tmp_path / "index"), what]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd="/")
    found, peak, arrow = json.loads(done.stdout)
    assert found == ROWS
    assert peak < traced
    # The captions take 75 MB in Arrow's memory, a row group of them 4 MB.
    assert arrow < 40e6
