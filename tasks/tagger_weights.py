"""The weights of NLTK's averaged perceptron tagger as integer matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from nltk.tag.perceptron import PerceptronTagger
from numpy.typing import NDArray

SCALE: Final = 1000  # training rounds every weight to three decimals
START: Final = "-START-", "-START2-"
END: Final = "-END-", "-END2-"
# The kinds of feature with more than two words.
_LONG: Final = ("i tag+i-2 tag", "i-1 tag+i word")
_BIAS: Final = "bias"


@dataclass(frozen=True)
class TaggerWeights:
    """One row of weights per feature, one column per tag.

    Args:
        labels: the tags in descending order, so that the first maximum is NLTK's choice among equals.
        rows: (features + 1, tags) int32, the weights times 1000; row 0 is zero, of unknown features.
        index: kind of feature -> its argument -> row.
        tagdict: word -> index of the tag that it always has.
    """

    labels: tuple[str, ...]
    rows: NDArray[np.int32]
    index: Mapping[str, Mapping[str, int]]
    tagdict: Mapping[str, int]

    @classmethod
    def load(cls) -> TaggerWeights:
        """Read the English weights from NLTK's search path.

        Raises:
            LookupError, OSError, ValueError, TypeError: the data is missing or damaged.
        """
        tagger = PerceptronTagger()
        return cls.of(tagger.model.weights, tagger.tagdict, sorted(tagger.classes))

    @classmethod
    def of(
        cls,
        weights: Mapping[str, Mapping[str, float]],
        tagdict: Mapping[str, str],
        classes: Sequence[str],
    ) -> TaggerWeights:
        """Turn the dictionaries of a ``PerceptronTagger`` into matrices.

        Raises:
            ValueError: a weight has more than three decimals, a feature no known form or a tag no class.
        """
        labels = tuple(sorted(classes, reverse=True))
        column = {label: i for i, label in enumerate(labels)}
        exact = np.zeros((len(weights) + 1, len(labels)))
        index: dict[str, dict[str, int]] = {}
        try:
            for row, (feature, by_tag) in enumerate(weights.items(), 1):
                exact[row, [column[tag] for tag in by_tag]] = list(by_tag.values())
                kind, argument = _split(feature)
                index.setdefault(kind, {})[argument] = row
            always = {word: column[tag] for word, tag in tagdict.items()}
        except (KeyError, AttributeError) as err:
            raise ValueError(f"no weights of an averaged perceptron tagger: {err}") from err
        rows = np.rint(exact * SCALE).astype(np.int32)
        if not np.array_equal(rows / SCALE, exact):
            raise ValueError("the tagger's weights have more than three decimals")
        return cls(labels, rows, index, always)

    def row(self, kind: str, argument: str = "") -> int:
        """Return the row of a feature, 0 where there is none."""
        return self.index.get(kind, {}).get(argument, 0)


def _split(feature: str) -> tuple[str, str]:
    """Part a feature's name, as NLTK joins it by blanks, into its kind and argument."""
    if feature == _BIAS:
        return _BIAS, ""
    for kind in _LONG:
        if feature.startswith(kind + " "):
            return kind, feature[len(kind) + 1 :]
    words = feature.split(" ", 2)
    if len(words) != 3:
        raise ValueError(f"unknown feature {feature!r}")
    return f"{words[0]} {words[1]}", words[2]
