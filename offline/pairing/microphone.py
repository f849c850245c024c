"""A live input on the map: the pipeline's gate, standardisation and smoothing, then the position of the nearest frame."""

import math
import threading
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from shared.audio.cleaning import clean
from shared.audio.descriptors import Analyzer
from shared.audio.resampling import Resampler
from shared.errors import PonticelloError
from shared.mapping.gate import Gate
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset.corpus import Corpus
from shared.sound_card.client import InputStream, list_devices
from shared.sound_card.devices import find_device

if TYPE_CHECKING:
    from offline.pairing.studio import Studio

GATE_DB = -60.0  # as in `live` without a hall file
QUIETEST_DB = -160.0


class Microphone:
    """A live input, opened in a thread.

    place     position on the shown axes; None before the first sound
    row       the nearest row of the corpus, in all inputs; None before the first sound
    level_db  peak of the newest block, in dB relative to full scale
    label     name of the device; empty until it is open
    """

    def __init__(self, studio: "Studio", device: str | None, channel: int = 1) -> None:
        self._studio = studio
        self._ended = threading.Event()
        self.row: int | None = None
        self.level_db = QUIETEST_DB
        self.label = ""
        self._thread = threading.Thread(target=self._listen, args=(device, channel), name="microphone", daemon=True)
        self._thread.start()

    @property
    def place(self) -> tuple[float, float] | None:
        """The input's position on the shown axes."""
        board = self._studio.board
        row = self.row
        return None if row is None or board is None or row >= len(board.places) else board.place_of(row)

    def close(self) -> None:
        """Close the device."""
        self._ended.set()
        self._thread.join(5.0)

    def _listen(self, device: str | None, channel: int) -> None:
        try:
            found = find_device(device, "input", list_devices())
            stream = InputStream(found, [min(channel, found.inputs) - 1], None)
        except PonticelloError as error:
            self._studio.events.send("error", f"no live input: {error}")
            return
        self.label = found.name
        analyzer, resampler, finder = Analyzer(), Resampler(stream.rate), None
        corpus: Corpus | None = None
        try:
            while not self._ended.is_set() and not stream.over:
                project = self._studio.project
                present = None if project is None else project.corpus
                if present is not corpus or finder is None:
                    corpus = present
                    finder = None if corpus is None else NearestFrame(corpus)
                    if corpus is not None and corpus.facts.descriptors != analyzer.names:
                        analyzer = Analyzer(corpus.facts.descriptors)
                samples = [block.samples[:, 0] for block in stream.take(0.1)]
                if not samples or finder is None or project is None:
                    continue
                heard, _ = clean(np.concatenate(samples)[:, None])
                peak = float(np.abs(heard).max())
                self.level_db = max(QUIETEST_DB, 20 * math.log10(peak)) if peak > 0 else QUIETEST_DB
                frames = analyzer.process(resampler.process(np.ascontiguousarray(heard[:, 0])))
                if len(frames):
                    self.row = finder.row_of(frames, float(str(project.settings["smoothing"])))
        finally:
            stream.close()
        if not self._ended.is_set():
            self._studio.events.send("error", f"the input {self.label} is gone; choose another one")


class NearestFrame:
    """Processes raw frames like the pipeline, and finds the row of the corpus nearest to the newest one."""

    def __init__(self, corpus: Corpus) -> None:
        columns = [corpus.facts.descriptors.index(name) for name in corpus.facts.inputs]
        self._columns, self._scaler = columns, corpus.scaler
        initial = np.zeros(len(corpus.facts.descriptors))
        initial[columns] = corpus.scaler.mean
        self._gate, self._smoothing = (
            Gate(initial, GATE_DB, corpus.facts.descriptors.index("loudness")),
            LeakyIntegrator(),
        )
        self._rows: Float32[np.ndarray, "m d"] = corpus.standardised.astype(np.float32)
        self._squares = np.square(self._rows).sum(axis=1)

    def row_of(self, frames: Float64[np.ndarray, "m columns"], smoothing: float) -> int | None:
        """The row nearest to the newest of m frames; None before the first sound. Takes 0.3 ms for 50,000 rows."""
        gated = self._gate.process(frames)
        self._smoothing.coefficient = smoothing
        smooth = self._smoothing.process(self._scaler.process(gated[:, self._columns]))[-1].astype(np.float32)
        if self._gate.first is None:
            return None
        return int((self._squares - 2 * (self._rows @ smooth)).argmin())
