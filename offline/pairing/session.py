"""The artist's pairs, changed step by step: each step is written at once and can be undone."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, UInt8

from offline.candidates.files import image_file
from offline.corpus.map_picture import MAP, write_map
from offline.pairing.automatic import METHODS
from offline.pictures import read_png
from shared.errors import PresetError, SettingError, pasted
from shared.preset import Preset, history
from shared.preset.candidates import Candidates, shortened
from shared.preset.corpus import Corpus
from shared.preset.pairs import Pairs
from shared.stage import HOP, SAMPLE_RATE
from shared.times import format_time


class Pairing:
    """The pairs of a preset on the map of its corpus. `pairs` may be read; the methods change them, on disk too.

    draws: each change draws map.png, which takes a fifth of a second; otherwise `draw` does.
    """

    def __init__(self, preset: Preset, draws: bool = True) -> None:
        self.preset = preset = preset.for_pairing
        self._draws = draws
        self._corpus = preset.corpus if preset.has_corpus else None
        file = preset.folder / history.PAIRS
        self._stored = Pairs.load(file) if file.is_file() else None
        if self._stored is not None and len(self._stored):
            self.pairs = self._stored if self._corpus is None else on_map(self._stored, preset)
        else:
            self.pairs = self._blank()

    @property
    def corpus(self) -> Corpus:
        """The sounds on their map. Raises PresetError if none were analysed."""
        return self.preset.corpus if self._corpus is None else self._corpus

    def place(self, image: str, x: float, y: float) -> str:
        """Put an image on the map, paired with the frame that is nearest there; one that is on it is moved. Its name.

        x, y: 0..1, right and up. SettingError for a place that is none or an image that there is not.
        """
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise SettingError(f"position {x:g} {y:g} given; the map goes from 0 to 1 in x and in y")
        return self._put(image, self.corpus.nearest(x, y), (x, y))

    def place_on(self, image: str, row: int) -> str:
        """Pair an image with a row of the corpus, at its position on the map; gives the image's name."""
        return self._put(image, row, (float(self.corpus.positions[row, 0]), float(self.corpus.positions[row, 1])))

    def at(self, image: str, seconds: float, sound: str | None = None) -> str:
        """Put an image where a moment of a sound is on the map; of a silent one, where the last that sounds is."""
        number = self.corpus.sound_named(sound)
        frames = self.corpus.frames_of(number)
        frame = round(seconds * SAMPLE_RATE / HOP) if np.isfinite(seconds) else -1
        if not 0 <= frame < len(frames):
            name = self.corpus.facts.sounds[number].name
            last = format_time((len(frames) - 1) * HOP / SAMPLE_RATE)
            raise SettingError(f"time {seconds:g} s given; {name} has 0 to {last}")
        return self.place_on(image, int(frames[frame]))

    def auto(self, method: str, count: int, seed: int = 0) -> int:
        """Replace all pairs by those of an unsupervised method. Returns how many there are."""
        self._change(self.automatic(method, count, seed))
        return len(self.pairs)

    def automatic(self, method: str, count: int, seed: int = 0) -> Pairs:
        """The pairs of an unsupervised method; changes nothing."""
        candidates = self._candidates()
        found = METHODS[method](self.corpus, candidates, count, seed)
        images = [image for image, _ in found]
        rows = [row for _, row in found]
        return Pairs(
            tuple(candidates.names[image] for image in images),
            self.corpus.standardised[rows],
            candidates.latents[images],
            self.corpus.positions[rows],
            candidates.space,
            self.corpus.scaler,
            self.corpus.digest,
            tuple(map(self.corpus.source, rows)),
            self.corpus.facts.inputs,
            candidates.classes[images],
        )

    def remove(self, *names: str) -> None:
        """Remove pairs in one step, by the names or numbers of their images; SettingError for an unknown one."""
        numbers = [self._number(name) for name in names]
        if None in numbers:
            unknown = names[numbers.index(None)]
            raise SettingError(f"no pair '{unknown}'; there are: {shortened(self.pairs.names)}")
        self._change(self.pairs.at([i for i in range(len(self.pairs)) if i not in numbers]))

    def moment(self, number: int) -> str:
        """The moment of sound that a pair has, in words; none without a corpus."""
        if self._corpus is None:
            return ""
        row = row_of(self._corpus, self.pairs, number)
        sound = self.corpus.facts.sounds[self.corpus.sound[row]]
        return f"{sound.name} {format_time(self.corpus.frame[row] * HOP / SAMPLE_RATE)}"

    def draw(self) -> None:
        """Write map.png, with the images where they are; nothing without a corpus."""
        if self._corpus is None:
            return
        shown = []
        for name, (x, y) in zip(self.pairs.names, self.pairs.positions.tolist(), strict=True):
            if np.isfinite([x, y]).all():
                shown.append((name, (x, y), self._picture(name)))
        write_map(self.preset.folder / MAP, self.corpus, shown)

    def _picture(self, name: str) -> UInt8[np.ndarray, "h w 3"] | None:
        """The single image of a candidate; None if it is none, or its image is not there."""
        if not self.preset.has_candidates or not self.preset.candidates.has(name):
            return None
        file = image_file(self.preset, self.preset.candidates.seeds[self.preset.candidates.number(name)])
        return read_png(file) if file.is_file() else None

    def _put(self, image: str, row: int, place: tuple[float, float]) -> str:
        name, latent, classes = self._image(image)
        pairs = self.pairs
        number = self._number(name)
        if number is None:
            number = len(pairs)
            pairs = replace(
                pairs,
                names=(*pairs.names, name),
                descriptors=np.vstack([pairs.descriptors, self.corpus.standardised[row]]),
                latents=np.vstack([pairs.latents, latent]),
                positions=np.vstack([pairs.positions, place]),
                classes=np.vstack([pairs.classes, classes]),
                sources=(*pairs.sources, self.corpus.source(row)),
            )
        else:
            arrays = {key: getattr(pairs, key).copy() for key in ("descriptors", "latents", "positions", "classes")}
            arrays["descriptors"][number], arrays["latents"][number] = self.corpus.standardised[row], latent
            arrays["positions"][number], arrays["classes"][number] = place, classes
            sources = (*pairs.sources[:number], self.corpus.source(row), *pairs.sources[number + 1 :])
            pairs = replace(pairs, **arrays, sources=sources)
        self._change(pairs)
        return name

    def _image(self, image: str) -> tuple[str, Float32[np.ndarray, "latent"], Float32[np.ndarray, "classes"]]:
        """Name, latent and class weights of a candidate, or of an image that is paired already."""
        number = self._number(image)
        if number is not None and not (self.preset.has_candidates and self.preset.candidates.has(image)):
            return self.pairs.names[number], self.pairs.latents[number], self.pairs.classes[number]
        candidates = self._candidates()
        if not len(self.pairs):
            self.pairs = replace(
                self.pairs, latents=candidates.latents[:0], space=candidates.space, classes=candidates.classes[:0]
            )
        given, there = (candidates.space, candidates.latents.shape[1]), (self.pairs.space, self.pairs.latents.shape[1])
        if given != there:
            raise PresetError(
                f"the candidates are in {given[0]} of {given[1]} numbers, the pairs in {there[0]} of {there[1]}; "
                f"remove the pairs (ponticello pair remove {pasted(self.preset.folder)} all) or make other candidates"
            )
        if (given_classes := candidates.classes.shape[1]) != (paired := self.pairs.classes.shape[1]):
            raise PresetError(
                f"the candidates have {given_classes} classes, the pairs {paired}; "
                f"remove the pairs (ponticello pair remove {pasted(self.preset.folder)} all) or make other candidates"
            )
        chosen = candidates.number(image)
        return candidates.names[chosen], candidates.latents[chosen], candidates.classes[chosen]

    def _candidates(self) -> Candidates:
        candidates = self.preset.candidates
        if candidates.origin.generator != self.preset.generator_sha256:
            raise PresetError(
                f"the candidates are another generator's; make them again: ponticello candidates {pasted(self.preset.folder)}"
            )
        return candidates

    def _number(self, name: str) -> int | None:
        for known in (name, f"seed{name}"):
            if known in self.pairs.names:
                return self.pairs.names.index(known)
        return None

    def _blank(self) -> Pairs:
        width = len(self.preset.settings.inputs)
        empty = np.empty((0, width)), np.empty((0, 0), np.float32), np.empty((0, 2))
        if self._corpus is None:
            return Pairs((), *empty)
        return Pairs((), *empty, scaler=self._corpus.scaler, map=self._corpus.digest, inputs=self._corpus.facts.inputs)

    def _change(self, pairs: Pairs) -> None:
        if self._stored is None:
            self._stored = pairs.at([])
        history.save_pairs(self.preset.folder, pairs, _with_scaler(self._stored, self.preset))
        self._stored = self.pairs = pairs
        if self._draws:
            self.draw()


