"""`ponticello train`: train the mapping on the pairs."""

import math
from dataclasses import dataclass
from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from offline.options import PresetArgument, counted
from offline.pairing.session import on_map
from offline.progress import progress, say
from offline.readable import if_readable
from offline.writable import writable
from shared.command_line import example, new_app
from shared.errors import PresetError, pasted
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset, history
from shared.preset.candidates import shortened
from shared.preset.corpus import Corpus
from shared.preset.learned import LearnedMapping
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.preset import MAPPING, sha256_of

WANTED_ORDERS = 5.0  # of magnitude: the fall of the loss in the paper
LEARNED = 1e-3  # share of the mean loss before training; a pair with a larger one is not learned
FRAMES_AT_ONCE = 16384
ROUNDING = 1e-9  # share of a squared length: far more than float64 loses
NEAR = 0.1  # share of the median distance between pairs; nearer ones are hard to tell apart


@dataclass(frozen=True, eq=False)
class Trained:
    """A mapping, its pairs, the mean squared error of each, and pairs that contradict each other."""

    mapping: LearnedMapping
    pairs: Pairs
    losses: Float64[np.ndarray, "n"]
    unlearned: list[str]
    """Names of pairs whose loss is still large."""
    conflicts: list[tuple[int, int, float]]
    """Numbers of two pairs and their distance in deviations."""

    @property
    def orders(self) -> float:
        """Orders of magnitude by which the loss fell."""
        first, last = self.mapping.regressor.losses[0], self.mapping.regressor.losses[-1]
        return math.inf if last == 0 else math.log10(first / last) if first > 0 else 0.0


def train(preset: Preset) -> Trained:
    """Train a mapping on the pairs of a preset, with its settings, and write it. The same pairs give the same mapping.

    The corpus standardises the pairs; without one they stay as they are. The preset is held while it is read and while it
    is written: what other programs change in between stays, and is reported. Raises PresetError where there are no pairs.
    """
    with preset_lock(preset.folder):
        pairs, stored = _pairs(preset)
        before = _mapping_digest(preset)
    scaler = pairs.scaler
    if scaler is None:
        raise PresetError(
            f"{preset.name} has no sounds yet; analyse some: ponticello analyse {pasted(preset.folder)} SOUND"
        )
    training = preset.settings.training
    smoothing = float(str(preset.controls["smoothing"]))
    far = reach(preset.corpus, pairs, smoothing) if preset.has_corpus else _reach_before(preset)
    with progress("epochs", training.epochs) as advance:
        mapping = LearnedMapping.learn(scaler, pairs, training, far, lambda epoch, _: advance(epoch))
    with preset_lock(preset.folder):
        _write(preset, mapping, pairs, stored, before)
    predicted = mapping.regressor.process(pairs.descriptors).astype(np.float64)
    losses: NDArray[np.float64] = np.square(predicted - pairs.latents).mean(axis=1)
    unlearned = [pairs.names[i] for i in np.flatnonzero(losses > LEARNED * mapping.regressor.losses[0])]
    return Trained(mapping, pairs, losses, unlearned, conflicts(pairs))


def _write(preset: Preset, mapping: LearnedMapping, pairs: Pairs, stored: Pairs, before: str) -> None:
    """Write the mapping, and the pairs where training scaled them, unless another program has changed them meanwhile.

    stored, before: the pairs on disk and the digest of the mapping there, when the training began.
    """
    if Preset.load(preset.folder).settings.inputs != preset.settings.inputs:
        raise PresetError(
            f"{preset.name}: the inputs in preset.toml changed during the training; nothing was written: train again"
        )
    file = preset.folder / history.PAIRS
    if not (file.is_file() and history.same(Pairs.load(file), stored)):
        if _mapping_digest(preset) != before:
            say(f"{preset.name}: another program changed the pairs and trained on them; its mapping stays")
            return
        say(preset.training_advice)
    elif not history.same(stored, pairs):  # first, so that no mapping is there without the pairs that it learned
        history.save_pairs(preset.folder, pairs)
    mapping.save(preset.folder / MAPPING)


def _mapping_digest(preset: Preset) -> str:
    """The SHA-256 of the mapping's file, or nothing."""
    file = preset.folder / MAPPING
    return sha256_of(file) if file.is_file() else ""


def reach(corpus: Corpus, pairs: Pairs, smoothing: float) -> float:
    """The largest distance from the nearest pair, in deviations, while the sounds of the corpus play.

    Silences hold and frames are smoothed, as in a show: only sounds unlike all of the corpus lie beyond it.
    """
    farthest = 0.0
    for played in _played(corpus, smoothing):
        for start in range(0, len(played), FRAMES_AT_ONCE):
            block = _farthest_frames(played[start : start + FRAMES_AT_ONCE], pairs.descriptors)
            nearest = np.full(len(block), np.inf)
            for pair in pairs.descriptors:
                nearest = np.minimum(nearest, np.square(block - pair).sum(axis=1))
            farthest = max(farthest, float(np.sqrt(nearest.max())))
    return farthest


