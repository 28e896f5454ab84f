"""Images that are files of their own, by key: of an image folder, or named by a COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ...schemas.errors import CorpusError
from ..corpora import CocoCorpus, FolderCorpus
from ..corpora.folder_index import is_image, read_index
from ..corpora.image_files import image_folder
from ..storage import full_uri, join, locate, read_bytes, reported_as


class FileImages:
    """Some images of a corpus of files, in the order of ``names``; None for one that is not there.

    Args:
        folder: URI that the names lie below.
    """

    def __init__(self, folder: str, names: Sequence[str | None]) -> None:
        self._fs, self._folder = locate(folder)
        self._names = names

    def load(self, row: int) -> bytes | None:
        name = self._names[row]
        if name is None:
            return None
        path = join(self._folder, name)
        with reported_as(CorpusError, f"image {path!r} cannot be read"):
            try:
                return read_bytes(self._fs, path)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return None


class FileNames:
    """Key -> file name of a whole corpus, about 200 bytes for each image.

    Raises:
        CorpusError: the corpus is gone or is no such corpus.
    """

    def __init__(self, corpus: CocoCorpus | FolderCorpus) -> None:
        with reported_as(CorpusError, f"corpus {corpus.uri!r} cannot be read"):
            if isinstance(corpus, FolderCorpus):
                self._folder, found = corpus.uri, _in_folder(corpus)
            else:
                self._folder, found = full_uri(*image_folder(corpus.uri, corpus.images)), _in_json(corpus)
            self._names: dict[str, str] = {}
            for key, name in found:
                self._names.setdefault(key, name)

    def images(self, keys: Sequence[str]) -> FileImages:
        return FileImages(self._folder, [self._names.get(key) for key in keys])


def _in_folder(corpus: FolderCorpus) -> Iterator[tuple[str, str]]:
    fs, path = locate(corpus.uri)
    fs.invalidate_cache()
    if not fs.isdir(path):
        raise CorpusError(f"no corpus at {corpus.uri!r}: there is no such folder")
    for entry in read_index(fs, path, corpus.columns).entries:
        if entry.problem is None and is_image(entry.path):
            yield entry.key, entry.path


def _in_json(corpus: CocoCorpus) -> Iterator[tuple[str, str]]:
    fs, path = locate(corpus.uri)
    body: Mapping[str, Any] = json.loads(fs.cat_file(path))
    names = (image.get("file_name") for image in body["images"] if isinstance(image, dict))
    for name in sorted(name for name in names if isinstance(name, str) and PurePosixPath(name).name):
        if not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts:
            yield str(PurePosixPath(name).with_suffix("")), name
