"""From the labels of a run to the numbered classes of an export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...schemas.errors import CatalogError, ConfigError
from ...schemas.labelmap import BACKGROUND, IGNORE
from ...schemas.vocabulary import load_vocabulary


@dataclass(frozen=True)
class ClassMap:
    """Class names in the order of their ids, background first, and the labels that go to each.

    Args:
        ids: label -> class id; 0 is background.
        unknown: the id of a label that is not in ``ids``, 0 or 65535.
    """

    names: tuple[str, ...]
    ids: dict[str, int] = field(repr=False)
    unknown: int = IGNORE

    @classmethod
    def of_labels(cls, labels: Iterable[str]) -> ClassMap:
        """Let every label be a class, sorted by name."""
        names = ("background", *sorted(set(labels) - {"background"}))
        return cls(names, {name: i for i, name in enumerate(names)})

    @classmethod
    def load(cls, name_or_path: str, unknown: str) -> ClassMap:
        """Read a vocabulary; a synonym goes to its class, and a name is first of all itself.

        Raises:
            ConfigError: there is no such vocabulary, its background is not class 0, or a synonym belongs to
                two classes.
        """
        vocabulary = load_vocabulary(name_or_path)
        if vocabulary.names[BACKGROUND] != "background":
            raise ConfigError(f"vocabulary {name_or_path!r}: the background must be its first class")
        ids: dict[str, int] = {}
        for i, entry in enumerate(vocabulary.classes):
            for word in entry.synonyms:
                if ids.setdefault(word, i) != i and word not in vocabulary.names:
                    raise ConfigError(
                        f"vocabulary {name_or_path!r}: {word!r} stands for "
                        f"{vocabulary.names[ids[word]]!r} and for {entry.name!r}"
                    )
        ids |= {name: i for i, name in enumerate(vocabulary.names)}
        return cls(vocabulary.names, ids, BACKGROUND if unknown == "background" else IGNORE)

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise CatalogError("no class is left to export: the run has no masks, or its classes are empty")

    def id_of(self, label: str) -> int:
        return self.ids.get(label, self.unknown)

    @property
    def things(self) -> tuple[str, ...]:
        """The names without the background."""
        return self.names[1:]
