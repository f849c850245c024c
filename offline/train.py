"""`ponticello train`: train the mapping on the pairs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, get_args
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from offline.direct.options import DirectOptions
from offline.options import PresetArgument, counted
from offline.pairing.session import on_map
from offline.progress import progress, say
from offline.readable import if_readable
from offline.writable import writable
from shared.command_line import DeviceOption, example, grouped, new_app, option
from shared.errors import PresetError, SettingError, pasted
from shared.mapping.preprocessing import Preprocessing
from shared.mapping.regression import REGRESSORS, RegressorName, Training
from shared.mapping.regression.training import PreprocessingName
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset, history
from shared.preset.candidates import shortened
from shared.preset.corpus import Corpus
from shared.preset.learned import LearnedMapping, learned_pairs
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.preset import MAPPING, sha256_of
from shared.preset.training_settings import save_picture, save_training
from shared.times import parse_time

WANTED_ORDERS = 5.0  # of magnitude: the fall of the loss in the paper
LEARNED = 1e-3  # share of the mean loss before training; a pair with a larger one is not learned
FRAMES_AT_ONCE = 16384
ROUNDING = 1e-9  # share of a squared length: far more than float64 loses
ADVICE: Mapping[RegressorName, str] = {
    "mlp": "try more epochs or larger layers in preset.toml",
    "rbf": "try a smaller penalty in preset.toml",
    "gaussian_process": "it takes differences between near pairs for noise; rbf meets every pair",
    "ridge": "try a smaller alpha in preset.toml",
    "linear": "a linear mapping cannot meet these pairs; try another regressor",
    "nearest": "pairs with the same sound share their mean; move or remove some",
}
NEAR = 0.1  # share of the median distance between pairs; nearer ones are hard to tell apart


@dataclass(frozen=True, eq=False)
class Trained:
    """A mapping, its pairs, the mean squared error of each, and pairs that contradict each other."""

    mapping: LearnedMapping
    pairs: Pairs
    losses: Float64[np.ndarray, "n"]
    left_out: frozenset[int]
    """Numbers of the pairs that were not learned, as the settings ask for fewer."""
    conflicts: list[tuple[int, int, float]]
    """Numbers of two pairs and their distance in deviations."""

    @property
    def unlearned(self) -> list[str]:
        """Names of learned pairs whose loss is still large."""
        large = np.flatnonzero(self.losses > LEARNED * self.first_loss).tolist()
        return [self.pairs.names[i] for i in large if i not in self.left_out]

    @property
    def last_loss(self) -> float:
        """The mean loss of the learned pairs."""
        return float(np.mean([loss for i, loss in enumerate(self.losses) if i not in self.left_out]))

    @property
    def first_loss(self) -> float:
        """The loss of the untrained MLP; for other regressors, that of predicting zero."""
        losses = self.mapping.regressor.losses
        return losses[0] if losses else float(np.square(self.pairs.targets, dtype=np.float64).mean())

    @property
    def orders(self) -> float:
        """Orders of magnitude by which the loss fell."""
        first, last = self.first_loss, self.last_loss
        return math.inf if last == 0 else math.log10(first / last) if first > 0 else 0.0


def train(preset: Preset, changes: Training | None = None) -> Trained:
    """Train a mapping on the pairs of a preset and write it. The same pairs give the same mapping.

    changes: settings to use from now on, written to preset.toml after the fit; None: those that are there.
    The corpus standardises the pairs; without one they stay as they are. The preset is held while it is read and while it
    is written: what other programs change in between stays, and is reported. Raises PresetError if there are no pairs.
    """
    with preset_lock(preset.folder):
        pairs, stored = scaled_pairs(preset)
        before = _mapping_digest(preset)
    scaler = pairs.scaler
    if scaler is None:
        raise PresetError(
            f"{preset.name} has no sounds yet; analyse some: ponticello analyse {pasted(preset.folder)} SOUND"
        )
    training = changes or preset.settings.training
    preprocessing = find_preprocessing(preset, training.preprocessing)
    smoothing = float(str(preset.controls["smoothing"]))
    far = reach(preset.corpus, pairs, smoothing) if preset.has_corpus else _reach_before(preset)
    learned = learned_pairs(pairs, training.pairs)
    with progress("epochs", training.epochs_of(len(learned))) as advance:
        mapping = LearnedMapping.learn(scaler, pairs, training, far, lambda epoch, _: advance(epoch), preprocessing)
    with preset_lock(preset.folder):
        if _write(preset, mapping, pairs, stored, before) and changes is not None:
            save_training(preset.folder, training)
    left_out = frozenset(range(len(pairs))) - set(learned)
    return Trained(mapping, pairs, mapping.losses(pairs), left_out, conflicts(pairs))


def find_preprocessing(preset: Preset, name: PreprocessingName) -> Preprocessing | None:
    """The preprocessing of this name, fitted to the corpus; without a corpus, that of the present mapping.

    Raises PresetError if there is neither.
    """
    if name == "standard":
        return None
    if preset.has_corpus:
        return Preprocessing.fit(name, preset.corpus.standardised)
    if (preset.folder / "mapping.safetensors").is_file():
        present = preset.mapping.preprocessing
        if present is not None and present.name == name:
            return present
    raise PresetError(
        f"preprocessing = {name} given, and {preset.name} has no sounds to fit it to; "
        f"analyse some: ponticello analyse {pasted(preset.folder)} SOUND"
    )


def _write(preset: Preset, mapping: LearnedMapping, pairs: Pairs, stored: Pairs, before: str) -> bool:
    """Write the mapping, and the pairs where training scaled them, unless another program has changed them meanwhile.

    False if another mapping stays.
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
            return False
        say(preset.training_advice)
    elif not history.same(stored, pairs):  # first, so that no mapping is there without the pairs that it learned
        history.save_pairs(preset.folder, pairs)
    mapping.save(preset.folder / MAPPING)
    return True


