"""The channels of an input that are analysed, as given to `--channel`."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped

from shared.errors import UserError


@dataclass(frozen=True)
class Channels:
    """Channel numbers from 1. Several channels are averaged."""

    numbers: tuple[int, ...] = (1,)

    @classmethod
    def parse(cls, text: str) -> "Channels":
        """`2`, or `1+2` for their average. Raises UserError for anything else."""
        if not re.fullmatch(r"[1-9]\d*(\+[1-9]\d*)*", text):
            raise UserError(f"--channel {text} given; allowed is a number from 1, or several to average, as in 1+2")
        return cls(tuple(int(number) for number in text.split("+")))

    def __str__(self) -> str:
        return "+".join(str(number) for number in self.numbers)

    @property
    def columns(self) -> list[int]:
        """Indices from 0."""
        return [number - 1 for number in self.numbers]

    def check(self, available: int, name: str) -> None:
        """Raise UserError if `name`, which has `available` channels, lacks one of these."""
        if max(self.numbers) > available:
            has, allowed = ("1 channel", "only 1") if available == 1 else (f"{available} channels", f"1 to {available}")
            raise UserError(f"{name} has {has}, --channel {self} given; allowed is {allowed}")


def average(samples: Shaped[np.ndarray, "n channels"]) -> Float32[np.ndarray, "n"]:
    """The mean of the channels, summed in order. A single channel is returned bit for bit."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    total = np.zeros(len(samples))
    for channel in samples.T:
        total += channel
    mean: Float32[np.ndarray, "n"] = (total / samples.shape[1]).astype(np.float32)
    return mean
