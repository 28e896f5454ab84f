"""IoU and accuracy over dataset-level areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import IGNORE


class ConfusionMatrix:
    """Pixel counts of (target class, predicted class), summed over images.

    Counts are summed over the whole dataset before any ratio is taken, as in GroupViT and mmsegmentation; the
    mean of per-image IoUs is another number. Target pixels of ``ignore`` count nowhere. Predicted pixels of
    ``ignore`` answer nothing: they miss their target and are no class's false positive.

    Args:
        num_classes: ids 0 .. num_classes - 1 are classes.
        ignore: the id of unjudged target pixels.

    Attributes:
        counts: (num_classes, num_classes + 1) int64; rows are targets, the last column is "no answer".
    """

    def __init__(self, num_classes: int, ignore: int = IGNORE) -> None:
        if not 1 <= num_classes <= ignore:
            raise ValueError(f"num_classes must lie in [1, {ignore}], got {num_classes}")
        self.num_classes = num_classes
        self.ignore = ignore
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes + 1), np.int64)

    def update(self, prediction: NDArray[np.integer], target: NDArray[np.integer]) -> Self:
        """Add one image, or several stacked.

        Args:
            prediction, target: integer ids, same shape.

        Raises:
            ValueError: shapes differ, or an id is neither a class nor ``ignore``.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
        judged = target != self.ignore
        rows = self._classes(target[judged], "target")
        guesses = prediction[judged]
        columns = np.full(guesses.shape, self.num_classes, np.int64)
        answered = guesses != self.ignore
        columns[answered] = self._classes(guesses[answered], "prediction")
        flat = np.bincount(rows * (self.num_classes + 1) + columns, minlength=self.counts.size)
        self.counts += flat.reshape(self.counts.shape)
        return self

    def merge(self, counts: NDArray[np.int64]) -> Self:
        """Add the ``counts`` of another matrix over the same classes."""
        if counts.shape != self.counts.shape:
            raise ValueError(f"counts {counts.shape} do not fit {self.counts.shape}")
        self.counts += counts
        return self

    @property
    def intersection(self) -> NDArray[np.int64]:
        """(num_classes,) pixels where prediction and target agree on the class."""
        return self.counts.diagonal()

    @property
    def union(self) -> NDArray[np.int64]:
        """(num_classes,) pixels that are of the class in either map."""
        return self.counts.sum(1) + self.counts[:, :-1].sum(0) - self.intersection

    @property
    def present(self) -> NDArray[np.bool_]:
        """(num_classes,) whether the targets hold the class at all."""
        return self.counts.sum(1) > 0

    def iou(self) -> NDArray[np.float64]:
        """(num_classes,) intersection over union in [0, 1]; nan where the class is in neither map."""
        union = self.union
        return np.divide(self.intersection, union, out=np.full(len(union), np.nan), where=union > 0)

    def miou(self) -> float:
        """Mean IoU over the classes that the targets hold; nan if there is none."""
        present = self.present
        return float(self.iou()[present].mean()) if present.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of judged pixels that are right; nan if there is none."""
        total = int(self.counts.sum())
        return float(self.intersection.sum() / total) if total else float("nan")

    def _classes(self, ids: NDArray[np.integer], what: str) -> NDArray[np.int64]:
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= self.num_classes):
            bad = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
            raise ValueError(f"{what} holds id {bad}, which is no class among {self.num_classes} nor ignore")
        return ids.astype(np.int64)


@dataclass(frozen=True)
class SplitMiou:
    """Mean IoU over known and over unknown classes, and their harmonic mean; nan where there is no class.

    A class that no target holds is left out of its mean, as in :meth:`ConfusionMatrix.miou`.
    """

    known: float
    unknown: float

    @property
    def harmonic(self) -> float:
        """2 k u / (k + u) (CLIP-S4, Sec. 4.2); 0 where both are 0."""
        total = self.known + self.unknown
        return 2 * self.known * self.unknown / total if total else 0.0


def split_miou(matrix: ConfusionMatrix, unknown: Sequence[bool]) -> SplitMiou:
    """Return the mIoU of the known and of the unknown classes apart.

    Args:
        unknown: for each class.

    Raises:
        ValueError: there is not one entry for each class.
    """
    if len(unknown) != matrix.num_classes:
        raise ValueError(f"{len(unknown)} entries for {matrix.num_classes} classes")
    iou, apart = matrix.iou(), np.asarray(unknown, bool)
    means = [iou[matrix.present & part] for part in (~apart, apart)]
    known, new = (float(part.mean()) if part.size else float("nan") for part in means)
    return SplitMiou(known, new)
