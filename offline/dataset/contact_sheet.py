"""A contact sheet of a data set: pictures from its beginning to its end, evenly spread."""

from pathlib import Path

from PIL import Image

from offline.dataset.reader import Dataset
from shared.atomic import written_atomically

COLUMNS, ROWS, SIDE, GAP = 12, 8, 160, 2  # pictures, pictures, pixels, pixels
GREY = (24, 24, 24)


def write_contact_sheet(path: Path, dataset: Dataset) -> None:
    """Write a PNG of up to 96 pictures, in order, row by row."""
    count = min(len(dataset), COLUMNS * ROWS)
    columns = min(count, COLUMNS)
    sheet = Image.new("RGB", (columns * (SIDE + GAP) + GAP, -(-count // columns) * (SIDE + GAP) + GAP), GREY)
    for i in range(count):
        pixels = dataset.image(i * len(dataset) // count)
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).convert("RGB")
        place = (GAP + i % columns * (SIDE + GAP), GAP + i // columns * (SIDE + GAP))
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), place)
    with written_atomically(path) as temporary:
        sheet.save(temporary)
