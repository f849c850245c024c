"""What a mapping does between its pairs and along a sound: the numbers of `ponticello train --compare`."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from offline.laboratory.generator_probe import GeneratorProbe
from offline.laboratory.look import difference, variety
from offline.train import find_preprocessing
from shared.audio.descriptors import describe_blocks
from shared.audio.files import SoundReader
from shared.errors import SettingError
from shared.mapping.regression import Training
from shared.picture import Picture
from shared.pipeline import Pipeline, Tick
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs

FPS = 30
SHOWN_SECONDS, SHOWN = 10, 16  # the strip of pictures
SHOWN_SIDE = 96  # pixels of a picture in the strip
LINES, POINTS = 60, 33  # straight lines between pairs, points on each
SEED = 0


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers for one mapping. Deviations are those of the w of random z (see `Usual`)."""

    loss: float
    """Mean squared error at the learned pairs, in latent and class."""
    left_out: float
    """Root mean square distance in w between a pair's image and its prediction without that pair, in deviations."""
    left_out_look: float
    """Mean difference of those two images, in grey levels."""
    bend: float
    """Sum of the second differences of w along a straight line from pair to pair, mean over lines, in deviations."""
    speed: float
    """Median speed of w along the sound, in deviations per second."""
    speed_95: float
    """Its 95th percentile."""
    distance: float
    """Median distance of w from the mean, in deviations."""
    mahalanobis: float
    """Median Mahalanobis distance of w over the root of its dimensions."""
    variety: float
    """Mean difference of two pictures of the strip, in grey levels."""


