"""Notices an input that is silent from the start: the wrong channel, a muted microphone, a silent file."""

import numpy as np
from jaxtyping import Float32

from live.show.notices import Notices
from live.sound.file_input import FileInput
from live.sound.source import Source
from shared.stage import SAMPLE_RATE

SILENT_S = 5  # of sound
QUIETEST = 2.0**-15  # -90 dB: one step of 16 bits


class SilenceWatch:
    """Tells the player once if the first five seconds of sound hold nothing above -90 dB. A paused file does not count."""

    def __init__(self, source: Source, notices: Notices) -> None:
        self._source, self._notices = source, notices
        self._left = SILENT_S * SAMPLE_RATE  # samples; 0: nothing to watch any more

    def take(self, samples: Float32[np.ndarray, "n"]) -> None:
        """The next samples."""
        if self._left <= 0 or (isinstance(self._source, FileInput) and not self._source.playing):
            return
        if np.abs(samples).max(initial=0.0) > QUIETEST:
            self._left = 0
            return
        self._left -= len(samples)
        if self._left <= 0:
            self._notices.tell(
                f"{self._source.label} has been silent for {SILENT_S} s (below -90 dB); check --channel, the cable and the level",
                wrong=False,
            )
