"""Corrections in Label Studio's JSON export: brush strokes, polygons and rectangles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

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
from .brush import brush_mask
from .shapes import numbers, polygons_mask, rotated_rectangle

_SHAPES = {"brush", "polygon", "rectangle"}
# What may be said of an image or a region without drawing anything.
_WORDS = {"choices", "textarea", "rating", "number", "taxonomy", "datetime", "pairwise", "relation"}
_UPLOADED = re.compile(r"(.*/)?[0-9a-f]{8}-([^/]+)")


def read_labelstudio(uri: str) -> Corrections:
    """Read the tasks of a Label Studio export (format "JSON").

    A task counts as looked at once it has an annotation that was not cancelled; predictions do not count. Of
    several annotations the one that is marked as ground truth is taken. A task names its image in
    ``data.image`` (or the only text of ``data``), and may give its corpus key in ``data.key``.

    Raises:
        CorpusError: the file is no JSON list of tasks.
    """
    fs, path = locate(uri)
    data = fs.cat_file(path)
    tasks = parsed(uri, data)
    if not isinstance(tasks, list):
        raise CorpusError(f'{uri!r} is no list of Label Studio tasks: export the project as "JSON"')
    images: list[ReviewedImage] = []
    faults: list[tuple[str | None, Fault]] = []
    unreviewed = 0
    labels: dict[str, None] = {}
    for task in tasks:
        found = _task(task)
        if isinstance(found, ReviewedImage):
            images.append(found)
            labels |= dict.fromkeys(_labels_of(task))
        elif found is not None:
            faults.append(found)
        else:
            unreviewed += 1
    classes = tuple(sorted(labels.keys() - {BACKGROUND_LABEL}))
    return Corrections(hashlib.sha256(data).hexdigest(), tuple(images), classes, tuple(faults), unreviewed)


def _task(task: Any) -> ReviewedImage | tuple[str | None, Fault] | None:
    """Return the image of a task, what is wrong with it, or None where nobody has looked at it yet."""
    names = _names(task.get("data")) if isinstance(task, dict) else ()
    if not names:
        return None, Fault(ReviewReason.BAD_ENTRY, f"task without data.image: {str(task)[:80]!a}")
    done = _annotations(task)
    if done is None:
        return names[0], Fault(ReviewReason.BAD_ENTRY, "the task's annotations are no list of results")
    if not done:
        return None
    chosen = done if len(done) == 1 else [a for a in done if a.get("ground_truth") is True]
    if len(chosen) != 1:
        detail = f"{len(done)} annotations, {len(chosen)} of them marked as ground truth; mark one"
        return names[0], Fault(ReviewReason.SEVERAL_REVIEWS, detail)
    draw = partial(_draw, tuple(chosen[0]["result"]))
    return ReviewedImage(names, draw, _annotator(chosen[0].get("completed_by")))


def _names(data: Any) -> tuple[str, ...]:
    """Return what a task calls its image: a key, the path in an address, that without an upload's mark."""
    if not isinstance(data, dict):
        return ()
    key = [data["key"]] if is_name(data.get("key")) else []
    texts = [value for value in data.values() if is_name(value)]
    image = data.get("image", texts[0] if len(texts) == 1 else None)
    return tuple(dict.fromkeys([*key, *(_paths(image) if is_name(image) else ())]))


def _paths(image: str) -> Iterator[str]:
    path = image
    if "://" in image or "?d=" in image:
        address = urlsplit(image)
        path = parse_qs(address.query).get("d", [unquote(address.path)])[0]
    yield from (path, unquote(path))
    uploaded = _UPLOADED.fullmatch(path)
    if uploaded:
        yield uploaded[2]


def _annotations(task: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the annotations that were handed in, None where they are none that can be read."""
    found = task.get("annotations")
    if not isinstance(found, list) or not all(isinstance(a, dict) for a in found):
        return None
    done = [a for a in found if not a.get("was_cancelled")]
    readable = all(isinstance(a.get("result"), list) for a in done)
    return done if readable and all(isinstance(r, dict) for a in done for r in a["result"]) else None


def _annotator(who: Any) -> str | None:
    if isinstance(who, dict):
        who = next((who[name] for name in ("email", "username", "id") if who.get(name)), None)
    if isinstance(who, int) and not isinstance(who, bool):
        return str(who)
    return who if is_name(who) else None


def _labels_of(task: Mapping[str, Any]) -> list[str]:
    return [
        label
        for annotation in _annotations(task) or []
        for result in annotation["result"]
        for label in _labels(result)
    ]


def _labels(result: Mapping[str, Any]) -> list[str]:
    """Return the labels of a region: under ``labels``, or under its shape's name and ``labels``."""
    value = result.get("value")
    if not isinstance(value, dict) or result.get("type") in _WORDS:
        return []
    given = next((value[name] for name in value if name.endswith("labels")), None)
    return [label for label in given if is_name(label)] if isinstance(given, list) else []


def _draw(results: tuple[dict[str, Any], ...], height: int, width: int) -> Iterator[Region | Fault]:
    labelled = {str(r.get("id")) for r in results if _labels(r)}
    for result in results:
        labels = _labels(result)
        # Where shape and label come from two tags, a region stands there twice: once without its label.
        twin = not labels and str(result.get("id")) in labelled
        if result.get("type") in _WORDS or twin or labels == [BACKGROUND_LABEL]:
            continue
        what = f"region {str(result.get('id'))[:40]!a}"
        if len(labels) == 1:
            yield _region(result, labels[0], f"{what}, {labels[0]!r}", height, width)
        else:
            yield Fault(ReviewReason.BAD_REGION, f"{what} has {len(labels)} labels; give it one")


def _region(result: Mapping[str, Any], label: str, what: str, height: int, width: int) -> Region | Fault:
    stated = (result.get("original_width"), result.get("original_height"))
    fault = wrong_size(stated, width, height)
    if fault:
        return Fault(fault.reason, f"{what}: {fault.detail}")
    return drawn(label, what, partial(_mask, result, height, width))


def _mask(result: Mapping[str, Any], height: int, width: int) -> NDArray[np.bool_]:
    value, kind = result["value"], str(result.get("type"))
    if kind.removesuffix("labels") not in _SHAPES | {""}:
        raise ValueError(f"a region of type {kind[:40]!a} cannot become a mask")
    if result.get("image_rotation"):
        raise ValueError("it was drawn on a turned image; turn it back in the project")
    if "rle" in value:
        return brush_mask(value["rle"], height, width)
    if "points" in value:
        return polygons_mask([_outline(value["points"], height, width)], height, width)
    sides = [value.get(name) for name in ("x", "y", "width", "height")]
    x, y, w, h, turned = numbers([*sides, value.get("rotation", 0)])
    corner, size = (x / 100 * width, y / 100 * height), (w / 100 * width, h / 100 * height)
    return polygons_mask([rotated_rectangle(corner, size, turned)], height, width)


def _outline(points: Any, height: int, width: int) -> list[float]:
    """Return x0, y0, x1 ... in pixels of points in percent of the image."""
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise ValueError("the points of a polygon must be pairs")
    percent = numbers([place for point in points for place in point])
    return [place / 100 * (height if i % 2 else width) for i, place in enumerate(percent)]
