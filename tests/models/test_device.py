from __future__ import annotations

import pytest
import torch

from maskmill.models.device import resolve_device
from maskmill.schemas.errors import ConfigError


def test_auto_is_cuda_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


def test_a_name_that_torch_does_not_know_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="'warp' is unknown"):
        resolve_device("warp")


def test_a_cuda_device_that_is_not_there_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda:0").index == 0
    with pytest.raises(ConfigError, match="torch sees 1 CUDA"):
        resolve_device("cuda:1")
