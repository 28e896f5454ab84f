"""Places that are no catalogs, and places that one may not touch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from digests import contents
from sql_catalog import mask, publish

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_file_and_what_lies_below_one_are_no_catalogs(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    path.write_text("x")
    for call in (Catalog.open, Catalog.create_or_open, lambda uri: query(uri, "SELECT 1")):
        with pytest.raises(CatalogError, match="is a file; a catalog is a folder"):
            call(str(path))
    with pytest.raises(CatalogError, match="Not a directory"):
        Catalog.create_or_open(f"{path}/below")
    assert path.read_text() == "x"


@pytest.mark.parametrize("place", ["", "runs", "masks"])
def test_a_delta_table_of_another_tool_is_left_alone(tmp_path: Path, place: str) -> None:
    write_deltalake(str(tmp_path / place), pa.table({"a": [1]}))
    before = contents(tmp_path)
    for call in (Catalog.open, Catalog.create_or_open):
        with pytest.raises(CatalogError, match=r"is a table of another tool|no catalog"):
            call(str(tmp_path))
    assert contents(tmp_path) == before


def test_a_table_that_another_tool_put_in_place_of_ones_own_is_not_written_to(
    filled: str, tmp_path: Path
) -> None:
    uri = str(shutil.copytree(filled, tmp_path / "c"))
    shutil.rmtree(f"{uri}/masks")
    write_deltalake(f"{uri}/masks", pa.table({"a": [1]}))
    with pytest.raises(CatalogError, match="has no column 'image_id'"):
        publish(Catalog.open(uri), "label-9", 9, {"masks": [mask("a", "cat", (0, 0, 9, 9), 0.5)]})
    with pytest.raises(CatalogError, match=r"cannot open '.*/masks'"):
        query(uri, "FROM masks")


@pytest.mark.parametrize("name", ["thesis.tex", "images/1.jpg", "masks/1.png", "captions/notes/a.txt"])
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(CatalogError, match=r"holds '.*' and is no catalog; give a new or an empty folder"):
        Catalog.create_or_open(str(tmp_path))
    assert list(contents(tmp_path)) == [str(tmp_path / name)]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_without_permission_there_is_an_error_and_reading_needs_none_to_write(
    filled: str, open_folder: Path
) -> None:
    # Root may do everything: as root the process becomes nobody, as anyone else the owner without the bits.
    readable, closed, empty = (open_folder / name for name in ("readable", "closed", "empty"))
    for made in (readable, closed):
        shutil.copytree(filled, made)
    empty.mkdir()
    for path in (empty, *readable.rglob("*"), readable):
        path.chmod(0o555 if path.is_dir() else 0o444)
    closed.chmod(0o000)
    attempts = [
        *("query", readable, "write", readable, "publish", readable),
        *("open", closed, "create", closed, "create", empty, "create", empty / "c"),
    ]
    command = [sys.executable, str(SUPPORT / "without_rights.py"), *map(str, attempts)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(open_folder))
    unreadable = "ModuleNotFoundError" in ran.stderr or "PermissionError: [Errno 13]" in ran.stderr
    if unreadable or "pip install" in ran.stdout:
        pytest.skip("another user cannot read this Python")
    read, written, published, *refused = ran.stdout.splitlines()
    assert read == "done: [8]", ran
    for line in (written, *refused):
        assert line.startswith("refused: ")
        assert "no permission" in line or "Permission denied" in line, line
    assert published.startswith("refused: ")
    assert contents(readable).keys() == {name.replace(filled, str(readable)) for name in contents(filled)}
    assert list(empty.iterdir()) == []


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
