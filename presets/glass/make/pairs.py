"""Makes the corpus, pairs and mapping of `glass` and of `violin`: moments of sound, and images chosen for them by eye.

python presets/glass/make/pairs.py            makes them again with the functions behind the studio's commands
python presets/glass/make/pairs.py FOLDER     writes them into another folder, to compare
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from offline.candidates import choose
from offline.corpus import make_corpus
from offline.drawing import draw_candidates
from offline.pairing.session import Pairing
from offline.train import train
from shared.preset.candidates import Draw
from shared.preset.preset import SHIPPED, Preset, sha256_of

CANDIDATES = 500  # the images were chosen from a contact sheet of these
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


CHOICES = (
    Choice(
        "glass",
        ("glass",),
        ("corpus.safetensors", "candidates.safetensors", "pairs.safetensors", "mapping.safetensors"),
        (
            ("glass", 0.6, 107, "the bow begins: threads in the dark"),
            ("glass", 2.4, 12, "a full tone: one soft violet pane"),
            ("glass", 4.0, 21, "the glissando: blue panes, more of them"),
            ("glass", 5.9, 55, "at the bridge: every edge alight"),
            ("glass", 6.42, 94, "the snapped string: a white flash"),
            ("glass", 7.8, 37, "pizzicati: golden splinters"),
            ("glass", 8.25, 118, "glass is struck: cold light"),
            ("glass", 9.6, 54, "harmonics: a clear lattice"),
            ("glass", 11.4, 60, "the small fall: pieces of all colours"),
            ("glass", 14.6, 38, "the bowl: a rose warmth"),
            ("glass", 16.4, 65, "the bowl glides up: amber"),
            ("glass", 18.4, 56, "tremolo: red"),
            ("glass", 19.55, 105, "the break: white through blue"),
            ("glass", 20.4, 46, "the second wave: gold in pieces"),
            ("glass", 21.5, 108, "smaller and smaller: violet mosaic"),
            ("glass", 23.0, 95, "the breath: sea green"),
            ("glass", 26.2, 106, "the open string: nearly nothing"),
        ),
    ),
    Choice(
        "violin",
        ("glass", "strings"),
        ("pairs.safetensors", "mapping.safetensors"),
        (
            ("strings", 0.9, 20, "the lowest string: embers"),
            ("glass", 26.1, 114, "G: rose"),
            ("glass", 0.9, 58, "D: rose into violet"),
            ("glass", 3.7, 21, "A: blue panes"),
            ("glass", 5.45, 83, "high on the E string: blue edges"),
            ("glass", 6.15, 110, "the highest, bright: white on sea glass"),
            ("glass", 9.65, 78, "a pure harmonic: clear, whole"),
            ("glass", 27.85, 117, "a last one, far away: dark green"),
            ("glass", 18.4, 84, "noise of the bow: gaps open"),
            ("glass", 19.8, 59, "nothing but noise: broken"),
            ("strings", 11.75, 10, "a hammered stroke: gold, broken"),
        ),
    ),
)


def main(into: Path = SHIPPED) -> None:
    """Make all presets, as an artist would with `ponticello analyse`, `candidates`, `pair` and `train`."""
    with tempfile.TemporaryDirectory() as temporary:
        for choice in CHOICES:
            make(choice, Path(temporary), into / choice.preset)
    (into / "calm").mkdir(exist_ok=True)
    for name in ("pairs.safetensors", "mapping.safetensors"):  # calm differs from glass in its settings alone
        shutil.copyfile(into / "glass" / name, into / "calm" / name)
    if into != SHIPPED:
        shutil.copyfile(SHIPPED / "calm" / "preset.toml", into / "calm" / "preset.toml")


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
    make_corpus(Preset.load(folder), [SOUNDS[name] for name in choice.sounds], copy=True)
    draw_candidates(Preset.load(folder), Draw(count=CANDIDATES), "cpu")
    choose(Preset.load(folder), [seed for _, _, seed, _ in choice.pairs])
    pairing = Pairing(Preset.load(folder))
    for sound, seconds, seed, _ in choice.pairs:
        pairing.at(str(seed), seconds, sound)
    trained = train(Preset.load(folder))
    into.mkdir(parents=True, exist_ok=True)
    own = (generator.name,) if generator.parent == given and into != given else ()
    for name in ("preset.toml", *own, *choice.shipped):
        shutil.copyfile(folder / name, into / name)
    print(
        f"{choice.preset}: {len(trained.pairs)} pairs, loss fallen by {trained.orders:.1f} orders of magnitude, "
        f"reach {trained.mapping.reach:.2f}"
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
