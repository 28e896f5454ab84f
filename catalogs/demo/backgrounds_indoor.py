"""Man-made backgrounds: walls, wood and cloth. Each returns what broadcasts to (3, H, W) float32."""

from __future__ import annotations

import numpy as np

from .colours import PALETTE
from .textures import Field, blend, edge, tone

_PASTEL = ("blue", "pink", "yellow", "green", "teal", "purple", "orange", "grey", "white")
_WOODS = ((186, 132, 82), (150, 100, 64), (206, 164, 112), (128, 92, 70), (172, 112, 66))
_CLAYS = ((176, 88, 68), (190, 110, 84), (150, 84, 74), (206, 190, 174), (134, 100, 88))
_BOARDS = ((52, 84, 70), (54, 58, 62), (46, 70, 84))


def _paint(field: Field, *words: str, pale: float = 0.0) -> np.ndarray:
    colour = tone(*PALETTE[words[int(field.rng.integers(len(words)))]])
    return colour + (tone(246, 240, 228) - colour) * np.float32(pale) + field.drift(10)


def _per_cell(field: Field, rows: np.ndarray, columns: np.ndarray, spread: float) -> np.ndarray:
    """Give every cell of an integer grid one random value, looked up by its row and column number."""
    table = field.rng.normal(0.0, spread, (64, 64)).astype(np.float32)
    return table[rows.astype(np.intp) % 64, columns.astype(np.intp) % 64]


