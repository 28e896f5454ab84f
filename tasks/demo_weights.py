"""The stage that makes the shipped weights: draw pictures, train CLIP, train FOUND's head, measure, save.

CLIP sees pictures and captions, the head sees pictures; truth enters the measurement only. The captions name
all things, also those that the demo corpus leaves unnamed: this CLIP stands in for one trained on the web.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor

from ..models.clip_training import CLIP_MEAN, CLIP_STD, train_clip
from ..models.encoders.clip import ClipEncoder, load_clip
from ..models.encoders.weights import CONFIG_FILE, MANIFEST_FILE, file_sha256
from ..models.objectness.backbones import clip_backbone
from ..models.objectness.found import FoundObjectness, Objectness, load_head, save_head
from ..models.objectness.training import train_found_head
from ..schemas.errors import ConfigError
from .demo_judge import cosine_levels, foreground_iou, tile_accuracy, zero_shot_accuracy
from .demo_pairs import PairSampler
from .demo_pictures import draw_pictures, draw_scenes
from .demo_recipe import MODEL, DemoWeightsConfig
from .progress import SILENT, Progress

CLIP_FILE: Final = "open_clip_model.safetensors"
HEAD_FILE: Final = "head.safetensors"
COMMAND: Final = "python -m maskmill.flows.demo_weights --out DIR"
_HELD_OUT: Final = 8000  # added to a training seed where pictures are drawn to judge by


def make_demo_weights(
    config: DemoWeightsConfig, out: Path, progress: Progress = SILENT
) -> dict[Path, dict[str, Any]]:
    """Make ``demo_clip`` and ``demo_objectness`` under ``out`` and measure them; return folder -> manifest.

    Raises:
        ConfigError: ``out`` cannot be made or written.
    """
    folders = out / "demo_clip", out / "demo_objectness"
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(f"folder {str(out)!r} cannot be written: {err}") from err
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        clip = train_demo_clip(config, folders[0], progress)
        head = train_demo_head(config, load_clip(str(folders[0]), "cpu"), folders[1], progress)
    finally:
        torch.set_num_threads(threads)
    return {folders[0]: clip, folders[1]: head}


def train_demo_clip(config: DemoWeightsConfig, folder: Path, progress: Progress = SILENT) -> dict[str, Any]:
    """Draw captioned pictures, train a CLIP from scratch, write it to ``folder`` and return its manifest."""
    started = time.monotonic()
    progress.start("draw pictures", len(config.pictures), "kinds")
    pools = {}
    for kind, count in config.pictures.items():
        pools[kind] = draw_pictures(kind, count, config.picture_side, config.seed, config.workers)
        progress.advance(1, pictures=count)
    progress.finish()
    drawn = time.monotonic()
    torch.manual_seed(config.start_seed)
    tokenizer = open_clip.SimpleTokenizer(context_length=MODEL["text_cfg"]["context_length"])
    sampler = PairSampler(pools, tokenizer, config.batch_size, MODEL["vision_cfg"]["image_size"], config.seed)
    model = CLIP(**MODEL).to(memory_format=torch.channels_last)
    progress.start("train CLIP", config.clip.steps, "steps")
    losses = train_clip(model, sampler, config.clip, lambda step, loss: progress.advance(1))
    progress.finish()
    record = {
        "command": COMMAND,
        "training": {**asdict(config), "head": None},
        "loss": _ends(losses),
        "minutes": {"draw": _minutes(drawn - started), "train": _minutes(time.monotonic() - drawn)},
    }
    save_clip(model, folder, record)
    measured = judge_clip(config, load_clip(str(folder), "cpu"))
    return write_manifest(folder, CLIP_FILE, {**record, "measured": measured})


def judge_clip(config: DemoWeightsConfig, clip: ClipEncoder) -> dict[str, Any]:
    """Measure a CLIP on drawings of another seed than the training's."""
    seed, side = config.seed + _HELD_OUT, config.picture_side
    closeups, backgrounds = (
        draw_pictures(kind, config.judged, side, seed, config.workers) for kind in ("closeup", "background")
    )
    return {
        "zero-shot closeups": round(zero_shot_accuracy(clip, closeups), 4),
        "zero-shot backgrounds": round(zero_shot_accuracy(clip, backgrounds), 4),
        "tiles": tile_accuracy(clip, list(draw_scenes(max(2, config.judged // 10), seed))),
        "cosine quantiles 0, 5, 50, 95, 100 %": cosine_levels(clip, closeups, backgrounds),
    }


def train_demo_head(
    config: DemoWeightsConfig, clip: ClipEncoder, folder: Path, progress: Progress = SILENT
) -> dict[str, Any]:
    """Train FOUND's head on drawn scenes without truth, write it to ``folder`` and return its manifest."""
    started = time.monotonic()
    backbone = clip_backbone(clip, config.head_layer)
    scenes = draw_scenes(config.head_scenes, config.seed)
    images = [torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255 for scene in scenes]
    progress.start("train FOUND head", config.head.iterations, "iterations")
    head, losses = train_found_head(backbone, images, config.head, lambda step, loss: progress.advance(1))
    progress.finish()
    settings = {
        "backbone": "clip",
        "layer": config.head_layer,
        "short_side": str(config.head.short_side),
        "clip_sha256": clip.sha256,
    }
    record = {
        "command": COMMAND,
        "training": {
            **asdict(config.head),
            **settings,
            "scenes": config.head_scenes,
            "seed": config.seed,
            "start_seed": config.head.seed,
        },
        "loss": _ends(losses),
        "minutes": {"train": _minutes(time.monotonic() - started)},
    }
    partial = folder / f".{HEAD_FILE}.partial"
    save_head(replace(head, settings=settings), partial)
    partial.replace(folder / HEAD_FILE)
    write_manifest(folder, HEAD_FILE, record)
    measured = judge_head(config, FoundObjectness(backbone, load_head(folder / HEAD_FILE)))
    return write_manifest(folder, HEAD_FILE, {**record, "measured": measured})


def judge_head(config: DemoWeightsConfig, objectness: Objectness) -> dict[str, Any]:
    """Measure an objectness on scenes of another seed than the training's."""
    scenes = list(draw_scenes(max(2, config.judged // 10), config.seed + _HELD_OUT))
    return {"foreground IoU": round(foreground_iou(objectness, scenes), 4), "scenes": len(scenes)}


def save_clip(model: CLIP, folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write an open_clip folder (float16 safetensors, configuration, manifest with checksums), file by file
    atomically; return the manifest: ``record`` and ``sha256``."""
    tensors = {name: _half(tensor) for name, tensor in model.state_dict().items()}
    partial = folder / f".{CLIP_FILE}.partial"
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(folder / CLIP_FILE)
    preprocess = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bilinear", "resize_mode": "shortest"}
    _write_json(folder / CONFIG_FILE, {"model_cfg": MODEL, "preprocess_cfg": preprocess})
    return write_manifest(folder, CLIP_FILE, record)


def write_manifest(folder: Path, weights: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``manifest.json`` with the checksum of the weight file and what is known of its making."""
    manifest = {"sha256": {weights: file_sha256(folder / weights)}, **record}
    _write_json(folder / MANIFEST_FILE, manifest)
    return manifest


def _ends(losses: list[float]) -> dict[str, float]:
    return {"first": round(losses[0], 3), "last": round(sum(losses[-50:]) / len(losses[-50:]), 3)}


def _half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1)


def _write_json(path: Path, body: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(body, indent=2) + "\n", "utf-8")
    partial.replace(path)
