"""Waterbirds: birds cut out of their photographs and shown in a place of their own or of the other kind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from ...schemas.errors import CorpusError
from ...schemas.samples import BadSample
from ..corpora.image_files import load_file
from ..storage import join, locate, reported_as
from .listing import missing

_TREE = """\
waterbird_complete95_forest2water2/
  metadata.csv          img_id,img_filename,y,split,place,place_filename
  001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg"""
_SPLITS = {"train": 0, "val": 1, "test": 2}
_METADATA = "metadata.csv"


@dataclass(frozen=True)
class BirdRow:
    """One image: ``bird`` and ``place`` are 0 for land and 1 for water."""

    key: str
    path: str
    bird: int
    place: int


def waterbirds(uri: str, split: str = "test") -> tuple[BirdRow, ...]:
    """Return the images of a split in the order of the metadata.

    Raises:
        CorpusError: the folder has another layout, or its metadata cannot be read.
    """
    if split not in _SPLITS:
        raise CorpusError(f"waterbirds have no split {split!r}: there are {', '.join(_SPLITS)}")
    with reported_as(CorpusError, f"waterbirds {uri!r} cannot be read"):
        fs, root = locate(uri)
        if not fs.exists(join(root, _METADATA)):
            raise missing("waterbirds", uri, _METADATA, _TREE)
        text = fs.cat_file(join(root, _METADATA)).decode("utf-8")
        rows = list(csv.DictReader(io.StringIO(text)))
    try:
        chosen = [row for row in rows if int(row["split"]) == _SPLITS[split]]
        return tuple(_row(row, root) for row in chosen)
    except (KeyError, ValueError, TypeError) as err:
        raise CorpusError(
            f"{_METADATA} of waterbirds {uri!r} cannot be read ({type(err).__name__} {err}); "
            f"expected\n{_TREE}"
        ) from err


def bird_images(uri: str, rows: tuple[BirdRow, ...]) -> Iterator[bytes]:
    """Yield the bytes of the image files.

    Raises:
        CorpusError: one is missing.
    """
    fs, _ = locate(uri)
    for row in rows:
        data = load_file(row.key, fs, row.path)
        if isinstance(data, BadSample):
            raise CorpusError(f"waterbirds image {row.key!r} cannot be read: {data.detail}")
        yield data


def _row(row: dict[str, str], root: str) -> BirdRow:
    name = row["img_filename"]
    bird, place = int(row["y"]), int(row["place"])
    if not {bird, place} <= {0, 1}:
        raise ValueError(f"y and place of {name!r} must be 0 or 1")
    return BirdRow(name.rpartition(".")[0], join(root, name), bird, place)
