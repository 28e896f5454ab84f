from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Literal

import pytest

from maskmill.models.segmenters import registry as base
from maskmill.models.segmenters.registry import (
    SegmenterCard,
    create_segmenter,
    options_of,
    register,
    registered,
    segmenter_card,
    segmenter_factory,
)
from maskmill.schemas.config import Frozen, SegmenterConfig
from maskmill.schemas.errors import ConfigError


class Empty:
    id = "empty"
    weights = {"none": "0"}  # noqa: RUF012

    def __call__(self, images: object, vocabularies: object) -> list[object]:
        return []


def make_empty(config: SegmenterConfig) -> Empty:
    return Empty()


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_REGISTRY", dict(base._REGISTRY))
    monkeypatch.setattr(base, "_CARDS", dict(base._CARDS))


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("third_party_segmenters")
    module.make = make_empty  # type: ignore[attr-defined]
    module.number = 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_registered_factory_is_found_by_its_name() -> None:
    register("empty")(make_empty)
    assert "empty" in registered()
    assert isinstance(create_segmenter(SegmenterConfig(id="empty")), Empty)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="two segmenters are called 'clip-diy'"):
        register("clip-diy")(make_empty)


@pytest.mark.parametrize("name", ["no-such", "", "clip_diy"])
def test_an_unknown_name_says_what_there_is(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no segmenter .*clip-diy"):
        segmenter_factory(name)


@pytest.mark.usefixtures("third_party")
def test_an_installed_packages_entry_point_is_a_segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "third_party_segmenters:make", base.ENTRY_POINT_GROUP)

    def entry_points(group: str, name: str = "theirs") -> list[EntryPoint]:
        return [point] if (group, name) == (base.ENTRY_POINT_GROUP, "theirs") else []

    monkeypatch.setattr(base, "entry_points", entry_points)
    assert {"clip-diy", "theirs"} <= set(registered())
    assert segmenter_factory("theirs") is make_empty


@pytest.mark.usefixtures("third_party")
def test_a_factory_can_be_named_by_where_it_lies() -> None:
    assert segmenter_factory("third_party_segmenters:make") is make_empty


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize("name", ["no_such_module:make", "third_party_segmenters:none"])
def test_a_place_without_a_factory_is_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be imported"):
        segmenter_factory(name)


@pytest.mark.usefixtures("third_party")
def test_what_cannot_be_called_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="is a int, not a factory"):
        segmenter_factory("third_party_segmenters:number")


class Sizes(Frozen):
    mode: Literal["paper", "released"] = "paper"
    side: int = 4


def make_sized(config: SegmenterConfig) -> Empty:
    made = Empty()
    made.id = f"sized-{options_of(config, Sizes).side}"
    return made


def test_a_card_names_the_modes_and_checks_the_options() -> None:
    register(SegmenterCard("sized", "squares", options=Sizes))(make_sized)
    assert segmenter_card("sized").modes == ("paper", "released")
    assert create_segmenter(SegmenterConfig(id="sized")).id == "sized-4"
    assert create_segmenter(SegmenterConfig(id="sized", options={"side": 9})).id == "sized-9"
    with pytest.raises(ConfigError, match=r"segmenter\.options\.sides: no such field; there are mode, side"):
        create_segmenter(SegmenterConfig(id="sized", options={"sides": 9}))


def test_every_built_in_segmenter_says_what_it_is() -> None:
    for name in set(registered()) & set(base._CARDS):
        card = segmenter_card(name)
        assert all((card.summary, card.paper, card.weights, card.licence)), name


@pytest.mark.usefixtures("third_party")
def test_a_factory_elsewhere_may_carry_its_card(
    monkeypatch: pytest.MonkeyPatch, third_party: ModuleType
) -> None:
    def factory(config: SegmenterConfig) -> Empty:
        """Squares of one colour."""
        return make_sized(config)

    third_party.make = factory  # type: ignore[attr-defined]
    named = "third_party_segmenters:make"
    assert segmenter_card(named).summary == "Squares of one colour."
    factory.card = SegmenterCard("?", "squares", options=Sizes)  # type: ignore[attr-defined]
    assert (segmenter_card(named).name, segmenter_card(named).modes) == (named, ("paper", "released"))
    assert create_segmenter(SegmenterConfig(id=named, options={"side": 5})).id == "sized-5"
