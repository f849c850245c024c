"""G_ema, the result of a run: an exponential moving average of the trained generator."""

from collections.abc import Mapping

import torch
from torch import Tensor

EMA_KIMG = 10.0  # half-life at a batch of 32; in proportion to the batch
RAMP_UP = 0.05  # of the images shown so far, at most
MAGNITUDE_HALF_LIFE = 20_000  # images


def ema_beta(batch: int, images: int, ramp_up: float | None = RAMP_UP, ema_kimg: float | None = None) -> float:
    """The decay of the average in an iteration, after `images` images."""
    half_life = (EMA_KIMG * batch / 32 if ema_kimg is None else ema_kimg) * 1000
    if ramp_up is not None:
        half_life = min(half_life, images * ramp_up)
    return float(0.5 ** (batch / max(half_life, 1e-8)))


def magnitude_beta(batch: int) -> float:
    """The decay of the layers' magnitudes in a batch."""
    return float(0.5 ** (batch / MAGNITUDE_HALF_LIFE))


@torch.no_grad()
def average(
    ema: Mapping[str, Tensor],
    trained: Mapping[str, Tensor],
    buffers: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    beta: float,
) -> None:
    """Move the parameters of `ema` towards `trained`; buffers (those of G_ema, those of G) are copied."""
    for name, parameter in ema.items():
        parameter.copy_(trained[name].lerp(parameter, beta))
    averaged, current = buffers
    for name, buffer in averaged.items():
        buffer.copy_(current[name])
