"""Readers of captioned image corpora."""

from __future__ import annotations

from ...schemas.config import CorpusConfig
from ...schemas.errors import CorpusError
from ..storage import full_uri, locate, reported_as
from .base import CorpusReader, corpus_fingerprint, corpus_name
from .coco import CocoCorpus
from .tar import TarCorpus

__all__ = ["CorpusReader", "open_corpus", "corpus_fingerprint", "CocoCorpus", "TarCorpus"]


def open_corpus(config: CorpusConfig) -> CorpusReader:
    """Return the reader of a corpus: a ``.json`` is COCO; a folder, a pattern or a ``.tar`` holds tar shards.

    Nothing is read yet; a corpus that is not there shows when its shards are listed.

    Raises:
        CorpusError: nothing serves such a URI.
    """
    with reported_as(CorpusError, f"corpus {config.uri!r} cannot be opened"):
        fs, path = locate(config.uri)
        uri = full_uri(fs, path)
        images = config.images and full_uri(*locate(config.images))
    name = config.name or corpus_name(path)
    if path.lower().endswith(".json"):
        return CocoCorpus(name, uri, images or None, config.shard_size, config.limit)
    return TarCorpus(name, uri, config.limit)
