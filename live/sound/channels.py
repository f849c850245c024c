"""Which channels of an input are heard, as they are named on the command line."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped

from shared.errors import UserError


@dataclass(frozen=True)
class Channels:
    """Channels, counted from 1. More than one are averaged."""

    numbers: tuple[int, ...] = (1,)

    @classmethod
    def parse(cls, text: str) -> "Channels":
        """`2`, or `1+2` for their average; UserError for anything else."""
        if not re.fullmatch(r"[1-9]\d*(\+[1-9]\d*)*", text):
            raise UserError(
                f"--channel {text} given; allowed is a channel's number from 1, or several to be averaged as in 1+2"
            )
        return cls(tuple(int(number) for number in text.split("+")))

    def __str__(self) -> str:
        return "+".join(str(number) for number in self.numbers)

    @property
    def columns(self) -> list[int]:
        """The same, counted from 0."""
        return [number - 1 for number in self.numbers]

    def check(self, there: int, name: str) -> None:
        """UserError where `name` has only so many channels as `there` are and one of these is beyond."""
        if max(self.numbers) > there:
            has, allowed = ("1 channel", "only 1") if there == 1 else (f"{there} channels", f"1 to {there}")
            raise UserError(f"{name} has {has}, --channel {self} asked for; allowed is {allowed}")


def average(samples: Shaped[np.ndarray, "n channels"]) -> Float32[np.ndarray, "n"]:
    """The mean of the channels, added in their order; one channel passes unchanged, to the bit."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    total = np.zeros(len(samples))
    for channel in samples.T:
        total += channel
    mean: Float32[np.ndarray, "n"] = (total / samples.shape[1]).astype(np.float32)
    return mean
