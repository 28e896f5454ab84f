"""``python -m maskmill.flows.demo_weights --out DIR``: make the shipped weights, from a seed.

Not part of the ``maskmill`` command line: it is for whoever changes the drawings or the recipe.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..schemas.errors import MaskmillError
from ..tasks.demo_recipe import DemoWeightsConfig
from ..tasks.demo_weights import make_demo_weights
from ..tasks.progress import SilentProgress


class _Lines(SilentProgress):
    """Progress as one line for each stage and each tenth of it."""

    def __init__(self) -> None:
        self._stage, self._total, self._done = "", 1, 0

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self._stage, self._total, self._done = stage, max(total, 1), 0
        self.say(f"{stage}: {total} {unit}")

    def advance(self, done: int, **counts: int) -> None:
        before, self._done = self._done, self._done + done
        tenth = 10 * self._done // self._total
        if tenth > 10 * before // self._total:
            self.say(f"{self._stage}: {10 * tenth} %")

    def say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the flags, make the weights under ``--out`` and print where they lie; return the exit code."""
    options = _parser().parse_args(arguments)
    progress = _Lines()
    try:
        config = replace(DemoWeightsConfig(), seed=options.seed, workers=options.workers).shortened(
            options.share
        )
        for folder, manifest in make_demo_weights(config, options.out, progress).items():
            progress.say(f"{folder}: {manifest['minutes']} minutes, {manifest['measured']}")
    except MaskmillError as err:
        sys.stderr.write(f"{err}\n")
        return err.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m maskmill.flows.demo_weights", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for demo_clip/ and demo_objectness/")
    parser.add_argument("--seed", type=int, default=DemoWeightsConfig.seed, help="at least 1000")
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the pictures and steps, to try it out"
    )
    parser.add_argument("--workers", type=int, default=DemoWeightsConfig.workers, help="processes that draw")
    return parser


if __name__ == "__main__":
    sys.exit(main())
