"""The registry of backgrounds: how each is painted, where its ground begins and what people call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from . import backgrounds_indoor as indoor
from . import backgrounds_outdoor as outdoor
from .textures import Field


@dataclass(frozen=True)
class Background:
    """One kind of background.

    `ground` is the share of the height at which standable ground begins (None: things may be anywhere).
    `places` are phrases that say where a thing is; `names` are noun phrases for the background itself.
    `suits` are the things one expects there. `open_air` marks what takes no shadow, such as sky and water.
    """

    paint: Callable[[Field], np.ndarray]
    ground: float | None
    places: tuple[str, ...]
    names: tuple[str, ...]
    suits: tuple[str, ...]
    open_air: bool = False

    def shadow(self, flies: bool) -> Literal["none", "foot", "drop"]:
        """Say which shadow a thing casts here: none, a pool on the ground, or one on the wall."""
        if self.ground is None:
            return "none" if self.open_air else "drop"
        return "none" if flies else "foot"


BACKGROUNDS: Final[dict[str, Background]] = {
    "meadow": Background(
        outdoor.meadow,
        0.4,
        ("on a meadow", "in a green field", "on the grass", "out in the countryside"),
        ("a green meadow", "grass", "a field under the sky", "grass and sky"),
        ("house", "tree", "flower", "cat", "mushroom", "kite", "umbrella", "butterfly", "car"),
    ),
    "beach": Background(
        outdoor.beach,
        0.5,
        ("on the beach", "on a sandy beach", "by the sea", "at the seaside"),
        ("a beach", "sand and sea", "an empty beach", "the seaside"),
        ("umbrella", "boat", "kite", "bird", "chair", "guitar"),
    ),
    "snow field": Background(
        outdoor.snow_field,
        0.45,
        ("in the snow", "on a snowy hill", "on a winter day"),
        ("snow", "a snow field", "a snowy hill in winter"),
        ("snowman", "tree", "house", "bird", "cat"),
    ),
    "night sky": Background(
        outdoor.night_sky,
        0.8,
        ("at night", "under the stars", "under a starry sky"),
        ("a night sky", "stars in the night sky", "the dark sky at night"),
        ("house", "tree", "car", "lamp", "bird"),
    ),
    "water": Background(
        outdoor.water,
        None,
        ("on the water", "in front of blue water", "on a lake"),
        ("water", "ripples on a lake", "the sea"),
        ("boat", "fish", "bird", "umbrella"),
        open_air=True,
    ),
    "sand dunes": Background(
        outdoor.dunes,
        0.45,
        ("in the desert", "among the dunes", "on the hot sand"),
        ("sand dunes", "the desert", "sand and sky"),
        ("car", "kite", "bus", "umbrella", "chair"),
    ),
    "sunset": Background(
        outdoor.sunset,
        None,
        ("at sunset", "in front of an orange sky", "in the evening"),
        ("a sunset", "an orange sky", "a sunset over the sea"),
        ("boat", "bird", "kite", "fish"),
        open_air=True,
    ),
    "mountains": Background(
        outdoor.mountains,
        0.6,
        ("in the mountains", "in a valley", "in front of blue mountains"),
        ("mountains", "a mountain valley", "blue mountains"),
        ("house", "tree", "bus", "car", "bird", "snowman", "guitar"),
    ),
    "autumn leaves": Background(
        outdoor.autumn_leaves,
        None,
        ("on autumn leaves", "on the forest floor", "on a pile of leaves"),
        ("autumn leaves", "leaves on the ground", "fallen leaves"),
        ("mushroom", "apple", "cat", "bird", "umbrella", "butterfly"),
    ),
    "street": Background(
        outdoor.street,
        0.5,
        ("on the street", "on the road", "along a quiet road"),
        ("a street", "an empty road", "asphalt and pavement"),
        ("car", "bus", "cat", "tree", "house", "umbrella", "snowman"),
    ),
    "cloudy sky": Background(
        outdoor.cloudy_sky,
        None,
        ("in a cloudy sky", "among the clouds", "in front of a blue sky"),
        ("clouds", "a blue sky with clouds", "the sky"),
        ("kite", "bird", "butterfly", "umbrella"),
        open_air=True,
    ),
    "brick wall": Background(
        indoor.brick_wall,
        None,
        ("in front of a brick wall", "against a brick wall", "on a wall"),
        ("a brick wall", "bricks", "an old wall"),
        ("clock", "cat", "chair", "lamp", "guitar", "bus"),
    ),
    "wooden table": Background(
        indoor.wooden_table,
        None,
        ("on a wooden table", "on the table", "on wooden planks"),
        ("a wooden table", "wood", "wooden planks"),
        ("cup", "apple", "clock", "lamp", "mushroom", "fish", "flower"),
    ),
    "striped wallpaper": Background(
        indoor.striped_wallpaper,
        None,
        ("on striped wallpaper", "in front of striped wallpaper", "against a wall"),
        ("striped wallpaper", "stripes", "a striped wall"),
        ("clock", "lamp", "cup", "chair", "flower"),
    ),
    "dotted wallpaper": Background(
        indoor.dotted_wallpaper,
        None,
        ("on a dotted background", "on polka dots", "in front of dotted wallpaper"),
        ("polka dots", "dotted wallpaper", "a pattern of dots"),
        ("cat", "flower", "apple", "butterfly", "fish", "cup"),
    ),
    "concrete": Background(
        indoor.concrete,
        None,
        ("on concrete", "against a grey wall", "in front of a concrete wall"),
        ("concrete", "a concrete wall", "grey cement"),
        ("chair", "car", "clock", "guitar", "mushroom"),
    ),
    "checkered cloth": Background(
        indoor.checkered_cloth,
        None,
        ("on a checkered cloth", "on a picnic blanket", "on a tablecloth"),
        ("a checkered cloth", "a tablecloth", "gingham fabric"),
        ("apple", "cup", "flower", "mushroom", "fish"),
    ),
    "tiled wall": Background(
        indoor.tiled_wall,
        None,
        ("in front of bathroom tiles", "on a tiled wall", "against the kitchen tiles"),
        ("tiles", "a tiled wall", "bathroom tiles"),
        ("cup", "clock", "fish", "apple"),
    ),
    "room": Background(
        indoor.room,
        0.62,
        ("in a room", "on a wooden floor", "in the living room"),
        ("an empty room", "a wall and a floor", "a wooden floor"),
        ("chair", "lamp", "cat", "guitar", "clock", "cup"),
    ),
    "chalkboard": Background(
        indoor.chalkboard,
        None,
        ("on a chalkboard", "on the blackboard", "at school"),
        ("a chalkboard", "an empty blackboard", "a school board"),
        ("apple", "kite", "boat", "snowman", "bus"),
    ),
    "carpet": Background(
        indoor.carpet,
        None,
        ("on a rug", "on the carpet", "on a woven rug"),
        ("a carpet", "a woven rug", "a zigzag carpet"),
        ("cat", "chair", "guitar", "boat", "butterfly"),
    ),
}


def paint_background(name: str, field: Field) -> np.ndarray:
    """Paint the background `name`; return (H, W, 3) uint8. Raises KeyError for an unknown name."""
    planes = np.clip(BACKGROUNDS[name].paint(field), 0.0, 255.0).astype(np.uint8)
    whole = np.broadcast_to(planes, (3, field.height, field.width))
    return np.ascontiguousarray(whole.transpose(1, 2, 0))
