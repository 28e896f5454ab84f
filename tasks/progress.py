"""How a stage tells whoever watches it how far it is; rates and times are the watcher's to derive."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the advance of one stage at a time, in the driver's thread only."""

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        """A stage begins; ``total`` units are left to do, without what a resumed run has done."""

    def advance(self, done: int, **counts: int) -> None:
        """``done`` more units are ready; ``counts`` are increments too, e.g. ``images=1000, masks=2310``."""

    def finish(self) -> None:
        """The stage has ended, well or not."""

    def say(self, line: str) -> None:
        """One line for a person: a resumed run, a shard given up."""


class SilentProgress:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        pass

    def advance(self, done: int, **counts: int) -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, line: str) -> None:
        pass


SILENT = SilentProgress()
