"""Calm, compelling and chaotic passages of a sound, from how its pictures move."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import rankdata

Mood = Literal["calm", "compelling", "chaotic"]
MOODS: tuple[Mood, ...] = get_args(Mood)
SMOOTHING_S = 1.0  # over which the change of the picture is averaged
CORRESPONDENCE_S = 3.0  # window of the local correspondence


@dataclass(frozen=True)
class Limits:
    """What tells the moods apart.

    calm, chaotic: shares of the spread of the pictures. Calm: the picture changes less than `calm` a tick; chaotic: more
    than `chaotic`, or more than half of that without following the sound (correspondence below `follows`), or the sound is
    beyond the reach of every pair. shortest_s: passages are at least so long.
    """

    calm: float = 0.15
    chaotic: float = 0.55
    follows: float = 0.2
    shortest_s: float = 1.0


@dataclass(frozen=True)
class Passage:
    """Ticks first to last, both counted from the beginning of the excerpt, of one mood."""

    mood: Mood
    first: int
    last: int

    @property
    def ticks(self) -> int:
        """Its length."""
        return self.last - self.first + 1


def local_correspondence(
    moved: Float64[np.ndarray, "n"], changes: Float64[np.ndarray, "n"], fps: Fraction
) -> Float64[np.ndarray, "n"]:
    """Spearman correlation of the sound's movement and the picture's change in a window around each tick; 0 at rest."""
    half = max(2, round(CORRESPONDENCE_S * float(fps) / 2))
    result = np.zeros(len(moved))
    for i in range(len(moved)):
        a, b = (rankdata(x[max(0, i - half) : i + half + 1]) for x in (moved, changes))
        if len(a) > 4 and a.std() > 0 and b.std() > 0:
            result[i] = np.corrcoef(a, b)[0, 1]
    return result


def passages(
    changes: Float64[np.ndarray, "n"],
    correspondence: Float64[np.ndarray, "n"],
    distances: Float64[np.ndarray, "n"],
    spread: float,
    reach: float,
    fps: Fraction,
    limits: Limits,
) -> list[Passage]:
    """The whole excerpt as passages, one after the other."""
    length = max(1, round(SMOOTHING_S * float(fps)))
    share = moving_mean(changes, length) / spread if spread > 0 else np.zeros(len(changes))
    lost = moving_mean((distances > reach).astype(float), length) > 0.5
    is_wild = share > limits.chaotic
    is_blind = (share > limits.chaotic / 2) & (correspondence < limits.follows)
    mood = np.where(is_wild | is_blind | lost, 2, np.where(share < limits.calm, 0, 1))
    return _joined(mood, max(1, round(limits.shortest_s * float(fps))))


def moving_mean(values: Float64[np.ndarray, "n"], length: int) -> Float64[np.ndarray, "n"]:
    """Mean over `length` ticks around each; at the ends over those that there are."""
    kernel = np.ones(min(length, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _joined(mood: Int64[np.ndarray, "n"], shortest: int) -> list[Passage]:
    """Runs of one mood; the shortest one joins its longer neighbour until none is too short."""
    runs = [[int(key), len(list(group))] for key, group in groupby(mood.tolist())]
    while len(runs) > 1 and min(length for _, length in runs) < shortest:
        i = min(range(len(runs)), key=lambda k: runs[k][1])
        neighbours = [k for k in (i - 1, i + 1) if 0 <= k < len(runs)]
        runs[i][0] = runs[max(neighbours, key=lambda k: runs[k][1])][0]
        runs = [
            [key, sum(length for _, length in group)]
            for key, group in ((k, list(g)) for k, g in groupby(runs, lambda r: r[0]))
        ]
    result, first = [], 0
    for key, length in runs:
        result.append(Passage(MOODS[key], first, first + length - 1))
        first += length
    return result
