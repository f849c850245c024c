"""The transport: hearing the sounds. Play, scrub, loop, slow motion; on a sound card, or silently by the clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32

from offline.pairing.events import Events
from shared.preset.corpus import CorpusSound
from shared.sound_card.client import Device

State = Literal["stopped", "playing", "scrubbing"]


class Transport:
    """Where the playhead is, and what is heard. Times are seconds of a sound; speeds 1/8 to 1.

    state   stopped, playing or scrubbing        sound   number of the sound, from 0
    silent  why nothing is heard: one line; empty where a sound card plays
    """

    state: State
    sound: int
    silent: str

    def __init__(self, events: Events, output: str | None = None) -> None:
        raise NotImplementedError

    def play(self) -> None:
        """Play from the playhead; from the beginning of the loop where the playhead lies outside it."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop at once (fading out over 35 ms); the playhead stays."""
        raise NotImplementedError

    def scrub(self, sound: int, seconds: float) -> None:
        """Hear this moment, as long as `stop` is not called. Call it at every move of the pointer."""
        raise NotImplementedError

    def seek(self, sound: int, seconds: float) -> None:
        """Move the playhead; playing goes on from there."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """What is heard now."""
        raise NotImplementedError

    @property
    def length(self) -> float:
        """Of the present sound, in seconds; 0 without one."""
        raise NotImplementedError

    loop: tuple[float, float] | None
    """The region that repeats, in seconds of the present sound; None: play to the end. May be set."""

    speed: float
    """1 plays as recorded, 1/8 is the slowest; the pitch stays. May be set."""

    volume: float
    """0..1. May be set."""

    def devices(self) -> list[Device]:
        """Outputs to choose from; empty without a sound system. Takes up to a second: call it when a menu opens."""
        raise NotImplementedError

    def use(self, device: str | None) -> None:
        """Play on another device, by number or part of its name. UserError where there is no such one."""
        raise NotImplementedError

    @property
    def underflows(self) -> int:
        """Blocks for which the sound came too late, since the device was opened."""
        raise NotImplementedError

    def load(self, sounds: list[tuple[CorpusSound, Path | None]]) -> None:
        """Use these sounds; they are decoded beside the window, the event `sounds` says when one is ready."""
        raise NotImplementedError

    def envelope(self, sound: int, start: float, end: float, columns: int) -> Float32[np.ndarray, "columns 2"] | None:
        """Lowest and highest sample in each of `columns` equal parts of start..end; None while the sound is decoded."""
        raise NotImplementedError

    def poll(self) -> None:
        """Take up reports of the sound card."""
        raise NotImplementedError

    def close(self) -> None:
        """Free the sound card."""
        raise NotImplementedError


Report = Callable[[], None]
