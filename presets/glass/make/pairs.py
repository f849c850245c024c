"""The corpus, pairs and mapping of `glass`: 17 moments of its sound, 17 images chosen by eye, by the studio's commands.

python presets/glass/make/pairs.py            makes them again
python presets/glass/make/pairs.py FOLDER     puts them into another folder, to compare
"""

import shutil
import sys
import tempfile
from pathlib import Path

from offline.candidates import choose, draw_candidates
from offline.corpus import make_corpus
from offline.pairing.session import Pairing
from offline.train import train
from shared.mapping.candidates import Draw
from shared.preset import Preset

FOLDER = Path(__file__).resolve().parent.parent
SOUND = "sounds/glass.flac"
CANDIDATES = 500  # whose contact sheet the images were chosen on
SHIPPED = ("corpus.safetensors", "candidates.safetensors", "pairs.safetensors", "mapping.safetensors")

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


def main(into: Path = FOLDER) -> None:
    """What an artist does with `ponticello analyse`, `candidates`, `pair` and `train`, in a folder of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "glass"
        for name in ("preset.toml", "generator.safetensors", SOUND):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(FOLDER / name, folder / name)
        make_corpus(Preset.load(folder), [folder / SOUND])
        draw_candidates(Preset.load(folder), Draw(count=CANDIDATES), "cpu")
        choose(Preset.load(folder), [seed for _, seed, _ in PAIRS])
        pairing = Pairing(Preset.load(folder))
        for seconds, seed, _ in PAIRS:
            pairing.at(str(seed), seconds)
        trained = train(Preset.load(folder))
        for name in SHIPPED:
            shutil.copyfile(folder / name, into / name)
    mapping = trained.mapping
    print(
        f"{len(trained.pairs)} pairs, loss fallen by {trained.orders:.1f} orders of magnitude, reach {mapping.reach:.2f}"
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
