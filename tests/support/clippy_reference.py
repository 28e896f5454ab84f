"""CLIPpy derived one pixel at a time, in float64, on two tiny towers."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from maskmill.models.segmenters.clippy_options import ClippyOptions, Towers
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass

Array = NDArray[np.float64]
SIZES = [(14, 23), (21, 13), (1, 1), (14, 23)]
HOUSES = Vocabulary(
    name="houses",
    classes=(
        VocabularyClass(name="background", prompts=("sky", "tree", "a red thing")),
        VocabularyClass(name="house", synonyms=("red house",)),
        VocabularyClass(name="car"),
        VocabularyClass(name="cat", prompts=("cat", "cat", "dog")),
    ),
    templates=("photo of {}", "{}"),
)
VOCABULARIES = [HOUSES, Vocabulary.of([f"thing {n}" for n in range(199)]), Vocabulary.of([]), HOUSES]


def options_of(**given: Any) -> ClippyOptions:
    return ClippyOptions(**{"size": 40, "logit_scale": 20.0, **given})


def towers_of(folders: tuple[Path, Path], **given: Any) -> Towers:
    """Load the image tower and the text tower that lie in two folders."""
    options = options_of(image_tower=str(folders[0]), text_tower=str(folders[1]), **given)
    return Towers(SegmenterConfig(id="clippy", device="cpu"), options)


def images() -> list[NDArray[np.uint8]]:
    """Return noise of the ``SIZES``, (height, width, 3)."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


def tokens_of(towers: Towers, image: NDArray[np.uint8], size: tuple[int, int]) -> tuple[Array, Array, Any]:
    """Return the prefix tokens, the patch tokens in reading order, and the patches' rows and columns."""
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    seen = F.interpolate(picture, size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    found = towers.image.tokens(seen)
    return found.prefix[0].double().numpy(), found.patches[0].double().numpy(), found.grid


def unit(vector: Array) -> Array:
    return vector / np.sqrt((vector**2).sum())


def _prompts(word: str, vocabulary: Vocabulary, options: ClippyOptions) -> list[str]:
    if options.templates == "own":
        return [template.replace("{}", word) for template in vocabulary.templates]
    if options.mode == "released" and options.templates == "auto":
        return [f"a photo of {'an' if word[0] in 'aeiou' else 'a'} {word}"]
    return [word]


def text_rows(towers: Towers, vocabulary: Vocabulary, options: ClippyOptions) -> list[list[Array]]:
    """Return for each class the vectors of which the best counts."""
    each = options.background == "each" or (options.background is None and options.mode == "released")
    rows: list[list[Array]] = []
    for number, named in enumerate(vocabulary.classes):
        per_word = [
            [p.double().numpy() for p in towers.text.embed_prompts(_prompts(word, vocabulary, options))]  # type: ignore[attr-defined]
            for word in named.words
        ]
        groups = per_word if number == 0 and each else [list(itertools.chain(*per_word))]
        rows.append([unit(np.mean(group, axis=0)) for group in groups])
    return rows


def _taps(pixel: int, pixels: int, cells: int) -> list[tuple[int, float]]:
    place = min(max((pixel + 0.5) * cells / pixels - 0.5, 0.0), cells - 1.0)
    low = math.floor(place)
    return [(low, 1 - (place - low)), (min(low + 1, cells - 1), place - low)]


def reference(
    towers: Towers, image: NDArray[np.uint8], vocabulary: Vocabulary, options: ClippyOptions
) -> tuple[NDArray[np.uint16], Array]:
    """Return each pixel's class and its share of the softmax."""
    _, patches, grid = tokens_of(towers, image, (40, 40))
    cells = [unit(patch) for patch in patches]
    rows = text_rows(towers, vocabulary, options)
    cosines = [[np.array([cell @ v for cell in cells]).reshape(grid) for v in vectors] for vectors in rows]
    labels, scores = np.zeros(image.shape[:2], np.uint16), np.zeros(image.shape[:2])
    for y, x in itertools.product(*map(range, image.shape[:2])):
        taps = list(itertools.product(_taps(y, image.shape[0], grid[0]), _taps(x, image.shape[1], grid[1])))
        best = [max(sum(a * b * m[r, c] for (r, a), (c, b) in taps) for m in maps) for maps in cosines]
        shares = np.exp(20.0 * np.array(best))
        labels[y, x], scores[y, x] = int(np.argmax(best)), shares.max() / shares.sum()
    return labels, scores


def pooled(how: str, prefix: Array, patches: Array, text: Array, temperature: float) -> Array:
    """Return the one vector of an image that a pooling makes of its tokens."""
    if how == "tsp":
        weights = np.exp([unit(p) @ text / temperature for p in patches])
        return sum(w * p for w, p in zip(weights, patches, strict=True)) / weights.sum()
    if how == "wmp":
        weights = np.exp(patches / temperature)
        return (weights * patches).sum(0) / weights.sum(0)
    tokens = {"cls": prefix, "max_all": np.concatenate([prefix, patches])}.get(how, patches)
    return tokens.max(0) if how.startswith("max") else tokens.mean(0)
