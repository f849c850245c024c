"""The options of `ponticello train` for pictures directly from the sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from shared.command_line import option
from shared.errors import SettingError
from shared.preset.direct import DirectTraining

PANEL = "Pictures directly from the sound"


@dataclass(frozen=True)
class DirectOptions:
    """Train a decoder that draws without the generator."""

    direct: Annotated[
        bool | None,
        option(
            "--direct/--no-direct",
            panel=PANEL,
            help="Learn pictures directly from the sound, on the CPU unless you give --device, and let the decoder draw from now on. "
            "With --no-direct the generator draws again.",
            show_default="as in preset.toml",
        ),
    ] = None
    between: Annotated[
        int | None,
        option(
            "--between",
            metavar="N",
            panel=PANEL,
            help="Pictures of the generator to learn besides those of the pairs; 0: the pairs alone.",
            show_default="as in preset.toml, or 600",
        ),
    ] = None
    pictures: Annotated[
        Path | None,
        option(
            "--pictures",
            metavar="DIR",
            panel=PANEL,
            help="Learn the pictures in this folder instead: named as a pair, or listed in its moments.csv (picture,time,sound).",
        ),
    ] = None
    steps: Annotated[
        int | None,
        option(
            "--steps",
            metavar="N",
            panel=PANEL,
            help="Length of the training.",
            show_default="as in preset.toml, or 1500",
        ),
    ] = None
    size: Annotated[
        int | None,
        option(
            "--size",
            metavar="PIXELS",
            panel=PANEL,
            help="Shorter side of the pictures.",
            show_default="as in preset.toml, or 128",
        ),
    ] = None
    shape: Annotated[
        str | None,
        option(
            "--shape",
            metavar="W:H",
            panel=PANEL,
            help="Shape of the pictures: square, or a ratio such as 16:9.",
            show_default="as in preset.toml, or square",
        ),
    ] = None

    def check(self) -> None:
        """Raise SettingError for options that need --direct, or contradict each other."""
        given = [name for name in ("between", "pictures", "steps", "size", "shape") if getattr(self, name) is not None]
        if given and not self.direct:
            raise SettingError(f"--{given[0]} given without --direct; add --direct, or leave it out")
        if self.between and self.pictures:
            raise SettingError(
                "--between and --pictures given; pictures between are the generator's: leave one of them out"
            )

    def changed(self, training: DirectTraining) -> DirectTraining:
        """The settings with those that were given. Raises SettingError for a value that is not allowed."""
        names = ("between", "steps", "size", "shape")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        try:
            return msgspec.convert(msgspec.to_builtins(training) | given, DirectTraining)
        except msgspec.ValidationError as error:
            raise SettingError(str(error)) from None
