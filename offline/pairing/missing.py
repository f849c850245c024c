"""Files that a preset names and that are gone, and how to point to them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Missing:
    """A missing file: what it is, where it was, and one line that says what does not work without it."""

    kind: Literal["generator", "sound", "image"]
    path: Path
    line: str
    number: int = 0
    """Of the sound, from 0."""
