"""Pictures that are left out of a data set, and the reasons."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shared.atomic import written_atomically
from shared.errors import printable

MOST_REASONS = 10  # in the summary
HEADER = ("source", "frame", "time_s", "pictures", "reason")


class LeftOut(Exception):
    """A picture, or the rest of a film, cannot be used; the message is the reason."""


class Omission(NamedTuple):
    """One line of the list: a file, the rest of a film, or one picture of it."""

    source: str
    reason: str
    pictures: int = 0
    """Number of pictures missing in the data set; 0 if it is unknown."""
    frame: int | None = None
    """Counted from 0 over the whole film; None for anything but frames."""
    time_s: float | None = None


def write_list(path: Path, omissions: Iterable[Omission]) -> None:
    """Write the list as CSV."""
    with written_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for each in omissions:
            writer.writerow((printable(each.source), each.frame, each.time_s, each.pictures, each.reason))


def reasons(omissions: Iterable[Omission]) -> list[str]:
    """A line for each reason, the most frequent first: how many entries of the list, and the first of them."""
    first: dict[str, str] = {}
    counts = Counter[str]()
    for each in omissions:
        first.setdefault(each.reason, each.source)
        counts[each.reason] += 1
    return [
        f"left out {number:,}: {reason} ({'first ' if number > 1 else ''}{first[reason]})"
        for reason, number in counts.most_common(MOST_REASONS)
    ]
