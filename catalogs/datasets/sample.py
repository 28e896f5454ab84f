"""One labelled image of a dataset: as it is stored, and as it is learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import CatalogError
from ...schemas.labelmap import IGNORE
from ..images import MAX_PIXELS, decode_image
from .bands import Bands, bands_of
from .painting import PaintedMask, paint_labels, paint_weights


class MaskSample(NamedTuple):
    """One image and what is to be learnt of it.

    ``image`` is (H, W, 3) uint8 RGB, upright. ``labels`` is (H, W) uint16 class ids, 65535 to ignore.
    ``weights`` is (H, W) float32 in [0, 1] or up to the background's weight: of a mask its score, which is 1
    where a person drew it; of pixels without a mask ``background_weight``, 1 unless chosen, since the catalog
    holds no score of the background; of ignored pixels 0. ``known`` is (C,) bool, the same for every image:
    false for classes that only prototypes or free text gave. ``human`` says that a person looked at the
    image. ``fault`` is empty, or says why the image is blank and wholly ignored (``on_error="skip"``).

    The maps lie in memory column after column, as masks are encoded: turning them takes longer than decoding
    them. What copies them anyway, such as a crop or ``torch.stack``, turns them on the way.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    weights: NDArray[np.float32]
    known: NDArray[np.bool_]
    key: str
    image_id: str
    human: bool
    fault: str = ""


@dataclass(frozen=True)
class MaskRecord:
    """One labelled image, compressed as it is stored.

    Args:
        image: the image file's bytes.
        width, height: pixels of the image as displayed.
        masks: in the order of painting: what comes later lies on top.
        human: a person looked at the image.
        background_weight: of pixels that have no mask.
    """

    key: str
    image_id: str
    image: bytes
    width: int
    height: int
    masks: tuple[PaintedMask, ...]
    human: bool = False
    background_weight: float = 1.0

    def labels(self) -> NDArray[np.uint16]:
        """Return the (H, W) class ids; 0 is background, 65535 is ignore.

        Raises:
            CatalogError: a mask is damaged.
        """
        return paint_labels(self.masks, self.bands(), self.height, self.width)

    def decode(self, known: NDArray[np.bool_], bands: Bands | None = None) -> MaskSample:
        """Return the image and its maps.

        Args:
            bands: what :meth:`bands` returned before.

        Raises:
            CatalogError: a mask is damaged, or the image decodes to another size than its masks have.
            SampleError: the image cannot be decoded.
        """
        image = decode_image(self.image, max_pixels=max(MAX_PIXELS, self.height * self.width))
        if image.shape[:2] != (self.height, self.width):
            raise CatalogError(
                f"image {self.key!r} is {image.shape[1]} x {image.shape[0]}, its masks are "
                f"{self.width} x {self.height}"
            )
        bands, size = bands or self.bands(), (self.height, self.width)
        labels = paint_labels(self.masks, bands, *size)
        weights = paint_weights(self.masks, self.background_weight, bands, *size)
        return MaskSample(image, labels, weights, known.copy(), self.key, self.image_id, self.human)

    def bands(self) -> Bands:
        """Return where the masks lie, which takes most of the time of a map.

        Raises:
            CatalogError: a mask is damaged.
        """
        try:
            return bands_of([mask.rle for mask in self.masks], self.height, self.width)
        except CatalogError as err:
            raise CatalogError(f"image {self.key!r}: {err}") from err


def blank_sample(
    size: tuple[int, int], known: NDArray[np.bool_], key: str, image_id: str, fault: str
) -> MaskSample:
    """Return what stands in for an image (H, W) that cannot be read: black, ignored, of weight 0."""
    image, labels = np.zeros((*size, 3), np.uint8), np.full(size, IGNORE, np.uint16)
    return MaskSample(image, labels, np.zeros(size, np.float32), known.copy(), key, image_id, False, fault)
