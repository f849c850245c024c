"""The layout of a data set that StyleGAN tools read: pictures in numbered folders, and their labels in dataset.json."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from shared.errors import UserError

LABELS_FILE = "dataset.json"
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
IN_A_FOLDER = 1000  # pictures

Label = int | list[float]
"""A class, or numbers that are used as they are."""


class Listing(NamedTuple):
    """The content of dataset.json."""

    labels: dict[str, Label]
    """Labels by picture name; empty if there are none."""
    classes: list[str]
    """Name of each class; empty if there are none. Other tools ignore it."""


def picture_name(number: int) -> str:
    """`00012/img00012345.png` for picture 12345."""
    return f"{number // IN_A_FOLDER:05d}/img{number:08d}.png"


def is_picture(name: str) -> bool:
    """Whether a file name in a data set is that of a picture, and not hidden."""
    base, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return bool(base) and not base.startswith(".") and f"{dot}{suffix}".lower() in PICTURE_SUFFIXES


def listing_text(labels: Mapping[str, Label] | None, classes: Sequence[str] = ()) -> bytes:
    """The content of dataset.json; labels None if the data set has none."""
    content: dict[str, object] = {"labels": None if labels is None else [[name, labels[name]] for name in labels]}
    if classes:
        content["classes"] = list(classes)
    return json.dumps(content, ensure_ascii=True).encode("ascii")


def parse_listing(content: bytes, place: str) -> Listing:
    """Parse a dataset.json. Raises UserError that names `place` if it has another form."""
    trouble = UserError(
        f'{place} is no list of labels; its form is {{"labels": [["00000/img00000000.png", 6], ...]}} or {{"labels": null}}'
    )
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise trouble from None
    if not isinstance(parsed, dict):
        raise trouble
    labels: dict[str, Label] = {}
    for entry in parsed.get("labels") or []:
        match entry:
            case [str(name), bool()]:
                raise trouble
            case [str(name), int(label)] if 0 <= label < 1_000_000:
                labels[name] = label
            case [str(name), [*numbers]] if all(type(number) in (int, float) for number in numbers):
                labels[name] = [float(number) for number in numbers]
            case _:
                raise trouble
    classes = parsed.get("classes") or []
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise trouble
    return Listing(labels, classes)


def label_array(labels: Sequence[Label], place: str) -> Float32[np.ndarray, "n c_dim"]:
    """Labels as numbers: classes one-hot with (largest + 1) columns, lists unchanged. Raises UserError if they are mixed."""
    if all(isinstance(label, int) for label in labels):
        numbers = np.array(labels, np.int64)
        return np.eye(int(numbers.max(initial=-1)) + 1, dtype=np.float32)[numbers]
    lengths = {len(label) if isinstance(label, list) else None for label in labels}
    if len(lengths) != 1:
        raise UserError(f"{place} mixes classes and lists of numbers, or lists of several lengths; use one form")
    return np.array(labels, np.float32)
