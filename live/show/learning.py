"""Pairs made during a show, and the mapping trained on them."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Float64

from shared.errors import SettingError, Stopped
from shared.mapping.regression import RegressorName
from shared.pipeline import Tick
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset, history
from shared.preset.candidates import shortened
from shared.preset.learned import LearnedMapping
from shared.preset.lock import preset_lock
from shared.preset.merging import common, merge
from shared.preset.pairs import Pairs
from shared.preset.preset import MAPPING
from shared.preset.training_settings import save_training

MAX_PAIRS = 20_000  # of a preset

_versions = itertools.count(1)  # of all presets of a show: a preset that is loaded again never repeats a number

Label = Float32[np.ndarray, "classes"] | None


class Image(NamedTuple):
    """An image by name: its latent vector, and the weights of the classes of a conditional generator."""

    name: str
    latent: Float32[np.ndarray, "latent"]
    label: Label


@dataclass(frozen=True, eq=False)
class _Pair:
    name: str
    descriptors: Float64[np.ndarray, "d"]
    latent: Float32[np.ndarray, "latent"]
    label: Label


class Learning:
    """A preset's pairs and those made since it was loaded. Thread-safe; `learn` takes its time.

    restored: pairs and mapping that were never saved. saved: the saved pairs that `restored` was made from, which another
    program may have changed since; None: those that `restored` and the preset have in common.
    """

    def __init__(self, preset: Preset, restored: UseMapping | None = None, saved: Pairs | None = None) -> None:
        self.preset = preset
        self._base = preset.pairs if restored is None else restored.pairs
        self._mapping = preset.mapping if restored is None else restored.mapping
        self.latents = dict(zip(self._base.names, self._base.latents, strict=True))
        """The latent of each pair, by name."""
        if restored is None:
            saved = preset.pairs
        elif saved is None:
            saved = common(preset.pairs, restored.pairs)
        self._saved, self._saved_mapping = saved, preset.mapping  # on disk, as far as this show knows
        self._labels: dict[str, Label] = dict(zip(self._base.names, _labels(self._base.classes), strict=True))
        training = preset.settings.training
        chosen = self._mapping.regressor.name if self.has_new_mapping else training.regressor
        self._training = msgspec.structs.replace(training, regressor=chosen)
        self._trained: dict[RegressorName, UseMapping] = {}  # the last result of `learn` by each regressor
        self._added: list[_Pair] = []
        self._pairs: Pairs | None = self._base  # None: to be built when needed, as every pair would copy all others
        self._numbers: Counter[str] = Counter()  # the last number given to a name
        self._version = self._saved_version = next(_versions)
        if restored is not None:
            self._version = next(_versions)
        self._lock = threading.RLock()
        is_trained = preset.is_trained if restored is None else self._mapping.pairs_digest == self._base.digest
        self._loaded = self.learned if is_trained else None

    @property
    def unsaved(self) -> bool:
        """Whether pairs or the mapping have changed since they were last saved."""
        return self._version != self._saved_version

    @property
    def has_new_mapping(self) -> bool:
        """Whether the mapping was trained in a show and has not been saved."""
        return self._mapping is not self._saved_mapping

    @property
    def saved(self) -> Pairs:
        """The pairs on disk, as far as this show knows."""
        return self._saved

    @property
    def version(self) -> int:
        """A number that changes whenever pairs or mapping do, and that no other preset of the show has."""
        return self._version

    @property
    def pairs(self) -> Pairs:
        """All pairs, those of the preset first."""
        with self._lock:
            if self._pairs is None:
                self._pairs = replace(
                    self._base,
                    names=(*self._base.names, *(pair.name for pair in self._added)),
                    descriptors=np.vstack([self._base.descriptors, *(pair.descriptors for pair in self._added)]),
                    latents=np.vstack([self._base.latents, *(pair.latent for pair in self._added)]),
                    positions=np.vstack([self._base.positions, np.full((len(self._added), 2), np.nan)]),
                    classes=np.vstack([self._base.classes, *map(self._label_row, self._added)]),
                )
            return self._pairs

    def _label_row(self, pair: _Pair) -> Float32[np.ndarray, "c"]:
        """Its class weights; no numbers without classes."""
        return np.zeros(self._base.classes.shape[1], np.float32) if pair.label is None else pair.label

    @property
    def learned(self) -> UseMapping:
        """The pairs and the latest mapping."""
        return UseMapping(self._mapping, self.pairs)

    @property
    def regressor(self) -> RegressorName:
        """The regressor that learns the pairs from now on."""
        return self._training.regressor

    def image(self, name: str) -> Image:
        """A pair, or a candidate, by name or number.

        Raises SettingError if there is none or if it is in another latent space, PresetError if the candidates are damaged.
        """
        with self._lock:
            if (latent := self.latents.get(name)) is not None:
                return Image(name, latent, self._labels.get(name))
        if (candidate := self._candidates.get(name)) is None:
            raise SettingError(f"no pair '{name}'; there are: {shortened(self.latents)}{self._candidate_names}")
        candidates, pairs = self.preset.candidates, self._base
        given, wanted = (candidates.space, candidates.latents.shape[1]), (pairs.space, pairs.latents.shape[1])
        if candidates.classes.shape[1] != pairs.classes.shape[1]:
            raise SettingError(
                f"the candidates have {candidates.classes.shape[1]} classes, the pairs of the preset "
                f"{pairs.classes.shape[1]}; make new candidates: ponticello candidates {self.preset.name}"
            )
        if given != wanted:
            raise SettingError(
                f"the candidates are in {given[0]} with {given[1]} numbers, the pairs of the preset in {wanted[0]} with "
                f"{wanted[1]}; make new candidates: ponticello candidates {self.preset.name}"
            )
        return candidate

    @cached_property
    def _candidates(self) -> dict[str, Image]:
        """Every candidate, by name and by number."""
        if not self._has_candidates:
            return {}
        candidates = self.preset.candidates
        images = list(map(Image, candidates.names, candidates.latents, _labels(candidates.classes)))
        return dict(zip(map(str, candidates.seeds), images, strict=True)) | {image.name: image for image in images}

    @cached_property
    def _candidate_names(self) -> str:
        """What an error says about them."""
        return f"; candidates: {shortened(self.preset.candidates.names)}" if self._has_candidates else ""

    @property
    def _has_candidates(self) -> bool:
        """Whether images of its generator can be shown; a decoder cannot draw them."""
        return self.preset.has_candidates and not self.preset.is_direct

    def pair(self, name: str | None, tick: Tick) -> str:
        """Pair the sound of a tick with the image of a pair or candidate, or with the tick's own picture.

        Returns the name of the new pair. Raises SettingError if they do not fit together.
        """
        picture = tick.picture
        with self._lock:
            base = self._base
            if len(base) + len(self._added) >= MAX_PAIRS:
                raise SettingError(f"the preset has {MAX_PAIRS} pairs; remove some before making more")
            if name is None and picture.space != base.space:
                raise SettingError(
                    f"the picture is in {picture.space}, the preset's pairs in {base.space}; pair by name"
                )
            image = Image("live", picture.latent, picture.label) if name is None else self.image(name)
            latent, label = image.latent, image.label
            if latent.shape != base.latents.shape[1:] or tick.descriptors.shape != base.descriptors.shape[1:]:
                raise SettingError("the picture belongs to another preset; pair when the cross-fade is over")
            title = self._name("live" if name is None else f"{image.name}, live")
            pair = _Pair(title, tick.descriptors.copy(), latent.copy(), None if label is None else label.copy())
            self._added.append(pair)
            self.latents[pair.name], self._labels[pair.name] = pair.latent, pair.label
            self._pairs = None
            self._version = next(_versions)
        return pair.name

    def unpair(self) -> str:
        """Remove the last pair made in this show and return its name. Raises SettingError if there is none."""
        with self._lock:
            if not self._added:
                raise SettingError("no pair was made in this show")
            pair = self._added.pop()
            del self.latents[pair.name], self._labels[pair.name]
            stem, _, number = pair.name.rpartition(" ")
            self._numbers[stem] = int(number) - 1  # free again
            self._pairs = None
            self._version = next(_versions)
        return pair.name

    def learn(self, stopped: Callable[[], bool] = lambda: False, regressor: RegressorName | None = None) -> UseMapping:
        """Train on the current pairs with the preset's own settings. Raises Stopped soon after `stopped()` is true.

        regressor: learn with this one from now on. A mapping of these pairs that it has already is taken again.
        """

        def check(_epoch: int, _loss: float) -> None:
            if stopped():
                raise Stopped(f"training of {self.preset.name} stopped; the pairs are kept")

        pairs, present = self.pairs, self.preset.mapping
        training = msgspec.structs.replace(self._training, regressor=regressor or self._training.regressor)
        known = self._trained.get(training.regressor)
        if regressor is not None and self._loaded is not None and self._loaded.mapping.regressor.name == regressor:
            known = known or self._loaded
        if known is not None and known.pairs is pairs:  # the same pairs give the same mapping
            learned = known
        else:
            mapping = LearnedMapping.learn(present.scaler, pairs, training, present.reach, check, present.preprocessing)
            learned = UseMapping(mapping, pairs)
        with self._lock:
            if learned.mapping is not self._mapping:
                self._version = next(_versions)
            self._mapping, self._training = learned.mapping, training
            self._trained[training.regressor] = learned
        return learned

    def save(self, preset: Preset) -> list[str]:
        """Write what changed in this show to a preset folder of the artist's own; lines for the player.

        Changes that other programs made meanwhile stay, see `merge`; the lines name them. The mapping on disk is replaced
        only where this show has trained one. Raises PresetError if the pairs on disk do not fit any more.
        """
        with self._lock:
            pairs, mapping, version = self.pairs, self._mapping, self._version
        remarks: list[str] = []
        with preset_lock(preset.folder):
            on_disk = _on_disk(preset.folder)
            if on_disk is None or _same(on_disk, self._saved):
                history.save_pairs(preset.folder, pairs)
            else:
                merged = merge(self._saved, pairs, on_disk)
                history.save_pairs(preset.folder, merged.pairs)
                remarks += merged.remarks
            if mapping is not self._saved_mapping:
                mapping.save(preset.folder / MAPPING)
                training = Preset.load(preset.folder).settings.training
                save_training(preset.folder, msgspec.structs.replace(training, regressor=mapping.regressor.name))
            if remarks and not (present := Preset.load(preset.folder)).is_trained:
                remarks.append(present.training_advice)
        self._saved, self._saved_mapping, self._saved_version = pairs, mapping, version
        return remarks

    def _name(self, stem: str) -> str:
        """A name that no pair has: the stem with the lowest free number above those given before."""
        number = self._numbers[stem] + 1
        while f"{stem} {number}" in self.latents:
            number += 1
        self._numbers[stem] = number
        return f"{stem} {number}"


def _on_disk(folder: Path) -> Pairs | None:
    """The pairs on disk, with their scaler; None if there are none."""
    file = folder / history.PAIRS
    if not file.is_file():
        return None
    pairs = Pairs.load(file)
    if pairs.scaler is None and (folder / MAPPING).is_file():
        return replace(pairs, scaler=LearnedMapping.load(folder / MAPPING).scaler)
    return pairs


def _same(on_disk: Pairs, known: Pairs) -> bool:
    """Whether the pairs on disk are those that the show knows, in whatever scale."""
    if known.scaler is not None and on_disk.descriptors.shape[1] == known.descriptors.shape[1]:
        on_disk = on_disk.standardised_by(known.scaler)
    return (on_disk.names, on_disk.digest) == (known.names, known.digest)


def _labels(classes: Float32[np.ndarray, "n c"]) -> list[Label]:
    """Row by row; None without classes."""
    return list(classes) if classes.shape[1] else [None] * len(classes)
