"""Training steps of a student on pseudo-labels."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...schemas.config import TrainConfig
from ...schemas.errors import ConfigError
from ...schemas.labelmap import IGNORE
from ..device import resolve_device
from .student import Student

_WARM_UP = 0.1
_CLIP_NORM = 1.0


class StudentTrainer:
    """AdamW with warm-up and cosine decay on cross-entropy, and a running average of the weights.

    Pseudo-labels are blocky, so the loss is taken on the decoder's own grid, one label for each cell (its
    centre's): finer contours than that would be learnt from noise, and full-size logits would cost more
    than the network.

    Args:
        student: is trained in place; :attr:`averaged` is the one to keep.
        config: steps, rates and device.

    Raises:
        ConfigError: there is no such device, or the crop is no multiple of the trunk's stride.
    """

    def __init__(self, student: Student, config: TrainConfig) -> None:
        if config.crop % student.trunk.stride:
            raise ConfigError(
                f"crop {config.crop} is no multiple of {student.trunk.stride}, the stride of encoder "
                f"{config.encoder!r}: choose {math.lcm(32, student.trunk.stride)} or a multiple of it"
            )
        self.device = resolve_device(config.device)
        self.student = student.to(self.device).to(memory_format=torch.channels_last).train()
        self.step = 0
        self._config = config
        self._average = AveragedModel(
            self.student, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
        )
        self._optimizer = torch.optim.AdamW(
            [
                {"params": list(self.student.trunk.parameters()), "share": config.trunk_rate},
                {"params": list(self.student.decoder.parameters()), "share": 1.0},
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._autocast = _bfloat16_is_native(self.device)

    @property
    def averaged(self) -> Student:
        """The student with the exponential moving average of weights and batch statistics."""
        return cast(Student, self._average.module)

    def train_step(self, images: Tensor, labels: Tensor) -> float:
        """Take one step and return its loss before the step.

        Args:
            images: float (B, 3, H, W) in [0, 1], H and W multiples of the trunk's stride.
            labels: int64 (B, H, W), class ids and 65535 to ignore.
        """
        images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            logits = self.student.coarse_logits(images)
        loss = coarse_cross_entropy(logits.float(), labels.to(self.device, non_blocking=True))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), _CLIP_NORM)
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(self.step, self._config)
        self._optimizer.step()
        self._average.update_parameters(self.student)
        self.step += 1
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, as tensors and plain values."""
        return {
            "step": self.step,
            "student": self.student.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state["student"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])


def coarse_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the cells whose label is not 65535; zero where all are.

    Args:
        logits: float (B, C, h, w).
        labels: int64 (B, H, W); H / h and W / w are whole numbers.
    """
    rows, columns = (full // cell for full, cell in zip(labels.shape[-2:], logits.shape[-2:], strict=True))
    centres = labels[:, rows // 2 :: rows, columns // 2 :: columns]
    total = F.cross_entropy(logits, centres, ignore_index=IGNORE, reduction="sum")
    return total / (centres != IGNORE).sum().clamp(min=1)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Rise linearly over the first tenth of the steps, then fall by half a cosine to zero (Loshchilov and
    Hutter 2017, Eq. 5).
    """
    done = (step + 1) / config.steps
    rising = min(1.0, done / _WARM_UP)
    falling = 0.5 * (1 + math.cos(math.pi * max(0.0, done - _WARM_UP) / (1 - _WARM_UP)))
    return config.learning_rate * rising * falling


def _bfloat16_is_native(device: torch.device) -> bool:
    """Whether the device computes in bfloat16; a CPU that emulates it is far slower than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
