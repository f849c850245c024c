"""Learn while playing: pairs of what sounds now with an image, and a mapping that has learned them."""

import threading
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from shared.errors import SettingError
from shared.pipeline import Tick
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset, history
from shared.preset.candidates import shortened
from shared.preset.learned import LearnedMapping
from shared.preset.lock import preset_lock


class Learning:
    """The playing preset's pairs, and those made since it was called. Any thread may call; `learn` takes its time."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.pairs = preset.pairs
        self._shipped = len(self.pairs)  # that were there before
        self._mapping = preset.mapping
        self._saved = self.pairs
        self._lock = threading.Lock()

    @property
    def unsaved(self) -> bool:
        """Whether there are pairs made or taken back that no file has."""
        return self.pairs is not self._saved

    def image(self, name: str) -> tuple[str, Float32[np.ndarray, "latent"]]:
        """Name and latent of a pair, or of a candidate, which its number names as well.

        SettingError where there is none, or in another space; PresetError where the preset's candidates are damaged.
        """
        pairs = self.pairs
        if name in pairs.names:
            return name, pairs.latents[pairs.names.index(name)]
        if not self.preset.has_candidates or not self.preset.candidates.has(name):
            more = f"; candidates: {shortened(self.preset.candidates.names)}" if self.preset.has_candidates else ""
            raise SettingError(f"no pair '{name}'; there are: {shortened(pairs.names)}{more}")
        candidates = self.preset.candidates
        given, wanted = (candidates.space, candidates.latents.shape[1]), (pairs.space, pairs.latents.shape[1])
        if given != wanted:
            raise SettingError(
                f"the candidates are in {given[0]} of {given[1]} numbers, the preset's pairs in {wanted[0]} of {wanted[1]}; "
                "make the candidates again"
            )
        number = candidates.number(name)
        return candidates.names[number], candidates.latents[number]

    def pair(self, name: str | None, tick: Tick) -> str:
        """Pair what sounded at a tick with the image of a pair or candidate, or with the tick's picture; the new name."""
        picture = tick.picture
        with self._lock:
            pairs = self.pairs
            if name is None and picture.space != pairs.space:
                raise SettingError(
                    f"the picture's latent is in {picture.space}, the preset's pairs are in {pairs.space}; pair by name"
                )
            name, latent = (None, picture.latent) if name is None else self.image(name)
            if latent.shape != pairs.latents.shape[1:] or tick.descriptors.shape != pairs.descriptors.shape[1:]:
                raise SettingError("the picture is another preset's; pair when this one plays")
            new = self._name(name)
            self.pairs = replace(
                pairs,
                names=(*pairs.names, new),
                descriptors=np.vstack([pairs.descriptors, tick.descriptors]),
                latents=np.vstack([pairs.latents, latent]),
                positions=np.vstack([pairs.positions, [np.nan, np.nan]]),
            )
        return new

    def unpair(self) -> str:
        """Take back the last pair made while playing; its name. SettingError where there is none."""
        with self._lock:
            pairs = self.pairs
            if len(pairs) == self._shipped:
                raise SettingError("no pair was made while playing")
            self.pairs = pairs.at(range(len(pairs) - 1))
        return pairs.names[-1]

    def learn(self) -> UseMapping:
        """Learn the pairs as they are now, with the preset's own settings."""
        pairs, preset = self.pairs, self.preset
        scaler, reach = preset.mapping.scaler, preset.mapping.reach
        mapping = LearnedMapping.learn(scaler, pairs, preset.settings.training, reach)
        self._mapping = mapping
        return UseMapping(mapping, pairs)

    def save(self, preset: Preset) -> None:
        """Write pairs and mapping into a preset folder of the artist's own."""
        with self._lock:
            pairs, mapping = self.pairs, self._mapping
        with preset_lock(preset.folder):
            history.save_pairs(preset.folder, pairs)
            mapping.save(preset.folder / "mapping.safetensors")
        self._saved = pairs

    def _name(self, of: str | None) -> str:
        """One that no pair has yet."""
        stem = "live" if of is None else f"{of}, live"
        number = next(n for n in range(1, len(self.pairs) + 2) if f"{stem} {n}" not in self.pairs.names)
        return f"{stem} {number}"
