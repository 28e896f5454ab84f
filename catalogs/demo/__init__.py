"""A corpus of drawn scenes with captions and exact masks, for demonstrations and tests.

Sixteen kinds of things are named by captions (`KNOWN`); four more stand in the scenes and are never named
(`UNKNOWN`), so that a catalog has something to discover. All of it is drawn from a seed.
"""

from __future__ import annotations

from .names import KNOWN, SYNONYMS, THINGS, UNKNOWN, label_of, plural
from .scene import Scene, draw_background, draw_closeup, draw_scene
from .truth import read_ground_truth
from .write import DemoCorpus, write_demo_corpus

__all__ = [
    "KNOWN",
    "SYNONYMS",
    "THINGS",
    "UNKNOWN",
    "DemoCorpus",
    "Scene",
    "draw_background",
    "draw_closeup",
    "draw_scene",
    "label_of",
    "plural",
    "read_ground_truth",
    "write_demo_corpus",
]
