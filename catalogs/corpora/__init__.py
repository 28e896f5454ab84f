"""Readers of captioned image corpora."""

from __future__ import annotations

from ...schemas.config import CorpusConfig
from ...schemas.errors import CorpusError
from ..storage import full_uri, locate, reported_as
from .base import CorpusReader, corpus_fingerprint, corpus_name
from .coco import CocoCorpus
from .columns import Columns
from .delimited import DelimitedCorpus
from .folder import FolderCorpus
from .formats import find_format
from .parquet import ParquetCorpus
from .tar import TarCorpus

__all__ = [
    "CorpusReader",
    "open_corpus",
    "corpus_fingerprint",
    "CocoCorpus",
    "DelimitedCorpus",
    "FolderCorpus",
    "ParquetCorpus",
    "TarCorpus",
]


def open_corpus(config: CorpusConfig) -> CorpusReader:
    """Return the reader of a corpus, by ``config.format`` or as :func:`.formats.find_format` finds it.

    At most a folder is looked into; a corpus that is not there shows when its shards are listed.

    Raises:
        CorpusError: nothing serves such a URI, or the folder holds no corpus.
    """
    with reported_as(CorpusError, f"corpus {config.uri!r} cannot be opened"):
        fs, path = locate(config.uri)
        uri = full_uri(fs, path)
        images = full_uri(*locate(config.images)) if config.images else None
        kind = find_format(fs, path, config.uri) if config.format == "auto" else config.format
    name = config.name or corpus_name(path)
    columns = Columns(config.key_column, config.caption_columns, config.image_column)
    if kind == "coco":
        return CocoCorpus(name, uri, images, config.shard_size, config.limit)
    if kind == "parquet":
        return ParquetCorpus(name, uri, columns, images, config.shard_size, config.limit)
    if kind == "delimited":
        return DelimitedCorpus(name, uri, columns, images, config.shard_size, config.limit)
    if kind == "folder":
        return FolderCorpus(name, uri, columns, config.shard_size, config.limit)
    return TarCorpus(name, uri, config.limit)
