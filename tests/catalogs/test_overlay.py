from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.overlay import (
    OverlayStyle,
    draw_legend,
    draw_overlay,
    names_in,
    overlay_layer,
    resized_labels,
    tags,
)
from maskmill.catalogs.palette import colours_of
from maskmill.schemas.labelmap import IGNORE, LabelMap

PLAIN = OverlayStyle(fill=0.5, dim=0.0, outline=0, font_size=0)


def label_map(labels: list[list[int]] | np.ndarray, *names: str) -> LabelMap:
    array = np.asarray(labels, np.uint16)
    return LabelMap(array, np.ones(array.shape, np.float16), ("background", *names))


def square() -> LabelMap:
    labels = np.zeros((40, 60), np.uint16)
    labels[10:30, 20:50] = 1
    return label_map(labels, "cat")


def test_names_come_by_area_without_background_and_ignored_pixels() -> None:
    given_map = label_map([[0, 0, 0, 1], [2, 2, IGNORE, IGNORE]], "cat", "bird", "absent")
    assert names_in(given_map) == ["bird", "cat"]


def test_area_is_blended_and_background_is_untouched() -> None:
    image = np.full((40, 60, 3), 100, np.uint8)
    drawn = draw_overlay(image, square(), {"cat": (200, 0, 100)}, PLAIN)
    assert np.all(drawn[0, 0] == 100)
    np.testing.assert_allclose(drawn[20, 30], (150, 50, 100), atol=1)
    assert np.all(image == 100)


def test_outline_is_opaque_and_lies_on_the_border_only() -> None:
    layer = overlay_layer(square(), {"cat": (200, 0, 100)}, style=OverlayStyle(outline=2, dim=0.0))
    assert layer[10, 30, 3] == layer[11, 30, 3] == 255
    assert layer[12, 30, 3] == 128
    assert layer[9, 30, 3] == 0


def test_background_is_veiled_only_where_something_is_labelled() -> None:
    style = OverlayStyle(dim=0.4)
    assert overlay_layer(square(), {"cat": (1, 2, 3)}, style=style)[0, 0, 3] == 102
    assert not overlay_layer(label_map(np.zeros((4, 4))), {}, style=style).any()


def test_layer_has_the_size_asked_for() -> None:
    assert overlay_layer(square(), {"cat": (1, 2, 3)}, size=(30, 20)).shape == (20, 30, 4)


def test_ignored_pixels_are_striped_and_need_no_colour() -> None:
    layer = overlay_layer(label_map(np.full((16, 16), IGNORE)), {})
    covered = (layer[..., 3] > 0).mean()
    assert 0.3 < covered < 0.7


def test_tag_of_a_ring_lies_on_the_ring() -> None:
    rows, columns = np.mgrid[:80, :80]
    radius = np.hypot(rows - 40, columns - 40)
    ring = label_map(((radius > 20) & (radius < 34)).astype(np.uint16), "ring")
    (tag,) = tags(ring)
    assert ring.labels[int(tag.y * 80), int(tag.x * 80)] == 1
    assert tag.fraction == pytest.approx((ring.labels == 1).mean())


def test_two_ids_with_one_name_get_one_tag() -> None:
    (tag,) = tags(label_map([[1, 1, 0, 2]], "cat", "cat"))
    assert tag.fraction == pytest.approx(0.75)


def test_specks_get_no_tag() -> None:
    labels = np.zeros((100, 100), np.uint16)
    labels[0, 0] = 1
    assert tags(label_map(labels, "cat")) == []


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(1, 50))
def test_resizing_invents_no_label(height: int, width: int, to_width: int, to_height: int) -> None:
    labels = (np.arange(height * width).reshape(height, width) % 7).astype(np.uint16)
    resized = resized_labels(labels, to_width, to_height)
    assert resized.shape == (to_height, to_width)
    assert set(np.unique(resized)) <= set(np.unique(labels))


def test_drawing_twice_gives_the_same_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    np.testing.assert_array_equal(draw_overlay(image, square()), draw_overlay(image, square()))


def test_names_of_several_lines_and_names_wider_than_the_picture_are_drawn() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    drawn = draw_overlay(image, label_map(square().labels, "a very long name\nin two lines"))
    assert drawn.shape == (40, 60, 3)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 4)])
def test_grey_and_rgba_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        draw_overlay(np.zeros(shape, np.uint8), square())


def test_a_name_is_not_written_over_another() -> None:
    labels = np.full((60, 160), 1, np.uint16)
    labels[24:36, 60:100] = 2
    long, red, blue = "a thing with a long name", (255, 0, 0), (0, 0, 255)
    style = OverlayStyle(fill=0.0, outline=0, font_size=12)
    black = np.zeros((60, 160, 3), np.uint8)
    alone = draw_overlay(black, label_map(np.where(labels == 1, 1, 0), long), {long: red}, style)
    both = draw_overlay(black, label_map(labels, long, "other"), {long: red, "other": blue}, style)
    written = (alone == red).all(axis=2)
    assert written.sum() > 400
    assert (both[written] == red).all()
    beside = np.flatnonzero((both == blue).all(axis=2).any(axis=0))
    assert beside[0] < np.flatnonzero(written.any(axis=0))[-1]


def test_a_long_name_is_cut_within_the_picture() -> None:
    style = OverlayStyle(fill=0.0, outline=0, font_size=12)
    name, red = "w" * 500, (255, 0, 0)
    drawn = draw_overlay(
        np.zeros((60, 200, 3), np.uint8), label_map(np.ones((60, 200)), name), {name: red}, style
    )
    columns = np.flatnonzero((drawn == red).all(axis=2).any(axis=0))
    assert 90 < np.ptp(columns) <= 0.6 * 200


def test_missing_colour_is_an_error() -> None:
    with pytest.raises(KeyError, match="cat"):
        overlay_layer(square(), {"dog": (1, 2, 3)})


def test_legend_wraps_at_its_width() -> None:
    names = ["cat", "bird", "house", "umbrella"]
    colours = colours_of(names)
    wide, narrow = draw_legend(names, colours, 900), draw_legend(names, colours, 120)
    assert (wide.width, narrow.width) == (900, 120)
    assert narrow.height > wide.height
    assert np.any(np.all(np.asarray(wide) == colours["umbrella"], axis=-1))
