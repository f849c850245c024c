"""Pairs as the map shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offline.pairing.session import row_of
from offline.train import conflicts
from shared.preset.corpus import Corpus
from shared.preset.pairs import Pairs

REMOTE = 0.05  # of the map's side; a pair farther from all sound lies in empty space


@dataclass(frozen=True)
class PlacedPair:
    """A pair as the map shows it.

    name: of its image. x, y: its place on the map, 0..1, or NaN where it has none (paired while playing). row: the corpus row
    that it is paired with. loss: mean squared error after a fit of these very pairs, None before. conflicts: names of
    pairs that want another image at nearly the same sound. is_remote: it lies where there is no sound.
    """

    name: str
    x: float
    y: float
    row: int
    loss: float | None
    conflicts: tuple[str, ...]
    is_remote: bool


def placed_pairs(pairs: Pairs, corpus: Corpus, losses: Sequence[float] | None) -> list[PlacedPair]:
    """All pairs, in the order in which they were made. losses: one for each, None before a fit of these very pairs."""
    rivals: list[list[str]] = [[] for _ in pairs.names]
    for i, j, _ in conflicts(pairs):
        rivals[i].append(pairs.names[j])
        rivals[j].append(pairs.names[i])
    placed = []
    for i, (name, (x, y)) in enumerate(zip(pairs.names, pairs.positions.tolist(), strict=True)):
        row = row_of(corpus, pairs, i)
        distance = float(np.hypot(*(corpus.positions[row] - (x, y))))
        loss = None if losses is None else losses[i]
        placed.append(PlacedPair(name, x, y, row, loss, tuple(rivals[i]), distance > REMOTE))
    return placed
