"""A weak but real encoder for tests on photographs: ConSE (Norouzi et al. 2014) in CLIP ViT-B/32's space.

An ImageNet classifier's ten most probable classes average the CLIP text vectors of their names. Classes find
their vectors among LVIS names, directly or through their WordNet hypernyms; text vectors are centred by their
mean. A constant component is appended to image and text vectors, so that all cosines are positive as CLIP's
are, and the background (a name without a vector) has exactly that constant.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import nltk
import numpy as np
import torch
import torch.nn.functional as F
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from numpy.typing import NDArray
from PIL import Image
from real_captions import data_folder
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from maskmill.models.objectness.dense import DenseFeatures
from maskmill.models.objectness.found import FoundObjectness
from maskmill.models.objectness.heads import load_head
from maskmill.models.resizing import resize_short_side
from maskmill.models.segmenters.base import Segmenter
from maskmill.models.segmenters.clip_diy import ClipDiy
from maskmill.models.segmenters.clip_diy_options import ClipDiyOptions
from maskmill.models.segmenters.registry import options_of
from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.vocabulary import Vocabulary

TOP = 10
CONE = 0.5  # squared length of the constant component
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def squeezenet() -> nn.Module:
    """Return SqueezeNet 1.1 with its ImageNet weights, one ``.npy`` per tensor."""
    model = squeezenet1_1(weights=None)
    folder = data_folder() / "weights" / "squeezenet1.1" / "weights"
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    for index, conv in enumerate(convolutions):
        for part, parameter in conv.named_parameters():
            array = np.load(folder / f"squeezenet0_conv{index}_{part}.npy", allow_pickle=False)
            parameter.data.copy_(torch.from_numpy(array).reshape(parameter.shape))
    return model.eval().requires_grad_(False)


def normalise(images: Tensor) -> Tensor:
    """Normalise (B, 3, H, W) RGB in [0, 1] as ImageNet classifiers expect."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return (images - mean) / std


@cache
def name_vectors() -> dict[str, NDArray[np.float32]]:
    """Return centred unit CLIP text vectors (512,) by lower-case name: LVIS, then COCO."""
    folder = data_folder() / "weights" / "clip_text_embeddings"
    lvis = _unit(np.load(folder / "lvis_v1_clip_a+cname.npy", allow_pickle=False).astype(np.float32))
    coco = _unit(np.load(folder / "coco_clip_a+cname.npy", allow_pickle=False).astype(np.float32))
    mean = lvis.mean(axis=0)
    classes = json.loads((folder / "lvis_v1_train_cat_info.json").read_text())
    photos = json.loads((data_folder() / "coco_photos" / "instances_and_captions.json").read_text())
    names: dict[str, NDArray[np.float32]] = {}
    for vector, entry in zip(_unit(lvis - mean), classes, strict=True):
        for name in (entry["name"], *entry["synonyms"]):
            names.setdefault(_plain(name), vector)
    for vector, category in zip(_unit(coco - mean), photos["categories"], strict=True):
        names[_plain(category["name"])] = vector
    return names


@cache
def class_vectors() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors (1000, 512) of ImageNet's classes, and which of them have one."""
    lines = (data_folder() / "weights" / "imagenet_labels.txt").read_text().splitlines()[1:]
    found = [_vector_of([_plain(n) for n in line.split(",")]) for line in lines]
    vectors = np.stack([np.zeros(512, np.float32) if v is None else v for v in found])
    return vectors, np.array([v is not None for v in found])


def _vector_of(names: list[str]) -> NDArray[np.float32] | None:
    table = name_vectors()
    for name in names:
        if name in table:
            return table[name]
    wordnet = _wordnet()
    level = [s for name in names for s in wordnet.synsets(name.replace(" ", "_"), pos="n")[:1]]
    while level:
        for synset in level:
            for lemma in synset.lemma_names():
                if _plain(lemma) in table:
                    return table[_plain(lemma)]
        level = [h for synset in level for h in synset.hypernyms()]
    return None


@cache
def _wordnet() -> WordNetCorpusReader:
    nltk.data.path.insert(0, str(data_folder() / "nltk_data"))
    nltk.corpus.wordnet.ensure_loaded()
    return nltk.corpus.wordnet


def _plain(name: str) -> str:
    return re.sub(r"[_\s]+", " ", re.sub(r"\(.*?\)", "", name)).strip().lower()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


