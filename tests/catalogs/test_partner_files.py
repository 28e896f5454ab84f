from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filter_runs import images_by_entity, publish_filter

from maskmill.catalogs import partner_build, partner_files
from maskmill.catalogs.partners import PartnerIndex
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.samples import image_id

CAPTIONS = {
    "00000": {"a": ["a [cat] and a [dog]", "a [cat]", "no"], "b": ["so nice"], "c": ["a [dog]"]},
    "00001": {"d": ["the [cat]"], "e": ["a [dog], a [cat]"], "f": ["a [bird]"]},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    publish_filter(catalog, "filter-1", CAPTIONS)
    return catalog


@pytest.fixture
def index(catalog: Catalog, tmp_path: Path) -> PartnerIndex:
    return PartnerIndex.build(catalog.uri, None, None, tmp_path / "deep" / "index")


def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note the folders that an index is written to from now on."""
    folders: list[Path] = []
    inner = partner_build.write_index

    def write(folder: Path, files: tuple[str, ...]) -> partner_build.Totals:
        folders.append(folder)
        return inner(folder, files)

    monkeypatch.setattr("maskmill.catalogs.partners.write_index", write)
    return folders


def test_an_index_that_is_there_is_not_built_again(
    catalog: Catalog, index: PartnerIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = written(monkeypatch)
    assert PartnerIndex.build(catalog.uri, 1, "filter-1", index.folder).images("cat") == index.images("cat")
    publish_filter(catalog, "filter-2", {})
    PartnerIndex.build(catalog.uri, 2, "filter-1", index.folder)
    assert folders == []
    assert sorted(path.name for path in index.folder.parent.iterdir()) == ["index"]


def test_a_catalog_that_was_copied_has_the_same_index(
    catalog: Catalog, index: PartnerIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(catalog.uri, tmp_path / "copy")
    folders = written(monkeypatch)
    PartnerIndex.build(str(tmp_path / "copy"), None, None, index.folder)
    assert folders == []


def test_the_index_of_another_run_is_not_overwritten(catalog: Catalog, index: PartnerIndex) -> None:
    publish_filter(catalog, "filter-2", {"0": {"a": ["a [cat]"]}})
    with pytest.raises(CatalogError, match="holds the partner index of"):
        PartnerIndex.build(catalog.uri, None, "filter-2", index.folder)
    assert PartnerIndex.open(index.folder).run_id == "filter-1"


def test_a_folder_with_other_things_is_left_alone(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CatalogError, match=r"holds .* and is no partner index"):
        PartnerIndex.build(catalog.uri, None, None, tmp_path)
    with pytest.raises(CatalogError, match="is a file"):
        PartnerIndex.build(catalog.uri, None, None, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def _lose(path: Path) -> None:
    path.unlink()


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [_lose, _shorten])
@pytest.mark.parametrize("name", [partner_files.MANIFEST, *partner_files.file_names()])
def test_a_damaged_index_is_refused_and_built_again(
    catalog: Catalog, index: PartnerIndex, name: str, harm: Callable[[Path], None]
) -> None:
    harm(index.folder / name)
    with pytest.raises(CatalogError, match=r"is damaged; delete the folder|no partner index in"):
        PartnerIndex.open(index.folder)
    again = PartnerIndex.build(catalog.uri, None, None, index.folder)
    assert {entity: set(again.images(entity)) for entity in again.entities} == images_by_entity(CAPTIONS)
    assert sorted(path.name for path in index.folder.parent.iterdir()) == ["index"]


def test_an_index_of_another_format_is_refused(index: PartnerIndex) -> None:
    manifest = index.folder / partner_files.MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(CatalogError, match="has format 99, not 1; delete the folder"):
        PartnerIndex.open(index.folder)


def test_a_build_that_fails_leaves_nothing(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (f for f in catalog.files("captions") if "00001" in f)
    Path(file).write_bytes(b"PAR1")
    with pytest.raises(CatalogError, match=r"00001\.parquet"):
        PartnerIndex.build(catalog.uri, None, None, tmp_path / "built" / "index")
    assert list((tmp_path / "built").iterdir()) == []


def test_there_is_no_index_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no partner index in"):
        PartnerIndex.open(tmp_path / "index")


def test_an_index_can_be_sent_to_another_process(index: PartnerIndex) -> None:
    sent = pickle.loads(pickle.dumps(index))
    assert len(pickle.dumps(index)) < 1000
    assert sent.images("cat") == index.images("cat")
    assert sent.fetch(image_id("c", "a")) == index.fetch(image_id("c", "a"))


def _build(uri: str, folder: Path) -> list[str]:
    return PartnerIndex.build(uri, None, None, folder).images("cat")


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_may_build_at_once(catalog: Catalog, tmp_path: Path, damaged: bool) -> None:
    folder = tmp_path / "built" / "index"
    if damaged:
        _shorten(PartnerIndex.build(catalog.uri, None, None, folder).folder / "postings.u4")
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        found = pool.starmap(_build, [(catalog.uri, folder)] * 4, chunksize=1)
    assert found == [sorted(images_by_entity(CAPTIONS)["cat"])] * 4
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


@pytest.mark.parametrize("moment", ["before the last look", "after it"])
def test_of_two_that_finish_at_once_the_second_takes_what_the_first_built(
    catalog: Catalog, index: PartnerIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    target = tmp_path / "late"
    move, write = Path.rename, partner_build.write_index

    def writing(folder: Path, files: tuple[str, ...]) -> partner_build.Totals:
        totals = write(folder, files)
        if moment == "before the last look":
            shutil.copytree(index.folder, target)
        return totals

    def moving(path: Path, to: Path) -> Path:
        if to == target:
            shutil.copytree(index.folder, target)
        return move(path, to)

    monkeypatch.setattr("maskmill.catalogs.partners.write_index", writing)
    monkeypatch.setattr(Path, "rename", moving)
    publish_filter(catalog, "filter-2", {})
    late = PartnerIndex.build(catalog.uri, 2, "filter-1", target)
    assert late.version == 1  # and not 2, which this process was building for
    assert late.images("cat") == index.images("cat")
    assert not list(tmp_path.glob(".late*"))