def _grid(field: Field, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, 1) and (1, W) float32 coordinates in cells of `step` px, shifted at random."""
    y = np.arange(field.height, dtype=np.float32)[:, None] / np.float32(step) + np.float32(field.rng.random())
    x = np.arange(field.width, dtype=np.float32)[None] / np.float32(step) + np.float32(field.rng.random())
    return y, x


def _to_line(cells: np.ndarray) -> np.ndarray:
    """Return the distance of every coordinate to the nearest whole number."""
    return np.abs(cells - np.round(cells))


def brick_wall(field: Field) -> np.ndarray:
    """Bricks in running bond with pale mortar."""
    y, x = _grid(field, field.unit * field.rng.uniform(0.075, 0.11))
    row = np.floor(y)
    x = x / 2.3 + 0.5 * (row % 2)
    clay = tone(*_CLAYS[int(field.rng.integers(len(_CLAYS)))])
    colour = _per_cell(field, row, np.floor(x), 13.0) + field.noise("mottle", 0.6) * 7.0
    colour = colour - edge((y % 1) - 0.8, 0.1) * 26.0
    gap = np.minimum(_to_line(y), _to_line(x) * 2.3)
    return blend(clay + colour * tone(1.0, 0.85, 0.75), tone(214, 204, 190), edge(0.075 - gap, 0.05))


def wooden_table(field: Field) -> np.ndarray:
    """Planks of wood, running across."""
    y, _ = _grid(field, field.unit * field.rng.uniform(0.18, 0.34))
    row = np.floor(y)
    wood = tone(*_WOODS[int(field.rng.integers(len(_WOODS)))])
    veins = field.noise("streak", 1.2)
    grain = _per_cell(field, row, row * 0, 9.0) + veins * 7.0 + np.sin(veins * 5.0 + row * 2.0) * 5.0
    return blend(
        wood + grain * tone(1.0, 0.82, 0.62), tone(70, 46, 36), edge(0.018 - _to_line(y), 0.03) * 0.8
    )


def striped_wallpaper(field: Field) -> np.ndarray:
    """Upright stripes in two pale colours, each with a darker seam."""
    first, second = _paint(field, *_PASTEL, pale=0.5), _paint(field, "white", "yellow", "pink", pale=0.75)
    _, x = _grid(field, field.unit * field.rng.uniform(0.12, 0.24))
    band = _to_line(x)
    image = blend(first, second, edge(band - 0.26, 0.02))
    image = blend(image, first * 0.84, edge(0.022 - np.abs(band - 0.33), 0.02) * 0.7)
    return image + (field.noise("mottle", 0.5) * 3.0 + 6.0 * (0.5 - field.rows()))


def dotted_wallpaper(field: Field) -> np.ndarray:
    """Small dots in rows on a coloured ground."""
    ground = _paint(field, *_PASTEL, pale=field.rng.uniform(0.1, 0.5))
    y, x = _grid(field, field.unit * field.rng.uniform(0.08, 0.14))
    x = x + 0.5 * (np.floor(y) % 2)
    away = np.sqrt((x % 1 - 0.5) ** 2 + (y % 1 - 0.5) ** 2)
    image = blend(ground, ground * 0.4 + 150.0, edge(0.2 - away, 0.12))
    return image + (field.noise("mottle", 0.5) * 2.5 - 10.0 * field.rows())


def concrete(field: Field) -> np.ndarray:
    """Bare concrete with seams between its panels."""
    pour = field.noise("cloud") * 9.0 + field.noise("mottle", 0.5) * 5.0 + field.noise("grain") * 4.0
    image = field.rng.uniform(140, 196) + tone(0, -1, -5) + pour
    y, x = _grid(field, field.unit * field.rng.uniform(0.5, 0.9))
    return blend(image, tone(96, 96, 98), edge(0.008 - np.minimum(_to_line(x), _to_line(y)), 0.012) * 0.7)


def checkered_cloth(field: Field) -> np.ndarray:
    """Gingham: crossing bands of one colour on white, with a weave."""
    dye = _paint(field, "red", "blue", "green", "yellow", "teal", "pink", "purple")
    y, x = _grid(field, field.unit * field.rng.uniform(0.09, 0.16))
    cover = np.float32(0.38) * (x % 1 < 0.5) + np.float32(0.38) * (y % 1 < 0.5)
    image = blend(tone(248, 245, 238), dye, cover.astype(np.float32))
    return image + (field.noise("cloud", 0.9) * 7.0 + field.noise("grain") * 3.5)


def tiled_wall(field: Field) -> np.ndarray:
    """Glazed square tiles with grout."""
    glaze = _paint(field, "teal", "blue", "white", "green", "grey", "pink", pale=field.rng.uniform(0.2, 0.7))
    y, x = _grid(field, field.unit * field.rng.uniform(0.12, 0.2))
    colour = _per_cell(field, np.floor(y), np.floor(x), 7.0) + 16.0 * (1.0 - (x % 1) - (y % 1))
    image = glaze + (colour + field.noise("mottle", 0.5) * 2.0)
    return blend(image, tone(226, 224, 216), edge(0.035 - np.minimum(_to_line(x), _to_line(y)), 0.03))


def room(field: Field) -> np.ndarray:
    """A painted wall, a skirting board and a wooden floor."""
    wall = _paint(field, *_PASTEL, pale=field.rng.uniform(0.15, 0.55))
    y, x = field.rows(), field.columns()
    image = wall * (1.03 - 0.12 * y) + field.noise("mottle", 0.8) * 2.5
    wood = tone(*_WOODS[int(field.rng.integers(len(_WOODS)))])
    across = (x - 0.5) / (0.25 + y) * 12.0
    plank = _per_cell(field, np.floor(across), np.floor(across) * 0, 8.0) + field.noise("streak", 1.2) * 4.0
    floor = wood * (0.86 + 0.2 * y) + (plank - edge(0.03 - _to_line(across), 0.04) * 34.0)
    image = blend(image, floor, edge(y - 0.62, 0.005))
    image = blend(image, wall * 0.2 + 196.0, edge(0.026 - np.abs(y - 0.6), 0.005))
    return image - edge(0.004 - np.abs(y - 0.628), 0.004) * 44.0


def chalkboard(field: Field) -> np.ndarray:
    """A green or black school board with wiped chalk."""
    smear = np.clip(field.noise("cloud", 0.8) + 0.5 * field.noise("streak", 1.5), 0.0, 2.5) * 14.0
    return tone(*_BOARDS[int(field.rng.integers(len(_BOARDS)))]) + (smear + field.noise("grain") * 3.0)


def carpet(field: Field) -> np.ndarray:
    """A woven rug with a zigzag pattern."""
    ground = _paint(field, "red", "blue", "brown", "teal", "grey", "purple", pale=0.2)
    accent = _paint(field, "yellow", "white", "orange", "pink", pale=0.2)
    y, x = _grid(field, field.unit * field.rng.uniform(0.16, 0.26))
    wave = (y + np.abs(x % 1 - 0.5) * 0.7) % 1
    image = blend(ground, accent, edge(0.12 - np.abs(wave - 0.5), 0.03) * 0.8)
    image = blend(image, ground * 0.66, edge(0.035 - np.abs(wave - 0.14), 0.02))
    return image + (field.noise("grain") * 6.0 + field.noise("cloud") * 4.0)
