"""What a segmenter is, and how one is found by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ...schemas.config import SegmenterConfig
from ...schemas.errors import ConfigError
from ...schemas.labelmap import LabelMap
from ...schemas.vocabulary import Vocabulary

ENTRY_POINT_GROUP = "maskmill.segmenters"


class Segmenter(Protocol):
    """Images and vocabularies in, label maps out.

    Attributes:
        id: method and weights, the weights by their sha256; stored with every mask.
        weights: what -> sha256 or id, stored with the run.
    """

    id: str
    weights: Mapping[str, str]

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment (H, W, 3) RGB images, sizes may differ, each with its own vocabulary; one map per image.

        A batch of one gives what a batch of many gives.
        """


Factory = Callable[[SegmenterConfig], Segmenter]
_REGISTRY: dict[str, Factory] = {}


def register(name: str) -> Callable[[Factory], Factory]:
    """Register the factory of a segmenter under a name."""

    def keep(factory: Factory) -> Factory:
        if name in _REGISTRY:
            raise ValueError(f"two segmenters are called {name!r}")
        _REGISTRY[name] = factory
        return factory

    return keep


def registered() -> tuple[str, ...]:
    """Return the names of all segmenters: built in, and of installed packages' entry points."""
    return tuple(sorted({*_REGISTRY, *(e.name for e in entry_points(group=ENTRY_POINT_GROUP))}))


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
        ConfigError: no such segmenter or device.
        WeightsError: weights are missing or damaged.
    """
    return segmenter_factory(config.id)(config)


def _imported(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"segmenter {name!r} is a {type(found).__name__}, not a factory")
    return cast(Factory, found)
