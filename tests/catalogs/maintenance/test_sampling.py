from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.maintenance.log import LoggedFile
from maskmill.catalogs.maintenance.sampling import Sample


def _files(rows: list[int]) -> dict[str, LoggedFile]:
    return {str(i): LoggedFile(str(i), 1, {"numRecords": number}) for i, number in enumerate(rows)}


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(0, 90), st.integers(0, 5))
def test_as_many_rows_are_chosen_as_were_asked_for(rows: list[int], size: int, seed: int) -> None:
    sample = Sample(_files(rows), size, seed)
    chosen = [sample.of(str(i), number) for i, number in enumerate(rows)]
    assert sum(map(len, chosen)) == min(size, sum(rows))
    for places, number in zip(chosen, rows, strict=True):
        assert len(set(places.tolist())) == len(places)
        assert all(0 <= place < number for place in places)


def test_every_row_is_as_likely_as_any_other() -> None:
    files = _files([1, 3, 0, 6])
    hits = np.zeros(10)
    for seed in range(2000):
        sample = Sample(files, 3, seed)
        places = [sample.of(path, file.rows) for path, file in files.items()]
        for start, found in zip((0, 1, 4, 4), places, strict=True):
            hits[start + found] += 1
    assert hits.sum() == 6000
    assert np.abs(hits / 2000 - 0.3).max() < 0.05  # five standard deviations


def test_rows_that_the_file_lost_are_passed_over() -> None:
    assert Sample(_files([8]), None, 0).of("0", 3).tolist() == [0, 1, 2]
    assert Sample(_files([8]), 7, 0).of("0", 3).max() < 3
