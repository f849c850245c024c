"""The map as a table: each sounding frame with its position, nearest image and descriptors."""

import csv
from pathlib import Path

from offline.pairing.placed_pairs import PlacedPair
from offline.pairing.storyboard import Storyboard
from shared.atomic import written_atomically
from shared.preset.corpus import Corpus

COLUMNS = ("sound", "seconds", "x", "y", "image", "distance")


def write_table(path: Path, corpus: Corpus, board: Storyboard, pairs: list[PlacedPair]) -> int:
    """Write the visible rows to a CSV file: COLUMNS and the descriptors in their units. Return the number of rows.

    x, y: on the shown axes, 0..1. image, distance: the nearest image and how far it is on the map; empty without pairs.
    """
    names = [sound.name for sound in board.sounds]
    count = 0
    with written_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*COLUMNS, *corpus.facts.descriptors])
        for row in board.visible.nonzero()[0].tolist():
            sound, seconds = board.time_of(row)
            x, y = board.place_of(row)
            number = int(board.nearest[row])
            image = [pairs[number].name, f"{float(board.gap[row]):.6g}"] if 0 <= number < len(pairs) else ["", ""]
            values = [f"{value:.9g}" for value in corpus.descriptors[row].tolist()]
            table.writerow([names[sound], f"{seconds:.5f}", f"{x:.6g}", f"{y:.6g}", *image, *values])
            count += 1
    return count
