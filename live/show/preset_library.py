"""The presets of a show: those of the command line by number or name, any other by name or path."""

import statistics
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from shared.errors import SettingError
from shared.painter import Painter
from shared.picture import Picture
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.stage import SAMPLE_RATE

WARM_UP_S = 0.3  # of noise through the pipeline, so that nothing is compiled when the first sound comes
TRIAL_PICTURES = 5
NEWEST = 4  # calls, whose generators are kept: one after the other they may not be to be seen yet


class PresetLibrary:
    """Loads presets so that they can be played at once. The first is the one that the show begins with."""

    def __init__(self, presets: Sequence[Preset], painter: Painter) -> None:
        self._presets, self._painter = tuple(presets), painter
        self._called: deque[Preset] = deque(maxlen=NEWEST)
        self._moved: dict[str, str] = {}
        for preset in self._presets:
            self._prepare(preset)

    def load(self, which: str | float, kept: Sequence[Preset] = ()) -> Preset:
        """The preset of this number on the command line (from 1), or of this name or path, read anew from the disk.

        Its generator has made a picture when this returns. kept: other presets whose generators are still needed.
        Raises UserError or Failure where it cannot be played.
        """
        preset = Preset.load(self._find(which))
        self._prepare(preset)
        self._called.append(preset)
        self._painter.keep([*self._presets, *kept, *self._called])
        return preset

    def moved(self, before: Preset, after: Preset) -> None:
        """What was called by the number or name of the one is the other from now on: a shipped preset saved as one's own."""
        self._moved[str(before.folder)] = str(after.folder)

    def _find(self, which: str | float) -> str:
        found = self._named(which)
        return self._moved.get(found, found)

    def _named(self, which: str | float) -> str:
        count = len(self._presets)
        if isinstance(which, str):
            return next((str(preset.folder) for preset in self._presets if preset.name == which), which)
        if not 1 <= which <= count:
            raise SettingError(f"preset {which:g} asked for; the command line names {count}, numbered from 1")
        return str(self._presets[int(which) - 1].folder)

    def _prepare(self, preset: Preset) -> None:
        self._painter.load(preset)
        latent = preset.pairs.latents[0] if len(preset.pairs) else None
        if latent is not None:
            self._painter.paint(Picture(preset.generator_sha256, latent, preset.pairs.space, 1.0, 0.0, (0.0, 0.0), 1.0))


def warm_up(preset: Preset, painter: Painter) -> float:
    """Run sound and pictures once through everything; gives the seconds that a picture takes."""
    noise = np.random.default_rng(0).standard_normal(round(WARM_UP_S * SAMPLE_RATE)).astype(np.float32) * 0.1
    ticks = Pipeline(preset).process(noise)
    took = []
    for tick in ticks[-TRIAL_PICTURES:]:
        began = time.monotonic()
        painter.paint(tick.picture).cpu()
        took.append(time.monotonic() - began)
    return statistics.median(took)