class ConseEncoder:
    """The part of a CLIP encoder that CLIP-DIY needs; embeddings have 513 dimensions."""

    id = "conse-squeezenet1.1"
    sha256 = "0" * 64
    image_size = 224
    embed_dim = 513
    device = torch.device("cpu")

    def embed_crops(self, crops: Tensor) -> Tensor:
        """Embed (N, 3, 224, 224) RGB crops in [0, 1] as (N, 513) unit vectors."""
        vectors, known = (torch.from_numpy(a) for a in class_vectors())
        with torch.inference_mode():
            logits = squeezenet()(normalise(crops))
        probabilities = logits.masked_fill(~known, -torch.inf).softmax(dim=-1)
        top, index = probabilities.topk(TOP, dim=-1)
        mixed = torch.einsum("nk,nkd->nd", top / top.sum(-1, keepdim=True), vectors[index])
        return _with_cone(F.normalize(mixed, dim=-1))

    def embed_text(self, vocabulary: Vocabulary) -> Tensor:
        """Embed class names as (C, 513) unit vectors; a name without a vector gets the constant alone."""
        table = name_vectors()
        rows = []
        for entry in vocabulary.classes:
            known = [table[_plain(n)] for n in entry.words if _plain(n) in table]
            mean = _unit(np.mean(known, axis=0)) if known else np.zeros(512, np.float32)
            rows.append(_with_cone(torch.from_numpy(mean)[None]))
        return torch.cat(rows)


def _with_cone(unit: Tensor) -> Tensor:
    constant = torch.full((len(unit), 1), CONE**0.5)
    return torch.cat([unit * (1 - CONE) ** 0.5, constant], dim=-1)


LAYERS = (7, 12)  # of SqueezeNet's features: the sixth and the last fire module
STATISTICS_FROM = 40  # photos of Flickr8k that give the channels' mean and deviation


def flickr_photos(count: int, short_side: int = 320) -> list[Tensor]:
    """Return Flickr8k photos (3, H, W) in [0, 1], resized to a short side."""
    paths = sorted((data_folder() / "flickr8k").rglob("*.jpg"))[:count]
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    return [resize_short_side(torch.from_numpy(i).permute(2, 0, 1).float() / 255, short_side) for i in images]


class SqueezenetBackbone:
    """Two of SqueezeNet's feature maps, their channels standardised over photos of Flickr8k.

    After a ReLU all positions are alike; around the mean over many photos, unlike positions point away from
    each other, which FOUND's seed needs. SqueezeNet has no attention: how far a position lies from that mean
    stands in for it.
    """

    id = "squeezenet1.1"
    stride = 16
    dim = 768

    def __call__(self, images: Tensor) -> DenseFeatures:
        """Map (B, 3, H, W) RGB in [0, 1] to (B, 768, h, w) features."""
        mean, deviation = _channel_statistics()
        features = (_maps(images, self.stride) - mean) / deviation
        energy = features.square().sum(dim=1, keepdim=True)
        return DenseFeatures(features, energy / energy.sum(dim=(-2, -1), keepdim=True))


def _maps(images: Tensor, stride: int) -> Tensor:
    height, width = (-(-side // stride) * stride for side in images.shape[-2:])
    flow = F.pad(normalise(images), (0, width - images.shape[-1], 0, height - images.shape[-2]))
    grid, found = (height // stride, width // stride), []
    layers = squeezenet().features
    assert isinstance(layers, nn.Sequential)
    with torch.inference_mode():
        for index, layer in enumerate(layers):
            flow = layer(flow)
            if index in LAYERS:
                found.append(F.interpolate(flow, size=grid, mode="bilinear", align_corners=False))
    return torch.cat(found, dim=1)


@cache
def _channel_statistics() -> tuple[Tensor, Tensor]:
    """Return the channels' mean and deviation, (1, 768, 1, 1) each."""
    maps = [
        _maps(photo[None], SqueezenetBackbone.stride)[0].flatten(1)
        for photo in flickr_photos(STATISTICS_FROM)
    ]
    every = torch.cat(maps, dim=1)
    return every.mean(1).view(1, -1, 1, 1), every.std(1).clamp(min=1e-3).view(1, -1, 1, 1)


def create(config: SegmenterConfig) -> Segmenter:
    """Build CLIP-DIY on ConSE; ``config.objectness`` is the path of a head trained on SqueezeNet features."""
    objectness = FoundObjectness(SqueezenetBackbone(), load_head(Path(config.objectness)))
    return ClipDiy(ConseEncoder(), objectness, options_of(config, ClipDiyOptions))
