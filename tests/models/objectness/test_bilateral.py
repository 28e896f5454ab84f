from __future__ import annotations

import numpy as np
import pytest

from maskmill.models.objectness.bilateral import BilateralSolver, _cells, _neighbours, _radix


def _two_halves(height: int = 48, width: int = 64, edge: int = 37) -> np.ndarray:
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, edge:] = (220, 60, 60)
    return image


def test_a_coarse_mask_snaps_to_the_edge() -> None:
    coarse = np.zeros((48, 64))
    coarse[:, 32:] = 1  # five columns too many
    refined = BilateralSolver(_two_halves())(coarse) > 0.5
    expected = np.zeros((48, 64), bool)
    expected[:, 37:] = True
    assert np.array_equal(refined, expected)


def test_a_speck_on_a_flat_image_is_smoothed_away() -> None:
    target = np.zeros((48, 64))
    target[10:14, 10:14] = 1
    refined = BilateralSolver(np.full((48, 64, 3), 90, np.uint8))(target)
    assert refined.max() < 0.1
    assert refined.mean() == pytest.approx(target.mean(), rel=0.05)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_a_constant_map_stays_as_it_is(value: float) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 33, 3), np.uint8)
    assert np.allclose(BilateralSolver(image)(np.full((20, 33), value)), value, atol=1e-6)


def test_the_solver_is_linear_and_can_be_used_again() -> None:
    rng = np.random.default_rng(1)
    solver = BilateralSolver(_two_halves())
    one, two = rng.random((2, 48, 64))
    assert np.allclose(solver(one + two), solver(one) + solver(two), atol=1e-3)
    assert np.array_equal(solver(one), solver(one))


def test_one_pixel_is_an_image() -> None:
    assert BilateralSolver(np.zeros((1, 1, 3), np.uint8))(np.ones((1, 1)))[0, 0] == pytest.approx(1.0)


def test_a_map_of_another_size_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        BilateralSolver(_two_halves())(np.zeros((3, 3)))


def test_vertices_are_neighbours_when_they_differ_by_one_step_in_one_dimension() -> None:
    rng = np.random.default_rng(2)
    cells = np.unique(_cells(rng.integers(0, 256, (24, 40, 3), np.uint8)), axis=0)
    radix = _radix(cells)
    order = np.argsort(cells @ radix)
    cells = cells[order][:400]
    adjacency = _neighbours(cells @ radix, radix).toarray()
    distance = np.abs(cells[:, None] - cells[None]).sum(axis=-1)
    assert np.array_equal(adjacency, (distance == 1).astype(float))
