"""Options that several commands share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ...schemas.config import CorpusConfig
from ...schemas.config_files import load_config
from ...schemas.errors import ConfigError

Flag = Parameter(negative="")
ConfigFile = Annotated[Path | None, Parameter(help="TOML file with configuration fields; flags come first.")]
Version = Annotated[str | None, Parameter(help="Catalog version or tag; default: the newest.")]


def version_or_tag(given: str | None) -> int | str | None:
    """Return a version as a number, a tag as it is."""
    return int(given) if given is not None and given.isdecimal() else given


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
        Folder of the image files that a COCO JSON, Parquet or CSV names; default: `images` beside it.
    format
        `tar`, `coco`, `parquet`, `delimited` (CSV, TSV) or `folder`; default: by suffix and content.
    key_column
        Column of unique keys, by name or (without a header) by number from 0.
    caption_columns
        Columns of captions, e.g. `title,alt`; default: the usual names.
    image_column
        Column of image bytes, paths or URLs; default: the usual names.
    limit
        Stop after this many samples; tars, Parquet and text end with their shard.
    """

    corpus_name: str | None = None
    images: str | None = None
    format: Literal["tar", "coco", "parquet", "delimited", "folder"] | None = None
    key_column: str | None = None
    caption_columns: str | None = None
    image_column: str | None = None
    limit: int | None = None

    def of(self, uri: str) -> CorpusConfig:
        """Return the corpus configuration for ``uri``."""
        captions = tuple(self.caption_columns.split(",")) if self.caption_columns else None
        overrides = {
            "uri": uri,
            "name": self.corpus_name,
            "images": self.images,
            "format": self.format,
            "key_column": self.key_column,
            "caption_columns": captions,
            "image_column": self.image_column,
            "limit": self.limit,
        }
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
        `ray`, or `inline` for one process; default: `ray`.
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
class FilterOptions:
    """Which entities, and which captions and images count.

    Parameters
    ----------
    entities
        `derive` (from the captions; the default), `released` (the paper's code), a vocabulary's name or file.
    top_k
        How many frequent visual nouns are kept; default: 100.
    sample
        Share of the captions that entities are derived from, e.g. 0.1; default: all.
    min_short_side
        Drop images with a shorter side, in pixels; default: none.
    keep_duplicates
        Keep images whose file equals an earlier one's; image files are then not read to filter captions.
    """

    entities: str | None = None
    top_k: int | None = None
    sample: float | None = None
    min_short_side: int | None = None
    keep_duplicates: Annotated[bool, Flag] = False

    def overrides(self, prefix: str = "") -> dict[str, Any]:
        """Return them as configuration fields below ``prefix``."""
        fields = {
            "entities": self.entities,
            "top_k": self.top_k,
            "sample": self.sample,
            "min_short_side": self.min_short_side,
            "drop_duplicates": False if self.keep_duplicates else None,
        }
        return {f"{prefix}{name}": value for name, value in fields.items()}


@Parameter(name="*")
@dataclass(frozen=True)
class SegmenterOptions:
    """Which segmenter, on which weights.

    Parameters
    ----------
    segmenter
        A registered segmenter; `maskmill segmenters` lists them. Default: `clip-diy`.
    clip
        `MODEL:PRETRAINED` of open_clip, a folder with open_clip_config.json, or `demo`; default:
        `ViT-B-32:laion2b_s34b_b79k`.
    objectness
        `none`, `demo`, a FOUND head (.safetensors, .pt), `bkg:clip`, `bkg:TIMM_BACKBONE`, or instance masks:
        `instances:TORCHVISION_MASK_RCNN:FILE` or `instances:package.module:factory`. Default:
        `bkg:vit_small_patch8_224.dino`.
    device
        `auto` (the default), `cpu`, `cuda`, `cuda:1` ...
    option
        NAME=VALUE of the segmenter itself, once for each; `maskmill segmenters NAME` lists them.
    """

    segmenter: str | None = None
    clip: str | None = None
    objectness: str | None = None
    device: str | None = None
    option: Annotated[tuple[str, ...], Parameter(negative="")] = ()

    def overrides(self, prefix: str = "") -> dict[str, Any]:
        """Return them as configuration fields below ``prefix``."""
        fields = {
            "id": self.segmenter,
            "clip": self.clip,
            "objectness": self.objectness,
            "device": self.device,
            **{f"options.{name}": value for name, value in map(_option, self.option)},
        }
        return {f"{prefix}{name}": value for name, value in fields.items()}


def _option(text: str) -> tuple[str, Any]:
    """Read ``NAME=VALUE``; the value is JSON where it is that, else text.

    Raises:
        ConfigError: there is no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"option {text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
