"""What a drawing tells the caption writer about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .pen import Pen


@dataclass(frozen=True)
class Look:
    """A colour word and a more exact name (one of `SYNONYMS`) that suit this drawing; empty where none does.

    `flies` says that it may hang in the air.
    """

    colour: str = ""
    kind: str = ""
    flies: bool = False


Drawer = Callable[[Pen, np.random.Generator], Look]
