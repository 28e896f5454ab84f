"""Where tensors live."""

from __future__ import annotations

import torch

from ..schemas.errors import ConfigError


def resolve_device(name: str) -> torch.device:
    """Return the device of that name: one of torch's, or ``auto`` for CUDA where there is one, else the CPU.

    Raises:
        ConfigError: torch does not know the name, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as err:
        raise ConfigError(f"device {name!r} is unknown: use auto, cpu, cuda or cuda:N") from err
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"no device {name!r}: torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return device
