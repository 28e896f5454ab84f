"""What a catalog knows of a corpus before corrections are added: its images, and the labels they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..catalogs.files import read_files, run_of
from ..catalogs.store import FINISHED, Catalog
from ..schemas.errors import CatalogError, ConfigError
from ..schemas.tables import PARTITION
from .tally import committed_labels


@dataclass(frozen=True)
class ReviewBase:
    """The runs of one corpus that a review builds on.

    Args:
        version: of the catalog.
        labelled, reviewed: rows of finished label and review runs, oldest first; one is labelled at least.
    """

    version: int
    labelled: tuple[Mapping[str, Any], ...]
    reviewed: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, catalog: Catalog, corpus: str | None) -> Self:
        """Look at the newest version of a catalog.

        Raises:
            ConfigError: there are several corpora and none is named.
            CatalogError: nothing is published, or no label run of the corpus.
        """
        version = catalog.version()
        runs = [run for run in catalog.runs(version) if run["status"] == FINISHED]
        corpora = sorted({run["corpus"] for run in runs if run["kind"] == "label"})
        if corpus is None and len(corpora) > 1:
            raise ConfigError(f"the catalog holds several corpora, name one: {', '.join(corpora)}")
        name = corpus or next(iter(corpora), None)
        if name not in corpora:
            known = ", ".join(corpora) or "none"
            raise CatalogError(
                f"catalog {catalog.uri!r} has no finished label run of corpus {name!r}; it has: {known}"
            )
        of_kind = {
            kind: tuple(run for run in runs if run["kind"] == kind and run["corpus"] == name)
            for kind in ("label", "review")
        }
        return cls(version, of_kind["label"], of_kind["review"])

    @property
    def newest(self) -> Mapping[str, Any]:
        """The row of the last label run to finish."""
        return self.labelled[-1]

    def images(self, catalog: Catalog) -> list[str]:
        """Return the ``images`` files of the label runs, those of newer runs later."""
        rank = {run[PARTITION]: place for place, run in enumerate(self.labelled)}
        files = [uri for uri in catalog.files("images", self.version) if run_of(uri) in rank]
        return sorted(files, key=lambda uri: (rank[run_of(uri)], uri))

    def labels(self, catalog: Catalog) -> set[str]:
        """Return the labels that masks of the corpus have, and those that segmenters were asked for."""
        runs = [run[PARTITION] for run in (*self.labelled, *self.reviewed)]
        found = set().union(*(committed_labels(catalog, run_id) for run_id in runs))
        for uri in self.images(catalog):
            column = read_files("images", [uri], ["vocabulary"]).column("vocabulary").combine_chunks()
            found.update(column.flatten().unique().to_pylist())
        return found
