from __future__ import annotations

import numpy as np

from maskmill.catalogs.heat_sheet import draw_heat_sheet

WHITE = (255, 255, 255)


def test_there_is_a_tile_for_every_class_and_scale() -> None:
    image = np.full((40, 80, 3), 200, np.uint8)
    maps = {"coarse": np.zeros((3, 1, 1), np.float32), "objectness": np.ones((1, 4, 4), np.float32)}
    maps["coarse"][1] = 1
    sheet = np.asarray(draw_heat_sheet(image, maps, ["background", "cat", "a rather long name"]))
    tiles = (sheet != WHITE).any(axis=2)
    columns = np.flatnonzero(tiles[:-10].mean(axis=0) > 0.2)
    right = sheet[:, columns[-1] - 5]
    assert (right != WHITE).any(axis=1).sum() == 100  # one tile: objectness does not depend on the class
    middle = sheet[:, columns[0] + 150]
    assert (middle != WHITE).any(axis=1).sum() >= 300  # three tiles of 200 x 100 pixels


def test_larger_values_are_lighter() -> None:
    image = np.full((50, 50, 3), 128, np.uint8)
    values = np.linspace(0, 1, 50, dtype=np.float32)[None, None].repeat(50, axis=1)
    sheet = np.asarray(draw_heat_sheet(image, {"one": values}, ["cat"])).astype(int)
    row = sheet[-30]
    tile = row[(row != WHITE).any(axis=1)].sum(axis=1)
    assert (np.diff(tile) >= -1).all()
    assert tile[-1] > tile[0] + 200


def test_a_map_of_one_value_is_drawn() -> None:
    sheet = draw_heat_sheet(
        np.zeros((1, 9, 3), np.uint8), {"flat": np.full((1, 1, 1), 0.3, np.float32)}, ["x"]
    )
    assert sheet.size[0] > 200
