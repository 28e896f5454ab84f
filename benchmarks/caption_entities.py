"""Entities that captions name against the objects that COCO's annotators outlined, class by class.

Usage: MASKMILL_REALDATA=FOLDER PYTHONPATH=tests/support python benchmarks/caption_entities.py

An image names a class if one of its five captions does. The set is the one derived from COCO's and CC3M's
captions; COCO's categories that it does not hold count as never named in "all categories". Precision: of the
images that name a class, the share that shows it; recall: of those that show it, the share that name it. What
is outlined and not worth a word (a chair behind the people) lowers recall; what stands in for the class (a
teddy bear on a "bed" that nobody outlined) lowers precision.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

from photographs import ALIASES
from real_captions import cc3m_captions, coco_captions, data_folder

from maskmill.tasks.entities import EntitySet, select_entities
from maskmill.tasks.matching import Matcher
from maskmill.tasks.nouns import Nouns

# What this set calls otherwise than the names in ALIASES.
OTHER_NAMES = {"monitor": "tv", "bag": "handbag"}


def derive(folder: Path, top_k: int) -> EntitySet:
    """Return the set of the corpus' own captions."""
    nouns = Nouns(str(folder / "nltk_data"))
    captions = [*coco_captions(), *cc3m_captions()]
    return select_entities(nouns.count(captions), nouns.judge, top_k, 2)


def named_and_shown(
    folder: Path, entities: EntitySet
) -> tuple[dict[int, set[str]], dict[int, set[str]], set[str]]:
    """Return image -> categories that its captions name, and that it shows; and those the set can name."""
    body = json.loads((folder / "coco_photos/instances_and_captions.json").read_text("utf-8"))
    category = {c["id"]: c["name"] for c in body["categories"]}
    names = {e.name: OTHER_NAMES.get(e.name, ALIASES.get(e.name, e.name)) for e in entities.kept}
    known = {name for name in names.values() if name in category.values()}
    find = Matcher(entities)
    named = {
        image["id"]: {names[e] for caption in image["captions"] for e in find(caption).entities} & known
        for image in body["images"]
        if image["captions"]
    }
    shown: dict[int, set[str]] = defaultdict(set)
    for annotation in body["annotations"]:
        if annotation["image_id"] in named:
            shown[annotation["image_id"]].add(category[annotation["category_id"]])
    return named, shown, known


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--top-k", type=int, default=100)
    options = parser.parse_args()
    folder = data_folder()
    named, shown, known = named_and_shown(folder, derive(folder, options.top_k))
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for image, said in named.items():
        for name in said | shown[image]:
            rows[name]["named"] += name in said
            rows[name]["shown"] += name in shown[image]
            rows[name]["both"] += name in said and name in shown[image]
    print(f"{len(named)} images with captions, {len(known)} of COCO's categories in the set\n")
    print(f"{'category':16}{'named':>7}{'shown':>7}{'both':>6}{'precision':>11}{'recall':>8}")
    for name in sorted(rows, key=lambda name: (name not in known, -rows[name]["shown"], name)):
        print_row(name if name in known else f"({name})", rows[name])
    print()
    print_row("in the set", sum((rows[name] for name in known), Counter()))
    print_row("all categories", sum(rows.values(), Counter()))


def print_row(name: str, row: Counter[str]) -> None:
    """Print a line of the table; a share of nothing is a dash."""
    precision = f"{row['both'] / row['named']:.2f}" if row["named"] else "-"
    recall = f"{row['both'] / row['shown']:.2f}" if row["shown"] else "-"
    print(f"{name:16}{row['named']:7}{row['shown']:7}{row['both']:6}{precision:>11}{recall:>8}")


if __name__ == "__main__":
    main()