def _mapping_digest(preset: Preset) -> str:
    """The SHA-256 of the mapping's file, or nothing."""
    file = preset.folder / MAPPING
    return sha256_of(file) if file.is_file() else ""


def reach(corpus: Corpus, pairs: Pairs, smoothing: float) -> float:
    """The largest distance from the nearest pair, in deviations of the pairs' scaler, while the sounds of the corpus play.

    Silences hold and frames are smoothed, as in a show: only sounds unlike all of the corpus lie beyond it.
    """
    farthest = 0.0
    scaler = pairs.scaler or corpus.scaler
    for sound in played(corpus, smoothing):
        frames = scaler.rescaled(sound, corpus.scaler)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            block = _farthest_frames(frames[start : start + FRAMES_AT_ONCE], pairs.descriptors)
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


def played(corpus: Corpus, smoothing: float) -> list[Float64[np.ndarray, "n inputs"]]:
    """The smoothed frames of each sound. Kept for the next fit: they take longer than the fit itself."""
    known = _last_played.get(corpus)
    if known is not None and known[0] == smoothing:
        return known[1]
    sounds = range(len(corpus.facts.sounds))
    smoothed = [LeakyIntegrator(smoothing).process(corpus.standardised[corpus.frames_of(sound)]) for sound in sounds]
    _last_played[corpus] = smoothing, smoothed
    return smoothed


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


def scaled_pairs(preset: Preset) -> tuple[Pairs, Pairs]:
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
SETTINGS, COMPARISON = "Settings, written to preset.toml", "Comparison"  # panels of --help


