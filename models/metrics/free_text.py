"""How free-text segments are judged against fixed classes (Zero-guidance segmentation, Sec. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import IGNORE

TEXT_THRESHOLD = 0.5
"""tau_SBERT: least cosine at which a text is taken for a class, and for a right text (Appendix C)."""
SEGMENT_THRESHOLD = 0.1
"""tau_CLIP: least cosine at which a segment is taken for a class (Appendix C)."""
IOU_THRESHOLD = 0.5
"""tau_IoU: a class counts as found above it."""
UNASSIGNED = -1


def reassign(
    vectors: NDArray[np.floating], classes: NDArray[np.floating], threshold: float
) -> NDArray[np.int64]:
    """Give each segment the class nearest to it (Eq. 5 and 6), if it is near enough (Sec. 4.2).

    For text-to-text reassignment (Eq. 5) ``vectors`` are a sentence encoder's of the predicted texts, and the
    threshold is :data:`TEXT_THRESHOLD`; for segment-to-text (Eq. 6) they are CLIP's of the segments, and it
    is :data:`SEGMENT_THRESHOLD`.

    Args:
        vectors: (S, D) unit vectors.
        classes: (C, D) unit vectors of the class names, by the same encoder.
        threshold: least cosine.

    Returns:
        (S,) class indices, :data:`UNASSIGNED` where no class is near enough; the first of equals wins.
    """
    if not len(vectors) or not len(classes):
        return np.full(len(vectors), UNASSIGNED, np.int64)
    cosines = vectors @ classes.T
    return np.where(cosines.max(axis=1) >= threshold, cosines.argmax(axis=1), UNASSIGNED).astype(np.int64)


@dataclass
class FreeTextScore:
    """IoU and Segment Recall over images (Sec. 4.3).

    Segments of one reassigned class are one segment. The IoU of an image is the mean over the classes that
    its ground truth holds; the score is the mean over images that hold any. Segment Recall is the share of
    ground-truth segments, one for each image and class, whose predicted segment has an IoU above 0.5; what is
    predicted beyond the ground truth's classes costs nothing. Pixels of ``ignore`` count nowhere.

    Args:
        classes: number of classes, 0 .. classes - 1.
        ignore: id of unjudged pixels of the ground truth.
        iou_threshold: of Segment Recall.
    """

    classes: int
    ignore: int = IGNORE
    iou_threshold: float = IOU_THRESHOLD
    _image_ious: list[float] = field(default_factory=list)
    _found: int = 0
    _targets: int = 0

    def update(
        self,
        segments: NDArray[np.integer],
        assigned: Sequence[int] | NDArray[np.int64],
        target: NDArray[np.integer],
    ) -> Self:
        """Add one image.

        Args:
            segments: (H, W) index of each pixel's segment.
            assigned: class of each segment, :data:`UNASSIGNED` for none.
            target: (H, W) class ids or ``ignore``.

        Raises:
            ValueError: shapes differ, or an id is no segment or no class.
        """
        ious = self.class_ious(segments, np.asarray(assigned, np.int64), target)
        held = ious[~np.isnan(ious)]
        if len(held):
            self._image_ious.append(float(held.mean()))
        self._targets += len(held)
        self._found += int((held > self.iou_threshold).sum())
        return self

    def class_ious(
        self, segments: NDArray[np.integer], assigned: NDArray[np.int64], target: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Return the IoU of every class in one image, (C,), nan for those that its target does not hold."""
        if segments.shape != target.shape:
            raise ValueError(f"segments {segments.shape} and target {target.shape} differ in shape")
        judged = target != self.ignore
        predicted, truth = self._classes_of(segments[judged], assigned), target[judged].astype(np.int64)
        if truth.size and not 0 <= int(truth.min()) <= int(truth.max()) < self.classes:
            raise ValueError(f"target holds an id that is no class among {self.classes} nor ignore")
        both = np.bincount(truth[predicted == truth], minlength=self.classes)
        held = np.bincount(truth, minlength=self.classes)
        said = np.bincount(predicted[predicted >= 0], minlength=self.classes)
        union = held + said - both
        return np.divide(both, union, out=np.full(self.classes, np.nan), where=held > 0)

    def iou(self) -> float:
        """Mean over images of the mean IoU of their classes, in [0, 1]; nan without any image."""
        return float(np.mean(self._image_ious)) if self._image_ious else float("nan")

    def recall(self) -> float:
        """Segment Recall in [0, 1]; nan without any ground-truth segment."""
        return self._found / self._targets if self._targets else float("nan")

    def _classes_of(self, segments: NDArray[np.integer], assigned: NDArray[np.int64]) -> NDArray[np.int64]:
        if segments.size and not 0 <= int(segments.min()) <= int(segments.max()) < len(assigned):
            raise ValueError(f"a pixel is of a segment that is none of {len(assigned)}")
        if len(assigned) and not -1 <= int(assigned.min()) <= int(assigned.max()) < self.classes:
            raise ValueError(f"a segment is assigned to no class among {self.classes}")
        return assigned[segments] if len(assigned) else np.zeros(0, np.int64)


def text_generation_quality(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], threshold: float = TEXT_THRESHOLD
) -> float:
    """Return the share of oracle segments whose text is near the name of their class (Sec. 4.3).

    Args:
        predicted: (S, D) unit vectors of the texts given to ground-truth segments.
        truth: (S, D) unit vectors of these segments' class names, by the same sentence encoder.
        threshold: cosine above which a text is right.

    Returns:
        A share in [0, 1]; nan without any segment.

    Raises:
        ValueError: there is not one name for each text.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"texts {predicted.shape} and names {truth.shape} differ in shape")
    if not len(predicted):
        return float("nan")
    return float(((predicted * truth).sum(axis=1) > threshold).mean())
