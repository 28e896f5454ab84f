"""Label a folder until some shards are done, then die as a machine does.

Usage: python label_and_die.py FOLDER CATALOG SHARDS
"""

from __future__ import annotations

import os
import signal
import sys

from colour_labelling import ColourSegmenter, config
from watching import Watcher

from maskmill.schemas.config import CorpusConfig
from maskmill.tasks.label import label_run


def label_and_die(folder: str, catalog: str, shards: str) -> None:
    left = [None] * int(shards)

    def die() -> None:
        left.pop()
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    label_run(
        CorpusConfig(uri=folder), catalog, config(), progress=Watcher(die), segmenter_factory=ColourSegmenter
    )


if __name__ == "__main__":
    label_and_die(*sys.argv[1:])
