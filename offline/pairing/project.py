"""The project: a preset as the window edits it. Every change is on disk at once and can be undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from offline.pairing.events import Events
from shared.controls import Control, Value
from shared.preset import Preset
from shared.preset.candidates import Candidates
from shared.preset.corpus import Corpus

Show = Literal["all", "chosen", "free", "similar"]


@dataclass(frozen=True)
class PlacedPair:
    """A pair as the map shows it.

    name: of its image. x, y: its place on the map, 0..1, or NaN where it has none (paired while playing). row: the corpus row
    that it is paired with. loss: mean squared error after the last fit of these very pairs, None before. conflicts: names of
    pairs that want another image at nearly the same sound. is_remote: it lies where there is no sound.
    """

    name: str
    x: float
    y: float
    row: int
    loss: float | None
    conflicts: tuple[str, ...]
    is_remote: bool


class Project:
    """An open preset. Properties give its present state; methods change it, write it and send events.

    preset      the files; replaced by a new object after each change, never changed itself
    corpus      the analysed sounds, None before there are any
    candidates  images to choose from, None before there are any
    """

    def __init__(self, path: str | Path, events: Events) -> None:
        """Open it. UserError where it cannot be read."""
        raise NotImplementedError

    preset: Preset
    corpus: Corpus | None
    candidates: Candidates | None

    # pairs

    @property
    def pairs(self) -> list[PlacedPair]:
        """All pairs, in the order in which they were made."""
        raise NotImplementedError

    def place(self, name: str, x: float, y: float) -> None:
        """Put a candidate on the map, or move its pair; places outside 0..1 are moved to the edge."""
        raise NotImplementedError

    def place_at(self, name: str, sound: int, seconds: float) -> None:
        """Pair a candidate with a moment of a sound (from 0); times outside the sound are moved to its ends."""
        raise NotImplementedError

    def remove(self, names: Sequence[str]) -> None:
        """Remove pairs, as one step of the history."""
        raise NotImplementedError

    def pair_automatically(self, method: str, count: int) -> int:
        """Replace all pairs by an unsupervised method (`METHODS`); gives how many there are."""
        raise NotImplementedError

    # candidates

    def tray(self, show: Show, like: str | None = None) -> list[str]:
        """Names of candidates: all; starred; not placed; or the nearest in look to the image `like`, nearest first."""
        raise NotImplementedError

    def thumbnail(self, name: str) -> UInt8[np.ndarray, "16 16 3"] | None:
        """A candidate's smallest picture, at hand at once; None where it is unknown."""
        raise NotImplementedError

    def image_file(self, name: str) -> Path | None:
        """A candidate's PNG; None where it is unknown or missing."""
        raise NotImplementedError

    def is_starred(self, name: str) -> bool:
        """Whether the artist has chosen it."""
        raise NotImplementedError

    def star(self, names: Sequence[str], is_starred: bool) -> None:
        """Choose candidates, or undo the choice; one step of the history."""
        raise NotImplementedError

    def distant(self, count: int = 17) -> list[str]:
        """Names of candidates that look most different from each other and from the starred ones; changes nothing."""
        raise NotImplementedError

    # settings

    @property
    def settings(self) -> dict[str, Value]:
        """The preset's controls by full name: truncation, smoothing, latent_smoothing, range, weight/pitch, ..."""
        raise NotImplementedError

    def control(self, name: str) -> Control:
        """Range, unit, default and help of a control."""
        raise NotImplementedError

    def set(self, name: str, value: Value) -> None:
        """A control gets a value: acts at once. Values that follow each other within half a second are one step of the
        history, written half a second after the last. SettingError for a value outside its range, with what is allowed.
        """
        raise NotImplementedError

    # history

    @property
    def can_undo(self) -> str:
        """What undo would take back (`move seed17`), empty where there is nothing."""
        raise NotImplementedError

    @property
    def can_redo(self) -> str:
        """What redo would bring back; empty where there is nothing."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take back the last change of pairs, stars or settings, made here or by a command."""
        raise NotImplementedError

    def redo(self) -> None:
        """Bring back what was undone last."""
        raise NotImplementedError

    def flush(self) -> None:
        """Write what is still to be written (settings of the last half second, map.png)."""
        raise NotImplementedError
