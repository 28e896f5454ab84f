"""Is one method better than another, as the paper says: estimates with errors, orders compared, tables.

Methods are judged on the same images, so their differences are bootstrapped over images in pairs: image for
image the same resamples for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from paper_tables import PaperTable

CLEAR = 2.0  # standard errors from which a difference is not put down to the choice of images


@dataclass(frozen=True)
class Estimate:
    """A number and what it would have been on other images.

    Args:
        value: in [0, 1].
        draws: (draws,) the same number on resampled images; one resample has one place in all estimates.
    """

    value: float
    draws: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.nanstd(self.draws, ddof=1))


def resamples(images: int, draws: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """Return (draws, images): how often each image is taken in each resample."""
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=draws)


def miou_of(counts: NDArray[np.integer], weights: NDArray[np.int64]) -> Estimate:
    """Estimate mIoU from (images, C, C + 1) counts as ``ConfusionMatrix`` has them, and :func:`resamples`."""
    images, classes, columns = counts.shape
    flat = counts.reshape(images, -1).astype(np.float64)
    whole = np.ones((1, images))
    both = np.concatenate([whole, weights]) @ flat
    draws = _miou(both.reshape(-1, classes, columns))
    return Estimate(float(draws[0]), draws[1:])


def ratio_of(
    parts: NDArray[np.floating], wholes: NDArray[np.floating], weights: NDArray[np.int64]
) -> Estimate:
    """Estimate sum(parts) / sum(wholes) of (images,) each: a mean, where wholes are 1, or a recall."""
    draws = np.divide(
        weights @ parts,
        weights @ wholes,
        out=np.full(len(weights), np.nan),
        where=(weights @ wholes) > 0,
    )
    total = float(wholes.sum())
    return Estimate(float(parts.sum()) / total if total else float("nan"), draws)


def _miou(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the classes that targets hold, for each of (n, C, C + 1) sums."""
    hit = counts[..., :-1].diagonal(axis1=1, axis2=2)
    held = counts.sum(axis=2)
    union = held + counts[..., :-1].sum(axis=1) - hit
    iou = np.divide(hit, union, out=np.zeros_like(hit), where=union > 0)
    return (iou * (held > 0)).sum(axis=1) / (held > 0).sum(axis=1)


@dataclass(frozen=True)
class Swap:
    """Two methods whose order here is not the paper's.

    Args:
        better, worse: as measured here.
        gain, error: how much better here, and the standard error of that difference.
        loss: how much worse ``better`` is in the paper, in the paper's percent.
    """

    better: str
    worse: str
    gain: float
    error: float
    loss: float

    @property
    def clear(self) -> bool:
        return self.gain >= CLEAR * self.error


def swaps(published: Mapping[str, float], here: Mapping[str, Estimate]) -> list[Swap]:
    """Return the pairs of methods whose order differs; what is equal on either side has no order."""
    methods = [method for method in published if method in here]
    found = []
    for better in methods:
        for worse in methods:
            gain, loss = here[better].value - here[worse].value, published[worse] - published[better]
            if gain > 0 and loss > 0:
                error = float(np.nanstd(here[better].draws - here[worse].draws, ddof=1))
                found.append(Swap(better, worse, gain, error, loss))
    return found


def ties(published: Mapping[str, float], here: Mapping[str, Estimate]) -> list[tuple[str, str]]:
    """Return the pairs of methods that the paper orders and that are equal here."""
    pairs = combinations([method for method in published if method in here], 2)
    return [
        (one, two)
        for one, two in pairs
        if here[one].value == here[two].value and published[one] != published[two]
    ]


def ranks(values: Mapping[str, float]) -> dict[str, int]:
    """Return method -> place from 1 for the largest; equal values share the better place."""
    return {name: 1 + sum(other > value for other in values.values()) for name, value in values.items()}


def order_lines(published: Mapping[str, float], where: str, here: Mapping[str, Estimate]) -> list[str]:
    """Say in words where the order differs from one column of a paper's table."""
    compared = [method for method in published if method in here]
    if len(compared) < 2:
        return [f"  {where}: fewer than two of its rows were run, no order to compare"]
    found, equal = swaps(published, here), ties(published, here)
    also = f"; equal here: {'; '.join(f'{one!r} and {two!r}' for one, two in equal)}" if equal else ""
    if not found:
        return [f"  {where}: {'nothing against the' if equal else 'the'} paper's order{also}"]
    sure, unsure = ([swap for swap in found if swap.clear is kind] for kind in (True, False))
    lines = [f"  {where}: order differs{also}", *(f"    {_in_words(swap)}" for swap in sure)]
    if unsure:
        pairs = "; ".join(f"'{swap.better}' above '{swap.worse}' by {100 * swap.gain:.1f}" for swap in unsure)
        lines.append(f"    below {CLEAR:.0f} standard errors, so not clear: {pairs}")
    return lines


def _in_words(swap: Swap) -> str:
    return (
        f"'{swap.better}' above '{swap.worse}' by {100 * swap.gain:.1f} +- {100 * swap.error:.1f}, "
        f"in the paper {swap.loss:.1f} below"
    )


def table_lines(table: PaperTable, here: Mapping[str, Estimate], columns: Sequence[str] = ()) -> list[str]:
    """Return the lines of a table: what was measured, its place among what was, and the paper's columns.

    Args:
        here: method -> estimate; methods of the paper that are missing show as not run.
        columns: of the paper's, all by default.
    """
    shown = tuple(columns) or table.columns
    width = max(map(len, (*table.rows, *here))) + 2
    published = {name: table.column(name) for name in shown}
    head = "".join(f"{name:>{len(name) + 4}}{'place':>7}" for name in shown)
    lines = [table.title, f"{'method':<{width}}{'here':>8}{'s.e.':>7}{'place':>7}  |{head}"]
    here_ranks = ranks({name: estimate.value for name, estimate in here.items()})
    paper_ranks = {name: ranks({m: v for m, v in published[name].items() if m in here}) for name in shown}
    for method in dict.fromkeys((*table.rows, *here)):
        line = f"{method:<{width}}{_measured(here.get(method), here_ranks.get(method))}  |"
        for name in shown:
            value, place = published[name].get(method), paper_ranks[name].get(method)
            line += f"{_shown(value):>{len(name) + 4}}{place or '-':>7}"
        lines.append(line)
    return [*lines, *(line for name in shown for line in order_lines(published[name], name, here))]


def _measured(estimate: Estimate | None, place: int | None) -> str:
    if estimate is None:
        return f"{'not run':>8}{'-':>7}{'-':>7}"
    return f"{100 * estimate.value:>8.1f}{100 * estimate.error:>7.1f}{place:>7}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
