"""How fast captions are matched: the released filter's loop, one caption at a time, and whole columns.

Usage: MASKMILL_REALDATA=FOLDER NLTK_DATA=FOLDER PYTHONPATH=tests/support OMP_NUM_THREADS=1
       python benchmarks/caption_matching.py

Captions of COCO val2017 and CC3M validation, one thread; time of the processor, so that other work on the
machine counts less, the best of seven rounds in which all methods take turns. Columns include the building of
the Arrow lists. The released filter's rule is NLTK's ``word_tokenize`` and a look into its names; the column
form of it must decide the same on every caption, which is asserted. ``Matcher`` and ``ColumnMatcher`` also
find other cases, numbers and spellings, and are asserted to agree with each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa
from nltk.tokenize import word_tokenize
from real_captions import cc3m_captions, coco_captions

from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.column_matching import ColumnMatcher
from maskmill.tasks.entities import EntitySet
from maskmill.tasks.matching import Matcher
from maskmill.tasks.released_matching import released_matcher, released_names

SUBSAMPLE: Final = 5  # every fifth caption is timed one at a time
RUNS: Final = 7

Work = Callable[[], object]


def main() -> None:
    pa.set_cpu_count(1)
    for name, captions in (("COCO", coco_captions()), ("CC3M", cc3m_captions())):
        length = sum(map(len, captions)) / len(captions)
        print(f"{name}: {len(captions)} captions of {length:.0f} characters")
        print(f"{'method':<36}{'captions':>9}{'captions/s':>12}{'x NLTK loop':>13}")
        rates = measure(captions)
        slowest = next(iter(rates.values()))[1]
        for method, (number, rate) in rates.items():
            print(f"{method:<36}{number:>9}{rate:>12,.0f}{rate / slowest:>13.1f}")
        assert_equal(captions)
        print(f"released, columns: the same entities as the NLTK loop on all {len(captions)}")


def measure(captions: list[str]) -> Mapping[str, tuple[int, float]]:
    """Return by method how many captions it was timed on, and captions per second."""
    entities = EntitySet.of_vocabulary(load_vocabulary("cc4m"))
    few, column, names = captions[::SUBSAMPLE], pa.array(captions), released_names()
    one, many, released = Matcher(entities), ColumnMatcher(entities), released_matcher()
    works: dict[str, tuple[int, Work]] = {
        "released, NLTK loop": (len(few), lambda: [nltk_entities(caption, names) for caption in few]),
        "released, columns": (len(captions), lambda: released(column)),
        "cc4m set, Matcher": (len(few), lambda: [one(caption) for caption in few]),
        "cc4m set, ColumnMatcher": (len(captions), lambda: many(column)),
    }
    seconds = best_seconds([work for _, work in works.values()])
    return {
        method: (number, number / best)
        for (method, (number, _)), best in zip(works.items(), seconds, strict=True)
    }


def nltk_entities(caption: str, names: Mapping[str, str]) -> list[str]:
    """Return what the released filter finds: classes of tokens that are names, once each."""
    return list(dict.fromkeys(names[token] for token in word_tokenize(caption) if token in names))


def best_seconds(works: list[Work]) -> list[float]:
    """Return the least processor time of each; the first round only warms up."""
    rounds = [[processor_seconds(work) for work in works] for _ in range(RUNS + 1)]
    return [min(seconds) for seconds in zip(*rounds[1:], strict=True)]


def processor_seconds(work: Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def assert_equal(captions: list[str]) -> None:
    column, names = pa.array(captions), released_names()
    entities = EntitySet.of_vocabulary(load_vocabulary("cc4m"))
    found = released_matcher()(column).entities.to_pylist()
    assert found == [nltk_entities(caption, names) for caption in captions]
    matcher = Matcher(entities)
    found = ColumnMatcher(entities)(column).entities.to_pylist()
    assert found == [list(matcher(caption).entities) for caption in captions]


if __name__ == "__main__":
    main()
