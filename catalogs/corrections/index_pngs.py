"""Corrections as a folder of index PNGs and a list of classes."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO

import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...schemas.errors import CorpusError
from ...schemas.labelmap import BACKGROUND, IGNORE
from ..exporters.index_png import LAYOUTS
from ..exporters.key_table import KEYS
from ..exporters.name_list import line_name
from ..storage import join, locate, one_line
from .base import (
    BACKGROUND_LABEL,
    Corrections,
    Fault,
    Region,
    ReviewedImage,
    ReviewReason,
    is_name,
    parsed,
    wrong_size,
)
from .key_table import KeyTable

_IGNORE_8_BIT = 255
_LISTS = ("classes.json", "labels.txt")
_DAMAGE = (Image.DecompressionBombError, OSError, SyntaxError, ValueError, EOFError)


def read_index_pngs(uri: str, classes: str | None = None) -> Corrections:
    """Read a folder with one PNG per image, at any depth, named as the image is.

    A pixel is the id of its class: 0 is the background, 255 (65535 in 16 bits) is undecided. PNGs in gray or
    with a palette are read; where there is a folder ``annotations`` or ``gtFine`` (of which the PNGs named
    ``_gtFine_labelTrainIds``), only what lies below it. The files of an export mean the images that its
    ``keys.jsonl``, in the folder or beside it, gives for them, whatever their keys look like.

    Args:
        classes: ``.json`` with a list of ``{"id": 1, "name": "cat"}``, or text with a name a line, the first
            of id 0; default: ``classes.json`` or ``labels.txt`` in the folder or beside it.

    Raises:
        CorpusError: there is no PNG or no list of classes, or a table of keys that cannot be read.
    """
    fs, folder = locate(uri)
    folder, tail = _maps(fs, folder)
    paths = [p for p in sorted(fs.find(folder)) if p.lower().endswith(f"{tail}.png".lower())]
    if not paths:
        raise CorpusError(f"no index PNGs{f' named *{tail}.png' if tail else ''} in {uri!r} or below it")
    names, listed = _classes(*_find_classes(fs, folder, uri, classes))
    keys = _find_keys(fs, folder)
    digest = hashlib.sha256(listed)
    images = []
    for path in paths:
        name = path[len(folder) :].lstrip("/")
        key = keys.key_of(name[: -len(f"{tail}.png")])
        known = f"{name}\0" if key is None else f"{name}\0{key}\0"
        digest.update(f"{known}{hashlib.sha256(fs.cat_file(path)).hexdigest()}\n".encode())
        called = (name, f"{name[: -len(f'{tail}.png')]}.png") if tail else (name,)
        images.append(ReviewedImage(called if key is None else (key,), partial(_draw, fs, path, names)))
    offered = tuple(name for name in dict.fromkeys(names.values()) if name != BACKGROUND_LABEL)
    return Corrections(digest.hexdigest(), tuple(images), offered)


def _maps(fs: fsspec.AbstractFileSystem, folder: str) -> tuple[str, str]:
    """Return where the label maps lie in a folder, and what the names of their files end in."""
    for layout in LAYOUTS.values():
        if fs.isdir(join(folder, layout.maps)):
            return join(folder, layout.maps), layout.map_tail
    inside = next((x for x in LAYOUTS.values() if folder.rstrip("/").endswith(f"/{x.maps}")), None)
    return folder, inside.map_tail if inside else ""


def _find_keys(fs: fsspec.AbstractFileSystem, folder: str) -> KeyTable:
    for place in (folder, folder.rpartition("/")[0]):
        if fs.isfile(join(place, KEYS)):
            return KeyTable.parse(join(place, KEYS), fs.cat_file(join(place, KEYS)))
    return KeyTable({})


def _find_classes(
    fs: fsspec.AbstractFileSystem, folder: str, uri: str, given: str | None
) -> tuple[str, bytes]:
    if given is not None:
        where, path = locate(given)
        return given, where.cat_file(path)
    for place in (folder, folder.rpartition("/")[0]):
        for name in _LISTS:
            if fs.isfile(join(place, name)):
                return join(place, name), fs.cat_file(join(place, name))
    raise CorpusError(f"no classes.json or labels.txt in {uri!r} or beside it; name the list of its classes")


def _classes(uri: str, data: bytes) -> tuple[dict[int, str], bytes]:
    """Return id -> name, and the same as bytes that do not depend on how the list was written."""
    try:
        if uri.lower().endswith(".json"):
            entries = [(entry["id"], entry["name"]) for entry in parsed(uri, data)]
        else:
            lines = data.decode("utf-8").splitlines()
            entries = list(enumerate(line_name(line) for line in lines))
    except (KeyError, TypeError, UnicodeDecodeError) as err:
        raise CorpusError(f"the classes cannot be read from {uri!r}: {one_line(err)}") from err
    names = {number: name for number, name in entries if type(number) is int and is_name(name)}
    if len(names) != len(entries) or not names:
        raise CorpusError(f"every class in {uri!r} needs a name, and a whole number of its own as id")
    return names, json.dumps(sorted(names.items())).encode()


def _draw(
    fs: fsspec.AbstractFileSystem, path: str, names: Mapping[int, str], height: int, width: int
) -> Iterator[Region | Fault]:
    ids = _ids(fs.cat_file(path), height, width)
    if isinstance(ids, Fault):
        yield ids
        return
    undecided = _IGNORE_8_BIT if ids.dtype == np.uint8 else IGNORE
    for number in np.unique(ids).tolist():
        if number == undecided:
            yield Region(None, ids == number)
        elif number != BACKGROUND and number not in names:
            yield Fault(ReviewReason.UNKNOWN_LABEL, f"class id {number} is not in the list of classes")
        elif number != BACKGROUND and names[number] != BACKGROUND_LABEL:
            yield Region(names[number], ids == number)


def _ids(data: bytes, height: int, width: int) -> NDArray[np.integer] | Fault:
    """Return the (height, width) class ids, uint8 or wider as they were stored."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=("PNG",)) as image:
                fault = wrong_size(image.size, width, height)
                ids = None if fault else np.asarray(image)
    except _DAMAGE as err:
        return Fault(ReviewReason.BAD_REGION, f"the PNG cannot be read: {one_line(err)}")
    if fault:
        return fault
    if ids is None or ids.ndim != 2 or ids.dtype.kind not in "ui":
        return Fault(ReviewReason.BAD_REGION, f"no index PNG: it has mode {image.mode!r}")
    return ids
