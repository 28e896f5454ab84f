"""The command that judges features instead of masks. Flows are imported when it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cyclopts import Parameter

from ...schemas.config_files import load_config
from ...schemas.probe_config import ProbeConfig, ProbeKind
from .app import app
from .commands_run import CatalogUri
from .options import ConfigFile, CorpusOptions, OutputOptions
from .output import reporting


@Parameter(name="*")
@dataclass(frozen=True)
class ProbeOptions:
    """Which features, and how they are judged.

    Parameters
    ----------
    backbone
        `clip` (dense features of the CLIP, in the space of its texts), `timm:NAME`, `timm:NAME:FILE` or
        `timm:FOLDER` (keys of the last block).
    clip
        `demo`, `MODEL:PRETRAINED` of open_clip, or a folder with open_clip_config.json.
    short_side
        Images are resized to it first, in pixels; default: as they are.
    train
        Dataset that knn and linear learn from; default: the training split of the one that is judged.
    train_split
        Of LAYOUT:PATH, what is learnt from; default: `train`, or what the layout calls it.
    split
        What is judged; default: the one that papers report.
    neighbours
        k of knn.
    device
        `auto`, `cpu`, `cuda`, `cuda:1` ...
    """

    backbone: str | None = None
    clip: str | None = None
    short_side: int | None = None
    train: str | None = None
    train_split: str | None = None
    split: str | None = None
    neighbours: int | None = None
    device: str | None = None

    def overrides(self) -> dict[str, Any]:
        """Return them as configuration fields."""
        return dict(vars(self))


@app.command(
    help_epilogue="""
Examples:

    maskmill probe knn voc:./VOC2012 --catalog ./catalog --backbone timm:vit_small_patch8_224.dino
    maskmill probe linear demo/corpus/val --train demo/corpus/train --catalog demo/catalog --clip demo
    maskmill probe davis ./DAVIS --catalog ./catalog --backbone timm:vit_small_patch8_224.dino
    maskmill probe waterbirds ./waterbird_complete95_forest2water2 --catalog ./catalog --clip ViT-B-16:openai
"""
)
def probe(
    kind: ProbeKind,
    dataset: str,
    *,
    catalog: CatalogUri,
    config: ConfigFile = None,
    features: ProbeOptions = ProbeOptions(),
    reading: CorpusOptions = CorpusOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Judge the dense features of a backbone: neighbours, a linear probe, DAVIS or waterbirds.

    Parameters
    ----------
    kind
        knn or linear (mIoU of labelling cells by what others were), davis (J and F of carrying a first
        frame's masks on), waterbirds (how much the answer depends on the place).
    dataset
        Of knn and linear LAYOUT:PATH as `maskmill evaluate` takes it, a demo corpus or a COCO JSON; of davis
        and waterbirds the dataset's folder.
    """
    settings = load_config(ProbeConfig, config, features.overrides())
    from ..probe import probe as probe_flow

    with reporting(output) as summary:
        result = probe_flow(kind, reading.of(dataset), catalog, settings)
        miou = None if math.isnan(result.miou) else result.miou
        run = result.run
        summary.add(
            catalog=catalog,
            version=run.version,
            run_id=run.run_id,
            images=result.images,
            protocol=result.kind,
            features_miou=miou,
            **result.metrics,
        )
        summary.notes.append(result.line())
        if run.resumed:
            summary.notes.append("This probe was made before; nothing was judged again.")
