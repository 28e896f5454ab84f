"""A pool of captioned pictures, drawn in parallel, that the demo weights are trained and judged on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..catalogs.demo import Scene, draw_background, draw_closeup, draw_scene

KINDS: Final = ("closeup", "background", "scene")
_CHUNK: Final = 128


@dataclass(frozen=True)
class Pictures:
    """N square pictures of one kind: ``images`` (N, side, side, 3) uint8 RGB and the captions of each.

    ``things`` holds what each shows, far to near; for judging only.
    """

    images: NDArray[np.uint8]
    captions: tuple[tuple[str, ...], ...]
    things: tuple[tuple[str, ...], ...]


def draw_pictures(kind: str, count: int, side: int, seed: int, workers: int = 1) -> Pictures:
    """Draw ``count`` pictures of a kind in ``KINDS``; captions name every thing, known or not.

    A picture depends on (seed, kind, its index) only, so ``workers`` changes nothing but the time.
    """
    draw = partial(_draw_chunk, kind, side, seed)
    spans = [range(first, min(first + _CHUNK, count)) for first in range(0, count, _CHUNK)]
    if workers == 1:
        chunks = [draw(span) for span in spans]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            chunks = list(pool.map(draw, spans))
    return Pictures(
        np.concatenate([chunk.images for chunk in chunks]),
        tuple(captions for chunk in chunks for captions in chunk.captions),
        tuple(things for chunk in chunks for things in chunk.things),
    )


def draw_scenes(count: int, seed: int) -> Iterator[Scene]:
    """Draw whole scenes at their own size, with truth, in the order of :func:`draw_pictures`."""
    for index in range(count):
        yield _draw("scene", 0, _generator("scene", seed, index))


def _draw_chunk(kind: str, side: int, seed: int, span: range) -> Pictures:
    images = np.empty((len(span), side, side, 3), dtype=np.uint8)
    captions, things = [], []
    for row, index in enumerate(span):
        rng = _generator(kind, seed, index)
        scene = _draw(kind, side, rng)
        images[row] = scene.image if kind != "scene" else _square(scene.image, side, rng)
        captions.append(scene.captions)
        things.append(scene.things)
    return Pictures(images, tuple(captions), tuple(things))


def _draw(kind: str, side: int, rng: np.random.Generator) -> Scene:
    if kind == "closeup":
        return draw_closeup(rng, side)
    if kind == "background":
        return draw_background(rng, side)
    return draw_scene(rng, name_unknown=True)


def _generator(kind: str, seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, KINDS.index(kind), index])


def _square(image: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Resize the short side to ``side`` and keep a random square of the long one, as CLIP's training does."""
    height, width = image.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in small.shape[:2])
    return small[top : top + side, left : left + side]
