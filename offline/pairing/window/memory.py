"""The window's memory between sessions: recent presets, its geometry, and hints that were seen."""

import base64
import contextlib
from pathlib import Path

import msgspec
import platformdirs

from shared.atomic import make_folder, written_atomically
from shared.errors import PonticelloError

FILE = Path(platformdirs.user_state_dir("ponticello", appauthor=False)) / "studio.json"
RECENT = 8  # presets


class Memory(msgspec.Struct):
    """The window's values, in a file of the user."""

    recent: list[str] = []
    """Folders of presets, the last one first."""
    hints_seen: bool = False
    geometry: str = ""
    """Of the window, as Qt saves it, in base64."""
    colour: str = "image"
    image_size: int = 44
    point_size: float = 1.0
    shape: str = "square"

    @classmethod
    def load(cls, file: Path | None = None) -> "Memory":
        """Read the file, by default the user's; values that cannot be read get their defaults."""
        try:
            return msgspec.json.decode((file or FILE).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls()

    def save(self, file: Path | None = None) -> None:
        """Write the file; errors of the disk are ignored."""
        file = file or FILE
        with contextlib.suppress(OSError, PonticelloError):
            make_folder(file.parent)
            with written_atomically(file) as temporary:
                temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self)))

    def note_preset(self, folder: Path) -> None:
        """Put a preset at the head of the recent ones."""
        self.recent = [str(folder), *(other for other in self.recent if other != str(folder))][:RECENT]

    @property
    def geometry_bytes(self) -> bytes:
        """The window's geometry; empty if none is stored."""
        try:
            return base64.b64decode(self.geometry)
        except ValueError:
            return b""

    def note_geometry(self, value: bytes) -> None:
        """Remember the window's geometry."""
        self.geometry = base64.b64encode(value).decode()
