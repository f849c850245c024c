"""`ponticello studio`: the window in which a preset is made."""

import importlib.util
import os
import subprocess
from typing import Annotated

import typer

from shared.child import module_command, module_environment
from shared.command_line import example, new_app
from shared.errors import Failure, UserError

PROBE_SECONDS = 30.0  # for Qt to open a display

app = new_app()


@app.command(epilog=example("ponticello studio", "ponticello studio mine"))
def command(
    preset: Annotated[
        str | None,
        typer.Argument(metavar="PRESET", help="Preset folder or name.", show_default="a start page"),
    ] = None,
    sound_device: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            help="Sound output, by number or part of its name; see `ponticello devices`.",
            show_default="the system's output",
        ),
    ] = None,
) -> None:
    """Hear sounds on a map, put images on it, and see the film at once."""
    if importlib.util.find_spec("PySide6") is None:
        raise UserError(
            "the studio window needs PySide6, which is not installed; install it: pip install 'ponticello[studio]'"
        )
    probe = _start_probe()
    from offline.pairing.window.application import run  # slow, while the probe looks at the display

    _check_display(probe)
    raise typer.Exit(run(preset, sound_device))


def _start_probe() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        module_command(f"{__package__}.window.probe"),
        env=module_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _check_display(probe: "subprocess.Popen[str]") -> None:
    """Raise UserError if Qt cannot open a display, Failure if it takes too long."""
    try:
        errors, _ = probe.communicate(timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired as error:
        probe.kill()
        raise Failure(f"Qt did not open a display within {PROBE_SECONDS:g} s; check the desktop's graphics") from error
    if probe.returncode == 0:
        return
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display and "could not connect" not in errors.lower() and "failed to create wl_display" not in errors:
        raise UserError(
            "Qt lacks libraries of the desktop; on Debian and Ubuntu: sudo apt-get install libxcb-cursor0 libxcb-icccm4 "
            "libxcb-keysyms1 libxkbcommon-x11-0 libegl1 libfontconfig1"
        )
    given = f"DISPLAY is {display}" if display else "DISPLAY is not set"
    raise UserError(
        f"no display to open a window on ({given}); run it on a desktop. Without one the same is done by commands: "
        "ponticello pair --help"
    )
