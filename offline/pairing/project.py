"""The project: a preset as the window edits it. Every change is written immediately and can be undone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from scipy.spatial import cKDTree

from offline.candidates.appearance import appearance
from offline.candidates.command import propose
from offline.candidates.files import image_file
from offline.pairing.changes import TELLS, Stamps, carry_over, described
from offline.pairing.events import Events, Name
from offline.pairing.placed_pairs import PlacedPair, placed_pairs
from offline.pairing.session import Pairing
from offline.pairing.unsaved import Unsaved
from offline.readable import if_readable
from offline.train import changed
from shared import controls
from shared.controls import Control, Value
from shared.errors import SettingError, UserError
from shared.mapping.regression import Training
from shared.preset import Preset, history
from shared.preset.corpus import Corpus
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.places import SHIPPED
from shared.stage import HOP, SAMPLE_RATE

Show = Literal["all", "chosen", "free", "similar"]

DRAWN_S = 3.0  # delay between the last change and drawing map.png
LOOKED_S = 0.5  # between two checks for changes by other programs


class Project:
    """An open preset. Properties give its present state; methods change it, write it and send events.

    preset      the present state of the files; replaced by a new object after each change, never modified
    corpus      the analysed sounds, None before there are any
    candidates  images to choose from, None before there are any
    """

    def __init__(self, path: str | Path, events: Events) -> None:
        """Open it. Raises UserError if it cannot be read."""
        self._events = events
        self._unsaved = Unsaved()
        self._changed_at = self._looked_at = time.monotonic()
        self._is_drawn = True
        self.preset = Preset.load(path)
        self.corpus: Corpus | None = None
        self._read(self.preset)

    def _read(self, preset: Preset, changed: frozenset[str] | None = None) -> None:
        """Take over a preset; contents of files outside `changed` are kept (None: none are)."""
        preset = preset.for_pairing
        if changed is not None:
            carry_over(self.preset, preset, changed)
        corpus = preset.corpus if preset.has_corpus else None
        pairing = Pairing(preset, draws=False)
        candidates = preset.candidates if preset.has_candidates else None
        if changed is None or self.corpus is not corpus:
            self.tree = None if corpus is None else cKDTree(corpus.positions)
        self.preset, self.corpus, self.candidates, self._pairing = preset, corpus, candidates, pairing
        self._index = {} if candidates is None else {name: i for i, name in enumerate(candidates.names)}
        self._placed: list[PlacedPair] | None = None
        self._steps: tuple[str, str] | None = None
        self._stamps = Stamps(preset.folder)

    # pairs

    @property
    def learned_from(self) -> Pairs:
        """The pairs: descriptors, latents, positions."""
        return self._pairing.pairs

    @property
    def pairs(self) -> list[PlacedPair]:
        """All pairs, in the order in which they were made."""
        if self._placed is None:
            pairs = self.learned_from
            self._placed = [] if self.corpus is None else placed_pairs(pairs, self.corpus, self._losses(pairs))
        return self._placed

    def _losses(self, pairs: Pairs) -> list[float] | None:
        """Mean squared errors of the mapping on disk, if it was fitted to these very pairs."""
        if not len(pairs) or not self.is_trained:
            return None
        losses: list[float] = self.preset.mapping.losses(pairs).tolist()
        return losses

    @property
    def is_trained(self) -> bool:
        """Whether the mapping was fitted to the present pairs."""
        return bool(if_readable(lambda: self.preset.mapping.pairs_digest == self.learned_from.digest))

    def place(self, name: str, x: float, y: float) -> None:
        """Put a candidate on the map, or move its pair; positions are limited to 0..1."""
        x, y = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
        self._change_pairs(lambda: self._pairing.place(name, x, y))

    def place_on(self, name: str, row: int) -> None:
        """Pair a candidate with a row of the corpus, at the row's position on the map."""
        self._change_pairs(lambda: self._pairing.place_on(name, row))

    def place_at(self, name: str, sound: int, seconds: float) -> None:
        """Pair a candidate with a time in a sound (numbered from 0); times are limited to the sound."""
        if self.corpus is None:
            raise UserError("no sounds yet; add a sound first, then place images on its map")
        rows = self.corpus.frames_of(sound)
        self.place_on(name, int(rows[min(max(round(seconds * SAMPLE_RATE / HOP), 0), len(rows) - 1)]))

    def remove(self, names: Sequence[str]) -> None:
        """Remove pairs, as one step of the history."""
        self._change_pairs(lambda: self._pairing.remove(*names))

    def pair_automatically(self, method: str, count: int) -> int:
        """Replace all pairs by an unsupervised method (`METHODS`); return their number."""
        self._change_pairs(lambda: self._pairing.auto(method, count))
        return len(self.learned_from)

    def _change_pairs(self, change: Callable[[], object]) -> None:
        if self.corpus is None:
            raise UserError("no sounds yet; add a sound first, then place images on its map")
        with self._changing():
            change()
        self._after(history.PAIRS)
        self._is_drawn, self._changed_at = False, time.monotonic()
        self._send("pairs", "history")

    # candidates

    def tray(self, show: Show, like: str | None = None) -> list[str]:
        """Names of candidates: all; starred; not placed; or the nearest in look to the image `like`, nearest first."""
        if self.candidates is None:
            return []
        names = list(self.candidates.names)
        if show == "chosen":
            return [name for name in names if self.is_starred(name)]
        if show == "free":
            placed = set(self.learned_from.names)
            return [name for name in names if name not in placed]
        if show == "similar" and like in self._index:
            looks = appearance(self.candidates.thumbnails)
            distances = np.linalg.norm(looks - looks[self._index[like]], axis=1)
            return [names[i] for i in np.argsort(distances, kind="stable")]
        return names

    def thumbnail(self, name: str) -> UInt8[np.ndarray, "16 16 3"] | None:
        """A candidate's smallest picture, from memory; None if it is unknown."""
        number = self._index.get(name)
        return None if number is None or self.candidates is None else self.candidates.thumbnails[number]

    def image_file(self, name: str) -> Path | None:
        """A candidate's PNG; None if it is unknown or missing."""
        number = self._index.get(name)
        if number is None or self.candidates is None:
            return None
        file = image_file(self.preset, self.candidates.seeds[number])
        return file if file.is_file() else None

    def is_starred(self, name: str) -> bool:
        """Whether the artist has chosen it."""
        number = self._index.get(name)
        return (
            number is not None and self.candidates is not None and self.candidates.seeds[number] in self.candidates.kept
        )

    def star(self, names: Sequence[str], is_starred: bool) -> None:
        """Choose candidates, or remove them from the choice, as one step of the history."""
        if self.candidates is None:
            raise UserError("no images yet; make candidates first")
        seeds = frozenset(self.candidates.seeds[self.candidates.number(name)] for name in names)
        with self._changing():
            candidates = self.preset.candidates  # of the preset that is written, which may be a new copy
            kept = candidates.kept | seeds if is_starred else candidates.kept - seeds
            history.save_choice(self.preset.folder, candidates, kept)
        self._after(history.CANDIDATES)
        self._send("candidates", "history")

    def distant(self, count: int = 17) -> list[str]:
        """Names of candidates that look most different from each other and from the starred ones; changes nothing."""
        if self.candidates is None:
            return []
        return [f"seed{seed}" for seed in propose(self.preset, count)]

    # settings

    @property
    def settings(self) -> dict[str, Value]:
        """The preset's controls by full name: truncation, smoothing, latent_smoothing, range, weight/pitch, ..."""
        values = {**self.preset.controls, **self._unsaved.controls}
        return {name: value for name, value in values.items() if self.control(name).home == "preset"}

    @property
    def training(self) -> Training:
        """The regressor and its settings, as preset.toml holds them."""
        return changed(self.preset.settings.training, self._unsaved.training)

    def control(self, name: str) -> Control:
        """Range, unit, default and help of a control."""
        return controls.find_control(name, self.preset.settings.inputs)[0]

    def set(self, name: str, value: Value) -> None:
        """A control gets a value: acts at once. Values that follow each other within half a second are one step of the
        history, written half a second after the last. SettingError for a value outside its range, with what is allowed.
        """
        self.set_all({name: value}, name)

    def set_all(self, values: Mapping[str, Value], what: str) -> None:
        """Several controls get a value, as one step that undo names `what`."""
        rows = {name: self.control(name) for name in values}
        for name, row in rows.items():
            if row.home != "preset":
                raise SettingError(f"{name} belongs to the {row.home}, not to a preset")
        self._set(what, controls={name: row.checked(values[name]) for name, row in rows.items()})

    def set_training(self, name: str, value: object) -> None:
        """A setting of the training gets a value. It is kept like a control; then the mapping is trained again."""
        changed(self.training, {name: value})  # whether it is allowed
        self._set(f"training/{name}", training={name: value})

    def _set(self, what: str, **values: Mapping[str, Any]) -> None:
        if self._unsaved and self._unsaved.what != what:
            self._save_settings()  # of another setting: a step of its own
        self._unsaved.change(what, **values)
        self._send("settings")

    @property
    def is_saved(self) -> bool:
        """Whether every change is on disk; settings follow half a second after they were moved."""
        return not self._unsaved

    def _save_settings(self) -> None:
        if not self._unsaved:
            return
        with self._changing():
            before = self.preset.settings.training
            self._unsaved.save(self.preset)
        self._unsaved = Unsaved()
        self._after(history.SETTINGS)
        self._send("history")
        self._send_training(before)

    def _send_training(self, before: Training) -> None:
        """Send `training` if its settings differ from those before."""
        if self.preset.settings.training != before:
            self._send("training")

    # history

    @property
    def can_undo(self) -> str:
        """The step that undo would undo (`move seed17`); empty if there is none."""
        return self._described()[0]

    @property
    def can_redo(self) -> str:
        """The step that redo would redo; empty if there is none."""
        return self._described()[1]

    def _described(self) -> tuple[str, str]:
        if self._steps is None:
            folder = self.preset.folder
            last, undone = history.last(folder), history.next_undone(folder)
            self._steps = (
                "" if last is None else described(folder, last, is_undone=False),
                "" if undone is None else described(folder, undone, is_undone=True),
            )
        return (f"set {self._unsaved.what}", "") if self._unsaved else self._steps

    def undo(self) -> None:
        """Undo the last change of pairs, stars or settings, made here or by a command."""
        self._save_settings()
        self._step(history.undo)

    def redo(self) -> None:
        """Redo the last undone step."""
        self._save_settings()
        self._step(history.redo)

    def _step(self, step: Callable[[Path], history.Kind]) -> None:
        with self._changing():
            before = self.preset.settings.training
            kind = step(self.preset.folder)
        file, name = STEPS[kind]
        self._after(file)
        if kind == "pairs":
            self._is_drawn, self._changed_at = False, time.monotonic()
        self._send(name, "history")
        self._send_training(before)

    # disk

    def poll(self) -> None:
        """Write due changes, and take over changes by other programs."""
        now = time.monotonic()
        if self._unsaved.is_due:
            self._save_settings()
        if now - self._looked_at >= LOOKED_S:
            self._looked_at = now
            self.take_up()

    @property
    def map_is_due(self) -> bool:
        """Whether map.png should be redrawn now, by `map_job`, in any thread."""
        return not self._is_drawn and time.monotonic() - self._changed_at >= DRAWN_S

    def map_job(self) -> Callable[[], None]:
        """A function that draws map.png for the present pairs."""
        self._is_drawn = True
        return Pairing(self.preset, draws=False).draw

    def take_up(self) -> None:
        """Read changes by other programs, or by jobs of this one."""
        changed = self._stamps.changed()
        if not changed:
            return
        try:
            self._read(Preset.load(self.preset.folder), changed)
        except UserError as error:  # an incomplete change, or a wrong file: the last good state stays
            self._stamps = Stamps(self.preset.folder)
            self._events.send("error", str(error))
            return
        for file, names in TELLS.items():
            if file in changed:
                self._send(*names)
        self._send("history")

    def flush(self) -> None:
        """Write unwritten changes: settings of the last half second, and map.png."""
        self._save_settings()
        if not self._is_drawn:
            self._is_drawn = True
            self._pairing.draw()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The context of a change: copies a shipped preset, locks it, and reads changes by other programs first."""
        if self.preset.folder.parent == SHIPPED:
            self._read(self.preset.own_copy())
            self._send("preset")
            self._events.send(
                "note", f"{self.preset.name} is a shipped preset; your changes go to {self.preset.folder}"
            )
        with preset_lock(self.preset.folder):
            self.take_up()
            yield

    def writable(self) -> Preset:
        """The preset for a job that writes into it, with all settings on disk; for a shipped one, the artist's own copy."""
        self._save_settings()
        with self._changing():
            return self.preset

    def _after(self, *files: str) -> None:
        """Update the state after this object changed these files."""
        self._read(Preset.load(self.preset.folder), frozenset(files))

    def _send(self, *names: Name) -> None:
        for name in names:
            self._events.send(name)


STEPS: dict[history.Kind, tuple[str, Name]] = {
    "pairs": (history.PAIRS, "pairs"),
    "choice": (history.CANDIDATES, "candidates"),
    "settings": (history.SETTINGS, "settings"),
}
"""The file that a step of the history changes, and its event."""
