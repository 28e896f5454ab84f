"""When an image is held against the sha256 of what was labelled."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
from mask_catalog import png, write_tar

from maskmill.catalogs import MaskDataset
from maskmill.catalogs.datasets.digests import Digests
from maskmill.catalogs.datasets.selection import Check
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError, ConfigError

SHA = hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize(
    ("check", "later"), [("first", [True, True]), ("always", [True, False]), ("never", [True, True])]
)
def test_an_image_that_was_right_is_asked_about_again_only_always(check: Check, later: list[bool]) -> None:
    digests = Digests(2, check)
    assert [digests.agrees(0, data, SHA) for data in (b"a", b"b")] == later
    assert digests.agrees(1, b"b", SHA) is (check == "never")


def test_a_wrong_image_is_asked_about_until_it_is_right() -> None:
    digests = Digests(1, "first")
    assert [digests.agrees(0, data, SHA) for data in (b"b", b"b", b"a")] == [False, False, True]


def test_another_process_looks_for_itself() -> None:
    digests = Digests(1, "first")
    assert digests.agrees(0, b"a", SHA)
    assert not pickle.loads(pickle.dumps(digests)).agrees(0, b"b", SHA)


def test_a_dataset_sees_a_change_after_the_first_time_on_demand(labelled: Catalog, corpus: Path) -> None:
    datasets = {check: MaskDataset(labelled.uri, check=check) for check in ("first", "always")}
    assert [dataset[-1].key for dataset in datasets.values()] == ["20", "20"]
    write_tar(corpus / "00001.tar", {"20": png(99)})
    assert (datasets["first"][-1].image == 99).all()
    with pytest.raises(CatalogError, match="has changed"):
        datasets["always"][-1]
    assert (MaskDataset(labelled.uri, check="never")[-1].image == 99).all()
    with pytest.raises(ConfigError, match="check"):
        MaskDataset(labelled.uri, check="often")  # type: ignore[arg-type]
