"""What a window is opened with. Needs no window: the same settings are read where there is none."""

from dataclasses import dataclass

from live.display.keys import KeySet
from live.display.placement import Scaling, Size


@dataclass(frozen=True)
class WindowSettings:
    """What a window is opened with."""

    monitor: str | None = None
    """Its number or a part of its name; None: one that is not the operator's, where there is one."""
    fullscreen: bool = False
    scaling: Scaling = "fit"
    keys: KeySet = "stage"
    """Which keys act in full screen."""
    hud: bool = False
    size: Size = (960, 540)
    """Of the window when it isn't in full screen, in the desktop's units."""
    vsync: bool = True
    """Whether a picture waits for the monitor's next refresh, so that none is torn."""
