"""Monitors: which are connected, which one an option names, and whether a window can be opened at all."""

import signal
import subprocess
from collections.abc import Sequence

import msgspec

from shared.child import module_command, module_environment
from shared.errors import UserError

PROBE_SECONDS = 20.0  # a driver that needs longer to open a window is broken


class MonitorInfo(msgspec.Struct, frozen=True):
    """A monitor of the desktop. Positions and sizes are in the desktop's units: pixels, or points on macOS."""

    number: int
    name: str
    left: int
    top: int
    width: int
    height: int
    refresh_hz: int
    """0 if unknown."""
    scale: float
    """Pixels per point."""
    primary: bool
    """Whether it is the operator's monitor, with the panel or menu of the desktop."""

    def __str__(self) -> str:
        """The monitor as lists show it."""
        rate = f" {self.refresh_hz} Hz" if self.refresh_hz else ""
        return f"{self.number} {self.name} {self.width}x{self.height}{rate}" + " (primary)" * self.primary


class Screens(msgspec.Struct, frozen=True):
    """The result of `probe`."""

    monitors: tuple[MonitorInfo, ...] = ()
    problem: str = ""
    """Why no window can be opened; empty if one can."""


def choose(monitors: Sequence[MonitorInfo], wanted: str | None) -> MonitorInfo:
    """The monitor with this number, or with this text in its name (case does not matter).

    Without a wish: the first one that is not the operator's, or the only one. Raises UserError, which lists the monitors.
    """
    listed = ", ".join(map(str, monitors))
    if not monitors:
        raise UserError("no monitor is connected; use --offscreen to play without a window")
    if wanted is None:
        return next((monitor for monitor in monitors if not monitor.primary), monitors[0])
    if wanted.isdecimal() and int(wanted) < len(monitors):
        return monitors[int(wanted)]
    matching = [monitor for monitor in monitors if wanted.lower() in monitor.name.lower()]
    exact = [monitor for monitor in matching if wanted.lower() == monitor.name.lower()]
    found = exact or matching
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"--display {wanted} matches {len(found)} monitors; give a number: {', '.join(map(str, found))}"
        )
    raise UserError(f"no monitor '{wanted}'; there are: {listed}")


def probe() -> Screens:
    """List the monitors and open a hidden window, in a separate process, since a broken driver may crash it."""
    try:
        child = subprocess.run(
            module_command(f"{__package__}.screen_probe"),
            env=module_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Screens(
            problem=f"the graphics driver did not open a window within {PROBE_SECONDS:g} s; update or reinstall it"
        )
    if child.returncode == 0:
        return msgspec.json.decode(
            child.stdout.splitlines()[-1], type=Screens
        )  # a driver may have printed something before
    died = signal.Signals(-child.returncode).name if child.returncode < 0 else f"status {child.returncode}"
    return Screens(problem=f"the graphics driver crashed while opening a window ({died}); update or reinstall it")


def monitors() -> tuple[MonitorInfo, ...]:
    """The connected monitors, as found by `probe`."""
    return probe().monitors


def has_screen() -> bool:
    """Whether a window can be opened."""
    return not probe().problem
