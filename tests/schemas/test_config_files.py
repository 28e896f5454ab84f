from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.schemas.config import CorpusConfig, LabelConfig
from maskmill.schemas.config_files import load_config
from maskmill.schemas.demo_config import DemoConfig
from maskmill.schemas.errors import ConfigError


def test_a_file_sets_fields_and_flags_go_first(tmp_path: Path) -> None:
    path = tmp_path / "label.toml"
    path.write_text('vocabulary = "voc21"\nmin_area = 9\n[segmenter]\nclip = "demo"\n')
    flags = {"min_area": 5, "segmenter.options.short_side": 224, "batch_images": None}
    config = load_config(LabelConfig, path, flags)
    assert (config.vocabulary, config.min_area, config.segmenter.clip) == ("voc21", 5, "demo")
    assert config.segmenter.options == {"short_side": 224}
    assert config.batch_images == LabelConfig().batch_images


@pytest.mark.parametrize(
    ("text", "flags", "complaint"),
    [
        ("vocabulari = 'x'", {}, "vocabulari"),
        ("min_area = 0", {}, "min_area"),
        ("[pool]\nbackend = 'dask'", {}, r"pool\.backend"),
        ("", {"segmenter.options": "many"}, r"segmenter\.options"),
        ("= 3", {}, "cannot be read"),
        ("a = '\udcff'", {}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, text: str, flags: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "label.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=complaint):
        load_config(LabelConfig, path, flags)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(LabelConfig, tmp_path / "missing.toml", {})


def test_a_corpus_needs_a_uri() -> None:
    with pytest.raises(ConfigError, match="uri: Field required"):
        load_config(CorpusConfig, None, {})


def test_what_a_check_of_ours_says_stands_as_it_is() -> None:
    with pytest.raises(ConfigError, match="DemoConfig: seeds from 1000 on"):
        load_config(DemoConfig, None, {"seed": 1000})


def test_an_unknown_field_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"segmenter\.clipp: no such field; there are id, clip, objectness"):
        load_config(LabelConfig, None, {"segmenter.clipp": "demo"})
