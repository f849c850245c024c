"""Learn while playing: pairs of what sounds now with an image, and a mapping that has learned them."""

import threading

import numpy as np
from jaxtyping import Float32

from shared.errors import SettingError
from shared.mapping.learned import LearnedMapping
from shared.mapping.pairs import Pairs
from shared.pipeline import Tick, UseMapping
from shared.preset import Preset

NAMES_SHOWN = 8  # in an error


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

    def latent(self, name: str) -> Float32[np.ndarray, "latent"]:
        """The latent of the pair of this name; SettingError where there is none."""
        names = self.pairs.names
        if name not in names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            raise SettingError(f"no pair '{name}'; there are: {', '.join(names[:NAMES_SHOWN])}{more}")
        latent: Float32[np.ndarray, "latent"] = self.pairs.latents[names.index(name)]
        return latent

    def pair(self, name: str | None, tick: Tick) -> str:
        """Pair what sounded at a tick with the image of a pair, or with the picture of that tick; the new pair's name."""
        picture = tick.picture
        with self._lock:
            pairs = self.pairs
            if name is None and picture.space != pairs.space:
                raise SettingError(
                    f"the picture's latent is in {picture.space}, the preset's pairs are in {pairs.space}; pair by name"
                )
            latent = picture.latent if name is None else self.latent(name)
            if latent.shape != pairs.latents.shape[1:] or tick.descriptors.shape != pairs.descriptors.shape[1:]:
                raise SettingError("the picture is another preset's; pair when this one plays")
            new = self._name(name)
            self.pairs = Pairs(
                (*pairs.names, new),
                np.vstack([pairs.descriptors, tick.descriptors]),
                np.vstack([pairs.latents, latent]),
                np.vstack([pairs.positions, [np.nan, np.nan]]),
                pairs.space,
            )
        return new

    def unpair(self) -> str:
        """Take back the last pair made while playing; its name. SettingError where there is none."""
        with self._lock:
            pairs = self.pairs
            if len(pairs) == self._shipped:
                raise SettingError("no pair was made while playing")
            self.pairs = Pairs(
                pairs.names[:-1], pairs.descriptors[:-1], pairs.latents[:-1], pairs.positions[:-1], pairs.space
            )
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
        pairs.save(preset.folder / "pairs.safetensors")
        mapping.save(preset.folder / "mapping.safetensors")
        self._saved = pairs

    def _name(self, of: str | None) -> str:
        """One that no pair has yet."""
        stem = "live" if of is None else f"{of}, live"
        number = next(n for n in range(1, len(self.pairs) + 2) if f"{stem} {n}" not in self.pairs.names)
        return f"{stem} {number}"
