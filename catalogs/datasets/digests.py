"""Whether images are still those that were labelled, each asked about once or every time."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from .selection import Check


class Digests:
    """Remembers of which images the sha256 was right, in this process.

    Args:
        count: images; a byte is held for each.
        check: whether images are looked at the first time, always or never.
    """

    def __init__(self, count: int, check: Check) -> None:
        self._check: Check = check
        self._right = np.zeros(count, bool)

    def agrees(self, position: int, data: bytes, sha256: str) -> bool:
        """Return whether an image may be taken for the one that was labelled."""
        if self._check == "never" or (self._check == "first" and self._right[position]):
            return True
        self._right[position] = hashlib.sha256(data).hexdigest() == sha256
        return bool(self._right[position])

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process looks for itself."""
        return (type(self), (len(self._right), self._check))
