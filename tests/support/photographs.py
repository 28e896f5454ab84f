"""The label flow on real photographs: captioned COCO photos, ConSE in place of CLIP, and two baselines.

The ground truth judges the classes that some caption names; things of other classes, crowds and what has no
category are not judged. A prediction outside these classes counts as background.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import conse
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from maskmill.catalogs.query import connect
from maskmill.catalogs.rle import decode_mask
from maskmill.flows import label as label_flow
from maskmill.models.metrics import ConfusionMatrix
from maskmill.models.objectness.found import FoundObjectness
from maskmill.models.objectness.heads import FoundHead, load_head, save_head
from maskmill.models.objectness.training import FoundTrainingConfig, train_found_head
from maskmill.schemas.config import CorpusConfig, FilterConfig, LabelConfig, SegmenterConfig
from maskmill.schemas.vocabulary import Vocabulary, VocabularyClass
from maskmill.tasks.runs import RunSummary

HEAD_IMAGES = 120
HEAD_CONFIG = FoundTrainingConfig(
    iterations=300, short_side=320, refresh=100, standardise=True, background_threshold=0.05
)
# Names that the caption filter gives to what COCO calls otherwise.
ALIASES = {
    "people": "person", "table": "dining table", "aeroplane": "airplane", "sofa": "couch", "ski": "skis",
    "plant": "potted plant", "ball": "sports ball", "racket": "tennis racket", "bat": "baseball bat",
    "glass": "wine glass", "phone": "cell phone", "hydrant": "fire hydrant",
}  # fmt: skip

Painting = list[tuple[str, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Corpus:
    """The captioned photos as a COCO JSON of their own; ``names`` are COCO's categories by id."""

    uri: Path
    images: Path
    masks: Path
    names: dict[int, str]


def captioned_photos(folder: Path) -> Corpus:
    """Write a COCO JSON with the captioned photos alone into ``folder``."""
    source = conse.data_folder() / "coco_photos"
    body = json.loads((source / "instances_and_captions.json").read_text())
    body["images"] = [image for image in body["images"] if image["captions"]]
    path = folder / "photos.json"
    path.write_text(json.dumps(body))
    names = {c["id"]: c["name"] for c in body["categories"]}
    return Corpus(path, source / "images", source / "masks", names)


def run_label_flow(corpus: Corpus, head: Path, catalog: str, limit: int | None = None) -> RunSummary:
    """Filter the captions and label the photos with CLIP-DIY on ConSE, on Ray, as a user would.

    The workers import :mod:`conse` by its name, so its folder must be on ``PYTHONPATH``.
    """
    config = LabelConfig(
        segmenter=SegmenterConfig(id="conse:create", objectness=str(head)),
        filter=FilterConfig(nltk_data=str(conse.data_folder() / "nltk_data")),
    )
    reading = CorpusConfig(uri=str(corpus.uri), images=str(corpus.images), shard_size=29, limit=limit)
    return label_flow.label(reading, catalog, config)


def compare(catalog: str, corpus: Corpus, head: Path) -> dict[str, ConfusionMatrix]:
    """Judge the catalog's masks and the two baselines on the same photos."""
    photos, baselines = list(labelled_photos(catalog, corpus)), Baselines(head)
    scoring = Scoring(corpus, photos)
    methods: dict[str, Callable[[Photo], Painting]] = {
        "CLIP-DIY": lambda photo: list(photo.masks),
        "best class, whole image": baselines.whole_image,
        "best class, object region": baselines.object_region,
    }
    return {name: scoring.score(method) for name, method in methods.items()}


def train_head(path: Path) -> None:
    """Train FOUND's head on SqueezeNet features of Flickr8k photos and write it to ``path``."""
    images = conse.flickr_photos(HEAD_IMAGES)
    head, _ = train_found_head(conse.SqueezenetBackbone(), images, HEAD_CONFIG)
    settings = {"backbone": "squeezenet", "short_side": str(HEAD_CONFIG.short_side)}
    save_head(FoundHead(head.weight, head.bias, settings), path)


def as_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Turn (H, W, 3) uint8 into (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


@dataclass(frozen=True)
class Photo:
    """One labelled photo: its pixels, true class ids, and what its captions name, as in the catalog."""

    key: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    vocabulary: tuple[str, ...]
    masks: tuple[tuple[str, NDArray[np.bool_]], ...]


def labelled_photos(catalog: str, corpus: Corpus) -> Iterator[Photo]:
    """Read images, vocabularies and masks back from the catalog."""
    with connect(catalog) as db:
        images = db.execute(
            "SELECT image_id, key, vocabulary FROM images WHERE status = 'labelled' ORDER BY key"
        )
        for image_id, key, vocabulary in images.fetchall():
            found = db.execute("SELECT label, rle, height, width FROM masks WHERE image_id = ?", [image_id])
            masks = tuple((label, decode_mask(rle, h, w)) for label, rle, h, w in found.fetchall())
            pixels = np.asarray(Image.open(corpus.images / f"{key}.jpg").convert("RGB"))
            truth = np.asarray(Image.open(corpus.masks / f"{key}.png"))
            yield Photo(key, pixels, truth, tuple(vocabulary), masks)


class Scoring:
    """mIoU over the classes that captions name, of any number of methods side by side."""

    def __init__(self, corpus: Corpus, photos: list[Photo]) -> None:
        by_name = {name: number for number, name in corpus.names.items()}
        entities = sorted({e for p in photos for e in p.vocabulary})
        found = {e: by_name.get(ALIASES.get(e, e)) for e in entities}
        self._ids = {e: number for e, number in found.items() if number is not None}
        self.classes = sorted(set(self._ids.values()))
        self.names = ["background", *(corpus.names[c] for c in self.classes)]
        self._photos = photos

    def score(self, method: Callable[[Photo], Painting]) -> ConfusionMatrix:
        """Judge a method that paints masks of entities, later ones over earlier ones."""
        matrix = ConfusionMatrix(len(self.names))
        for photo in self._photos:
            painted = np.zeros(photo.truth.shape, np.uint16)
            for label, mask in method(photo):
                number = self._ids.get(label)
                painted[mask] = 0 if number is None else self.classes.index(number) + 1
            matrix.update(painted, self._target(photo.truth))
        return matrix

    def _target(self, truth: NDArray[np.uint8]) -> NDArray[np.uint16]:
        table = np.full(256, 65535, np.uint16)
        table[0] = 0
        for index, number in enumerate(self.classes, start=1):
            table[number] = index
        return table[truth]


class Baselines:
    """The best class of an image's captions by ConSE, painted over the whole image or over its objects."""

    def __init__(self, head: Path) -> None:
        self._objectness = FoundObjectness(conse.SqueezenetBackbone(), load_head(head))
        self._encoder = conse.ConseEncoder()

    def whole_image(self, photo: Photo) -> Painting:
        return [(self._best(photo), np.ones(photo.truth.shape, bool))]

    def object_region(self, photo: Photo) -> Painting:
        objects = self._objectness(as_tensor(photo.image)).numpy() > 0.5
        return [(self._best(photo), objects)]

    def _best(self, photo: Photo) -> str:
        crop = as_tensor(
            np.asarray(Image.fromarray(photo.image).resize((224, 224), Image.Resampling.BICUBIC))
        )
        classes = tuple(VocabularyClass(name=name) for name in photo.vocabulary)
        text = self._encoder.embed_text(Vocabulary(name="image", classes=classes))
        return photo.vocabulary[int((text @ self._encoder.embed_crops(crop[None])[0]).argmax())]
