from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from maskmill.catalogs.maintenance import diff
from maskmill.catalogs.query import connect, query
from maskmill.catalogs.sql_errors import sql_reported
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError


@pytest.fixture
def lacking(filled: str, tmp_path: Path) -> tuple[str, str]:
    """A catalog, and a file of masks that it has lost."""
    uri = str(shutil.copytree(filled, tmp_path / "c [it's]"))
    gone = Catalog.open(uri).files("masks")[0]
    Path(gone).unlink()
    return uri, gone


def test_a_file_that_is_gone_is_named_without_the_statement(lacking: tuple[str, str]) -> None:
    uri, gone = lacking
    with pytest.raises(CatalogError) as caught:
        connect(uri)
    said = str(caught.value)
    assert said.startswith(f"cannot query {uri!r}: {gone!r} is gone: the version was vacuumed")
    assert "SELECT" not in said
    with pytest.raises(CatalogError) as caught:
        diff(uri, 1)
    assert f"{gone!r} is gone" in str(caught.value)


def test_a_version_without_the_file_is_still_answered(lacking: tuple[str, str]) -> None:
    assert query(lacking[0], "SELECT count(*) AS n FROM masks", 1).to_pylist() == [{"n": 0}]


def test_what_is_not_known_stays_in_duckdb_s_words() -> None:
    with (
        pytest.raises(CatalogError, match=r"^cannot query: Catalog Error: .*nowhere"),
        sql_reported("cannot query"),
        duckdb.connect() as db,
    ):
        db.execute("SELECT * FROM nowhere")
    with pytest.raises(CatalogError, match=r"^cannot query: no space left$"), sql_reported("cannot query"):
        raise OSError("no space left")
