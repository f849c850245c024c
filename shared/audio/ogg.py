"""Chained Ogg files: several streams, one after the other (RFC 3533, section 4)."""

import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from shared.regular_file import open_regular

CAPTURE = b"OggS"
HEADER_BYTES = 27  # of a page, without its table of segments
BEGINS = 0x02  # flag of the first page of a stream


def chain_links(path: Path) -> list[tuple[int, int]]:
    """The byte ranges (start, stop) of the links of an Ogg file, in order; one for a plain file, none for another format."""
    starts: list[int] = []
    with open_regular(path) as file:
        size, place, is_first_page = os.fstat(file.fileno()).st_size, 0, False
        while place < size:
            file.seek(place)
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES or not header.startswith(CAPTURE):
                break  # damaged, or something else at the end: the last link has it
            begins = bool(header[5] & BEGINS)
            if begins and not is_first_page:  # streams that play together begin with adjacent pages
                starts.append(place)
            is_first_page = begins
            place += HEADER_BYTES + header[26] + sum(file.read(header[26]))
    return list(pairwise([*starts, size]))


class FileRange(io.RawIOBase):
    """A part of a file as a file object."""

    def __init__(self, path: Path, start: int, stop: int) -> None:
        super().__init__()
        self._file = open_regular(path)
        self._start, self._size, self._place = start, stop - start, 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position relative to the beginning, the present position or the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """The present position."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; return their number."""
        self._file.seek(self._start + self._place)
        content = self._file.read(max(0, min(len(buffer), self._size - self._place)))
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
