from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from maskmill.models.encoders.options import EncoderOptions, Precision, autocast_dtype


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("auto", "cpu", None),
        ("auto", "cuda", torch.bfloat16),
        ("float32", "cuda", None),
        ("bfloat16", "cpu", torch.bfloat16),
        ("float16", "cuda", torch.float16),
    ],
)
def test_the_type_of_matrix_products(precision: Precision, device: str, expected: torch.dtype | None) -> None:
    assert autocast_dtype(precision, torch.device(device)) is expected


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValidationError, match="bfloat16"):
        EncoderOptions.model_validate({"precision": "int8"})
