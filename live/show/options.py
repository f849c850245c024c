"""Options of a show that concern neither its sound nor its display."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shared.command_line import option
from shared.errors import SettingError, UserError

SHOW = "Show"
FILES = "Files"


@dataclass(frozen=True)
class ShowOptions:
    """How long a show lasts, what it restores and what it writes."""

    seconds: Annotated[
        float | None,
        option("--seconds", metavar="S", panel=SHOW, help="End after so many seconds.", show_default="no limit"),
    ] = None
    restore: Annotated[
        bool, option("--restore", panel=SHOW, help="Restore pairs and training that an earlier show did not save.")
    ] = False
    hall: Annotated[
        Path | None,
        option(
            "--hall",
            metavar="FILE.toml|FOLDER",
            panel=FILES,
            help="Hall file with devices and technical controls, or the folder in which /ponticello/hall/save keeps them.",
        ),
    ] = None
    record: Annotated[
        Path | None,
        option(
            "--record",
            metavar="FOLDER",
            panel=FILES,
            help="Record the show in this folder, for `ponticello render PRESET FOLDER`.",
        ),
    ] = None
    stats: Annotated[
        Path | None,
        option("--stats", metavar="FILE.json", panel=FILES, help="Write measurements of the show to a file."),
    ] = None
    hashes: Annotated[
        Path | None,
        option("--hashes", metavar="FILE.csv", panel=FILES, help="Write the SHA-256 of every picture to a file."),
    ] = None

    def check(self) -> None:
        """Raises SettingError or UserError for values that are not allowed."""
        if self.seconds is not None and not self.seconds > 0:
            raise SettingError(f"--seconds {self.seconds} given; allowed is a number above 0")
        for path in (self.stats, self.hashes):
            if path is not None and not path.absolute().parent.is_dir():
                raise UserError(f"no folder {path.absolute().parent}; create it first or choose another place")
