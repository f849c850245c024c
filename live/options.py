"""Options about the sound that goes in, the same for every command that hears one."""

from typing import Annotated

import typer

from shared.errors import SettingError

Channel = Annotated[str | None, typer.Option(help="Channel that is heard (from 1), or several averaged: 1+2.")]
Rate = Annotated[int | None, typer.Option(help="Hz at which the device is opened; by default its own.")]
OutputDevice = Annotated[str | None, typer.Option(help="The device that a sound file is played through.")]


def whole(key: str, text: str | None) -> int | None:
    """A whole number of Hz that a hall file names; SettingError for anything else."""
    if text is None:
        return None
    if not text.isdecimal():
        raise SettingError(f"hall file: {key} = {text} given; it is a whole number of Hz")
    return int(text)
