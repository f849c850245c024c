"""The pairs and the mapping of `glass`: 17 moments of its sound, 17 images chosen by eye. Run it to make both again.

python presets/glass/make/pairs.py
"""

from pathlib import Path

import numpy as np

from shared.audio.descriptors import describe
from shared.audio.files import SoundReader
from shared.image.latents import latents_from_seeds
from shared.mapping.learned import LearnedMapping
from shared.mapping.pairs import Pairs
from shared.mapping.scaling import Standardizer
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

FOLDER = Path(__file__).resolve().parent.parent
SILENCE_DB = -60.0  # quieter frames are no part of the corpus

PAIRS = (  # seconds into the sound, seed of the image, why they belong together
    (0.6, 37, "the bow begins: small dark petals"),
    (2.4, 1, "a full tone: one soft blue pane"),
    (4.0, 30, "the glissando: the pane widens"),
    (5.9, 15, "at the bridge: violet filaments"),
    (6.42, 24, "the snapped string: white in red"),
    (7.8, 25, "pizzicati: orange splinters"),
    (8.25, 9, "glass is struck: a cold bright shard"),
    (9.6, 17, "harmonics: blue blades"),
    (11.4, 18, "the small fall: pieces apart"),
    (14.6, 12, "the bowl: a rose warmth"),
    (16.4, 39, "the bowl glides up: amber"),
    (18.4, 13, "tremolo: red"),
    (19.55, 47, "the break: white through violet"),
    (20.4, 40, "the second wave: a golden star"),
    (21.5, 41, "smaller and smaller: violet mosaic"),
    (23.0, 33, "the breath: sea green"),
    (26.2, 19, "the open string: nearly nothing"),
)


def main() -> None:
    """Analyse, pair, train, save."""
    preset = Preset.load(FOLDER)
    with SoundReader(FOLDER / "sounds" / "glass.flac") as reader:
        frames = describe(np.concatenate(list(reader.blocks())), SAMPLE_RATE)
    corpus = frames[frames[:, -1] >= SILENCE_DB]
    scaler = Standardizer.fit(corpus)
    moments = [round(seconds * SAMPLE_RATE / HOP) for seconds, _, _ in PAIRS]
    pairs = Pairs(
        tuple(f"seed{seed}" for _, seed, _ in PAIRS),
        scaler.process(frames[moments]),
        latents_from_seeds([seed for _, seed, _ in PAIRS], 512),
        np.full((len(PAIRS), 2), np.nan),
    )
    pairs.save(FOLDER / "pairs.safetensors")
    smooth = LeakyIntegrator().process(scaler.process(corpus))
    reach = max(pairs.nearest(frame)[1] for frame in smooth)
    learned = LearnedMapping.learn(scaler, pairs, preset.settings.training, reach)
    learned.save(FOLDER / "mapping.safetensors")
    first, last = learned.regressor.losses[0], learned.regressor.losses[-1]
    print(f"{len(pairs)} pairs, loss {first:.3g} -> {last:.3g}, reach {reach:.2f} deviations")


if __name__ == "__main__":
    main()
