"""Open-air backgrounds: skies, fields, water and snow. Each returns what broadcasts to (3, H, W) float32."""

from __future__ import annotations

import numpy as np

from .textures import Field, blend, edge, leaf_litter, tone


def _sky(field: Field) -> np.ndarray:
    drift = field.drift(14)
    sky = field.ramp(tone(96, 160, 222) + drift, tone(190, 222, 242) + drift, tone(226, 238, 244))
    cover = edge(field.noise("cloud", 0.7) - field.rng.uniform(0.3, 0.9), 1.2) * np.float32(0.9)
    return blend(sky, tone(252, 252, 250), cover)


def cloudy_sky(field: Field) -> np.ndarray:
    """Blue sky with heaps of cloud, shaded below."""
    sky = field.ramp(tone(74, 140, 214) + field.drift(14), tone(168, 210, 240))
    puff = field.noise("cloud", 0.6)
    cover = edge(puff - field.rng.uniform(0.0, 0.6), 0.6)
    lower = np.minimum(np.arange(field.height) + max(1, field.height // 16), field.height - 1)
    shade = np.clip(puff[lower] - 0.2, 0.0, 1.6) * 26.0
    return blend(sky, 253.0 - shade * tone(1.0, 0.8, 0.5), cover)


def meadow(field: Field) -> np.ndarray:
    """Grass under the sky with a line of far hills."""
    y = field.rows()
    near = field.ridge(0.4, 0.02, 0.8)
    image = blend(
        _sky(field), tone(126, 172, 142) + field.drift(14), edge(y - field.ridge(0.3, 0.035), 0.008)
    )
    depth = np.clip((y - near) / 0.6, 0.0, 1.0)
    grass = (tone(112, 172, 74) + field.drift(18)) * (1.1 - 0.32 * depth)
    return blend(image, grass + field.noise("mottle", 0.5) * (4.0 + 8.0 * depth), edge(y - near, 0.008))


def beach(field: Field) -> np.ndarray:
    """Sky, a band of sea with foam, and sand."""
    y = field.rows()
    sea = (tone(52, 142, 172) + field.drift(16)) * (0.86 + 0.5 * y) + field.noise("ripple", 0.5) * 7.0
    image = blend(_sky(field), sea, edge(y - 0.3, 0.006))
    away = y - field.ridge(0.52, 0.022, 1.2)
    wet = np.clip(46.0 - away * (46.0 / 0.12), 0.0, 46.0)
    texture = field.noise("grain") * 4.0 + field.noise("mottle", 1.6) * 5.0 - wet
    image = blend(image, tone(232, 208, 160) + field.drift(12) + texture, edge(away, 0.01))
    foam = np.clip(1.0 - np.abs(away + 0.012 * field.noise("cloud", 0.5)) / 0.03, 0.0, 0.85)
    return blend(image, tone(250, 252, 250), foam)


def snow_field(field: Field) -> np.ndarray:
    """White slopes under a pale sky with falling flakes."""
    image = field.ramp(tone(148, 182, 214), tone(206, 222, 236), tone(226, 234, 242))
    y = field.rows()
    drifts = field.noise("cloud", 0.8) * 5.0
    for base, shade in ((0.36, 226), (0.5, 244)):
        slope = tone(shade - 16, shade - 6, shade + 6) + (drifts - 18.0 * y * y)
        image = blend(image, slope, edge(y - field.ridge(base, 0.05, 0.9), 0.01))
    return blend(image, tone(255, 255, 255), edge(field.noise("mottle", 0.3) - 2.7, 0.4))


def night_sky(field: Field) -> np.ndarray:
    """Stars, a glow of the milky way and dark hills."""
    drift = field.drift(10)
    image = field.ramp(tone(16, 20, 52), tone(44, 52, 104) + drift, tone(96, 88, 140) + drift)
    image = image + np.clip(field.noise("cloud", 1.2), 0.0, 2.0) * tone(16, 14, 28)
    stars = np.clip(field.noise("grain", 1.2) * 2.0 - 5.5, 0.0, 1.0)
    image = blend(image, tone(255, 250, 226), stars)
    ground = tone(30, 40, 58) + field.noise("mottle") * 2.5
    return blend(image, ground, edge(field.rows() - field.ridge(0.82, 0.05, 0.8), 0.012))


def water(field: Field) -> np.ndarray:
    """Open water with ripples of light."""
    base = tone(*((40, 112, 162), (38, 140, 160), (62, 126, 140), (30, 92, 140))[int(field.rng.integers(4))])
    base = base + field.drift(10)
    wave = field.noise("ripple")
    image = field.ramp(base + tone(56, 52, 40), base) + wave * 9.0
    glint = edge(0.12 - np.abs(wave + 0.4 * field.noise("cloud", 0.3)), 0.2)
    return blend(image, tone(222, 242, 246), glint * np.float32(0.4))


def dunes(field: Field) -> np.ndarray:
    """Sand dunes with lit and shaded flanks under a warm sky."""
    image = field.ramp(tone(120, 176, 216), tone(234, 220, 190), tone(244, 226, 186))
    y = field.rows()
    sand = tone(226, 174, 104) + field.drift(14)
    wind = np.sin(y * 80.0 + field.ridge(0.0, 5.0, 1.2)) * 3.0 + field.noise("grain") * 3.0
    for k, base in enumerate((0.34, 0.5, 0.72)):
        away = y - field.ridge(base, 0.06, 0.7 + 0.3 * k)
        fall = 1.0 + 0.05 * k - np.clip(away, 0.0, 0.3)
        image = blend(image, sand * fall + wind, edge(away, 0.006))
    return image


def sunset(field: Field) -> np.ndarray:
    """An evening sky in orange and violet over dark water."""
    gold = tone(255, 214, 140)
    image = field.ramp(tone(66, 58, 122), tone(196, 96, 128), tone(250, 164, 96), gold, gold)
    bars = edge(field.noise("streak", 4.0) - 0.7, 1.0) * 0.6
    image = blend(image, tone(118, 74, 120), bars * (1.0 - field.rows()))
    glow = np.clip(1.0 - np.abs(field.columns() - field.rng.uniform(0.3, 0.7)) * 1.4, 0.0, 1.0)
    sea = tone(92, 70, 116) + glow * tone(110, 70, 10) + field.noise("ripple", 0.6) * 14.0
    return blend(image, sea, edge(field.rows() - 0.66, 0.006))


def mountains(field: Field) -> np.ndarray:
    """Ranges of mountains fading into haze above a valley."""
    image = _sky(field)
    y = field.rows()
    jag = field.noise("cloud", 0.7)
    for k, base in enumerate((0.28, 0.42, 0.56)):
        away = y - (field.ridge(base, 0.05, 1.6 + 0.5 * k) + 0.035 * jag[k * 3])
        rock = tone(150 - 34 * k, 170 - 22 * k, 196 - 44 * k) + (jag * 6.0 + np.clip(away * 90.0, 0.0, 26.0))
        image = blend(image, rock, edge(away, 0.006))
    valley = tone(118, 160, 96) + field.noise("mottle", 0.6) * 7.0
    return blend(image, valley, edge(y - field.ridge(0.7, 0.02, 0.8), 0.01))


def autumn_leaves(field: Field) -> np.ndarray:
    """Ground strewn with leaves in warm colours."""
    warm = np.array(
        [(196, 92, 42), (226, 150, 58), (172, 62, 46), (208, 178, 84), (140, 88, 52)], dtype=np.float32
    )
    table = warm[field.rng.integers(0, len(warm), 64)] + field.rng.normal(0.0, 9.0, (64, 1)).astype(
        np.float32
    )
    table[0] = (74, 52, 42)
    number, shade = leaf_litter(field)
    return table.T[:, number] + shade + field.drift(10)


def street(field: Field) -> np.ndarray:
    """A hedge, a pavement and an asphalt road with a dashed line."""
    y, x = field.rows(), field.columns()
    hedge = tone(88, 136, 84) + field.noise("mottle") * 12.0
    image = blend(_sky(field), hedge, edge(y - field.ridge(0.3, 0.015, 4.0), 0.02))
    grit = field.noise("grain")
    joint = (np.mod(x + 0.25 * y, 0.16) < 0.006) * np.float32(26.0)
    image = blend(image, tone(196, 192, 184) + (grit * 3.0 - joint), edge(y - 0.48, 0.005))
    image = blend(image, tone(104, 106, 114) + grit * 7.0, edge(y - 0.62, 0.005))
    dash = (np.abs(y - 0.84) < 0.012) & (np.mod(x + field.rng.random(), 0.3) < 0.17)
    return blend(image, tone(238, 230, 200), dash * np.float32(0.9))
