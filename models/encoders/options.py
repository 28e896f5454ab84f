"""How an encoder runs: precision, compilation, and where embedded texts are kept."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from ...schemas.config import Frozen

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class EncoderOptions(Frozen):
    """Options of :func:`~maskmill.models.encoders.clip.load_clip`; they change how, not what."""

    precision: Precision = Field(
        "auto", description="of the forward passes; auto: bfloat16 on CUDA, float32 on a CPU"
    )
    compile: bool = Field(False, description="torch.compile the image tower; pays where crops are many")
    text_cache: str = Field(
        "auto",
        description="folder that keeps embedded classes across runs; none; auto: in the user's cache folder "
        "for weights that open_clip downloads, none for demo and for folders",
    )


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the type that matrix products run in; None leaves them in the weights' own float32."""
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else None
    return None if precision == "float32" else getattr(torch, precision)
