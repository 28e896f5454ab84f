"""CLIPpy's poolings (Appendix A.2, Tables 12 and 14) and its grouping, on drawn scenes and the demo's CLIP.

Usage: python benchmarks/clippy_pooling.py [--scenes 60] [--seed 7] [--threads 1]

The paper trains a model for each pooling. Here nothing is trained: dense features of the demo's CLIP, which
pools by attention, stand in for patch tokens, at 448 pixels; they have unit norm, so that temperatures 1 and
10 are close to the mean for WMP. So Table 14 says here how well each pooling reads the same tokens:
image-level AP, and mIoU and Jaccard of a segmentation that may answer with nothing but the classes which the
pooled image ranks first, as many as the scene holds. "what is there" is told them instead. In Table 12 the
text's tokens are pooled; CLIP reads its last one. Numbers come with standard errors over scenes.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ablation_order import Estimate, miou_of, order_lines, ratio_of, resamples, table_lines
from demo_scenes import Scene, held_out
from numpy.typing import NDArray
from paper_tables import PaperTable
from torch import Tensor

from maskmill.models.clippy.grouping import group_similarity
from maskmill.models.encoders.clip import ClipEncoder, load_clip
from maskmill.models.metrics import ConfusionMatrix, grouping_jaccard
from maskmill.models.segmenters.clippy import Clippy
from maskmill.models.segmenters.clippy_options import ClippyOptions, Towers
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.vocabulary import Vocabulary, load_vocabulary

TABLE_12 = PaperTable(
    "CLIPpy, Table 12: pooling of the text's tokens (mIoU)",
    ("VOC", "COCO", "ADE-20K"),
    {"average": (50.8, 23.8, 13.1), "max": (42.6, 18.9, 10.5)},
)
TABLE_14 = PaperTable(
    "CLIPpy, Table 14: pooling of the image's tokens (mIoU; a model trained for each)",
    ("VOC", "COCO"),
    {
        "max": (37.39, 17.32),
        "WMP 0.1": (31.12, 13.64),
        "WMP 1": (0.0, 0.0),
        "WMP 10": (3.53, 0.0),
        "TSP 0.1": (2.98, 0.0),
        "TSP 1": (4.91, 1.25),
        "TSP 10": (15.83, 4.27),
    },
)
TABLE_14_IMAGES = {"max": 27.05, "WMP 0.1": 28.36, "WMP 1": 0.0, "WMP 10": 0.0} | {
    "TSP 0.1": 0.0,
    "TSP 1": 20.15,
    "TSP 10": 24.70,
}
POOLINGS: dict[str, dict[str, Any]] = {
    "max": {"pooling": "max"},
    **{f"WMP {t:g}": {"pooling": "wmp", "temperature": t} for t in (0.01, 0.1, 1.0, 10.0)},
    **{f"TSP {t:g}": {"pooling": "tsp", "temperature": t} for t in (0.01, 0.1, 1.0, 10.0)},
    "average": {"pooling": "average"},
    "max with CLS": {"pooling": "max_all"},
    "CLS, as trained": {"pooling": "cls"},
}
THERE = "what is there"
BASE: dict[str, Any] = {"image_tower": "clip", "text_tower": "clip", "size": 448, "templates": "own"}
Values = dict[str, list[Any]]


class PooledText:
    """The demo's text tower, its tokens pooled over the text instead of the last one read."""

    def __init__(self, encoder: ClipEncoder, how: str) -> None:
        self._encoder, self._how = encoder, how
        self.id, self.sha256 = f"{encoder.id}:{how}", encoder.sha256
        self._tokenizer = encoder._texts._tokenizer

    @torch.no_grad()
    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        return torch.stack([self._mean(c.words, vocabulary.templates) for c in vocabulary.classes])

    def _mean(self, words: Sequence[str], templates: Sequence[str]) -> Tensor:
        prompts = [template.replace("{}", word) for template in templates for word in words]
        return F.normalize(torch.stack([self._embed(p) for p in prompts]).mean(0), dim=0)

    def _embed(self, prompt: str) -> Tensor:
        model, tokens = self._encoder.model, self._tokenizer([prompt])
        length = int(tokens.argmax()) + 1
        states = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
        states = model.transformer(states, attn_mask=model.attn_mask[:length, :length])
        projected = (model.ln_final(states) @ model.text_projection)[0]
        return F.normalize(projected.amax(0) if self._how == "max" else projected.mean(0), dim=0)


