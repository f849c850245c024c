"""Settings of a window; importing them needs no screen."""

from dataclasses import dataclass

from live.display.keys import KeySet
from live.display.placement import Scaling, Size


@dataclass(frozen=True)
class WindowSettings:
    """How a window is opened."""

    monitor: str | None = None
    """Number or part of the name; None: one that is not the operator's, if there is one."""
    fullscreen: bool = False
    scaling: Scaling = "fit"
    keys: KeySet = "stage"
    """The keys that act in full screen."""
    hud: bool = False
    size: Size = (960, 540)
    """Size outside full screen, in the desktop's units."""
    vsync: bool = True
    """Whether a picture waits for the next refresh of the monitor, which avoids tearing."""
