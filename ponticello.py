"""A sound steers a StyleGAN3 image space: the command line `ponticello COMMAND`, and what Python programs use of it.

    from ponticello import DESCRIPTORS, Painter, Pipeline, Preset, describe, load_generator

describe, DESCRIPTORS    the 23 descriptors of a sound, 86.13 times a second, and their names
Preset                   a preset, from its folder or by a shipped one's name
Pipeline, Painter        sound in blocks to pictures, and pictures to images
load_generator           a StyleGAN3 generator: latents to images

Each is imported on first use, and so are the modules of commands. docs/python.md has examples.
"""

import _thread
import difflib
import importlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from shared.errors import DISK_FULL, PonticelloError, Stopped, UserError, is_disk_full, one_line, printable
from shared.terminal import prepare_streams
from shared.version import VERSION

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
    """The module of a command, which has a typer `app`, and its line in the help."""

    module: str
    help: str


GROUPS = {
    "First": {
        "demo": Entry("offline.demo", "play the shipped preset and sound: in a window, or into demo.mp4"),
    },
    "Make a preset": {
        "studio": Entry(
            "offline.pairing.studio_command", "open the studio window: hear sounds on a map, put images on it"
        ),
        "dataset": Entry("offline.dataset.command", "make a training data set from films and pictures"),
        "train-gan": Entry("offline.training.command", "train a StyleGAN3 on a data set"),
        "convert": Entry("offline.convert", "convert an official StyleGAN3 checkpoint"),
        "new": Entry("offline.new", "make a preset around a generator"),
        "analyse": Entry("offline.corpus.analyse", "put sounds on the preset's map, or write descriptors to files"),
        "candidates": Entry("offline.candidates.command", "make images, and choose among them"),
        "pair": Entry("offline.pairing.command", "pair images with moments of sound"),
        "train": Entry("offline.train", "train the mapping on the pairs"),
        "export": Entry("offline.flucoma.exporting", "write a preset as JSON files of the FluCoMa Toolkit"),
        "import": Entry("offline.flucoma.importing", "take JSON files of the FluCoMa Toolkit into a preset"),
    },
    "Try it out": {
        "lab": Entry("offline.laboratory.lab", "play variants of the motion side by side, measure them, keep one"),
        "timeline": Entry("offline.timeline.command", "show where pictures are calm, compelling or chaotic"),
    },
    "Play it": {
        "render": Entry("offline.rendering.render", "render a sound or a recorded show to a film"),
        "join": Entry("offline.rendering.join", "join the parts of a film that several processes rendered"),
        "live": Entry("live.command", "play live: sound in, pictures out, steered by OSC"),
        "soundcheck": Entry("live.soundcheck.command", "adjust gain, gate and scale to an instrument and a hall"),
    },
    "This machine": {
        "devices": Entry("live.devices", "list sound inputs and outputs, monitors and processors"),
        "doctor": Entry("live.doctor", "check what a show needs, and how pictures are computed here"),
        "bench": Entry("benchmarks.bench", "measure speed"),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}
ALIASES = {"analyze": "analyse"}


def overview() -> str:
    """The text of `ponticello --help`: commands in the order in which they are used."""
    lines = ["Usage: ponticello COMMAND ...", "", "Let sound play a StyleGAN3 image space.", ""]
    for title, group in GROUPS.items():
        lines += [f"{title}:", *(f"  ponticello {name:<10}  {entry.help}" for name, entry in group.items()), ""]
    return "\n".join(
        [
            *lines,
            "ponticello COMMAND --help   lists the options of a command",
            "ponticello --version        prints the version",
            "--debug                     with any command: shows the traceback of an error",
        ]
    )


def main() -> None:
    """Run a command. Every error is one line on stderr; the status is 2 for a user's mistake, 1 for a failure."""
    prepare_streams()
    try:
        run([argument for argument in sys.argv[1:] if argument != "--debug"])
        sys.stdout.flush()  # reports a full disk here, not when the interpreter exits
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in sys.argv:
            raise
        line, status = explain(error)
        if status == Stopped.exit_status:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the exit
        print(f"ponticello: {line}", file=sys.stderr)
        if (
            status == Stopped.exit_status and getattr(sys.modules["__main__"], "main", None) is main
        ):  # no program around us
            sys.stdout.flush()
            os._exit(status)  # everything is closed by now, and torch takes seconds to shut down
        sys.exit(status)


def run(arguments: list[str]) -> None:
    """Run the command named by the first argument with the others."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(overview())
        return
    if arguments[0] == "--version":
        print(f"ponticello {VERSION}")
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
    logging.getLogger("shared.image").setLevel(logging.INFO)  # reports the device and backend of a generator
    options = arguments[1:]
    is_shown = name == "demo" and not options and importlib.import_module("live.display.monitors").has_screen()
    if is_shown:
        glass, violin = (Path(__file__).parent / "presets" / each for each in ("glass", "violin"))
        print("H shows the head-up display; 1 and 2 switch presets; Shift-Esc ends the show", file=sys.stderr)
        name, options = "live", [str(glass), str(violin), "--input", str(glass / "sounds" / "glass.flac")]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, which keeps finished work usable
    sys.unraisablehook = _stop_again
    command = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
    try:  # command() itself would report an EOFError as a Ctrl-C
        with command.make_context(f"ponticello {name}", options) as context:
            command.invoke(context)
    except typer.Exit as end:  # --help
        if end.exit_code:
            sys.exit(end.exit_code)
        return
    if is_shown:
        print(importlib.import_module("offline.demo").NEXT)


def _stop_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C or SIGTERM that Python ignored because it came while a callback or a destructor ran."""
    if unraisable.exc_type is KeyboardInterrupt:
        again = threading.Timer(0.1, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def explain(error: BaseException) -> tuple[str, int]:
    """One line for an error, and its exit status."""
    if isinstance(error, PonticelloError):
        return one_line(error), error.exit_status
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "stopped", Stopped.exit_status
    if hasattr(error, "format_message"):  # typer's usage errors
        return f"{printable(' '.join(error.format_message().split())).rstrip('.')}; see --help", 2
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or render smaller", 1
    if is_disk_full(error):
        name = getattr(error, "filename", None)
        return (f"cannot write {printable(str(name))}: " if name else "") + DISK_FULL, 1
    return f"{type(error).__name__}: {one_line(error)} (--debug shows where)", 1


if __name__ == "__main__":
    main()
