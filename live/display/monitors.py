"""The monitors: which there are, which one is meant, and whether there can be a window at all."""

import signal
import subprocess
from collections.abc import Sequence

import msgspec

from shared.child import module_command, module_environment
from shared.errors import UserError

PROBE_SECONDS = 20.0  # a driver that takes longer to open a window is broken


class MonitorInfo(msgspec.Struct, frozen=True):
    """A monitor as the desktop has it. Places and sizes in the desktop's units: pixels, or points on macOS."""

    number: int
    name: str
    left: int
    top: int
    width: int
    height: int
    refresh_hz: int
    """0 where it is not known."""
    scale: float
    """Pixels to a point."""
    primary: bool
    """Whether it is the operator's: the one with the desktop's panel or menu."""

    def __str__(self) -> str:
        """As lists of monitors show it."""
        rate = f" {self.refresh_hz} Hz" if self.refresh_hz else ""
        return f"{self.number} {self.name} {self.width}x{self.height}{rate}" + " (primary)" * self.primary


class Screens(msgspec.Struct, frozen=True):
    """What a look at the screens has found."""

    monitors: tuple[MonitorInfo, ...] = ()
    problem: str = ""
    """Why there can be no window; empty where there can."""


def choose(monitors: Sequence[MonitorInfo], wanted: str | None) -> MonitorInfo:
    """The monitor of this number or with this in its name, in small or capital letters; UserError listing them.

    Where nothing is wanted: the first that is not the operator's, or the only one.
    """
    listed = ", ".join(map(str, monitors))
    if not monitors:
        raise UserError("no monitor is connected; without a window it plays with --offscreen")
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
            f"--display {wanted} fits {len(found)} monitors; give the number of one: {', '.join(map(str, found))}"
        )
    raise UserError(f"no monitor '{wanted}'; there are: {listed}")


def probe() -> Screens:
    """Look for the monitors and open a window that is never shown, in a process of its own: a broken driver may crash that."""
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
            problem=f"the graphics driver did not open a window within {PROBE_SECONDS:g} s; mend or update it"
        )
    if child.returncode == 0:
        return msgspec.json.decode(
            child.stdout.splitlines()[-1], type=Screens
        )  # a driver may have said something before
    died = signal.Signals(-child.returncode).name if child.returncode < 0 else f"status {child.returncode}"
    return Screens(problem=f"the graphics driver crashed when it was to open a window ({died}); mend or update it")


def monitors() -> tuple[MonitorInfo, ...]:
    """Those that are connected, as `probe` finds them."""
    return probe().monitors


def has_screen() -> bool:
    """Whether a window can be opened."""
    return not probe().problem
