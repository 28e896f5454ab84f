"""The whole caption filter on generated captions: wall time and peak memory, from 100 thousand to 12 million.

Usage: MASKMILL_REALDATA=FOLDER PYTHONPATH=tests/support python benchmarks/caption_filter.py
    [--captions N ...] [--out DIR]

A generated caption is the first half of one real caption (CC3M validation, COCO) and the second half of
another, so that words are as frequent as in the wild and hardly any caption occurs twice. They lie in Parquet
as img2dataset leaves them, one hundredth of the images equal to an earlier one. Every run derives its entity
set from all captions, looks for equal images over the whole corpus, and decides on each caption, on two local
Ray workers. Memory is that of the largest process: its own pages and mapped files, without Ray's store. What
single passes cost per core beside NLTK's is measured by ``caption_matching.py`` and ``entity_set.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from real_captions import cc3m_captions, coco_captions, data_folder

ROWS = 500_000  # per file
REPEATED = 0.01
SIZES = [100_000, 1_000_000, 3_000_000, 6_000_000, 12_000_000]
_RUN = """
import json, sys
from maskmill.schemas.config import CorpusConfig, FilterConfig, PoolConfig
from maskmill.tasks.caption_filter import filter_run
corpus, catalog, nltk_data = sys.argv[1:]
config = FilterConfig(nltk_data=nltk_data, pool=PoolConfig(workers=2))
print(json.dumps(filter_run(CorpusConfig(uri=corpus, name="generated"), catalog, config).counts))
"""


def generate(out: Path, captions: list[str], count: int, seed: int = 0) -> None:
    """Write ``count`` captions into ``out`` as Parquet files of img2dataset's columns."""
    out.mkdir(parents=True)
    halves = [text.split() for text in captions]
    heads = [" ".join(words[: (len(words) + 1) // 2]) for words in halves]
    tails = [" ".join(words[(len(words) + 1) // 2 :]) for words in halves]
    rng = np.random.default_rng(seed)
    for number, first in enumerate(range(0, count, ROWS)):
        rows = min(ROWS, count - first)
        head, tail = rng.integers(0, len(heads), (2, rows))
        digests = first + np.arange(rows)
        again = rng.random(rows) < REPEATED
        digests[again] = rng.integers(0, first + 1, again.sum())
        table = pa.table(
            {
                "key": [f"{first + row:09d}" for row in range(rows)],
                "caption": [f"{heads[h]} {tails[t]}" for h, t in zip(head, tail, strict=True)],
                "md5": [f"{digest * 0x9E3779B97F4A7C15 % 2**128:032x}" for digest in digests.tolist()],
                "width": pa.array(rng.integers(200, 1200, rows), pa.int32()),
                "height": pa.array(rng.integers(200, 1200, rows), pa.int32()),
                "status": ["success"] * rows,
            }
        )
        pq.write_table(table, out / f"{number:05d}.parquet", compression="zstd")


class Memory:
    """Watches a process and its descendants on Linux: the largest of them, in bytes, and what it is."""

    def __init__(self, root: int) -> None:
        self.largest, self.name = 0, ""
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            states = {int(p.name): state for p in Path("/proc").glob("[0-9]*") if (state := _state(p))}
            ours = {self._root}
            while more := {pid for pid, s in states.items() if int(s["PPid"]) in ours} - ours:
                ours |= more
            for state in (states[pid] for pid in ours if pid in states):
                used = 1024 * sum(int(state.get(part, "0").split()[0]) for part in ("RssAnon", "RssFile"))
                if used > self.largest:
                    self.largest, self.name = used, state["Name"]


def _state(process: Path) -> dict[str, str]:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:  # it has ended
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def measure(corpus: Path, catalog: Path, nltk_data: Path) -> tuple[float, Memory, dict[str, int]]:
    """Run the filter in a process of its own."""
    command = [sys.executable, "-c", _RUN, str(corpus), str(catalog), str(nltk_data)]
    began = time.perf_counter()
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet) as process,
        Memory(process.pid) as memory,
    ):
        out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the filter ended with {process.returncode}")
    return time.perf_counter() - began, memory, json.loads(out.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captions", type=int, nargs="+", default=SIZES)
    parser.add_argument("--out", type=Path, help="folder to work in; default: a temporary one")
    arguments = parser.parse_args()
    captions = [*cc3m_captions(), *coco_captions()]
    out = arguments.out or Path(tempfile.mkdtemp())
    print(f"{'captions':>12}{'seconds':>9}{'captions/s':>12}{'us/caption':>12}{'largest MiB':>13}{'kept':>7}")
    times = []
    for count in arguments.captions:
        corpus, catalog = out / f"corpus-{count}", out / f"catalog-{count}"
        shutil.rmtree(catalog, ignore_errors=True)
        if not corpus.exists():
            generate(corpus, captions, count)
        seconds, memory, counts = measure(corpus, catalog, data_folder() / "nltk_data")
        assert counts["captions"] == count, counts
        times.append(seconds)
        print(
            f"{count:>12,}{seconds:>9.1f}{count / seconds:>12,.0f}{1e6 * seconds / count:>12.2f}"
            f"{memory.largest / 2**20:>13,.0f}{counts['captions_kept'] / count:>7.1%}  {memory.name}",
            flush=True,
        )
    slope, start = np.polyfit(arguments.captions, times, 1)
    away = np.abs(start + slope * np.array(arguments.captions) - times) / times
    print(f"line: {start:.1f} s and {1e6 * slope:.2f} us per caption; at most {away.max():.0%} away from it")


if __name__ == "__main__":
    main()
