"""Makes the corpus, pairs and mapping of `glass`, `violin` and `calm`: moments of sound, and images chosen for them by eye.

python presets/glass/make/pairs.py            makes them again with the functions behind the studio's commands
python presets/glass/make/pairs.py FOLDER     writes them into another folder, to compare
"""

import shutil

from presets.making.pairs import Choice, make_presets
from shared.preset.places import SHIPPED

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


def main() -> None:
    """Make `glass` and `violin`, and `calm`, which differs from `glass` in its settings alone."""
    into = make_presets(CHOICES)
    (into / "calm").mkdir(exist_ok=True)
    for name in ("pairs.safetensors", "mapping.safetensors"):
        shutil.copyfile(into / "glass" / name, into / "calm" / name)
    if into != SHIPPED:
        shutil.copyfile(SHIPPED / "calm" / "preset.toml", into / "calm" / "preset.toml")


if __name__ == "__main__":
    main()
