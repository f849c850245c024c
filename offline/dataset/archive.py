"""A zip that grows picture by picture and survives an interruption.

Until it is complete, it lives in a folder beside its final place, with a journal: a line of JSON for each source picture. A
line is written after its pictures have reached the disk; anything in the zip after the last line is cut off.
"""

import json
import os
import shutil
import time
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from offline.dataset.layout import LABELS_FILE, picture_name
from shared.atomic import check_place, make_folder
from shared.errors import UserError

DATE = (1980, 1, 1, 0, 0, 0)  # of every file in the zip, so that the same pictures give the same bytes
HEADER_BYTES, NAME_BYTES = 30, len(picture_name(0))  # before each picture
SAVED_S = 2.0  # at most so much work is lost
Line = dict[str, Any]
"""Facts about a source picture. The key `files` belongs to the archive: offset, size and CRC-32 of each file."""


class GrowingArchive:
    """The zip of a data set while it grows. A context manager; leaving it saves the finished pictures."""

    def __init__(self, output: Path, settings: object, *, force: bool = False) -> None:
        """Begin, or continue with the same settings (any JSON value).

        force: replace a zip of that name and start from the beginning. Raises UserError.
        """
        check_place(output)
        if output.exists() and not force:
            raise UserError(f"{output} exists; --force replaces it, or choose another name")
        self._output = output
        self.folder = output.with_name(f"{output.name}.part")
        make_folder(self.folder)
        self._lock = FileLock(self.folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another ponticello dataset is making {output}; wait for it or choose another name"
            ) from None
        with ExitStack() as undone:
            undone.callback(self._lock.release)
            self.lines: list[Line] = self._recover(json.loads(json.dumps(settings)), force, undone)
            undone.pop_all()
        self._pending: list[Line] = []
        self._saved_at = time.monotonic()

    def __enter__(self) -> "GrowingArchive":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._file.closed:
                self._save()
                self._zip.close()  # a zip that can be opened already; going on cuts its end off
                self._file.close()
            self._journal.close()
        finally:
            self._lock.release()
        if not self.count:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def count(self) -> int:
        """Number of pictures in the zip."""
        return len(self._zip.filelist)

    def add(self, line: Line, pngs: Sequence[bytes] = (), memo: Line | None = None) -> None:
        """Add a line of the journal, with the pictures that belong to it.

        memo: more content of the line, which only a continued archive has in `lines`.
        """
        files = []
        for content in pngs:
            info = _entry(picture_name(self.count))
            self._zip.writestr(info, content)
            files.append([info.header_offset, info.file_size, info.CRC])
        line = {**line, "files": files}
        self.lines.append(line)
        self._pending.append({**line, **(memo or {})})
        if time.monotonic() - self._saved_at > SAVED_S:
            self._save()

    def finish(self, listing: bytes) -> None:
        """Write dataset.json and the zip's directory, and rename the zip."""
        self._save()
        self._zip.writestr(_entry(LABELS_FILE), listing)
        self._zip.close()
        self._to_disk()
        self._file.close()
        self._journal.close()
        os.replace(self.folder / "pictures.zip", self._output)
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _recover(self, settings: Any, force: bool, undone: ExitStack) -> list[Line]:
        """Open journal and zip as they were after the last complete line; return all lines but the first, the settings."""
        journal, pictures = self.folder / "journal.jsonl", self.folder / "pictures.zip"
        is_new = force or not (journal.exists() and pictures.exists() and b"\n" in journal.read_bytes())
        self._journal = journal.open("w+b" if is_new else "r+b", buffering=0)
        undone.callback(self._journal.close)
        self._file = pictures.open("w+b" if is_new else "r+b")
        undone.callback(self._file.close)
        if is_new:
            self._journal.write(json.dumps(settings).encode() + b"\n")
            self._journal.seek(0)
        kept, lines = 0, list[Line]()
        for content in self._journal.readlines():
            try:
                line = json.loads(content)
            except ValueError:  # half written, as is all after it
                break
            if not content.endswith(b"\n"):
                break
            lines.append(line)
            kept += len(content)
        if not lines or lines[0] != settings:
            raise UserError(
                f"{self.folder} was begun with other settings or sources; repeat the same command to continue, or add --force to start again"
            )
        files = [file for line in lines[1:] for file in line["files"]]
        end = files[-1][0] + HEADER_BYTES + NAME_BYTES + files[-1][1] if files else 0
        if end > self._file.seek(0, os.SEEK_END):
            raise UserError(f"{self.folder} is damaged: pictures are missing; --force starts again")
        self._journal.seek(kept)
        self._journal.truncate()
        self._file.seek(end)
        self._file.truncate()
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)  # its directory will start here
        for offset, size, crc in files:
            info = _entry(picture_name(self.count))
            info.header_offset, info.file_size, info.compress_size, info.CRC = offset, size, size, crc
            self._zip.filelist.append(info)
            self._zip.NameToInfo[info.filename] = info
        return lines[1:]

    def _save(self) -> None:
        self._to_disk()
        self._journal.write(b"".join(json.dumps(line).encode() + b"\n" for line in self._pending))
        os.fsync(self._journal.fileno())
        self._pending.clear()
        self._saved_at = time.monotonic()

    def _to_disk(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, DATE)
    info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
    return info
