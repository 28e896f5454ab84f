"""Ground truth as class-id maps, and the datasets that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...schemas.config import CorpusConfig
from ...schemas.errors import CorpusError
from ..corpora import CocoCorpus, CorpusReader, open_corpus
from ..storage import full_uri, join, locate, reported_as
from .base import GroundTruth
from .coco_json import CocoTruth
from .folders import FolderDataset, folder_dataset
from .index_pngs import DemoTruth, IndexPngs
from .layouts import LAYOUTS
from .listing import missing
from .video import DavisVideos, open_davis
from .waterbirds import BirdRow, bird_images, waterbirds

__all__ = [
    "Dataset",
    "open_dataset",
    "dataset_layouts",
    "GroundTruth",
    "open_ground_truth",
    "CocoTruth",
    "DemoTruth",
    "FolderDataset",
    "IndexPngs",
    "DavisVideos",
    "open_davis",
    "BirdRow",
    "bird_images",
    "waterbirds",
]

_HELD_OUT = "val"
_INSTANCES = "coco-instances"
_INSTANCES_TREE = """\
coco/
  images/val2017/000000000139.jpg       or val2017/
  annotations/instances_val2017.json"""


@dataclass(frozen=True)
class Dataset:
    """Images with their ground truth.

    Args:
        name: of its layout, or of the corpus.
        vocabulary: the shipped one that it is judged by unless another is named.
    """

    name: str
    reader: CorpusReader
    truth: GroundTruth
    vocabulary: str


def dataset_layouts() -> tuple[str, ...]:
    """Return the names that ``LAYOUT:PATH`` may begin with."""
    return (*LAYOUTS, _INSTANCES)


def open_dataset(corpus: CorpusConfig, folder: str | None = None, split: str | None = None) -> Dataset:
    """Open a dataset: ``LAYOUT:PATH`` in ``corpus.uri``, or what :func:`open_ground_truth` takes.

    Args:
        folder: index PNGs; they go before what the dataset itself holds.
        split: of a layout, e.g. ``train``; default: the one that papers report.

    Raises:
        CorpusError: there is no such dataset, or it holds no ground truth.
    """
    layout, _, path = corpus.uri.partition(":")
    if layout not in dataset_layouts() or not path:
        images, truth = open_ground_truth(corpus, folder)
        reader = open_corpus(images)
        return Dataset(reader.name, reader, truth, "demo")
    if layout == _INSTANCES:
        return _instances(path, split or "val2017", corpus.limit)
    dataset = folder_dataset(layout, path, split, corpus.limit)
    truth = dataset if folder is None else IndexPngs(folder)
    return Dataset(layout, dataset, truth, dataset.layout.vocabulary)


def open_ground_truth(corpus: CorpusConfig, folder: str | None = None) -> tuple[CorpusConfig, GroundTruth]:
    """Find the ground truth of a corpus, and the corpus that it judges.

    Args:
        corpus: a demo corpus (its folder, which means its held-out split, or one split), a COCO JSON, or
            any other with ``folder``.
        folder: index PNGs; they go before what the corpus itself holds.

    Returns:
        The corpus to read images from, and its ground truth.

    Raises:
        CorpusError: the corpus holds none and no folder is given.
    """
    if folder is not None:
        return corpus, IndexPngs(folder)
    if corpus.uri.lower().endswith(".json"):
        return corpus, CocoTruth(corpus.uri)
    given = Path(corpus.uri)
    for split in (given, given / _HELD_OUT):
        if (split.parent / "ground_truth" / f"{split.name}.tar").is_file():
            return corpus.model_copy(update={"uri": str(split)}), DemoTruth(str(split.parent), split.name)
    raise CorpusError(
        f"corpus {corpus.uri!r} holds no ground truth: give a demo corpus, a COCO JSON, a folder of index "
        f"PNGs (ground_truth), or LAYOUT:PATH with one of the layouts {', '.join(dataset_layouts())}"
    )


def _instances(path: str, split: str, limit: int | None) -> Dataset:
    """Open COCO's instances, painted as CLIP-DIY's released code paints them."""
    with reported_as(CorpusError, f"dataset {path!r} cannot be opened"):
        fs, root = locate(path)
        file = join(root, "annotations", f"instances_{split}.json")
        folders = [join(root, "images", split), join(root, split)]
        images = next((folder for folder in folders if fs.isdir(folder)), None)
        if images is None or not fs.exists(file):
            what = f"images/{split}" if images is None else f"annotations/instances_{split}.json"
            raise missing(_INSTANCES, path, what, _INSTANCES_TREE)
        uri = full_uri(fs, file)
        reader = CocoCorpus(_INSTANCES, uri, full_uri(fs, images), 100, limit)
    return Dataset(_INSTANCES, reader, CocoTruth(uri, first_come=True), "coco_object")
