"""Makes the corpus, pairs and mapping of `ink`: moments of both shipped sounds, and images chosen for them by eye.

python presets/ink/make/pairs.py            makes them again with the functions behind the studio's commands
python presets/ink/make/pairs.py FOLDER     writes them into another folder, to compare
"""

from presets.making.pairs import Choice, make_presets

CHOICES = (
    Choice(
        "ink",
        ("strings", "glass"),
        ("corpus.safetensors", "candidates.safetensors", "pairs.safetensors", "mapping.safetensors"),
        (
            ("strings", 0.9, 205, "the lowest string: a deep blue cloud"),
            ("strings", 2.2, 4, "three strings: night"),
            ("strings", 3.5, 117, "the highest of them sings: rose above the dark"),
            ("strings", 4.65, 0, "plucked, low: round blue cells"),
            ("strings", 7.05, 198, "plucked, high: light paper, orange and blue at its edges"),
            ("strings", 7.7, 163, "tremolo at the bridge: many sheets of red"),
            ("strings", 8.7, 83, "a high bow through it: vermilion"),
            ("strings", 10.3, 97, "it slides down: orange into blue"),
            ("strings", 11.2, 206, "a hammered stroke: oxblood"),
            ("strings", 11.7, 92, "a second, harder: black with an orange edge"),
            ("strings", 13.0, 39, "harmonics: clear paper, sea green beside it"),
            ("glass", 8.3, 190, "glass is struck: sea green around a pale core"),
            ("glass", 14.6, 108, "the bowl: bottle green"),
            ("glass", 19.55, 123, "the break: crimson and black"),
            ("glass", 21.5, 157, "smaller and smaller: rose and blue in pieces"),
            ("glass", 23.0, 94, "the breath: hardly any violet"),
            ("glass", 26.2, 167, "the open string: nearly bare paper"),
        ),
        candidates=240,
    ),
)


if __name__ == "__main__":
    make_presets(CHOICES)
