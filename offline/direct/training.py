"""`ponticello train PRESET --direct`: train the decoder of a preset and let it draw the pictures."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from offline.direct.examples import from_files, from_generator, new_architecture, pairs_to_learn
from offline.direct.fit import Examples, fit
from offline.direct.moments import find_moments
from offline.options import counted
from offline.progress import progress, say
from offline.readable import if_readable
from offline.train import reach, scaled_pairs
from shared.errors import PresetError, Stopped, pasted
from shared.image.device import pick_device
from shared.preset import Preset
from shared.preset.direct import DirectPictures, DirectTraining, stored
from shared.preset.lock import preset_lock
from shared.preset.preset import DIRECT
from shared.preset.training_settings import save_picture, save_table

CHECKED_BETWEEN = 200  # pictures between whose errors are reported


@dataclass(frozen=True, eq=False)
class TrainedDirectly:
    """A decoder and its mean absolute errors, in grey levels of 255: at each pair, and at each of some pictures between."""

    direct: DirectPictures
    at_pairs: Float64[np.ndarray, "n"]
    between: Float64[np.ndarray, "m"]


def train_directly(
    preset: Preset, training: DirectTraining, pictures: Path | None = None, device: str | None = None
) -> TrainedDirectly:
    """Train a decoder on the pairs of a preset, or on a folder of pictures; write it, its settings and picture = "direct".

    device: draws the examples, the fastest by default, and trains the decoder, the CPU by default, which is reproducible.
    An interrupted training changes nothing. Raises UserError for pictures, pairs or settings that cannot be used, Stopped
    after a Ctrl-C.
    """
    drawing = pick_device(device)
    preset = preset.for_pairing
    file = preset.folder / DIRECT
    with preset_lock(preset.folder):
        # Pictures need pairs only where they are named as one.
        pairs = pairs_to_learn(preset, training) if pictures is None else if_readable(lambda: scaled_pairs(preset)[0])
    architecture = new_architecture(training, len(preset.settings.inputs))
    try:
        if pictures is None:
            assert pairs is not None
            examples = from_generator(preset, pairs, training, architecture, drawing)
            names, descriptors, scaler, digest = pairs.names, pairs.descriptors, pairs.scaler, pairs.digest
        else:
            moments = find_moments(pictures, preset, pairs)
            examples = from_files(moments, architecture)
            names = tuple(moment.name for moment in moments)
            descriptors, digest = np.stack([moment.descriptors for moment in moments]), ""
            scaler = preset.corpus.scaler if preset.has_corpus else None if pairs is None else pairs.scaler
        if scaler is None:
            _ = preset.corpus  # says how to analyse sounds
            raise PresetError(f"{preset.name} has no scaler; analyse its sounds again")
        with progress("steps", training.steps) as advance:
            weights = stored(fit(architecture, examples, training, advance, drawing if device else "cpu"))
    except KeyboardInterrupt:
        kept = "stays as it was" if file.is_file() else "was not written"
        raise Stopped(f"stopped; {file} {kept}") from None
    direct = DirectPictures(scaler, names, descriptors, architecture, weights, digest, seed=training.seed)
    if preset.has_corpus:
        far = reach(preset.corpus, direct.pairs, float(str(preset.controls["smoothing"])))
        direct = replace(direct, reach=far)
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
