from __future__ import annotations

import pickle

import pytest

from maskmill.schemas import errors
from maskmill.schemas.errors import ErrorReason, MaskmillError, SampleError


def test_every_error_is_a_maskmill_error_with_an_exit_code_of_its_own() -> None:
    kinds = [
        errors.ConfigError,
        errors.CorpusError,
        errors.CatalogError,
        errors.WeightsError,
        errors.StageError,
    ]
    assert all(issubclass(kind, MaskmillError) for kind in kinds)
    assert sorted(kind.exit_code for kind in kinds) == [2, 3, 4, 5, 6]


def test_errors_survive_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(SampleError(ErrorReason.TOO_LARGE, "9 pixels")))
    assert isinstance(error, SampleError)
    assert (error.reason, error.detail, str(error)) == (
        ErrorReason.TOO_LARGE,
        "9 pixels",
        "too_large: 9 pixels",
    )
    assert str(pickle.loads(pickle.dumps(errors.StageError("why")))) == "why"


@pytest.mark.parametrize("reason", list(ErrorReason))
def test_reasons_are_stored_as_plain_words(reason: ErrorReason) -> None:
    assert str(reason) == reason.value == reason.name.lower()
