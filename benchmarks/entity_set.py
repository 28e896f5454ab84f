"""The entity set derived from COCO's and CC3M's captions against the released one, and the speed of deriving.

Usage: MASKMILL_REALDATA=FOLDER PYTHONPATH=tests/support python benchmarks/entity_set.py
    [--top-k 100] [--plain 2000]

Speed is CPU time of one core against NLTK's ``word_tokenize`` and ``pos_tag`` on every n-th caption, NLTK and
"seen" as the best of three calls. "Seen" captions were counted before, so that none of their words is looked
up in WordNet: an upper bound, which a growing corpus approaches. In "first" every word is new, in one call.

The lists in ``entity_words`` were extended with these very captions in view, and the names were judged by one
reader who knew the set; neither figure is one of held-out captions.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from nltk import pos_tag, word_tokenize
from nltk.tag.perceptron import PerceptronTagger
from real_captions import cc3m_captions, coco_captions, data_folder

from maskmill.schemas.vocabulary import load_vocabulary
from maskmill.tasks.entities import EntitySet, select_entities
from maskmill.tasks.matching import Matcher
from maskmill.tasks.nltk_data import use_folder
from maskmill.tasks.noun_tokens import tokens_of
from maskmill.tasks.nouns import Nouns
from maskmill.tasks.ranking_error import membership_error
from maskmill.tasks.tagging import BatchTagger

FREQUENT = 30
UNWANTED = (
    *(
        "art",
        "view",
        "illustration",
        "night",
        "photo",
        "image",
        "picture",
        "background",
        "day",
        "time",
        "front",
    ),
    *("side", "top", "group", "couple", "style", "design"),
)
# Names judged by hand to have no extent that could be segmented, in what captions use them for.
NOT_VISIBLE = {
    "light": "may mean illumination or a colour's shade as well as lamps and traffic lights",
    "orange": "often the colour, which the tagger may take for a noun",
}


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that a call takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def best(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of three calls."""
    return min(seconds(work) for _ in range(3))


def plain_seconds(texts: list[str], plain: int) -> tuple[int, float]:
    """Return how many captions NLTK's functions were run on, and the seconds per caption.

    To be called before WordNet is loaded, since NLTK's functions ran slower with it in memory.
    """
    sample = texts[:: max(len(texts) // plain, 1)]
    return len(sample), best(lambda: [pos_tag(word_tokenize(text)) for text in sample]) / len(sample)


def print_speed(nouns: Nouns, texts: list[str], plain: tuple[int, float]) -> None:
    """Print captions per second and core, and ratios to NLTK."""
    first = seconds(lambda: nouns.count(texts)) / len(texts)
    seen = best(lambda: nouns.count(texts)) / len(texts)
    print(f"{'discovery, per core':42}{'captions/s':>12}{'ratio':>8}")
    for name, each in (
        (f"word_tokenize + pos_tag, {plain[0]} captions", plain[1]),
        (f"Nouns.count, first {len(texts)} captions", first),
        ("Nouns.count, captions of seen words", seen),
    ):
        print(f"{name:42}{1 / each:12,.0f}{plain[1] / each:8.1f}")


def print_tagging(texts: list[str], plain: int) -> None:
    """Print tokens per second of both taggers on the same tokens, and how many tags differ."""
    tokens = [tokens_of(text) for text in texts]
    sample = tokens[:: max(len(texts) // plain, 1)]
    total = sum(len(sentence) for sentence in tokens)
    reference, batch = PerceptronTagger(), BatchTagger.load()
    each = best(lambda: [reference.tag(s) for s in sample]) / sum(len(s) for s in sample)
    batch(tokens)
    ids = batch.vocabulary.intern((t for s in tokens for t in s), total)
    lengths = np.array([len(s) for s in tokens])
    fast = best(lambda: batch.tag(ids, lengths)) / total
    differ = sum(
        [t for _, t in reference.tag(s)] != tags for s, tags in zip(tokens, batch(tokens), strict=True)
    )
    print(f"{'tagging, per core':42}{'tokens/s':>12}{'ratio':>8}")
    print(f"{'NLTK PerceptronTagger':42}{1 / each:12,.0f}{1:8.1f}")
    print(f"{'BatchTagger':42}{1 / fast:12,.0f}{each / fast:8.1f}")
    print(f"captions with another tag than NLTK's: {differ} of {len(tokens)}\n")


def print_contained(derived: EntitySet, texts: list[str]) -> None:
    """Print the released classes that the derived set holds, and those it does not."""
    released = EntitySet.of_vocabulary(load_vocabulary("cc4m"))
    find = Matcher(released)
    counts = Counter(name for text in texts for name in find(text).entities)
    words = {word for entity in derived.kept for word in (entity.name, *entity.synonyms)}
    ranks = {entity.name: entity.rank for entity in derived.entities}
    frequent = [e for e in released.counted(counts).entities if e.count >= FREQUENT]
    held = [e for e in frequent if not words.isdisjoint((e.name, *e.synonyms))]
    print(
        f"\nreleased classes that {FREQUENT} captions name: {len(frequent)}, in the derived set: {len(held)}"
    )
    print(f"share contained: {len(held) / len(frequent):.3f}")
    for entity in frequent:
        if entity not in held:
            print(f"  not: {entity.name}, {entity.count} captions, rank {ranks.get(entity.name, '-')}")
    found = sorted(set(UNWANTED) & words)
    print(f"unwanted names kept: {', '.join(found) or 'none'} (of {', '.join(UNWANTED)})")


def print_names(derived: EntitySet) -> None:
    """Print every member with its count, whether it is a visible thing, and its most telling synonyms."""
    visible = sum(entity.name not in NOT_VISIBLE for entity in derived.kept)
    print(f"\nvisible, judged name by name: {visible} of {len(derived.kept)}")
    for entity in derived.kept:
        said = f"no: {NOT_VISIBLE[entity.name]}" if entity.name in NOT_VISIBLE else "yes"
        synonyms = ", ".join(entity.synonyms[:6]) + (" ..." if len(entity.synonyms) > 6 else "")
        print(f"  {entity.name:14}{entity.count:6}  {said}  ({synonyms})" if synonyms else
              f"  {entity.name:14}{entity.count:6}  {said}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--top-k", type=int, default=100)
    parser.add_argument("--plain", type=int, default=2000, help="captions for NLTK's own speed")
    options = parser.parse_args()
    texts = [*coco_captions(), *cc3m_captions()]
    folder = str(data_folder() / "nltk_data")
    use_folder(folder)
    plain = plain_seconds(texts, options.plain)
    print_tagging(texts, options.plain)
    nouns = Nouns(folder)
    print_speed(nouns, texts, plain)
    counts = nouns.count(texts)
    derived = select_entities(counts, nouns.judge, options.top_k, 2)
    print(f"\n{len(derived.entities)} candidates, {len(counts.pruned(nouns.is_known).groups)} after pruning")
    print_contained(derived, texts)
    print(membership_error(derived, counts.captions, options.top_k))
    print_names(derived)


if __name__ == "__main__":
    main()
