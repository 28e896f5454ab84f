"""What is computed once in zero-guidance segmentation, against computing it again for every segment.

Usage: python benchmarks/zero_guidance_savings.py [--model ViT-B-16] [--segments 12] [--threads 1]

Weights are random: time does not depend on them. Both sides of every row give the same numbers; the last
column is their greatest difference (for labels, the share that differs). Both sides run in this process, one
after the other, and the median of three runs is shown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from maskmill.models.encoders.clip import ClipEncoder, ClipWeights
from maskmill.models.encoders.vit import Qkv, VitTrunk
from maskmill.models.zero_guidance.agglomeration import ward_linkage
from maskmill.models.zero_guidance.language import embed_texts
from maskmill.models.zero_guidance.masked_attention import MaskRule, segment_attention, weight_saliency
from maskmill.models.zero_guidance.refinement import Crf, kernels_of, refine
from maskmill.models.zero_guidance.retrieval import load_nouns
from maskmill.models.zero_guidance.segment_encoders import MaskedTransformer, token_mask

RUNS = 3


def timed(work: Callable[[], NDArray | Tensor]) -> tuple[float, NDArray]:
    """Return the median seconds of three runs, and the result."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), np.asarray(result)


def row(name: str, slow: Callable[[], NDArray | Tensor], fast: Callable[[], NDArray | Tensor]) -> None:
    (before, one), (after, two) = timed(slow), timed(fast)
    difference = np.abs(one.astype(np.float64) - two.astype(np.float64)).max()
    print(f"{name:<46}{before:>9.3f}{after:>9.3f}{before / after:>8.1f}{difference:>12.1e}", flush=True)


def segment_masks(count: int, size: int = 224) -> Tensor:
    """Return vertical stripes, (count, size, size)."""
    edges = torch.linspace(0, size, count + 1).round().long()
    place = torch.arange(size)
    inside = (place >= edges[:-1, None]) & (place < edges[1:, None])
    return inside[:, None, :].expand(-1, size, -1).float()


def whole_towers(clip: ClipEncoder, image: Tensor, masks: Tensor, rule: MaskRule) -> Tensor:
    """Run the whole tower for every segment, as a masked encoder does that shares nothing."""
    trunk, vectors = VitTrunk(clip.visual), []
    for mask in masks:
        tokens = trunk.embed(((image - clip.mean) / clip.std)[None])
        weights = token_mask(mask[None], trunk.grid(image[None]), trunk.prefix)
        for index in range(trunk.depth):
            block = trunk.block(index)
            qkv = block.qkv(tokens)
            masked = index >= trunk.depth - rule.layers
            attended = segment_attention(qkv, weights, rule) if masked else block.attend(qkv)
            tokens = block.finish(tokens, block.output(attended))
        vectors.append(trunk.pool(tokens))
    return F.normalize(torch.cat(vectors), dim=-1)


def written_out(qkv: Qkv, mask: Tensor) -> Tensor:
    """Return the cosine of attention weights with the masked weights written out."""
    p = ((qkv.query @ qkv.key.transpose(-2, -1)) * qkv.query.shape[-1] ** -0.5).softmax(-1)
    masked = p * mask[:, None, None]
    masked = masked / masked.sum(-1, keepdim=True)
    return F.cosine_similarity(p.expand_as(masked), masked, dim=-1).mean((1, 2))


def field_by_label(unary: NDArray, image: NDArray[np.uint8], crf: Crf) -> NDArray:
    """Mean field with the filters built for every label, and run label by label."""
    kernels = [kernels_of(image, crf) for _ in unary]
    belief = np.exp(-unary) / np.exp(-unary).sum(0)
    for _ in range(crf.steps):
        messages = np.empty_like(belief)
        for label in range(len(belief)):
            messages[label] = sum(w * kernel(belief[label : label + 1])[0] for w, kernel in kernels[label])
        logits = messages - unary
        exps = np.exp(logits - logits.max(0))
        belief = (exps / exps.sum(0)).astype(np.float32)
    return belief.argmax(0)


def measure_encoder(model: str, segments: int) -> ClipEncoder:
    torch.manual_seed(0)
    weights = ClipWeights(model, "0" * 64)
    tokenizer = open_clip.get_tokenizer(model)
    clip = ClipEncoder(open_clip.create_model(model), tokenizer, weights, torch.device("cpu"))
    image, masks = torch.rand(3, clip.image_size, clip.image_size), segment_masks(segments)
    rule = MaskRule()
    encoder = MaskedTransformer(clip, rule)
    row(
        f"{model}, {segments} segments: trunk shared",
        lambda: whole_towers(clip, image, masks, rule),
        lambda: encoder.see(image)(masks),
    )
    qkv = Qkv(*torch.randn(3, 1, 12, 197, 64))
    tokens = token_mask(masks, (14, 14), 1)
    row(
        "released saliency as a matrix product",
        lambda: written_out(qkv, tokens),
        lambda: weight_saliency(qkv, tokens),
    )
    return clip


def measure_field(segments: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (14, 19, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    unary = rng.uniform(0, 1, (segments, *image.shape[:2])).astype(np.float32)
    crf = Crf(steps=2)
    row(
        f"random field over {segments} labels, {image.shape[1]}x{image.shape[0]}",
        lambda: field_by_label(unary, image, crf),
        lambda: refine(unary, image, crf),
    )


def measure_texts(clip: ClipEncoder, segments: int) -> None:
    nouns = load_nouns("nouns")[:200]
    matrix = embed_texts(clip, nouns).repeat(6, 1)
    vectors = F.normalize(torch.randn(segments, matrix.shape[1]), dim=1)
    row(
        f"{len(matrix)} texts: one product for all segments",
        lambda: torch.stack([matrix @ vector for vector in vectors]),
        lambda: vectors @ matrix.T,
    )


def measure_ward() -> None:
    print(f"\n{'exact Ward of n positions (384 values each)':<46}{'seconds':>9}{'GB':>9}")
    rng = np.random.default_rng(0)
    for n in (784, 3025, 6000):
        features = rng.normal(size=(n, 384)).astype(np.float32)
        began = time.perf_counter()
        ward_linkage(features / np.linalg.norm(features, axis=1, keepdims=True))
        print(f"{n:<46}{time.perf_counter() - began:>9.2f}{8e-9 * n * (n - 1):>9.2f}", flush=True)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--segments", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{'saving':<46}{'again s':>9}{'once s':>9}{'ratio':>8}{'difference':>12}")
    clip = measure_encoder(arguments.model, arguments.segments)
    measure_field(arguments.segments)
    measure_texts(clip, arguments.segments)
    measure_ward()


if __name__ == "__main__":
    main()
