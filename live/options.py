"""The options of a sound input, which several commands share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from shared.command_line import option
from shared.errors import SettingError

SOUND = "Sound"  # a panel of --help


@dataclass(frozen=True)
class SoundOptions:
    """The input, and how a sound file is played."""

    input: Annotated[
        str | None,
        option(
            "--input",
            metavar="DEVICE|FILE|osc",
            panel=SOUND,
            help="Sound device by number or part of its name, sound file, or osc.",
            show_default="the system's input",
        ),
    ] = None
    channel: Annotated[
        str | None,
        option(
            "--channel",
            metavar="N|1+2",
            panel=SOUND,
            help="Channel to analyse, from 1; several are averaged, as in 1+2.",
            show_default="1",
        ),
    ] = None
    rate: Annotated[
        int | None,
        option("--rate", metavar="HZ", panel=SOUND, help="Sample rate of the device.", show_default="the device's own"),
    ] = None
    play: Annotated[bool, option("--play/--no-play", panel=SOUND, help="Play a sound file through the sound card.")] = (
        True
    )
    output: Annotated[
        str | None,
        option(
            "--output",
            metavar="DEVICE",
            panel=SOUND,
            help="Device that plays a sound file, by number or part of its name.",
            show_default="the system's output",
        ),
    ] = None

    def with_hall(self, options: Mapping[str, str]) -> "SoundOptions":
        """These options, completed by those of a hall file."""
        return replace(
            self,
            input=self.input if self.input is not None else options.get("input"),
            channel=self.channel or options.get("channel", "1"),
            rate=self.rate if self.rate is not None else _whole_hz(options.get("rate")),
            output=self.output if self.output is not None else options.get("output"),
        )


def _whole_hz(text: str | None) -> int | None:
    """The rate of a hall file. Raises SettingError if it is not a whole number."""
    if text is None:
        return None
    if not text.isdecimal():
        raise SettingError(f"hall file: rate = {text} given; allowed is a whole number of Hz")
    return int(text)
