"""Writes the demo corpus: img2dataset-style tar shards of two splits, and the ground truth beside them."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from ...schemas.errors import ConfigError, CorpusError
from .names import THINGS, UNKNOWN
from .scene import Scene, draw_scene
from .tars import replace_file, tar_bytes
from .truth import encode_labels, truth_path

GENERATOR_VERSION: Final = 1
JPEG_QUALITY: Final = 90
_MANIFEST: Final = "corpus.json"
_MAX_SHARD: Final = 10_000  # four digits of a key
_SPLITS: Final = ("train", "val")


@dataclass(frozen=True)
class DemoCorpus:
    """A demo corpus on disk: the shard paths of both splits in order, and the folder of the ground truth."""

    root: Path
    seed: int
    images: int
    val_images: int
    train: tuple[Path, ...]
    val: tuple[Path, ...]
    truth: Path


@dataclass(frozen=True)
class _Plan:
    """What fixes every byte of a corpus; stored as its manifest."""

    seed: int
    images: int
    val_images: int
    shard_size: int
    generator_version: int = GENERATOR_VERSION

    def shards(self) -> list[_Shard]:
        """List the shards of both splits, numbered through so that keys are unique across splits."""
        shards: list[_Shard] = []
        for split, count in zip(_SPLITS, (self.images, self.val_images), strict=True):
            for start in range(0, count, self.shard_size):
                span = (start, min(start + self.shard_size, count))
                shards.append(_Shard(self.seed, split, len(shards), span))
        return shards


@dataclass(frozen=True)
class _Shard:
    seed: int
    split: str
    number: int
    span: tuple[int, int]

    def path(self, root: Path) -> Path:
        return root / self.split / f"{self.number:05d}.tar"

    def stats_path(self, root: Path) -> Path:
        return root / self.split / f"{self.number:05d}_stats.json"

    def key(self, index: int) -> str:
        return f"{self.number:05d}{index - self.span[0]:04d}"


def write_demo_corpus(  # noqa: PLR0913 - keyword-only
    out: Path,
    *,
    seed: int,
    images: int,
    val_images: int,
    shard_size: int = 100,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DemoCorpus:
    """Draw `images` training and `val_images` held-out scenes below `out`; return where they lie.

    A scene depends on (seed, split, its index in the split) only, so neither `workers` (None: one for each
    CPU, 1: in this process) nor `shard_size` changes a picture. Shards are numbered through both splits:
    `<out>/train/00000.tar` ... `<out>/val/<n>.tar`, each with a `_stats.json` beside it. A folder that
    already holds this corpus is left as it is. `progress` is called with (scenes done, scenes in all).

    Raises ConfigError if a count is negative or `shard_size` is not in 1..10000, CorpusError if the
    folder has a `corpus.json` that this function did not write.
    """
    if images < 0 or val_images < 0 or not 1 <= shard_size <= _MAX_SHARD:
        raise ConfigError(
            f"the demo corpus wants images and val_images >= 0 and shard_size in 1..{_MAX_SHARD}, "
            f"not {images}, {val_images} and {shard_size}"
        )
    plan = _Plan(seed, images, val_images, shard_size)
    root = Path(out)
    corpus = _corpus(root, plan)
    if not _already_there(corpus, plan):
        _clear(root, plan)
        _draw_all(root, plan, workers, progress)
        replace_file(root / _MANIFEST, _json({"plan": asdict(plan), "complete": True}))
    elif progress is not None:
        progress(images + val_images, images + val_images)
    return corpus


def _corpus(root: Path, plan: _Plan) -> DemoCorpus:
    shards = plan.shards()
    train, val = (tuple(shard.path(root) for shard in shards if shard.split == split) for split in _SPLITS)
    return DemoCorpus(
        root, plan.seed, plan.images, plan.val_images, train, val, truth_path(root, "train").parent
    )


def _manifest(root: Path) -> tuple[_Plan, bool] | None:
    """Read the plan of the corpus that is there and whether it is complete; None where there is none."""
    path = root / _MANIFEST
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_bytes())
        return _Plan(**stored["plan"]), bool(stored["complete"])
    except (ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{path} is no manifest of a demo corpus: choose another folder or delete it"
        ) from error


def _already_there(corpus: DemoCorpus, plan: _Plan) -> bool:
    if _manifest(corpus.root) != (plan, True):
        return False
    files = (*corpus.train, *corpus.val, *(truth_path(corpus.root, split) for split in _SPLITS))
    return all(path.is_file() for path in files)


def _clear(root: Path, plan: _Plan) -> None:
    """Remove the shards of the corpus that was there, so that none of them is taken for one of the new."""
    former = _manifest(root)
    for shard in former[0].shards() if former else ():
        shard.path(root).unlink(missing_ok=True)
        shard.stats_path(root).unlink(missing_ok=True)
    replace_file(root / _MANIFEST, _json({"plan": asdict(plan), "complete": False}))


def _draw_all(
    root: Path, plan: _Plan, workers: int | None, progress: Callable[[int, int], None] | None
) -> None:
    shards = plan.shards()
    truth: dict[str, list[tuple[str, bytes]]] = {split: [] for split in _SPLITS}
    done = 0
    for shard, labels in zip(shards, _draw_shards(root, shards, workers), strict=True):
        truth[shard.split].extend(labels)
        done += len(labels)
        if progress is not None:
            progress(done, plan.images + plan.val_images)
    for split in _SPLITS:
        replace_file(truth_path(root, split), tar_bytes(truth[split]))
    classes = [{"id": 0, "name": "background", "unknown": False}]
    classes += [{"id": k, "name": name, "unknown": name in UNKNOWN} for k, name in enumerate(THINGS, start=1)]
    replace_file(root / "ground_truth" / "classes.json", _json(classes))


def _draw_shards(root: Path, shards: list[_Shard], workers: int | None) -> Iterator[list[tuple[str, bytes]]]:
    count = min(workers or os.cpu_count() or 1, len(shards))
    if count <= 1:
        yield from (_draw_shard(root, shard) for shard in shards)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        yield from pool.map(_draw_shard, [root] * len(shards), shards)


def _draw_shard(root: Path, shard: _Shard) -> list[tuple[str, bytes]]:
    """Write one shard and its statistics; return the index images of its scenes as tar members."""
    members: list[tuple[str, bytes]] = []
    labels: list[tuple[str, bytes]] = []
    for index in range(*shard.span):
        scene = draw_scene(np.random.default_rng([shard.seed, _SPLITS.index(shard.split), index]))
        key = shard.key(index)
        members.extend(_sample(key, scene))
        labels.append((f"{key}.png", encode_labels(scene.labels)))
    replace_file(shard.path(root), tar_bytes(members))
    replace_file(shard.stats_path(root), _json(_stats(len(labels))))
    return labels


def _sample(key: str, scene: Scene) -> list[tuple[str, bytes]]:
    jpeg = io.BytesIO()
    Image.fromarray(scene.image).save(jpeg, "JPEG", quality=JPEG_QUALITY)
    height, width = scene.labels.shape
    meta = {
        "captions": list(scene.captions),
        "width": width,
        "height": height,
        "original_width": width,
        "original_height": height,
        "key": key,
        "status": "success",
        "sha256": hashlib.sha256(jpeg.getvalue()).hexdigest(),
    }
    return [
        (f"{key}.jpg", jpeg.getvalue()),
        (f"{key}.json", _json(meta)),
        (f"{key}.txt", scene.captions[0].encode()),
    ]


def _stats(count: int) -> dict[str, object]:
    """Return what img2dataset writes beside a shard; the times are zero, a clock would change the bytes."""
    return {
        "count": count,
        "successes": count,
        "failed_to_download": 0,
        "failed_to_resize": 0,
        "duration": 0.0,
        "start_time": 0.0,
        "end_time": 0.0,
        "status_dict": {"success": count},
    }


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
