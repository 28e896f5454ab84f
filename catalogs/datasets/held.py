"""What was read lately, up to a number of bytes; safe to use from several threads, and never pickled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Held(Generic[Item]):
    """Keeps the things that were asked for last, and makes the others anew.

    Args:
        limit: bytes; the thing that was made last is kept whatever its size.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[str, tuple[Item, int]] = OrderedDict()
        self._bytes = 0
        self._lock = RLock()

    def get(self, name: str, make: Callable[[], tuple[Item, int]]) -> Item:
        """Return the thing of a name; ``make`` returns it with its size in bytes where it is not held."""
        with self._lock:
            if name in self._items:
                self._items.move_to_end(name)
                return self._items[name][0]
            item, size = make()
            self._items[name] = (item, size)
            self._bytes += size
            while self._bytes > self._limit and len(self._items) > 1:
                self._bytes -= self._items.popitem(last=False)[1][1]
            return item

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        """Another process begins with nothing held: locks cannot travel, and what was read need not."""
        return (type(self), (self._limit,))