def average_precision(scores: NDArray[np.float64], held: NDArray[np.bool_]) -> float:
    """Return the mean over held classes of the precision at their rank."""
    order = np.argsort(-scores)
    hits = held[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def answer(logits: Tensor, scores: NDArray[np.float64], count: int) -> NDArray[np.uint16]:
    """Label by the background and the ``count`` classes with the best scores, (H, W)."""
    allowed = torch.full((len(logits), 1, 1), -torch.inf)
    allowed[0] = 0
    allowed[1 + np.argsort(-scores)[:count]] = 0
    return (logits + allowed).argmax(0).numpy().astype(np.uint16)


def judge(labels: NDArray[np.uint16], scene: Scene, classes: int) -> tuple[NDArray[np.int64], float]:
    """Return the counts of one scene and its Jaccard similarity, which knows no names."""
    counts = ConfusionMatrix(classes).update(labels, scene.truth).counts
    return counts, grouping_jaccard(labels, scene.truth)


def pooled_rows(towers: Towers, scenes: Sequence[Scene]) -> tuple[Values, Values, Values]:
    """Return pooling -> counts, Jaccard and AP of each scene."""
    vocabulary = load_vocabulary("demo")
    total = len(vocabulary.classes)
    methods = {name: Clippy(towers, ClippyOptions(**BASE | extra)) for name, extra in POOLINGS.items()}
    counts, jaccard, precision = defaultdict(list), defaultdict(list), defaultdict(list)
    for scene in scenes:
        (logits,) = methods["max"].logits([scene.image], [vocabulary])
        held = np.isin(np.arange(1, total), scene.truth)
        told = {THERE: held.astype(np.float64)}
        for name, method in methods.items():
            told[name] = method.image_scores([scene.image], vocabulary)[0, 1:].double().numpy()
        for name, scores in told.items():
            one, two = judge(answer(logits, scores, int(held.sum())), scene, total)
            counts[name].append(one)
            jaccard[name].append(two)
            precision[name].append(average_precision(scores, held))
    return counts, jaccard, precision


def text_rows(towers: Towers, scenes: Sequence[Scene], encoder: ClipEncoder) -> Values:
    """Return text pooling or background rule -> counts of each scene, every class asked for."""
    vocabulary, rows = load_vocabulary("demo"), {}
    for how in ("average", "max"):
        towers.text = PooledText(encoder, how)
        rows[how] = Clippy(towers, ClippyOptions(**BASE))
    towers.text = encoder
    rows["last token, as trained"] = Clippy(towers, ClippyOptions(**BASE))
    rows["bare words"] = Clippy(towers, ClippyOptions(**BASE | {"templates": "bare"}))
    counts: Values = defaultdict(list)
    for scene in scenes:
        for name, method in rows.items():
            labels = method([scene.image], [vocabulary])[0].labels
            counts[name].append(judge(labels, scene, len(vocabulary.classes))[0])
    return counts


def group_rows(towers: Towers, scenes: Sequence[Scene]) -> Values:
    """Return how groups are made -> Jaccard of each scene."""
    rows: Values = defaultdict(list)
    for scene in scenes:
        pixels = torch.from_numpy(scene.image).permute(2, 0, 1)[None].float() / 255
        seen = F.interpolate(pixels, (448, 448), mode="bicubic", antialias=True).clamp(0, 1)
        tokens = towers.image.tokens(seen)
        features = tokens.patches[0].T.unflatten(1, tokens.grid)
        for count in (2, 4, 8, 16):
            for centred in (True, False):
                values = group_similarity(features, count, centred)[None]
                groups = F.interpolate(values, scene.truth.shape, mode="bilinear")[0].argmax(0).numpy()
                rows[f"n = {count}{', centred' if centred else ''}"].append(
                    grouping_jaccard(groups, scene.truth)
                )
        rows["one group"].append(grouping_jaccard(np.zeros_like(scene.truth), scene.truth))
    return rows


def saving(classes: int, channels: int = 768) -> None:
    """Time enlarging cosines against enlarging channels, 14 x 14 tokens to 375 x 500 pixels."""
    tokens = F.normalize(torch.randn(1, channels, 14, 14), dim=1)
    texts = F.normalize(torch.randn(classes, channels), dim=1)
    seconds, results = [], []
    for first in (False, True):
        began = time.perf_counter()
        small = torch.einsum("ce,behw->bchw", texts, tokens) if first else tokens
        large = F.interpolate(small, (375, 500), mode="bilinear")
        results.append(large if first else torch.einsum("ce,behw->bchw", texts, large))
        seconds.append(time.perf_counter() - began)
    difference = float((results[0] - results[1]).abs().max())
    before, after = seconds
    said = f"{before:.3f} s, {after:.3f} s, ratio {before / after:.0f}, greatest difference {difference:.0e}"
    print(f"{classes:>4} classes: {said}")


def means(rows: Values, weights: NDArray[np.int64]) -> dict[str, Estimate]:
    ones = np.ones(weights.shape[1])
    return {name: ratio_of(np.array(values), ones, weights) for name, values in rows.items()}


def plain(title: str, rows: dict[str, Estimate]) -> None:
    print(f"\n{title}")
    for name, estimate in rows.items():
        print(f"{name:<26}{100 * estimate.value:>8.1f}{100 * estimate.error:>7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scenes = [s for s in held_out(arguments.seed, arguments.scenes) if s.truth.any()]
    weights = resamples(len(scenes))
    print(f"{len(scenes)} scenes, seed {arguments.seed}\n")
    towers = Towers(SegmenterConfig(id="clippy", clip="demo", device="cpu"), ClippyOptions(**BASE))
    counts, jaccard, precision = pooled_rows(towers, scenes)
    miou = {name: miou_of(np.stack(rows), weights) for name, rows in counts.items()}
    print("\n".join(table_lines(TABLE_14, miou)))
    images = means(precision, weights)
    plain("Image-level AP of the pooled image (%, s.e.)", images)
    print("\n".join(order_lines(TABLE_14_IMAGES, "ImageNet of Table 14", images)))
    plain("Jaccard of those segmentations (%, s.e.)", means(jaccard, weights))
    found = text_rows(towers, scenes, load_clip("demo", "cpu"))
    texts = {name: miou_of(np.stack(rows), weights) for name, rows in found.items()}
    print("\n" + "\n".join(table_lines(TABLE_12, texts)))
    print("\nEnlarge 768 channels and multiply, or multiply and enlarge the cosines")
    for classes in (21, 150):
        saving(classes)
    plain("Bottom-up grouping, Sec. 3.5 (Jaccard in %, s.e.)", means(group_rows(towers, scenes), weights))


if __name__ == "__main__":
    main()
