"""Corrections in COCO's instances JSON."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ...schemas.errors import CorpusError
from ..storage import locate
from .base import (
    BACKGROUND_LABEL,
    Corrections,
    Fault,
    Region,
    ReviewedImage,
    ReviewReason,
    drawn,
    is_name,
    parsed,
    wrong_size,
)
from .shapes import polygons_mask, rle_mask

Named = tuple[str | None, Fault]


def read_coco(uri: str) -> Corrections:
    """Read the images, polygons and RLEs of a COCO JSON.

    Every image that is listed counts as looked at, also one without annotations. Annotations of a category
    named ``background`` are passed over; a crowd is a region of its category like any other. An image may
    name its corpus key (``key``) and who looked at it (``annotator``) beside the usual fields.

    Raises:
        CorpusError: the file is no COCO JSON, or a category has no id and name of its own.
    """
    fs, path = locate(uri)
    data = fs.cat_file(path)
    body = parsed(uri, data)
    if not isinstance(body, dict) or not all(
        isinstance(body.get(part), list) for part in ("images", "annotations", "categories")
    ):
        raise CorpusError(f"{uri!r} is no COCO JSON: it needs lists 'images', 'annotations' and 'categories'")
    categories = _categories(uri, body["categories"])
    of_image, faults = _by_image(body)
    images: list[ReviewedImage] = []
    seen: set[str] = set()
    for entry in body["images"]:
        found = _image(entry, of_image, categories, seen)
        if isinstance(found, ReviewedImage):
            images.append(found)
        else:
            faults.append(found)
    classes = tuple(name for name in dict.fromkeys(categories.values()) if name != BACKGROUND_LABEL)
    return Corrections(hashlib.sha256(data).hexdigest(), tuple(images), classes, tuple(faults))


def _categories(uri: str, entries: list[Any]) -> dict[str, str]:
    categories: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not is_name(entry.get("name")) or not _is_id(entry.get("id")):
            raise CorpusError(f"{uri!r} has a category without id or name: {str(entry)[:80]!a}")
        if str(entry["id"]) in categories:
            raise CorpusError(f"{uri!r} has two categories with id {entry['id']!r}")
        categories[str(entry["id"])] = entry["name"]
    return categories


def _by_image(body: Mapping[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], list[Named]]:
    """Return the annotations of each image, and the faults of those that belong to none."""
    listed = {str(entry.get("id")) for entry in body["images"] if isinstance(entry, dict)}
    of_image: dict[str, list[dict[str, Any]]] = defaultdict(list)
    faults: list[Named] = []
    for annotation in body["annotations"]:
        owner = str(annotation.get("image_id")) if isinstance(annotation, dict) else None
        if owner is not None and owner in listed:
            of_image[owner].append(annotation)
        else:
            detail = f"annotation of an image that is not listed: {str(annotation)[:80]!a}"
            faults.append((None, Fault(ReviewReason.BAD_ENTRY, detail)))
    return of_image, faults


def _image(
    entry: Any, of_image: Mapping[str, list[dict[str, Any]]], categories: Mapping[str, str], seen: set[str]
) -> ReviewedImage | Named:
    """Return an image of the list, or what is wrong with its entry; ``seen`` collects the ids."""
    if not isinstance(entry, dict) or not is_name(entry.get("file_name")) or not _is_id(entry.get("id")):
        return None, Fault(ReviewReason.BAD_ENTRY, f"image without id or file_name: {str(entry)[:80]!a}")
    name, identity = entry["file_name"], str(entry["id"])
    if identity in seen:
        return name, Fault(ReviewReason.BAD_ENTRY, f"another image has the id {identity}")
    seen.add(identity)
    names = (entry["key"], name) if is_name(entry.get("key")) else (name,)
    annotator = entry["annotator"] if is_name(entry.get("annotator")) else None
    stated = (entry.get("width"), entry.get("height"))
    draw = partial(_draw, stated, tuple(of_image.get(identity, ())), categories)
    return ReviewedImage(names, draw, annotator)


def _draw(
    stated: tuple[object, object],
    annotations: tuple[dict[str, Any], ...],
    categories: Mapping[str, str],
    height: int,
    width: int,
) -> Iterator[Region | Fault]:
    fault = wrong_size(stated, width, height)
    if fault:
        yield fault
        return
    for annotation in annotations:
        what = f"annotation {str(annotation.get('id'))[:40]!a}"
        label = categories.get(str(annotation.get("category_id")))
        if label is None:
            category = str(annotation.get("category_id"))[:40]
            yield Fault(ReviewReason.UNKNOWN_LABEL, f"{what} has category {category!a}, which is not listed")
        elif label != BACKGROUND_LABEL:
            segmentation = annotation.get("segmentation")
            shape = polygons_mask if isinstance(segmentation, list) else rle_mask
            yield drawn(label, f"{what}, {label!r}", partial(shape, segmentation, height, width))


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
