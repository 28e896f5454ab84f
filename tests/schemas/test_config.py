from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from maskmill.schemas.config import (
    EvaluateConfig,
    FilterConfig,
    LabelConfig,
    PoolConfig,
    TrainConfig,
)
from maskmill.schemas.config_files import load_config
from maskmill.schemas.demo_config import DemoConfig
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
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, next(iter(kind.model_fields)), None)


def test_the_demo_refuses_the_seeds_of_its_own_weights() -> None:
    with pytest.raises(ConfigError, match="choose a lower one"):
        load_config(DemoConfig, None, {"seed": 1000})
