"""How to read the corpus of a run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schemas.config import CorpusConfig


def corpus_of(run: Mapping[str, Any]) -> CorpusConfig:
    """Return how to read the corpus of a ``runs`` row again, as the run itself read it."""
    if run.get("corpus_config"):
        return CorpusConfig.model_validate_json(run["corpus_config"])
    return CorpusConfig(uri=run["corpus_uri"], name=run["corpus"])
