"""A sound steers a StyleGAN3 image space: the command line `ponticello COMMAND`, and what Python programs use of it.

    from ponticello import DESCRIPTORS, Painter, Pipeline, Preset, describe, load_generator

describe, DESCRIPTORS    the 23 descriptors of a sound, 86.13 times a second, and their names
Preset                   a preset, from its folder or by a shipped one's name
Pipeline, Painter        sound in blocks to pictures, and pictures to images
load_generator           a StyleGAN3 generator: latents to images

Each is imported when it is first used, as is the module of a command. docs/python.md shows them at work.
"""

import difflib
import importlib
import importlib.metadata
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from shared.errors import PonticelloError, Stopped, UserError, one_line, printable

if TYPE_CHECKING:
    from shared.audio.descriptors import DESCRIPTORS, describe
    from shared.image.generator import load_generator
    from shared.painter import Painter
    from shared.pipeline import Pipeline
    from shared.preset import Preset

__all__ = ["DESCRIPTORS", "Painter", "Pipeline", "Preset", "describe", "load_generator"]
PUBLIC = {
    "DESCRIPTORS": "shared.audio.descriptors",
    "Painter": "shared.painter",
    "Pipeline": "shared.pipeline",
    "Preset": "shared.preset",
    "describe": "shared.audio.descriptors",
    "load_generator": "shared.image.generator",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = globals()[name] = getattr(importlib.import_module(PUBLIC[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class Entry(NamedTuple):
    """Where a command lives (a module with a typer `app`) and what it is for."""

    module: str
    help: str


COMMANDS = {
    "demo": Entry(
        "offline.demo", "play the shipped preset with the shipped sound: in a window, or without a screen into demo.mp4"
    ),
    "live": Entry("live.command", "play live: sound in, pictures out, steered by OSC"),
    "soundcheck": Entry("live.soundcheck.command", "fit gain, gate and standardising to a source and a hall"),
    "render": Entry("offline.render", "render a sound to a video"),
    "convert": Entry("offline.convert", "convert an official StyleGAN3 checkpoint"),
    "new": Entry("offline.new", "make a preset around a generator"),
    "analyse": Entry("offline.analyse", "put sounds on a preset's map, or write their 23 descriptors to a file"),
    "candidates": Entry("offline.candidates", "make images to choose from, and choose"),
    "pair": Entry("offline.pairing.command", "pair images with moments of sound"),
    "train": Entry("offline.train", "learn the pairs"),
    "devices": Entry("live.devices", "list sound inputs and outputs, monitors and processors"),
    "doctor": Entry("live.doctor", "say how pictures are made here, and whether all that a show needs is there"),
    "bench": Entry("benchmarks.bench", "measure this machine, as ratios"),
}
ALIASES = {"analyze": "analyse"}
HELP = "\n".join(
    [
        "ponticello: a sound steers a StyleGAN3 image space",
        "",
        *(f"  ponticello {name:<10} {entry.help}" for name, entry in COMMANDS.items()),
        "",
        "ponticello COMMAND --help tells a command's options; --debug shows where an error comes from.",
    ]
)


def main() -> None:
    """Run a command; every error is one line on stderr, with status 2 for a user's mistake and 1 for a failure."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        run(arguments)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if isinstance(error, Stopped):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is being done; a second Ctrl-C would only disturb it
        line, status = explain(error)
        print(f"ponticello: {line}", file=sys.stderr)
        sys.exit(status)


def run(arguments: list[str]) -> None:
    """Find the command and hand it the rest."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(HELP)
        return
    if arguments[0] == "--version":
        print(f"ponticello {importlib.metadata.version('ponticello')}")
        return
    name = ALIASES.get(arguments[0], arguments[0])
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        raise UserError(
            f"no command '{name}'"
            + (f" (did you mean {near[0]}?)" if near else "")
            + f"; there are: {', '.join(COMMANDS)}"
        )
    logging.basicConfig(format="ponticello: %(message)s")
    logging.getLogger("shared.image").setLevel(logging.INFO)  # which way pictures are made
    options = arguments[1:]
    is_shown = name == "demo" and not options and importlib.import_module("live.display.monitors").has_screen()
    if is_shown:
        glass, violin = (Path(__file__).parent / "presets" / each for each in ("glass", "violin"))
        print(
            "H: what is heard; 2: the preset violin, 1: glass; Shift-Esc, or closing the window, ends", file=sys.stderr
        )
        name, options = "live", [str(glass), str(violin), "--input", str(glass / "sounds" / "glass.flac")]
    try:
        app = importlib.import_module(COMMANDS[name].module).app
        status = app(options, prog_name=f"ponticello {name}", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = Stopped.exit_status
    if status == Stopped.exit_status:  # what typer makes of a Ctrl-C that a command let pass
        raise Stopped("stopped")
    if is_shown:
        print(importlib.import_module("offline.demo").NEXT)


def explain(error: Exception) -> tuple[str, int]:
    """One line for an error, and its exit status."""
    if isinstance(error, PonticelloError):
        return one_line(error), error.exit_status
    if hasattr(error, "format_message"):  # typer's usage errors
        return f"{printable(' '.join(error.format_message().split()))}; --help tells what is allowed", 2
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or render smaller", 1
    return f"{type(error).__name__}: {one_line(error)} (--debug shows where)", 1


if __name__ == "__main__":
    main()
