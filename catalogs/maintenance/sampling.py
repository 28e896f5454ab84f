"""Which masks of a version are measured again: all, or the same sample each time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .log import LoggedFile


class Sample:
    """A sample of the rows of many files, each row as likely as any other.

    Args:
        files: path -> file, of ``masks``.
        size: how many rows; None is all.
        seed: another one gives another sample.
    """

    def __init__(self, files: Mapping[str, LoggedFile], size: int | None, seed: int) -> None:
        ends = np.cumsum([file.rows for file in files.values()], dtype=np.int64)
        self._last = dict(zip(files, ends.tolist(), strict=True))
        self._rows = {path: file.rows for path, file in files.items()}
        total = int(ends[-1]) if len(ends) else 0
        self._chosen: NDArray[np.int64] | None = None
        if size is not None and size < total:
            picked = np.random.default_rng(seed).choice(total, size, replace=False, shuffle=False)
            self._chosen = np.sort(picked)

    def of(self, path: str, rows: int) -> NDArray[np.int64]:
        """Return the places of the chosen rows in a file that was found to have ``rows`` rows."""
        if self._chosen is None:
            return np.arange(rows)
        last = self._last[path]
        begin, end = np.searchsorted(self._chosen, (last - self._rows[path], last))
        places = self._chosen[begin:end] - (last - self._rows[path])
        return places[places < rows]
