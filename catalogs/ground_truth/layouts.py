"""The usual folder layouts of semantic segmentation datasets, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import fsspec
import numpy as np
from numpy.typing import NDArray

from .decoding import as_stored, cityscapes, coco_object, coco_stuff, context_mat
from .listing import ByFolder, ByList, Lister

Decoder = Callable[[fsspec.AbstractFileSystem, str, str], NDArray[np.uint16]]


@dataclass(frozen=True)
class Layout:
    """How a dataset lies on disk.

    Args:
        vocabulary: the shipped vocabulary whose ids ``decode`` returns.
        split: the one that is judged unless another is named.
        pairs: lists images with their ground truth.
        decode: reads one ground truth as (H, W) ids.
        inner: folders below the given one in which the dataset may lie.
        proof: a path by which it is told where the dataset lies.
        tree: what a user is shown who gave another folder.
    """

    name: str
    vocabulary: str
    split: str
    pairs: Lister
    decode: Decoder
    inner: tuple[str, ...]
    proof: str
    tree: str


_VOC_TREE = """\
VOC2012/
  JPEGImages/2007_000033.jpg
  SegmentationClass/2007_000033.png     index PNG, 255 is ignored
  ImageSets/Segmentation/val.txt        one key a line"""
_CONTEXT_TREE = """\
VOC2010/
  JPEGImages/2008_000002.jpg
  SegmentationClassContext/2008_000002.png      0 background, 1-59 the classes in alphabetical order
  ImageSets/SegmentationContext/val.txt         one key a line"""
_CONTEXT459_TREE = """\
VOC2010/
  JPEGImages/2008_000002.jpg
  trainval/2008_000002.mat                      LabelMap of ids 1-459 as in labels.txt
  ImageSets/SegmentationContext/val.txt         one key a line"""
_COCO_TREE = """\
coco/
  images/val2017/000000000139.jpg               or val2017/
  stuffthingmaps/val2017/000000000139.png       or annotations/val2017/"""
_ADE_TREE = """\
ADEChallengeData2016/
  images/validation/ADE_val_00000001.jpg
  annotations/validation/ADE_val_00000001.png   0 other, 1-150 the classes"""
_CITY_TREE = """\
cityscapes/
  leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png
  gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png"""

_VOC = ByList(
    "ImageSets/Segmentation/{}.txt",
    "JPEGImages/{}.jpg",
    "SegmentationClass/{}.png",
)
_CONTEXT = ByList(
    "ImageSets/SegmentationContext/{}.txt", "JPEGImages/{}.jpg", "SegmentationClassContext/{}.png"
)
_CONTEXT459 = ByList("ImageSets/SegmentationContext/{}.txt", "JPEGImages/{}.jpg", "trainval/{}.mat")
_COCO = ByFolder(("images/{}", "{}"), ("stuffthingmaps/{}", "annotations/{}"), ".jpg", ".png")
_ADE = ByFolder(("images/{}",), ("annotations/{}",), ".jpg", ".png")
_CITY = ByFolder(("leftImg8bit/{}",), ("gtFine/{}",), "_leftImg8bit.png", "_gtFine_labelIds.png")
_VOC_INNER = ("VOC2012", "VOCdevkit/VOC2012")
_CONTEXT_INNER = ("VOC2010", "VOCdevkit/VOC2010")
_ADE_INNER = ("ADEChallengeData2016",)

_ALL = (
    Layout("voc", "voc21", "val", _VOC, as_stored, _VOC_INNER, _VOC.keys, _VOC_TREE),
    Layout("voc20", "voc20", "val", _VOC, as_stored, _VOC_INNER, _VOC.keys, _VOC_TREE),
    Layout(
        "context60", "context60", "val", _CONTEXT, as_stored, _CONTEXT_INNER, _CONTEXT.keys, _CONTEXT_TREE
    ),
    Layout(
        "context59", "context59", "val", _CONTEXT, as_stored, _CONTEXT_INNER, _CONTEXT.keys, _CONTEXT_TREE
    ),
    Layout(
        "context459",
        "context459",
        "val",
        _CONTEXT459,
        context_mat,
        _CONTEXT_INNER,
        _CONTEXT.keys,
        _CONTEXT459_TREE,
    ),
    Layout("coco-object", "coco_object", "val2017", _COCO, coco_object, ("coco",), "images", _COCO_TREE),
    Layout("coco-stuff", "coco_stuff171", "val2017", _COCO, coco_stuff, ("coco",), "images", _COCO_TREE),
    Layout("ade20k", "ade150", "validation", _ADE, as_stored, _ADE_INNER, "images/{}", _ADE_TREE),
    Layout("cityscapes", "cityscapes19", "val", _CITY, cityscapes, (), "gtFine", _CITY_TREE),
)
LAYOUTS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in _ALL})
