from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from maskmill.schemas.config import (
    CorpusConfig,
    DemoConfig,
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    PoolConfig,
    TrainConfig,
    config_hash,
    load_config,
)
from maskmill.schemas.errors import ConfigError

WITH_DEFAULTS = [
    DemoConfig,
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    PoolConfig,
    TrainConfig,
]


@pytest.mark.parametrize("kind", WITH_DEFAULTS)
def test_defaults_survive_json_and_cannot_be_changed(kind: type[BaseModel]) -> None:
    config = kind()
    again = kind.model_validate_json(config.model_dump_json())
    assert again == config
    assert config_hash(again) == config_hash(config)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, next(iter(kind.model_fields)), None)


def test_the_hash_knows_every_field_and_the_order() -> None:
    one, two = FilterConfig(), FilterConfig(top_k=99)
    assert len({config_hash(one), config_hash(two), config_hash(one, two), config_hash(two, one)}) == 4
    assert len(config_hash(one)) == 16


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


def test_the_demo_refuses_the_seeds_of_its_own_weights() -> None:
    with pytest.raises(ConfigError, match="choose a lower one"):
        load_config(DemoConfig, None, {"seed": 1000})


def test_an_unknown_field_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"segmenter\.clipp: no such field; there are id, clip, objectness"):
        load_config(LabelConfig, None, {"segmenter.clipp": "demo"})
