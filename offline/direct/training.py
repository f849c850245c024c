"""`ponticello train PRESET --direct`: train the decoder of a preset and let it draw the pictures."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from offline.direct.examples import from_files, from_generator, new_architecture
from offline.direct.fit import Examples, fit
from offline.direct.moments import find_moments
from offline.options import counted
from offline.progress import progress, say
from offline.train import reach, scaled_pairs
from shared.errors import PresetError, Stopped, pasted
from shared.preset import Preset
from shared.preset.direct import DirectPictures, DirectTraining, stored
from shared.preset.history import PAIRS
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.preset import DIRECT
from shared.preset.training_settings import save_picture, save_table

CHECKED_BETWEEN = 200  # pictures between, whose error is reported


@dataclass(frozen=True, eq=False)
class TrainedDirectly:
    """A decoder and its mean absolute errors, in grey levels of 255: at each pair, and at each of some pictures between."""

    direct: DirectPictures
    at_pairs: Float64[np.ndarray, "n"]
    between: Float64[np.ndarray, "m"]


def train_directly(
    preset: Preset, training: DirectTraining, pictures: Path | None = None, device: str | None = None
) -> TrainedDirectly:
    """Train a decoder on the pairs of a preset, or on a folder of pictures; write it, and that it draws from now on.

    The settings are written to preset.toml with it. An interrupted training changes nothing. Raises UserError for pictures,
    pairs or settings that cannot be used, Stopped after a Ctrl-C.
    """
    preset = preset.for_pairing
    file = preset.folder / DIRECT
    with preset_lock(preset.folder):
        pairs = scaled_pairs(preset)[0] if pictures is None or (preset.folder / PAIRS).is_file() else None
    architecture = new_architecture(training, len(preset.settings.inputs))
    try:
        if pictures is None:
            assert pairs is not None
            examples = from_generator(preset, pairs, training, architecture, device)
            names, descriptors, scaler, digest = pairs.names, pairs.descriptors, pairs.scaler, pairs.digest
        else:
            moments = find_moments(pictures, preset, pairs)
            examples = from_files(preset, moments, architecture)
            names = tuple(moment.name for moment in moments)
            descriptors, digest = np.stack([moment.descriptors for moment in moments]), ""
            scaler = preset.corpus.scaler if preset.has_corpus else None if pairs is None else pairs.scaler
        if scaler is None:
            _ = preset.corpus  # says how to analyse sounds
            raise PresetError(f"{preset.name} has no scaler; analyse its sounds again")
        with progress("steps", training.steps) as advance:
            weights = stored(fit(architecture, examples, training, advance, "cpu" if device is None else device))
    except KeyboardInterrupt:
        kept = "stays as it was" if file.is_file() else "was not written"
        raise Stopped(f"stopped; {file} {kept}") from None
    learned = Pairs(names, descriptors, descriptors.astype(np.float32), np.full((len(names), 2), np.nan), "w", scaler)
    far = reach(preset.corpus, learned, float(str(preset.controls["smoothing"]))) if preset.has_corpus else math.inf
    direct = DirectPictures(scaler, names, descriptors, architecture, weights, digest, far, training.seed)
    with preset_lock(preset.folder):
        if Preset.load(preset.folder).settings.inputs != preset.settings.inputs:
            raise PresetError(
                f"{preset.name}: the inputs in preset.toml changed during the training; nothing was written: train again"
            )
        direct.save(file)
        save_table(preset.folder, "direct", training)
        save_picture(preset.folder, "direct")
    return TrainedDirectly(direct, *errors(direct, examples))


def errors(direct: DirectPictures, examples: Examples) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "m"]]:
    """Mean absolute errors of a decoder's pictures, in grey levels: at each pair, and at some of the other examples."""
    import torch

    from shared.image.decoder import Decoder

    decoder = Decoder(direct.architecture, direct.weights, torch.device("cpu"))

    def error(number: int) -> float:
        row = torch.from_numpy(examples.descriptors[number].astype(np.float32))[None]
        image = decoder.synthesize(decoder.broadcast(row)).numpy().astype(np.int16)
        return float(np.abs(image - examples.images[number].astype(np.int16)).mean())

    others = np.arange(examples.pairs, len(examples))
    chosen = others[:: -(-len(others) // CHECKED_BETWEEN)] if len(others) else others
    return np.array([error(i) for i in range(examples.pairs)]), np.array([error(i) for i in chosen.tolist()])


def show(own: Preset, trained: TrainedDirectly) -> None:
    """Report a training, and what to do next."""
    direct = trained.direct
    for name, error in zip(direct.names, trained.at_pairs, strict=True):
        print(f"{name:<16} {error:.1f} grey levels")
    between = f", {np.mean(trained.between):.1f} at pictures between" if len(trained.between) else ""
    a = direct.architecture
    print(
        f"{counted(len(direct.names), 'pair')}, pictures of {a.columns} x {a.rows} pixels: mean error "
        f"{np.mean(trained.at_pairs):.1f} grey levels at the pairs{between}"
    )
    print(f"{own.name} draws directly from the sound now: {own.folder / DIRECT}")
    say(
        f"next: ponticello render {pasted(own.folder)} SOUND -o FILM.mp4; "
        f"ponticello train {pasted(own.folder)} --no-direct draws by the generator again"
    )
