"""CLIP image and text encoders over open_clip."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import batched, product

import open_clip
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from ...schemas.errors import WeightsError
from ...schemas.vocabulary import Vocabulary, VocabularyClass
from ..device import resolve_device
from .weights import ClipSource, pinned_sha256, resolve_clip