@app.command(
    epilog=example(
        "ponticello train mine",
        "ponticello train mine --regressor rbf",
        "ponticello train mine --compare",
        "ponticello train mine --direct",
    )
)
@grouped
def command(
    preset: PresetArgument,
    directly: DirectOptions,
    regressor: Annotated[
        str | None,
        option(
            "--regressor",
            metavar="|".join(REGRESSORS),
            panel=SETTINGS,
            help="Regressor that learns the pairs.",
            show_default="as in preset.toml",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        option(
            "--pairs",
            metavar="N",
            panel=SETTINGS,
            help="Number of pairs to learn, those most distant in sound; 0: all.",
            show_default="as in preset.toml",
        ),
    ] = None,
    preprocessing: Annotated[
        str | None,
        option(
            "--preprocessing",
            metavar="|".join(get_args(PreprocessingName)),
            panel=SETTINGS,
            help="What is done to the standardised descriptors first.",
            show_default="as in preset.toml",
        ),
    ] = None,
    compare: Annotated[
        bool,
        option(
            "--compare", panel=COMPARISON, help="Compare regressors and settings on the same pairs; change nothing."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        option(
            "-o",
            "--output",
            metavar="DIR",
            panel=COMPARISON,
            help="Folder for comparison.html and comparison.csv.",
            show_default="PRESET-comparison",
        ),
    ] = None,
    sound: Annotated[
        Path | None,
        option(
            "--sound", metavar="FILE", panel=COMPARISON, help="Sound to play.", show_default="the preset's first sound"
        ),
    ] = None,
    start: Annotated[
        str, option("--start", metavar="TIME", panel=COMPARISON, help="Where the 10 s that are shown begin.")
    ] = "0",
    device: DeviceOption = None,
) -> None:
    """Train the mapping from descriptors to latents on the pairs, with the settings [training] in preset.toml.

    With --direct, train a decoder that draws without the generator. Options are written to preset.toml. See docs/mapping.md
    and docs/direct.md for what each choice does.
    """
    changes = {"regressor": regressor, "pairs": pairs, "preprocessing": preprocessing}
    given = [f"--{name}" for name, value in changes.items() if value is not None]
    directly.check()
    if compare and (given or directly.direct is not None):
        raise SettingError(
            f"{(given or ['--direct'])[0]} given with --compare, which changes no settings; leave one of them out"
        )
    if compare:
        from offline.laboratory.comparison import CSV, PAGE
        from offline.laboratory.comparison import compare as measure

        loaded = Preset.load(preset).for_pairing
        folder = output or Path(f"{loaded.name}-comparison")
        table = measure(loaded, folder, sound, float(parse_time(start)), device)
        print("\n".join(table.lines()))
        print(f"w in deviations, looks in grey levels; {folder / PAGE}, {folder / CSV}")
        return
    if directly.direct:
        if given:
            raise SettingError(f"{given[0]} given with --direct, which trains no mapping; leave one of them out")
        from offline.direct import training

        with writable(preset, held=False) as own:
            learned = training.train_directly(own, directly.changed(own.settings.direct), directly.pictures, device)
        training.show(own, learned)
        return
    with writable(preset, held=False) as own:
        trained = train(own, changed(own.settings.training, changes))
        if directly.direct is False:
            with preset_lock(own.folder):
                save_picture(own.folder, "generator")
    show(own, trained)
    if Preset.load(own.folder).is_direct:
        say(f"{own.name} still draws directly from the sound; with --no-direct its generator draws by this mapping")


def changed(training: Training, changes: Mapping[str, object]) -> Training:
    """The settings with those changes that are not None. Raises SettingError for a value that is not allowed."""
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return msgspec.convert(msgspec.to_builtins(training) | given, Training)
    except msgspec.ValidationError as error:
        for key, allowed in (("regressor", REGRESSORS), ("preprocessing", get_args(PreprocessingName))):
            if key in given and given[key] not in allowed:
                raise SettingError(f"--{key} {given[key]} given; allowed are: {', '.join(allowed)}") from None
        raise SettingError(str(error)) from None


def show(own: Preset, trained: Trained) -> None:
    """Report a training, and what to do next."""
    regressor, pairs, training = trained.mapping.regressor, trained.pairs, Preset.load(own.folder).settings.training
    for i, (name, loss) in enumerate(zip(pairs.names, trained.losses, strict=True)):
        print(
            f"{name:<16} loss {loss:.2e}{', not learned: pairs = ' + str(training.pairs) if i in trained.left_out else ''}"
        )
    epochs = f", {counted(len(regressor.losses) - 1, 'epoch')}" if regressor.losses else ""
    name = "" if regressor.name == "mlp" else f"{regressor.name} "
    print(
        f"{counted(len(pairs) - len(trained.left_out), 'pair')}, {name}{'-'.join(map(str, regressor.sizes))}{epochs}: "
        f"loss {trained.first_loss:.3g} -> {trained.last_loss:.3g}, fallen by {trained.orders:.1f} orders of magnitude"
    )
    print(f"reach {trained.mapping.reach:.2f} deviations; {own.folder / MAPPING}")
    for i, j, distance in trained.conflicts:
        say(
            f"{pairs.names[i]} and {pairs.names[j]} are paired with nearly the same sound ({distance:.2g} deviations apart) "
            "with different images; move or remove one"
        )
    if trained.unlearned:
        say(f"not learned: {shortened(trained.unlearned)}; {ADVICE.get(regressor.name, ADVICE['mlp'])}")
    elif trained.orders < WANTED_ORDERS and regressor.name == "mlp" and not training.early_stop:
        say(f"the loss should fall by {WANTED_ORDERS:g} orders; raise epochs in preset.toml")
    say(f"next: ponticello render {pasted(own.folder)} SOUND -o FILM.mp4")
