"""Three plots as inline SVG: columns, a line, and columns small enough for a table.

Colours and type come from the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from .data import Bin

_WIDTH = 360
_LEFT, _RIGHT, _TOP = 40, 8, 10


def columns(bins: Sequence[Bin], title: str, axis: str, every: int = 1) -> Markup:
    """Draw a histogram with one column per bin.

    Args:
        bins: at least one; names are written under the columns.
        title: what a reader who cannot see the plot is told first.
        axis: what the horizontal axis measures.
        every: write only each n-th name.

    Raises:
        ValueError: there is no bin.
    """
    if not bins:
        raise ValueError("a histogram needs at least one bin")
    height, bottom = 190, 40
    top = _ceiling(max(b.count for b in bins))
    step = (_WIDTH - _LEFT - _RIGHT) / len(bins)
    floor = height - bottom
    parts = [_grid(top, floor)]
    for i, item in enumerate(bins):
        tall = (floor - _TOP) * item.count / top
        if item.count:
            tall = max(tall, 1.0)
        x = _LEFT + i * step
        parts.append(
            Markup(
                '<rect class="column" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5">'
            ).format(x + step * 0.08, floor - tall, step * 0.84, tall)
            + Markup("<title>{}: {}</title></rect>").format(item.name, f"{item.count:,}")
        )
        if i % every == 0:
            parts.append(_text(x + step / 2, floor + 14, item.name, "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, height - 5, axis, "middle"))
    told = "; ".join(f"{b.name}: {b.count}" for b in bins)
    return _frame(height, f"{title}. {told}", parts)


def line(points: Sequence[tuple[float, float]], title: str, axis: str) -> Markup:
    """Draw points joined by a line, y from zero.

    Args:
        points: (x, y) by rising x, at least two with distinct x; points that are not finite are left out.
        title: what a reader who cannot see the plot is told first.
        axis: what the horizontal axis measures.

    Raises:
        ValueError: fewer than two finite points, or all at one x.
    """
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len({x for x, _ in finite}) < 2:
        raise ValueError("a line needs at least two finite points with distinct x")
    height, bottom = 190, 40
    floor = height - bottom
    low, high = finite[0][0], finite[-1][0]
    top = _ceiling(max(y for _, y in finite))
    across = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    path = " ".join(
        f"{_LEFT + (x - low) * across:.1f},{floor - (floor - _TOP) * max(y, 0.0) / top:.1f}"
        for x, y in finite
    )
    parts = [_grid(top, floor), Markup('<polyline class="curve" points="{}"/>').format(path)]
    for x, anchor in ((low, "start"), ((low + high) / 2, "middle"), (high, "end")):
        parts.append(_text(_LEFT + (x - low) * across, floor + 14, f"{x:,.0f}", anchor))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, height - 5, axis, "middle"))
    told = f"from {finite[0][1]:.3g} at {low:,.0f} to {finite[-1][1]:.3g} at {high:,.0f}"
    return _frame(height, f"{title}: {told}", parts)


def spark(counts: Sequence[int], title: str) -> Markup:
    """Draw a histogram of 100 x 24 units without axes, as one path.

    Args:
        counts: one per bin, at least one bin.
        title: what a reader who cannot see the plot is told first; the counts follow.

    Raises:
        ValueError: there is no bin.
    """
    if not counts:
        raise ValueError("a histogram needs at least one bin")
    top, step = max(*counts, 1), 100 / len(counts)
    bars = "".join(
        f"M{i * step:.4g} 24v-{max(23 * count / top, 1):.3g}h{step * 0.84:.3g}V24z"
        for i, count in enumerate(counts)
        if count
    )
    told = f"{title}: {', '.join(str(count) for count in counts)}"
    return Markup(
        '<svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path d="{}"/></svg>'
    ).format(told, bars)


def _frame(height: int, label: str, parts: Sequence[Markup]) -> Markup:
    opened = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        _WIDTH, height, label
    )
    return opened + Markup("").join(parts) + Markup("</svg>")


def _grid(top: float, floor: float) -> Markup:
    """Horizontal lines at 0, half and full height with their values."""
    lines = Markup("")
    for share in (0.0, 0.5, 1.0):
        y = floor - (floor - _TOP) * share
        lines += Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            _LEFT, _WIDTH - _RIGHT, y, y
        )
        lines += _text(_LEFT - 6, y + 3.5, brief(top * share), "end")
    return lines


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, escape(words)
    )


def _ceiling(value: float) -> float:
    """Return the next round number (1, 2, 4, 5, 6, 8 or 10 times a power of ten) at or above the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 4, 5, 6, 8, 10, 20) if m * power >= value)


def brief(value: float) -> str:
    """Return a number with a unit, e.g. ``12k``, where it would be long."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):,.3g}{unit}"
    return f"{value:,.4g}"
