"""Hashes of pictures: evidence that two renders, or a show and its render, are equal bit for bit."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from shared.atomic import written_atomically


@dataclass
class Hashes:
    """SHA-256 of pictures at the generator's own size: of each one, and of all of them in order."""

    rows: list[tuple[int, str]] = field(default_factory=list)
    whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    known: int = 0
    """None of an earlier run: the hash of all pictures needs all of them."""

    def add(self, number: int, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Add the next picture, of tick `number`."""
        data = image.tobytes()
        self.rows.append((number, hashlib.sha256(data).hexdigest()))
        self.whole.update(data)

    def save(self, path: Path) -> None:
        """Write a CSV file with the columns tick and sha256."""
        with written_atomically(path) as temporary:
            temporary.write_text("tick,sha256\n" + "".join(f"{n},{digest}\n" for n, digest in self.rows), "utf-8")
