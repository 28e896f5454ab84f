from __future__ import annotations

import pytest

from maskmill.schemas.errors import ConfigError
from maskmill.schemas.protocols import Background, Window, find_protocol, protocol_families
from maskmill.schemas.vocabulary import shipped_wordings


def test_the_families_of_the_field_are_there() -> None:
    assert {"known", "clip-diy", "groupvit", "ovsegmentor", "tcl", "sclip"} <= set(protocol_families())


@pytest.mark.parametrize(
    ("family", "vocabulary", "background", "size", "window"),
    [
        ("groupvit", "voc21", Background(False, 0.95), 448, Window(448, 224)),
        ("groupvit", "context60", Background(False, 0.35), 448, Window(448, 224)),
        ("ovsegmentor", "coco_object", Background(False, 0.9), 448, Window(448, 224)),
        ("tcl", "ade150", Background(False, 0.4), 448, Window(448, 224)),
        ("sclip", "voc21", Background(True, 0.1), 336, Window(224, 112)),
        ("sclip", "cityscapes19", Background(True, 0.1), 560, Window(224, 112)),
        ("clip-diy", "voc21", Background(True, None), None, None),
    ],
)
def test_what_the_published_code_has(
    family: str, vocabulary: str, background: Background, size: int | None, window: Window | None
) -> None:
    protocol = find_protocol(family, vocabulary)
    assert (protocol.background, protocol.size, protocol.window) == (background, size, window)
    assert (protocol.resize, protocol.longest) == (("short-side", 2048) if size else ("none", None))


def test_clip_diy_shrinks_its_ground_truth_and_leaves_out_near_empty_coco_images() -> None:
    voc, coco = find_protocol("clip-diy", "voc21"), find_protocol("clip-diy", "coco_object")
    assert (voc.truth_short_side, voc.min_foreground) == (448, 0)
    assert (coco.truth_short_side, coco.min_foreground) == (448, 1000)
    assert (voc.wording, voc.resize, voc.grid_maps) == ("clip-diy", "none", True)


@pytest.mark.parametrize(
    ("rule", "background"),
    [
        ("bg=class", Background(True, None)),
        ("bg=0.9", Background(False, 0.9)),
        ("bg=.5", Background(False, 0.5)),
        ("bg=class+0.25", Background(True, 0.25)),
    ],
)
def test_the_background_rule_is_part_of_the_name(rule: str, background: Background) -> None:
    protocol = find_protocol(f"groupvit/{rule}", "voc21")
    assert protocol.background == background
    (name,) = protocol.names(has_background=True)
    assert find_protocol(name, "voc21") == protocol
    assert protocol.names(has_background=False) == ("groupvit/no-bg",)


@pytest.mark.parametrize("rule", ["bg=", "0.9", "bg=2", "bg=0.1+class", "bg=0.1+0.2", "bg=class+x", "bg=-1"])
def test_an_impossible_rule_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError, match="the background rule is"):
        find_protocol(f"tcl/{rule}", "voc21")


def test_an_unknown_family_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no protocol 'coco': there are known, clip-diy"):
        find_protocol("coco", "voc21")


def test_every_wording_of_a_protocol_is_shipped() -> None:
    for family in protocol_families():
        wording = find_protocol(family, "voc21").wording
        assert wording is None or wording in shipped_wordings("voc21")


def test_windows_and_thresholds_on_labels_need_logits() -> None:
    assert find_protocol("tcl", "voc21").reads_logits(has_background=True)
    assert find_protocol("groupvit/bg=0.9", "voc21").reads_logits(has_background=True)
    assert not find_protocol("clip-diy", "voc21").reads_logits(has_background=True)
    assert find_protocol("clip-diy", "voc20").reads_logits(has_background=False)
