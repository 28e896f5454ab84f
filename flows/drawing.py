"""Draw the demo corpus while somebody watches; needs no Prefect."""

from __future__ import annotations

from pathlib import Path

from ..catalogs.demo import write_demo_corpus
from ..tasks.progress import Progress

_SHARD = 40  # scenes; small shards give two workers an even share and the progress bar steps


def draw(out: Path, seed: int, images: int, held_out: int, progress: Progress) -> None:
    """Draw ``images`` scenes to label and ``held_out`` to judge on, unless the same ones lie there already.

    Raises:
        ConfigError: a count is negative.
        CorpusError: ``out`` holds something else.
    """
    progress.start("draw", images + held_out, "images")
    done = 0

    def advance(drawn: int, _total: int) -> None:
        nonlocal done
        progress.advance(drawn - done)
        done = drawn

    write_demo_corpus(out, seed=seed, images=images, val_images=held_out, shard_size=_SHARD, progress=advance)
    progress.finish()
