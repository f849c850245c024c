"""Arguments and options that several commands of the studio share, and how their help looks."""

from typing import Annotated

import typer

RESULT, PICTURES, MACHINE = "What to make", "Pictures", "Computing"  # panels of --help

PresetArgument = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        help="Preset folder, or the name of a preset of your own or a shipped one.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda or mps.", show_default="the fastest available", rich_help_panel=MACHINE),
]
PrecisionOption = Annotated[
    str,
    typer.Option("--precision", help="auto, full (float32) or half.", rich_help_panel=MACHINE),
]


def new_app() -> typer.Typer:
    """An empty typer application; the front door prints its errors."""
    return typer.Typer(add_completion=False, rich_markup_mode="rich")


def example(*lines: str) -> str:
    """The end of a command's help: one or more command lines to try."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([title, *(f"  [bold]{line}[/bold]" for line in lines)])


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
