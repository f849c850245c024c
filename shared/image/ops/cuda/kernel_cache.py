"""Compiled kernels on disk. A file that is damaged, or a folder that cannot be written, means compiling again."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import platformdirs

from shared.atomic import written_atomically
from shared.errors import PonticelloError

log = logging.getLogger(__name__)

DIGEST_BYTES = 32


def default_folder() -> Path:
    """The user's cache folder for kernels."""
    return Path(platformdirs.user_cache_dir("ponticello", appauthor=False)) / "kernels"


def key_of(*parts: bytes | str) -> str:
    """A file name for what `parts` determine: source, options, target, compiler version."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


class KernelCache:
    """Files named by key, each the SHA-256 of its content and the content. A file is whole or absent, also after a kill."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self._has_warned = False

    def get(self, key: str, build: Callable[[], bytes]) -> bytes:
        """The content for a key: read, or built and kept. Errors of `build` pass through; the disk's do not."""
        path = self.folder / f"{key}.kernel"
        content = self._read(path)
        if content is None:
            content = build()
            self._write(path, content)
        return content

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        content = data[DIGEST_BYTES:]
        return content if hashlib.sha256(content).digest() == data[:DIGEST_BYTES] else None

    def _write(self, path: Path, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_atomically(path) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
        except (OSError, PonticelloError) as error:
            if not self._has_warned:
                self._has_warned = True
                log.warning("cannot keep compiled kernels, they are compiled at every start: %s", error)
