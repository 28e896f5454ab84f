from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from filter_runs import images_by_entity, publish_filter
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from maskmill.catalogs.partners import PartnerIndex
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.triplets import TripletStream
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


def test_the_index_knows_which_images_an_entity_names(index: PartnerIndex) -> None:
    assert (index.run_id, index.version, len(index)) == ("filter-1", 1, 5)
    assert index.entities == ("bird", "cat", "dog")
    assert {entity: set(index.images(entity)) for entity in index.entities} == images_by_entity(CAPTIONS)
    assert (index.count("cat"), index.count("tree"), index.images("tree")) == (3, 0, [])
    assert image_id("c", "a") in index
    assert image_id("c", "b") not in index
    assert "no id" not in index


def test_a_partner_shares_the_entity_and_is_another(index: PartnerIndex) -> None:
    for entity in ("cat", "dog"):
        images = set(index.images(entity))
        for image in images:
            partners = {index.partner(image, entity, seed) for seed in range(50)}
            assert partners == images - {image}


def test_the_only_image_of_an_entity_has_no_partner(index: PartnerIndex) -> None:
    assert index.partner(image_id("c", "f"), "bird") is None


@pytest.mark.parametrize(("key", "entity"), [("c", "cat"), ("c", "tree"), ("b", "cat"), ("zzz", "cat")])
def test_an_image_that_does_not_name_the_entity_is_refused(
    index: PartnerIndex, key: str, entity: str
) -> None:
    with pytest.raises(CatalogError, match=f"no kept caption with '{entity}' in run 'filter-1'"):
        index.partner(image_id("c", key), entity)
    with pytest.raises(CatalogError, match="no kept caption"):
        index.fetch(image_id("c", key), entity)


def test_a_fetched_triplet_is_that_of_the_stream(index: PartnerIndex, catalog: Catalog) -> None:
    for epoch in range(6):
        for triplet in TripletStream(catalog.uri, seed=2, epoch=epoch):
            assert index.fetch(triplet.image_id, seed=2, epoch=epoch) == triplet


def test_a_triplet_fetched_for_an_entity_names_it(index: PartnerIndex) -> None:
    image = image_id("c", "a")
    assert {index.fetch(image, "dog", epoch=e).caption_index for e in range(20)} == {0}
    assert {index.fetch(image, "cat", epoch=e).caption_index for e in range(20)} == {0, 1}
    assert (index.fetch(image).key, index.fetch(image).shard_id) == ("a", "00000")


def test_an_image_id_from_another_corpus_is_not_found(index: PartnerIndex) -> None:
    for unknown in (image_id("other", "a"), "", "f" * 32, "0" * 32, "0" * 31, "x" * 32, "00" * 17):
        with pytest.raises(CatalogError, match="no kept caption in run"):
            index.fetch(unknown)


def test_the_same_run_cut_into_other_shards_draws_the_same(index: PartnerIndex, tmp_path: Path) -> None:
    other = Catalog.create_or_open(str(tmp_path / "other"))
    images = {key: found for shard in CAPTIONS.values() for key, found in shard.items()}
    publish_filter(other, "filter-9", {f"s{key}": {key: images[key]} for key in sorted(images)[::-1]})
    cut = PartnerIndex.build(other.uri, None, None, tmp_path / "cut")
    for image in index.images("cat"):
        for epoch in range(20):
            assert cut.partner(image, "cat", 1, epoch) == index.partner(image, "cat", 1, epoch)


# --- chance


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> PartnerIndex:
    """An index of 12 images that all name a cat."""
    root = tmp_path_factory.mktemp("wide")
    catalog = Catalog.create_or_open(str(root / "catalog"))
    publish_filter(catalog, "filter-1", {"0": {str(i): ["a [cat]"] for i in range(12)}})
    return PartnerIndex.build(catalog.uri, None, None, root / "index")


@pytest.mark.parametrize("varied", ["seed", "epoch", "which"])
def test_partners_are_uniform(wide: PartnerIndex, varied: str) -> None:
    images = wide.images("cat")
    for image in (images[0], images[5], images[-1]):
        drawn = Counter(wide.partner(image, "cat", **{varied: i}) for i in range(3300))
        assert drawn[image] == 0
        assert chisquare([drawn[other] for other in images if other != image]).pvalue > 0.001


def test_partners_of_different_images_are_drawn_independently(wide: PartnerIndex) -> None:
    first, second = wide.images("cat")[:2]
    same = sum(wide.partner(first, "cat", i) == wide.partner(second, "cat", i) for i in range(3000))
    # Ten of the eleven partners of each are common: 10 / 121 of the draws.
    assert same / 3000 == pytest.approx(10 / 121, abs=0.02)


@given(st.integers(), st.integers(), st.integers())
def test_a_draw_is_a_function_of_its_arguments(wide: PartnerIndex, seed: int, epoch: int, which: int) -> None:
    image = wide.images("cat")[3]
    assert wide.partner(image, "cat", seed, epoch, which) == wide.partner(image, "cat", seed, epoch, which)
