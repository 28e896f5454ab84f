"""A trained student as a segmenter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...schemas.labelmap import LabelMap
from ...schemas.vocabulary import Vocabulary
from ..device import resolve_device
from .resize import to_short_side
from .student import Student
from .weights import load_student


class StudentSegmenter:
    """Images to label maps over the classes that the student has learnt.

    A vocabulary can only narrow its answers and rename them: an answer is one of the student's classes that
    the vocabulary holds by name or synonym, or the background. Classes that the student never learnt are
    never answered.

    Args:
        weights: a ``student.safetensors``.
        device: ``auto`` or torch's own name.

    Attributes:
        id: ``student:NAME@`` and 12 hex digits of the weights' sha256.
        weights: ``{"student": sha256}``.
        classes: what the student has learnt, background first.

    Raises:
        WeightsError: see :func:`load_student`.
        ConfigError: there is no such device.
    """

    def __init__(self, weights: str | Path, device: str = "auto") -> None:
        self._device = resolve_device(device)
        saved = load_student(weights, self._device)
        self._student: Student = saved.student
        self.id = saved.id
        self.weights: Mapping[str, str] = {"student": saved.sha256}
        self.classes = saved.student.spec.classes

    @torch.inference_mode()
    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        """Segment images, each with its own vocabulary.

        Args:
            images: (H, W, 3) uint8 RGB; sizes may differ.
            vocabularies: one for each image; class 0 is the background.

        Returns:
            Label maps at the images' sizes; scores are softmax probabilities over the student's allowed
            classes.

        Raises:
            ValueError: there is not one vocabulary for each image.
        """
        sizes: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        short_side = self._student.spec.short_side
        resized = [to_short_side(image, short_side, self._device) for image in images]
        for i, image in enumerate(resized):
            sizes[(image.shape[1], image.shape[2])].append(i)
        logits: dict[int, Tensor] = {}
        for members in sizes.values():
            batch = torch.stack([resized[i] for i in members]).to(memory_format=torch.channels_last)
            logits |= dict(zip(members, self._student(batch).float(), strict=True))
        return [
            self._label_map(logits[i], image.shape[:2], vocabulary)
            for i, (image, vocabulary) in enumerate(zip(images, vocabularies, strict=True))
        ]

    def _label_map(self, logits: Tensor, size: tuple[int, ...], vocabulary: Vocabulary) -> LabelMap:
        own, answers = self._shared(vocabulary)
        allowed = logits[torch.tensor(own, device=logits.device)]
        full = F.interpolate(allowed[None], size=size, mode="bilinear", align_corners=False)[0]
        scores = full.softmax(0)
        best, index = scores.max(0)
        index[best < self._student.spec.min_confidence] = 0
        best = scores.gather(0, index[None])[0]
        labels = np.array(answers, np.uint16)[index.cpu().numpy()]
        return LabelMap(labels, best.cpu().numpy().astype(np.float16), vocabulary.names)

    def _shared(self, vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
        """Return the student's ids that may be answered, and the vocabulary's ids that they stand for."""
        ids = {name: i for i, c in enumerate(vocabulary.classes) for name in (*c.synonyms, c.name)}
        shared = [(own, ids[name]) for own, name in enumerate(self.classes) if own and name in ids]
        return [0, *(own for own, _ in shared)], [0, *(answer for _, answer in shared)]