def clear(preset: Preset) -> None:
    """Remove all pairs, whatever their inputs."""
    file = preset.folder / history.PAIRS
    if file.is_file():
        history.save_pairs(preset.folder, Pairs.load(file).at([]))


def on_map(pairs: Pairs, preset: Preset) -> Pairs:
    """Pairs on the preset's present map, in its scale and of its inputs, after the sounds were analysed anew.

    A pair keeps its moment of sound. One that was placed on another map goes to where that moment is now; one made while
    playing has no place, and no source: it cannot be carried over to other inputs. PresetError names such pairs.
    """
    corpus = preset.corpus
    inputs = preset.settings.inputs
    rows = [corpus.row_of(source) if source else None for source in pairs.sources]
    if pairs.descriptors.shape[1] != len(inputs) or (pairs.inputs or inputs) != inputs:
        if unknown := [name for name, row in zip(pairs.names, rows, strict=True) if row is None]:
            raise PresetError(
                f"{shortened(unknown)}: paired with other inputs than preset.toml names, and with no sound of the corpus, "
                f"so without a value for these; bring the inputs or sounds back, or pair anew: "
                f"ponticello pair remove {pasted(preset.folder)} all"
            )
        known = [row for row in rows if row is not None]
        pairs = replace(pairs, descriptors=corpus.standardised[known], scaler=corpus.scaler, inputs=inputs)
    else:
        pairs = _with_scaler(pairs, preset).standardised_by(corpus.scaler)
    if pairs.map == corpus.digest:
        return pairs
    positions = pairs.positions.copy()
    for i in np.flatnonzero(np.isfinite(positions).all(axis=1)).tolist():
        positions[i] = corpus.positions[row_of(corpus, pairs, i)]
    return replace(pairs, positions=positions, map=corpus.digest)


def row_of(corpus: Corpus, pairs: Pairs, number: int) -> int:
    """The row of the corpus that a pair belongs to: its source's, else the most similar one."""
    source = pairs.sources[number]
    row = corpus.row_of(source) if source else None
    return corpus.most_like(pairs.descriptors[number]) if row is None else row


def _with_scaler(pairs: Pairs, preset: Preset) -> Pairs:
    """Pairs of before they kept their scaler: it was that of the mapping."""
    trained = (preset.folder / "mapping.safetensors").is_file()
    return replace(pairs, scaler=preset.mapping.scaler) if pairs.scaler is None and trained else pairs
