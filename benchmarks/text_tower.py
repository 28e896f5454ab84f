"""Text embedding: prompts cut at their end token against 77 tokens each, and caches against embedding anew.

Usage: python benchmarks/text_tower.py [--classes 12] [--templates 80] [--tower 512,8,12] [--threads 1]

The text tower is of the size of ViT-B/32's (width 512, 8 heads, 12 layers) with random weights, since weights
change no time. Whole prompts go through open_clip's own `encode_text`, 256 at a time; cut ones through
`ClassTexts`, which sorts them by length first. Class names are the first of PASCAL VOC, the
templates CLIP's for ImageNet. The embeddings of both are compared in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from maskmill.models.encoders.classes import ClassTexts
from maskmill.models.encoders.text import TextTower
from maskmill.models.encoders.text_cache import TextCache
from maskmill.schemas.templates import load_templates
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass, load_vocabulary

IMAGE_TOWER = {"image_size": 32, "layers": 1, "width": 64, "head_width": 64, "patch_size": 16}
CPU = torch.device("cpu")


def random_model(width: int, heads: int, layers: int) -> open_clip.CLIP:
    """Build a CLIP whose text tower has this size and random weights."""
    torch.manual_seed(0)
    text = {"context_length": 77, "vocab_size": 49408, "width": width, "heads": heads, "layers": layers}
    return open_clip.CLIP(512, IMAGE_TOWER, text, quick_gelu=True).eval()


def whole(model: open_clip.CLIP, vocabulary: Vocabulary) -> Tensor:
    """Embed every prompt at 77 tokens; classes are means, as in CLIP's own notebook."""
    prompts = [t.replace("{}", c.name) for c in vocabulary.classes for t in vocabulary.templates]
    tokens = open_clip.get_tokenizer("ViT-B-32")(prompts)
    with torch.no_grad():
        units = torch.cat([model.encode_text(part, normalize=True) for part in tokens.split(256)])
    return F.normalize(units.unflatten(0, (len(vocabulary.classes), -1)).mean(dim=1), dim=-1)


def texts(model: open_clip.CLIP, cache: TextCache | None) -> ClassTexts:
    """Return what an encoder uses; a new one knows nothing, as after the start of a process."""
    return ClassTexts(open_clip.get_tokenizer("ViT-B-32"), TextTower(model, CPU), "random", cache)


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--templates", default="80", help="1, 80, 85 or a file")
    parser.add_argument("--tower", default="512,8,12", help="width, heads, layers")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = [c.name for c in load_vocabulary("voc21").classes[1 : arguments.classes + 1]]
    vocabulary = Vocabulary(
        name="benchmark",
        classes=tuple(VocabularyClass(name=n) for n in names),
        templates=load_templates(arguments.templates),
    )
    model = random_model(*map(int, arguments.tower.split(",")))
    compare(model, vocabulary)


def compare(model: open_clip.CLIP, vocabulary: Vocabulary) -> None:
    """Print the table."""
    count = len(vocabulary.classes) * len(vocabulary.templates)
    texts(model, None).embed(Vocabulary.of(["warm up"]))
    full, slow = timed(lambda: whole(model, vocabulary))
    with tempfile.TemporaryDirectory() as folder:
        cache = TextCache(Path(folder))
        first = texts(model, cache)
        rows = {
            "cut at the end token": timed(lambda: first.embed(vocabulary)),
            "kept in memory": timed(lambda: first.embed(vocabulary)),
            "kept on disk, new process": timed(lambda: texts(model, cache).embed(vocabulary)),
        }
    print(f"{len(vocabulary.classes)} classes x {len(vocabulary.templates)} templates = {count} prompts")
    print(f"{'method':<28}{'s':>9}{'prompts/s':>12}{'x whole':>10}   largest difference")
    print(f"{'whole, 77 tokens':<28}{slow:>9.3f}{count / slow:>12.0f}{1:>10.1f}")
    for name, (found, seconds) in rows.items():
        apart = float((found - full).abs().max())
        print(f"{name:<28}{seconds:>9.3f}{count / seconds:>12.0f}{slow / seconds:>10.1f}   {apart:.1e}")


if __name__ == "__main__":
    main()
