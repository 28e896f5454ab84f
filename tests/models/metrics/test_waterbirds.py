from __future__ import annotations

import math

import pytest
import torch

from maskmill.models.metrics.waterbirds import LANDBIRD, WATERBIRD, GroupAccuracy, bird_of

BACKGROUND, WATER, LAND = torch.eye(4)[:3]
QUERIES = torch.stack([BACKGROUND, WATER, LAND])


def _mix(background: float, water: float, land: float) -> torch.Tensor:
    return background * BACKGROUND + water * WATER + land * LAND


def test_background_locations_do_not_vote() -> None:
    # Many weak hints of land lie where it is background most of all.
    features = torch.stack([*[_mix(1.0, 0.0, 0.9)] * 9, _mix(0.1, 1.0, 0.2)])
    assert bird_of(features * 3, QUERIES) == WATERBIRD


def test_each_bird_is_judged_by_its_own_locations_alone() -> None:
    sure_land, unsure_water = _mix(0.0, 0.1, 1.0), _mix(0.5, 0.9, 0.6)
    assert bird_of(torch.stack([sure_land, *[unsure_water] * 5]), QUERIES) == LANDBIRD
    for case in range(20):
        features = torch.randn(30, 4, generator=torch.Generator().manual_seed(case))
        unit = features / features.norm(dim=1, keepdim=True)
        similarity = [[float(u @ q) for q in QUERIES] for u in unit]
        water = [s[1] for s in similarity if s[1] == max(s)]
        land = [s[2] for s in similarity if s[2] == max(s)]
        expected = WATERBIRD if sum(water) / len(water) >= sum(land) / len(land) else LANDBIRD
        assert bird_of(features, QUERIES) == expected


def test_where_all_is_background_the_likeliest_bird_counts() -> None:
    assert bird_of(torch.stack([_mix(1, 0.2, 0.5), _mix(1, 0.3, 0.1)]), QUERIES) == LANDBIRD


def test_delta_is_the_drop_from_the_own_place_to_the_other() -> None:
    accuracy = GroupAccuracy()
    for bird, place, answers in ((1, 1, [1, 1, 1, 0]), (1, 0, [1, 0, 0, 0]), (0, 0, [0, 0]), (0, 1, [0, 1])):
        for answer in answers:
            accuracy.update(answer, bird, place)
    assert accuracy.delta(WATERBIRD) == pytest.approx(0.75 - 0.25)
    assert accuracy.delta(LANDBIRD) == pytest.approx(1.0 - 0.5)
    assert accuracy.worst() == 0.25
    assert math.isnan(GroupAccuracy().delta(LANDBIRD))
    assert math.isnan(GroupAccuracy().worst())
