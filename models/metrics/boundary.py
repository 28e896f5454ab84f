"""Boundary F: how well contours are met within a tolerance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...schemas.labelmap import IGNORE

TOLERANCE = 0.0075  # share of the image's diagonal (Csurka et al. 2013)
DAVIS_TOLERANCE = 0.008  # of the DAVIS benchmark


def boundary_pixels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the boundary of an (H, W) mask: pixels unlike their right, lower or lower right neighbour.

    At the right and the lower border a pixel has itself for the missing neighbour. This is the boundary of
    the DAVIS benchmark (Perazzi et al. 2016).
    """
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    return np.asarray((here != padded[:-1, 1:]) | (here != padded[1:, :-1]) | (here != padded[1:, 1:]), bool)


def boundary_f(
    prediction: NDArray[np.bool_], target: NDArray[np.bool_], tolerance: float = DAVIS_TOLERANCE
) -> float:
    """Return the F measure of the boundary of one (H, W) mask.

    Precision is the share of predicted boundary pixels with a target boundary pixel within the tolerance,
    recall the converse. Where neither mask has a boundary F is 1, where one alone has one F is 0.

    Args:
        tolerance: share of the diagonal from 0 to 1, rounded up to whole pixels; 1 and above are pixels.

    Raises:
        ValueError: shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
    pixels = tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(*target.shape))
    found, wanted = boundary_pixels(prediction), boundary_pixels(target)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision, recall = _near(found, wanted, pixels), _near(wanted, found, pixels)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class BoundaryScores:
    """Boundary F of label maps: the mean over images of each class, and the mean over classes.

    A class takes part in an image that its target holds (Csurka et al. 2013, Sec. 3). Unjudged target pixels
    are taken out of both maps first.

    Args:
        num_classes: ids 0 .. num_classes - 1 are classes.

    Attributes:
        total, images: (num_classes,) sum of F, and number of images.
    """

    def __init__(self, num_classes: int) -> None:
        self.total: NDArray[np.float64] = np.zeros(num_classes, np.float64)
        self.images: NDArray[np.int64] = np.zeros(num_classes, np.int64)

    def update(self, prediction: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        """Add one image of (H, W) ids."""
        judged = target != IGNORE
        for label in np.unique(target[judged]).tolist():
            score = boundary_f((prediction == label) & judged, target == label, TOLERANCE)
            self.total[label] += score
            self.images[label] += 1

    def merge(self, total: NDArray[np.float64], images: NDArray[np.int64]) -> None:
        """Add the sums of another part of the dataset."""
        self.total += total
        self.images += images

    def mean(self) -> float:
        """Mean over the classes that the targets hold, in [0, 1]; nan if there is none."""
        seen = self.images > 0
        return float((self.total[seen] / self.images[seen]).mean()) if seen.any() else float("nan")


def _near(boundary: NDArray[np.bool_], other: NDArray[np.bool_], pixels: float) -> float:
    """Return the share of ``boundary`` that lies within ``pixels`` of ``other``."""
    from scipy import ndimage  # slow to import, and seldom needed

    distance = ndimage.distance_transform_edt(~other)
    return float((distance[boundary] <= pixels).mean())