def _farthest_frames(
    frames: Float64[np.ndarray, "n inputs"], pairs: Float64[np.ndarray, "k inputs"]
) -> Float64[np.ndarray, "m inputs"]:
    """The frames that may be farthest from their nearest pair: by |a|² - 2 ab + |b|², which is fast but rounds more."""
    lengths, others = np.square(frames).sum(axis=1), np.square(pairs).sum(axis=1)
    nearest = (lengths[:, None] - 2 * frames @ pairs.T + others).min(axis=1)
    return np.asarray(frames[nearest >= nearest.max() - ROUNDING * (lengths.max() + others.max())])


_last_played: WeakKeyDictionary[Corpus, tuple[float, list[NDArray[np.float64]]]] = WeakKeyDictionary()


def _played(corpus: Corpus, smoothing: float) -> list[Float64[np.ndarray, "n inputs"]]:
    """The smoothed frames of each sound. Kept for the next fit: they take longer than the fit itself."""
    known = _last_played.get(corpus)
    if known is not None and known[0] == smoothing:
        return known[1]
    sounds = range(len(corpus.facts.sounds))
    played = [LeakyIntegrator(smoothing).process(corpus.standardised[corpus.frames_of(sound)]) for sound in sounds]
    _last_played[corpus] = smoothing, played
    return played


def conflicts(pairs: Pairs) -> list[tuple[int, int, float]]:
    """Pairs of different images at nearly the same sound, nearest first, with their distance.

    Nearly means within a tenth of the median distance between two pairs.
    """
    distances = {
        (i, j): float(np.linalg.norm(pairs.descriptors[i] - pairs.descriptors[j]))
        for i, j in combinations(range(len(pairs)), 2)
        if not np.array_equal(pairs.latents[i], pairs.latents[j])
    }
    if not distances:
        return []
    near = NEAR * float(np.median(list(distances.values())))
    found = [(*couple, distance) for couple, distance in distances.items() if distance <= near]
    return sorted(found, key=lambda entry: entry[2])


def _reach_before(preset: Preset) -> float:
    """The reach of the present mapping, for a preset without a corpus; infinite if it cannot be read."""
    mapping = if_readable(lambda: preset.mapping)
    return math.inf if mapping is None else mapping.reach


def _pairs(preset: Preset) -> tuple[Pairs, Pairs]:
    """The pairs in the scale of the corpus, and as their file has them."""
    file = preset.folder / history.PAIRS
    if not file.is_file():
        raise PresetError(
            f"{preset.name} has no pairs yet; pair images with sound: ponticello pair {pasted(preset.folder)} --help"
        )
    stored = Pairs.load(file)
    if not len(stored):
        raise PresetError(f"{file} holds no pairs; pair at least one image with a moment of sound")
    if preset.has_corpus:
        return on_map(stored, preset), stored
    return (stored if stored.scaler is not None else preset.pairs), stored


app = new_app()


@app.command(epilog=example("ponticello train mine"))
def command(preset: PresetArgument) -> None:
    """Train the mapping from descriptors to latents on the pairs, with the training settings in preset.toml."""
    with writable(preset, held=False) as own:
        trained = train(own)
    regressor, pairs = trained.mapping.regressor, trained.pairs
    for name, loss in zip(pairs.names, trained.losses, strict=True):
        print(f"{name:<16} loss {loss:.2e}")
    first, last = regressor.losses[0], regressor.losses[-1]
    print(
        f"{counted(len(pairs), 'pair')}, {'-'.join(map(str, regressor.sizes))}, "
        f"{counted(own.settings.training.epochs, 'epoch')}: "
        f"loss {first:.3g} -> {last:.3g}, fallen by {trained.orders:.1f} orders of magnitude"
    )
    print(f"reach {trained.mapping.reach:.2f} deviations; {own.folder / MAPPING}")
    for i, j, distance in trained.conflicts:
        say(
            f"{pairs.names[i]} and {pairs.names[j]} are paired with nearly the same sound ({distance:.2g} deviations apart) "
            "with different images; move or remove one"
        )
    if trained.unlearned:
        say(f"not learned: {shortened(trained.unlearned)}; try more epochs or larger layers in preset.toml")
    elif trained.orders < WANTED_ORDERS:
        say(f"the loss should fall by {WANTED_ORDERS:g} orders; raise epochs in preset.toml")
    say(f"next: ponticello render {pasted(own.folder)} SOUND -o FILM.mp4")
