"""Which seeds the recipe of the demo weights takes, and how it is shortened."""

from __future__ import annotations

import pytest

from maskmill.schemas.errors import ConfigError
from maskmill.tasks.demo_recipe import DemoWeightsConfig


def test_seeds_of_the_demo_corpus_are_refused() -> None:
    with pytest.raises(ConfigError, match="demo corpus"):
        DemoWeightsConfig(seed=999)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="share"):
        DemoWeightsConfig().shortened(share)


def test_shortened_scales_pictures_and_steps() -> None:
    short = DemoWeightsConfig().shortened(0.01)
    assert short.pictures["closeup"] == 240
    assert short.clip.steps == round(DemoWeightsConfig().clip.steps * 0.01)
