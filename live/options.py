"""Command-line options as frozen values. `grouped` turns their fields into options, each group in a panel of `--help`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, get_type_hints

import typer

from shared.errors import SettingError


def option(*names: str, panel: str, **settings: Any) -> Any:
    """An option in a panel of the help."""
    return typer.Option(*names, rich_help_panel=panel, **settings)


SOUND = "Sound"


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
        """Options of a hall file where the command line gives none."""
        return replace(
            self,
            input=self.input if self.input is not None else options.get("input"),
            channel=self.channel or options.get("channel", "1"),
            rate=self.rate if self.rate is not None else _whole_hz(options.get("rate")),
            output=self.output if self.output is not None else options.get("output"),
        )


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters may be frozen dataclasses of options: each of their fields becomes an option."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    flat: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            flat += _parameters(groups[parameter.name])
        else:
            flat.append(parameter.replace(annotation=hints[parameter.name]))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group) if field.init})
        command(**given)

    signature = inspect.Signature([parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in flat])
    run.__signature__ = signature  # type: ignore[attr-defined]  # where typer looks
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat} | {"return": None}
    return run


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if field.default is not MISSING else inspect.Parameter.empty,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _whole_hz(text: str | None) -> int | None:
    """The rate of a hall file. Raises SettingError if it is not a whole number."""
    if text is None:
        return None
    if not text.isdecimal():
        raise SettingError(f"hall file: rate = {text} given; allowed is a whole number of Hz")
    return int(text)
