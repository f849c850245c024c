"""The corpus, pairs and mapping of `glass` and of `violin`: moments of the sounds, images chosen by eye, by the studio's commands.

python presets/glass/make/pairs.py            makes them again
python presets/glass/make/pairs.py FOLDER     puts them into another folder, to compare
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from offline.candidates import choose, draw_candidates
from offline.corpus import make_corpus
from offline.pairing.session import Pairing
from offline.train import train
from shared.mapping.candidates import Draw
from shared.preset import SHIPPED, Preset, sha256_of

CANDIDATES = 500  # on whose contact sheet the images were chosen
SOUNDS = {"glass": SHIPPED / "glass" / "sounds" / "glass.flac", "strings": SHIPPED / "glass" / "sounds" / "strings.flac"}


@dataclass(frozen=True)
class Choice:
    """What somebody chose for a preset."""

    preset: str
    sounds: tuple[str, ...]
    shipped: tuple[str, ...]
    """Files; the others are needed only to pair again."""
    pairs: tuple[tuple[str, float, int, str], ...]
    """Sound, seconds into it, seed of the image, why they belong together."""


CHOICES = (
    Choice("glass", ("glass",), ("corpus.safetensors", "candidates.safetensors", "pairs.safetensors", "mapping.safetensors"), (
    )),
    Choice("violin", ("glass", "strings"), ("pairs.safetensors", "mapping.safetensors"), (
    )),
)


def main(into: Path = SHIPPED) -> None:
    """What an artist does with `ponticello analyse`, `candidates`, `pair` and `train`, in folders of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        for choice in CHOICES:
            make(choice, Path(temporary), into / choice.preset)


def make(choice: Choice, place: Path, into: Path) -> None:
    """One preset, made in a folder of `place`."""
    folder, given = place / choice.preset, SHIPPED / choice.preset
    folder.mkdir()
    document = tomlkit.parse((given / "preset.toml").read_text("utf-8"))
    generator = given / document["generator"]["file"]
    if generator.parent == given:
        shutil.copyfile(generator, folder / generator.name)
    else:
        document["generator"]["sha256"] = sha256_of(generator)
    (folder / "preset.toml").write_text(tomlkit.dumps(document), "utf-8")
    make_corpus(Preset.load(folder), [SOUNDS[name] for name in choice.sounds], copy=True)
    draw_candidates(Preset.load(folder), Draw(count=CANDIDATES), "cpu")
    choose(Preset.load(folder), [seed for _, _, seed, _ in choice.pairs])
    pairing = Pairing(Preset.load(folder))
    for sound, seconds, seed, _ in choice.pairs:
        pairing.at(str(seed), seconds, sound)
    trained = train(Preset.load(folder))
    into.mkdir(parents=True, exist_ok=True)
    for name in ("preset.toml", *choice.shipped):
        shutil.copyfile(folder / name, into / name)
    print(
        f"{choice.preset}: {len(trained.pairs)} pairs, loss fallen by {trained.orders:.1f} orders of magnitude, "
        f"reach {trained.mapping.reach:.2f}"
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
