"""Images of a dataset and their ground truth, paired by what its folders hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import fsspec

from ...schemas.errors import CorpusError
from ..storage import fingerprint, join

Place = tuple[fsspec.AbstractFileSystem, str]


@dataclass(frozen=True)
class Pair:
    """One image and its ground truth, by their paths; ``state`` changes when the image file does."""

    key: str
    image: str
    truth: str
    state: str


class NotThereError(Exception):
    """A part of a dataset is missing; the text says which."""


Lister = Callable[[Place, str], list[Pair]]


@dataclass(frozen=True)
class ByList:
    """Pairs that a text file names, one key a line; ``{}`` stands for the split, or for the key."""

    keys: str
    image: str
    truth: str

    def __call__(self, place: Place, split: str) -> list[Pair]:
        fs, root = place
        path = join(root, self.keys.format(split))
        try:
            text = fs.cat_file(path).decode("utf-8")
        except FileNotFoundError as err:
            raise NotThereError(self.keys.format(split)) from err
        keys = [line.split()[0] for line in text.splitlines() if line.strip()]
        named = {key: (self.image.format(key), self.truth.format(key)) for key in keys}
        return _paired(place, named)


@dataclass(frozen=True)
class ByFolder:
    """Pairs of files of equal name in two folders, looked for in any depth; files of converted ids
    (``TrainIds``), which other tools leave there, are passed over.

    Args:
        images, truths: alternatives of one folder, the first that is there counts; ``{}`` is the split.
        image_end, truth_end: what follows the key in the file names.
    """

    images: tuple[str, ...]
    truths: tuple[str, ...]
    image_end: str
    truth_end: str

    def __call__(self, place: Place, split: str) -> list[Pair]:
        fs, root = place
        images, truths = (_folder(place, names, split) for names in (self.images, self.truths))
        found = _files(fs, join(root, truths), self.truth_end)
        keys = (name.removesuffix(self.truth_end) for name in found)
        named = {
            key: (f"{images}/{key}{self.image_end}", f"{truths}/{key}{self.truth_end}")
            for key in sorted(keys)
        }
        if not named:
            raise NotThereError(f"{truths}/*{self.truth_end}")
        return _paired(place, named)


def _folder(place: Place, names: Iterable[str], split: str) -> str:
    fs, root = place
    filled = [name.format(split) for name in names]
    for name in filled:
        if fs.isdir(join(root, name)):
            return name
    raise NotThereError(" or ".join(filled))


def _paired(place: Place, named: Mapping[str, tuple[str, str]]) -> list[Pair]:
    """Check that all files are there, with one listing for each folder."""
    fs, root = place
    states: dict[str, str] = {}
    for folder in sorted({_top(path) for pair in named.values() for path in pair}):
        infos = fs.find(join(root, folder), detail=True)
        states |= {name: fingerprint(info) for name, info in infos.items()}
    pairs = []
    for key, (image, truth) in named.items():
        for path in (image, truth):
            if join(root, path) not in states:
                raise NotThereError(path)
        full = join(root, image)
        pairs.append(Pair(key, full, join(root, truth), states[full]))
    return pairs


def _top(path: str) -> str:
    return path.rpartition("/")[0]


def _files(fs: fsspec.AbstractFileSystem, folder: str, end: str) -> list[str]:
    start = len(folder.rstrip("/")) + 1
    return [name[start:] for name in fs.find(folder) if name.endswith(end) and "TrainIds" not in name]


def find_root(place: Place, inner: tuple[str, ...], proof: str, split: str) -> Place:
    """Return the place of a dataset that may lie in a folder of that name below the one given.

    Args:
        inner: such folders, e.g. ``VOC2012``.
        proof: a path that the dataset has; ``{}`` is the split.
    """
    fs, root = place
    first = re.split(r"[*?]", proof.format(split))[0].rstrip("/")
    for folder in (root, *(join(root, name) for name in inner)):
        if fs.exists(join(folder, first)):
            return fs, folder
    return place


def missing(layout: str, uri: str, what: str, tree: str) -> CorpusError:
    """Return the error that shows a user the tree that was looked for."""
    return CorpusError(f"no {layout} dataset at {uri!r}: there is no {what}; expected\n{tree}")
