"""The presets of a show: loads them ready to play, by number or by name."""

import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from msgspec.structs import replace as replace_settings

from shared.errors import SettingError
from shared.mapping.regression import Training
from shared.painter import Painter
from shared.picture import Picture
from shared.pipeline import Pipeline, check_heard
from shared.preset import Preset, places
from shared.preset.learned import LearnedMapping
from shared.stage import SAMPLE_RATE

WARM_UP_S = 0.3  # of noise through the pipeline, so that nothing is compiled when the first sound arrives
TRIAL_PICTURES = 5
NEWEST = 4  # loaded presets whose generators are kept: in quick succession, none of them may be visible yet


class PresetLibrary:
    """Loads presets so that they can play at once. The first is the one that the show starts with.

    Only names are accepted: of presets on the command line, of shipped ones and of those in the user's folder. A path is
    refused like an unknown name, so that a sender of OSC learns nothing about the files of this machine.
    """

    def __init__(self, presets: Sequence[Preset], painter: Painter) -> None:
        self._presets, self._painter = tuple(presets), painter
        self.heard = max((preset.settings.heard for preset in presets), key=len)
        """The columns that the sound is analysed for: all that the presets of the command line need."""
        self._aspect = Fraction(1)
        self._loaded: deque[Preset] = deque(maxlen=NEWEST)
        self._moved: dict[str, str] = {}
        for preset in self._presets:
            self._prepare(preset)

    def load(self, which: str | float, kept: Sequence[Preset] = ()) -> Preset:
        """The preset of this number on the command line (from 1) or of this name, read again from the disk.

        Its generator has made a picture when this returns. kept: other presets whose generators are still needed.
        Raises UserError or Failure if it cannot be played.
        """
        preset = Preset.load(self._folder(which))
        check_heard(preset, self.heard)
        self._prepare(preset)
        self._loaded.append(preset)
        self._painter.keep([*self._presets, *kept, *self._loaded])
        return preset

    def prepare(self, aspect: Fraction) -> None:
        """Draw a picture of this shape (width over height) with each generator; later presets are loaded for it, too."""
        self._aspect = aspect
        for preset in (*self._presets, *self._loaded):
            self._prepare(preset)

    def moved(self, before: Preset, after: Preset) -> None:
        """Load `after` when `before` is asked for: a shipped preset was saved as the user's own."""
        self._moved[str(before.folder)] = str(after.folder)

    def _folder(self, which: str | float) -> str:
        folder = self._named(which) if isinstance(which, str) else self._numbered(which)
        return self._moved.get(folder, folder)

    def _numbered(self, number: float) -> str:
        count = len(self._presets)
        if not 1 <= number <= count:
            raise SettingError(f"preset {number:g} given; the command line names {count}, numbered from 1")
        return str(self._presets[int(number) - 1].folder)

    def _named(self, name: str) -> str:
        for preset in self._presets:
            if preset.name == name:
                return str(preset.folder)
        shipped, own = _presets_in(places.SHIPPED), _presets_in(places.OWN)
        known = {**shipped, **own}
        if name not in known:
            names = dict.fromkeys([*(preset.name for preset in self._presets), *sorted(shipped)])
            raise SettingError(f"no preset '{name}'; give the name of one of your own, or: {', '.join(names)}")
        return str(known[name])

    def _prepare(self, preset: Preset) -> None:
        self._painter.load(preset)
        pairs = preset.pairs
        if len(pairs):
            label = pairs.classes[0] if pairs.classes.shape[1] else None
            picture = Picture(
                preset.generator_sha256, pairs.latents[0], pairs.space, 1.0, 0.0, (0.0, 0.0), 1.0, label=label
            )
            self._painter.paint(replace(picture, aspect=self._aspect))


def _presets_in(folder: Path) -> dict[str, Path]:
    """The preset folders in a folder, by name."""
    return {file.parent.name: file.parent for file in folder.glob("*/preset.toml")}


def warm_up(preset: Preset, painter: Painter, aspect: Fraction = Fraction(1)) -> float:  # immutable
    """Run sound, pictures of this shape and a training through everything once. Returns the seconds that a picture takes."""
    # The first fit imports parts of torch for a second or two, in which no signal would end it and pictures would wait.
    training = Training() if preset.is_direct else preset.settings.training
    LearnedMapping.learn(preset.mapping.scaler, preset.pairs, replace_settings(training, epochs=1))
    noise = np.random.default_rng(0).standard_normal(round(WARM_UP_S * SAMPLE_RATE)).astype(np.float32) * 0.1
    ticks = Pipeline(preset).process(noise)
    durations = []
    for tick in ticks[-TRIAL_PICTURES:]:
        start = time.monotonic()
        painter.paint(replace(tick.picture, aspect=aspect)).cpu()
        durations.append(time.monotonic() - start)
    return statistics.median(durations)