@dataclass(frozen=True, eq=False)
class Bench:
    """A preset with its pairs, a sound, and 10 s of it to show. Measures any settings of the training on them.

    frames (m, 23): raw descriptors of the sound. start_s: beginning of the 10 s.
    """

    preset: Preset
    pairs: Pairs
    frames: Float64[np.ndarray, "m 23"]
    start_s: float
    probe: GeneratorProbe

    @property
    def shown(self) -> list[int]:
        """Numbers of the ticks in the strip. Raises SettingError if the sound ends before it begins."""
        count = len(self.frames) * FPS * 512 // 44100
        first = round(self.start_s * FPS)
        if not 0 <= first < count - 1:
            raise SettingError(f"--start {self.start_s:g} given; the sound has 0 to {(count - 1) / FPS:.1f} s")
        end = min(first + SHOWN_SECONDS * FPS, count)
        numbers: list[int] = np.linspace(first, end - 1, SHOWN).round().astype(int).tolist()
        return numbers

    def learn(self, training: Training, pairs: Pairs | None = None) -> LearnedMapping:
        """A mapping of these pairs, all where None."""
        present = self.preset.mapping
        return LearnedMapping.learn(
            present.scaler,
            self.pairs if pairs is None else pairs,
            training,
            present.reach,
            preprocessing=find_preprocessing(self.preset, training.preprocessing),
        )

    def measure(self, training: Training) -> tuple[Measures, UInt8[np.ndarray, "shown side side 3"]]:
        """The numbers, and the pictures of the strip."""
        mapping = self.learn(training)
        played = [tick.picture for tick in self.play(mapping)]
        w = self.probe.w(played)
        step = np.sqrt(np.square(np.diff(w, axis=0)).mean(axis=1)) / self.probe.usual.deviation * FPS
        guesses = self._left_out(training)
        there, guessed = self.probe.w(self._own), self.probe.w(guesses)
        looks = zip(self.looks, self.probe.images(guesses), strict=True)
        images = self.probe.images([played[i] for i in self.shown], SHOWN_SIDE)
        learned = mapping.losses(self.pairs)
        if 0 < training.pairs < len(self.pairs):
            learned = np.sort(learned)[: training.pairs]  # those that were learned
        numbers = Measures(
            loss=float(learned.mean()),
            left_out=float(np.sqrt(np.square(guessed - there).mean()) / self.probe.usual.deviation),
            left_out_look=float(np.mean([difference(*pair) for pair in looks])),
            bend=self._bend(mapping),
            speed=float(np.median(step)),
            speed_95=float(np.percentile(step, 95)),
            distance=float(np.median(self.probe.usual.distance(w))),
            mahalanobis=float(np.median(self.probe.usual.mahalanobis(w))),
            variety=variety(self.probe.images([played[i] for i in self.shown])),
        )
        return numbers, images

    @property
    def chance(self) -> tuple[float, float]:
        """Distance of two different pairs' images in w, in deviations, and their mean difference in grey levels."""
        w = self.probe.w(self._own)
        squares = [np.square(w[i] - w[j]).mean() for i, j in combinations(range(len(w)), 2)]
        return float(np.sqrt(np.mean(squares)) / self.probe.usual.deviation), variety(self.looks)

    def play(self, mapping: LearnedMapping) -> list[Tick]:
        """All ticks of the sound, as the preset plays them with this mapping, at full brightness."""
        pipeline = Pipeline(self.preset, Fraction(FPS))
        pipeline.exchange(0, UseMapping(mapping, self.pairs))
        ticks = pipeline.process_frames(self.frames)
        return [replace(tick, picture=replace(tick.picture, level=1.0)) for tick in ticks]

    def picture_of(
        self, latent: Float32[np.ndarray, "latent"], label: Float32[np.ndarray, "classes"] | None = None
    ) -> Picture:
        """The picture of a latent vector, with the preset's truncation."""
        truncation = self.preset.controls["truncation"]
        assert isinstance(truncation, float)
        generator, space = self.preset.generator_sha256, self.pairs.space
        return Picture(generator, latent, space, truncation, 0.0, (0.0, 0.0), 1.0, label=label)

    def _predicted(self, mapping: LearnedMapping, descriptors: Float64[np.ndarray, "d"]) -> Picture:
        """The picture for descriptors that do not change."""
        return self.picture_of(*mapping.parted(mapping.predict(descriptors)))

    @cached_property
    def _own(self) -> list[Picture]:
        """The pictures of the pairs."""
        classes = self.pairs.classes
        labels = list(classes) if classes.shape[1] else [None] * len(self.pairs)
        return list(map(self.picture_of, self.pairs.latents, labels))

    @cached_property
    def looks(self) -> UInt8[np.ndarray, "n side side 3"]:
        """Thumbnails of the pairs' images."""
        return self.probe.images(self._own)

    def _left_out(self, training: Training) -> list[Picture]:
        """For each pair the prediction by a mapping that learned the others."""
        found = []
        for i in range(len(self.pairs)):
            mapping = self.learn(training, self.pairs.at([j for j in range(len(self.pairs)) if j != i]))
            found.append(self._predicted(mapping, self.pairs.descriptors[i]))
        return found

    def _bend(self, mapping: LearnedMapping) -> float:
        lines = list(combinations(range(len(self.pairs)), 2))
        if len(lines) > LINES:
            chosen = np.random.default_rng(SEED).choice(len(lines), LINES, replace=False)
            lines = [lines[i] for i in sorted(chosen)]
        bends = []
        for i, j in lines:
            along = np.linspace(self.pairs.descriptors[i], self.pairs.descriptors[j], POINTS)
            w = self.probe.w([self._predicted(mapping, point) for point in along])
            bends.append(np.sqrt(np.square(np.diff(w, 2, axis=0)).mean(axis=1)).sum())
        return float(np.mean(bends) / self.probe.usual.deviation)


def frames_of(preset: Preset, sound: Path | None) -> Float64[np.ndarray, "m 23"]:
    """Raw descriptors of a sound file, or of the first sound of the preset's corpus (its silences held)."""
    if sound is None:
        return np.asarray(preset.corpus.descriptors[preset.corpus.frames_of(0)])
    with SoundReader(sound) as reader:
        return np.concatenate(list(describe_blocks(reader.blocks())))
