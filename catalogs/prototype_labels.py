"""What the masks of prototypes are called: by the newest decisions, as in the view ``latest_masks``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .prototypes import PROTOTYPES, resolved_names
from .store import Catalog

_KIND = "prototype"


@dataclass(frozen=True)
class PrototypeLabels:
    """Prototype id -> label at a catalog version, None where it was rejected; without a decision the id."""

    labels: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog, version: int) -> Self:
        """Read the decisions that a version shows.

        Raises:
            CatalogError: a file is missing or damaged.
        """
        if not catalog.files(PROTOTYPES, version):
            return cls()
        return cls(resolved_names(catalog.uri, version))

    def label_of(self, mask: Mapping[str, Any]) -> str | None:
        """Return the label of a ``masks`` row with ``label`` and ``label_kind``; None leaves the mask out."""
        label: str = mask["label"]
        return self.labels.get(label, label) if mask["label_kind"] == _KIND else label
