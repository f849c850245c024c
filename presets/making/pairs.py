"""Makes the corpus, pairs and mapping of shipped presets from choices made by eye, with the functions behind the studio's commands."""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from offline.candidates.command import choose
from offline.candidates.drawing import draw_candidates
from offline.corpus.corpus import make_corpus
from offline.pairing.session import Pairing
from offline.train import train
from shared.preset.candidates import Draw
from shared.preset.corpus import CORPUS, Corpus
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset, sha256_of

SOUNDS = {
    "glass": SHIPPED / "glass" / "sounds" / "glass.flac",
    "strings": SHIPPED / "glass" / "sounds" / "strings.flac",
}


@dataclass(frozen=True)
class Choice:
    """The sounds and pairs of a preset."""

    preset: str
    sounds: tuple[str, ...]
    shipped: tuple[str, ...]
    """Files of the shipped preset; the other files are needed only for pairing."""
    pairs: tuple[tuple[str, float, int, str], ...]
    """Sound, second, seed of the image, reason."""
    candidates: int = 500
    """The images were chosen from a contact sheet of this many."""


def make_presets(choices: Sequence[Choice]) -> Path:
    """Make presets, as an artist would with `ponticello analyse`, `candidates`, `pair` and `train`.

    They replace the shipped ones, or go to the folder that the command line names. Returns that folder.
    """
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    with tempfile.TemporaryDirectory() as temporary:
        for choice in choices:
            make(choice, Path(temporary), into / choice.preset)
    return into


def make(choice: Choice, place: Path, into: Path) -> None:
    """Make one preset in a folder of its own below `place`, and copy its shipped files to `into`."""
    folder, given = place / choice.preset, SHIPPED / choice.preset
    folder.mkdir()
    document = tomlkit.parse((given / "preset.toml").read_text("utf-8"))
    generator = given / document["generator"]["file"]
    if generator.parent == given:
        shutil.copyfile(generator, folder / generator.name)
    else:
        document["generator"]["sha256"] = sha256_of(generator)
    (folder / "preset.toml").write_text(tomlkit.dumps(document), "utf-8")
    make_corpus(Preset.load(folder), [SOUNDS[name] for name in choice.sounds])
    draw_candidates(Preset.load(folder), Draw(count=choice.candidates), "cpu")
    choose(Preset.load(folder), [seed for _, _, seed, _ in choice.pairs])
    pairing = Pairing(Preset.load(folder))
    for sound, seconds, seed, _ in choice.pairs:
        pairing.at(str(seed), seconds, sound)
    trained = train(Preset.load(folder))
    into.mkdir(parents=True, exist_ok=True)
    own = (generator.name,) if generator.parent == given and into != given else ()
    for name in ("preset.toml", *own, *choice.shipped):
        shutil.copyfile(folder / name, into / name)
    if CORPUS in choice.shipped:  # sounds of another preset stay there
        files = [Path(os.path.relpath(SOUNDS[name], given)).as_posix() for name in choice.sounds]
        Corpus.load(folder / CORPUS).with_files(files).save(into / CORPUS)
    print(
        f"{choice.preset}: {len(trained.pairs)} pairs, loss fallen by {trained.orders:.1f} orders of magnitude, "
        f"reach {trained.mapping.reach:.2f}"
    )
