"""Segmenters by name: what each is, which options it has, which weight files it reads."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel

from ...schemas.config import Frozen, SegmenterConfig
from ...schemas.config_files import validated
from ...schemas.errors import ConfigError
from .base import Segmenter

ENTRY_POINT_GROUP = "maskmill.segmenters"
Factory = Callable[[SegmenterConfig], Segmenter]
OptionsT = TypeVar("OptionsT", bound=BaseModel)


class NoOptions(Frozen):
    """A segmenter that has nothing to be set."""


def no_files(config: SegmenterConfig) -> Mapping[str, str]:
    """Name no weight file: the segmenter reports its weights once it is loaded."""
    return {}


@dataclass(frozen=True)
class SegmenterCard:
    """What is known of a segmenter before anything is loaded.

    Args:
        name: what ``--segmenter`` calls it.
        summary: one line.
        paper: where it was published.
        weights: which weights it reads, in words.
        licence: of those weights, and of the authors' code where that matters to a user.
        options: the fields of ``SegmenterConfig.options``, with defaults; a field ``mode`` of literals says
            which readings of the paper there are.
        files: what -> sha256 of the weight files that a configuration names, found without loading a model;
            a ``WeightsError`` says what is missing.
    """

    name: str
    summary: str
    paper: str = ""
    weights: str = ""
    licence: str = ""
    options: type[BaseModel] = NoOptions
    files: Callable[[SegmenterConfig], Mapping[str, str]] = no_files

    @property
    def modes(self) -> tuple[str, ...]:
        """The values that the option ``mode`` takes; empty where there is one reading only."""
        field = self.options.model_fields.get("mode")
        return tuple(map(str, get_args(field.annotation))) if field else ()


_REGISTRY: dict[str, Factory] = {}
_CARDS: dict[str, SegmenterCard] = {}


def register(card: SegmenterCard | str) -> Callable[[Factory], Factory]:
    """Register the factory of a segmenter under its card, or under a mere name."""

    def keep(factory: Factory) -> Factory:
        kept = card if isinstance(card, SegmenterCard) else _bare_card(card, factory)
        if kept.name in _REGISTRY:
            raise ValueError(f"two segmenters are called {kept.name!r}")
        _REGISTRY[kept.name], _CARDS[kept.name] = factory, kept
        return factory

    return keep


def registered() -> tuple[str, ...]:
    """Return the names of all segmenters: built in, and of installed packages' entry points."""
    return tuple(sorted({*_REGISTRY, *(e.name for e in entry_points(group=ENTRY_POINT_GROUP))}))


def segmenter_card(name: str) -> SegmenterCard:
    """Return what is known of a segmenter: its card, or that in the attribute ``card`` of its factory.

    Raises:
        ConfigError: nothing has this name, or it cannot be imported.
    """
    if name in _CARDS:
        return _CARDS[name]
    factory = segmenter_factory(name)
    given = getattr(factory, "card", None)
    return replace(given, name=name) if isinstance(given, SegmenterCard) else _bare_card(name, factory)


def segmenter_factory(name: str) -> Factory:
    """Return the factory of a registered segmenter, or of ``package.module:factory``.

    Raises:
        ConfigError: nothing has this name, or it cannot be imported.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    try:
        for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
            return cast(Factory, entry.load())
        if ":" in name:
            return _imported(name)
    except (ImportError, AttributeError) as err:
        raise ConfigError(f"segmenter {name!r} cannot be imported: {err}") from err
    raise ConfigError(
        f"no segmenter {name!r}: there are {', '.join(registered())}; or give package.module:factory"
    )


def create_segmenter(config: SegmenterConfig) -> Segmenter:
    """Build the segmenter that a configuration names, its weights loaded.

    Raises:
        ConfigError: no such segmenter or device, or its options do not fit.
        WeightsError: weights are missing or damaged.
    """
    return segmenter_factory(config.id)(complete(config))


def complete(config: SegmenterConfig) -> SegmenterConfig:
    """Return the configuration with every option of its segmenter written out.

    Raises:
        ConfigError: no such segmenter, or an option does not fit.
    """
    options = options_of(config, segmenter_card(config.id).options)
    return config.model_copy(update={"options": options.model_dump(mode="json")})


def options_of(config: SegmenterConfig, kind: type[OptionsT]) -> OptionsT:
    """Read the options of a configuration.

    Raises:
        ConfigError: one does not fit; the text names it, and what there is.
    """
    return validated(kind, config.options, "segmenter.options")


def _bare_card(name: str, factory: Factory) -> SegmenterCard:
    described = (factory.__doc__ or "").strip().partition("\n")[0]
    return SegmenterCard(name, described or "no description", options=AnyOptions)


class AnyOptions(BaseModel, extra="allow", frozen=True):
    """The options of a segmenter without a card, which reads them itself."""


def _imported(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"segmenter {name!r} is a {type(found).__name__}, not a factory")
    return cast(Factory, found)
