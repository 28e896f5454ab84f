"""Protocols: all that turns a segmenter's answers and a dataset into one number, under one name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from .errors import ConfigError

KNOWN = "known"
ZERO_GUIDANCE, GROUPING = "zero-guidance", "grouping"
UNKNOWN_IGNORED = "known-ignore-unknown"
_NUMBER = re.compile(r"0?\.\d+|0|1|1\.0*")


@dataclass(frozen=True)
class Window:
    """A sliding window of crop x crop pixels, moved by stride; the last one ends at the border."""

    crop: int
    stride: int


@dataclass(frozen=True)
class Background:
    """How background pixels are told from the rest.

    Args:
        text_class: class 0 competes with the others by its own score (its words, or the segmenter's own
            rule); else the others compete alone.
        threshold: a pixel whose best class is less probable than this is background; in [0, 1].
    """

    text_class: bool = True
    threshold: float | None = None

    def __str__(self) -> str:
        parts = ["class"] if self.text_class else []
        return "+".join([*parts, *([f"{self.threshold:g}"] if self.threshold is not None else [])])


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate.

    Args:
        family: whose protocol; ``known`` is maskmill's own (see :class:`maskmill.tasks.judging.Judge`).
        background: how background pixels are told; without effect where a vocabulary has no background.
        resize: what is done to the image first: nothing, its short side becomes ``size`` with the ratio
            kept (a long side above ``longest`` shrinks it further), or it becomes a square of ``size``.
        window: crops that are looked at one by one, their logits averaged; None for the whole image.
        truth_short_side: ground truth is resized to this short side, nearest pixel; None leaves it.
        wording: whose words the classes are asked by; None for the vocabulary's own.
        min_foreground: an image whose ground truth has fewer foreground pixels is left out.
        grid_maps: maps of a segmenter that tells its own grid are brought from there to the ground truth's
            size, not by way of the image's.
        readings: of a protocol that judges segments instead of classes that were asked for, the ways in which
            segments are given a class; each is a result of its own.
    """

    family: str
    background: Background = Background()
    resize: Literal["none", "short-side", "square"] = "none"
    size: int | None = None
    longest: int | None = None
    window: Window | None = None
    truth_short_side: int | None = None
    wording: str | None = None
    min_foreground: int = 0
    grid_maps: bool = False
    readings: tuple[str, ...] = ()

    def reads_logits(self, has_background: bool) -> bool:
        """Say whether labels do not tell the answer: there are windows, or class 0 does not compete."""
        if self.readings:
            return False
        return self.window is not None or not (has_background and self.background.text_class)

    def names(self, has_background: bool) -> tuple[str, ...]:
        """Return what results call it: the family, and the background rule where there is a background; or
        the family with each of its readings.
        """
        if self.readings:
            return tuple(f"{self.family}/{reading}" for reading in self.readings)
        return (f"{self.family}/bg={self.background}" if has_background else f"{self.family}/no-bg",)


KNOWN_PROTOCOL = Protocol(KNOWN)


@dataclass(frozen=True)
class _Family:
    """A protocol, and what differs by vocabulary."""

    base: Protocol
    changes: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}))


def _over(*thresholds: tuple[str, float], text_class: bool = False) -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({name: {"background": Background(text_class, t)} for name, t in thresholds})


_SLIDING = Protocol("groupvit", Background(False, 0.95), "short-side", 448, 2048, Window(448, 224), None)
_SCLIP = Protocol("sclip", Background(True, 0.1), "short-side", 336, 2048, Window(224, 112), None, "sclip")
_FAMILIES: Mapping[str, _Family] = MappingProxyType(
    {
        KNOWN: _Family(KNOWN_PROTOCOL),
        # The square of 256 pixels belongs to its released segmenter, which takes any image.
        "clip-diy": _Family(
            Protocol("clip-diy", truth_short_side=448, wording="clip-diy", grid_maps=True),
            MappingProxyType({"coco_object": {"min_foreground": 1000}}),
        ),
        # Thresholds of its segmentation/configs/_base_/datasets.
        "groupvit": _Family(
            replace(_SLIDING, wording="groupvit"),
            _over(("voc21", 0.95), ("context60", 0.35), ("coco_object", 0.95)),
        ),
        # Its thresholds are those of the paper (Sec. 4.1); the released code has 0.95 for VOC.
        "ovsegmentor": _Family(
            replace(_SLIDING, family="ovsegmentor", wording="groupvit"),
            _over(("voc21", 0.9), ("context60", 0.35), ("coco_object", 0.9), ("ade150", 0.95)),
        ),
        # bg_thresh of its configs/eval.yml.
        "tcl": _Family(
            replace(_SLIDING, family="tcl", wording="tcl", background=Background(False, 0.4)),
        ),
        # prob_thd of its configs/cfg_*.py; that of VOC also drops classes of small area, which is left out.
        "sclip": _Family(_SCLIP, MappingProxyType({"cityscapes19": {"size": 560}})),
        # Sec. 4: free text is given a class by what the text means, or by what the segment looks like.
        ZERO_GUIDANCE: _Family(Protocol(ZERO_GUIDANCE, readings=("text-text", "segment-text"))),
        # CLIPpy, Sec. 3.5: groups without names, each segment of the truth against the one that fits best.
        GROUPING: _Family(Protocol(GROUPING, readings=("jaccard",))),
    }
)


def protocol_families() -> tuple[str, ...]:
    """Return the families that :func:`find_protocol` knows."""
    return tuple(_FAMILIES)


def find_protocol(name: str, vocabulary: str) -> Protocol:
    """Return a protocol as it is for one vocabulary.

    Args:
        name: a family, or ``FAMILY/bg=RULE`` with the rule ``class``, a threshold such as ``0.95``, or
            ``class+0.1`` for both.
        vocabulary: without its wording, e.g. ``voc21``.

    Raises:
        ConfigError: there is no such family or rule.
    """
    family, _, rule = name.partition("/")
    if family not in _FAMILIES:
        raise ConfigError(
            f"no protocol {name!r}: there are {', '.join(_FAMILIES)}, each also as FAMILY/bg=class, "
            "FAMILY/bg=0.95 or FAMILY/bg=class+0.1 for another background rule"
        )
    found = _FAMILIES[family]
    changes: Mapping[str, object] = found.changes.get(vocabulary, {})
    protocol = replace(found.base, **changes)  # type: ignore[arg-type]
    if rule and protocol.readings:
        raise ConfigError(f"protocol {family!r} has no background rule: leave out {'/' + rule!r}")
    return replace(protocol, background=_rule(rule, name)) if rule else protocol


def _rule(text: str, name: str) -> Background:
    parts = text.removeprefix("bg=").split("+") if text.startswith("bg=") else []
    text_class, numbers = "class" in parts[:1], [p for p in parts if _NUMBER.fullmatch(p)]
    if not parts or len(parts) != text_class + len(numbers) or len(numbers) > 1:
        raise ConfigError(f"protocol {name!r}: the background rule is bg=class, bg=0.95 or bg=class+0.1")
    return Background(text_class, float(numbers[0]) if numbers else None)
