"""Which images are held out, by a hash of their identity: it never changes when images are added."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "val"]


def split_of(image_id: str, val_share: float, seed: int) -> Split:
    """Return ``val`` for about a share of the images: the same in every dataset and export with this seed."""
    digest = hashlib.blake2b(f"{seed}\0{image_id}".encode(), digest_size=8).digest()
    return "val" if int.from_bytes(digest, "big") < val_share * 2**64 else "train"
