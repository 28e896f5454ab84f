"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ...schemas.config import CorpusConfig, load_config

Flag = Parameter(negative="")


@Parameter(name="*")
@dataclass(frozen=True)
class OutputOptions:
    """How a command reports.

    Parameters
    ----------
    json
        Print one summary object on stdout and nothing else there.
    quiet
        No progress on stderr.
    """

    json: Annotated[bool, Flag] = False
    quiet: Annotated[bool, Flag] = False


@Parameter(name="*")
@dataclass(frozen=True)
class CorpusOptions:
    """How the corpus is read.

    Parameters
    ----------
    corpus_name
        First half of a sample's identity; default: the last part of CORPUS.
    images
        Image folder of a COCO JSON corpus; default: `images` beside the JSON.
    limit
        Stop after about this many samples, in whole shards.
    """

    corpus_name: str | None = None
    images: str | None = None
    limit: int | None = None

    def of(self, uri: str) -> CorpusConfig:
        """Return the corpus configuration for ``uri``."""
        overrides = {"uri": uri, "name": self.corpus_name, "images": self.images, "limit": self.limit}
        return load_config(CorpusConfig, None, overrides)


@Parameter(name="*")
@dataclass(frozen=True)
class PoolOptions:
    """Where the work runs.

    Parameters
    ----------
    workers
        Number of workers; default: one per GPU, or one per core without a GPU.
    backend
        `ray`, or `inline` for one process.
    ray_address
        Ray cluster to join, e.g. `auto`; default: a local one.
    """

    workers: int | None = None
    backend: Literal["ray", "inline"] | None = None
    ray_address: str | None = None

    def overrides(self, prefix: str) -> dict[str, Any]:
        """Return them as configuration fields below ``prefix``."""
        fields = {"workers": self.workers, "backend": self.backend, "address": self.ray_address}
        return {f"{prefix}.{name}": value for name, value in fields.items()}


@Parameter(name="*")
@dataclass(frozen=True)
class SegmenterOptions:
    """Which segmenter, on which weights.

    Parameters
    ----------
    segmenter
        A registered segmenter; `maskmill segmenters` lists them.
    clip
        `demo`, `MODEL:PRETRAINED` of open_clip, or a folder with open_clip_config.json.
    objectness
        `none`, `demo`, a FOUND head (.safetensors, .pt), `bkg:clip` or `bkg:TIMM_BACKBONE`.
    device
        `auto`, `cpu`, `cuda`, `cuda:1` ...
    """

    segmenter: str | None = None
    clip: str | None = None
    objectness: str | None = None
    device: str | None = None

    def overrides(self, prefix: str = "") -> dict[str, Any]:
        """Return them as configuration fields below ``prefix``."""
        fields = {
            "id": self.segmenter,
            "clip": self.clip,
            "objectness": self.objectness,
            "device": self.device,
        }
        return {f"{prefix}{name}": value for name, value in fields.items()}
