"""Arguments that several commands of the studio share, and panels of their help."""

from typing import Annotated

import typer

RESULT, PICTURES = "What to make", "Pictures"  # panels of --help

PresetArgument = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        help="Preset folder, or the name of a preset of your own or a shipped one.",
        show_default=False,
    ),
]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
