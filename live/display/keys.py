"""The keyboard as a table: what each key does, and whether it does so in full screen."""

from dataclasses import dataclass
from typing import Literal

KeyAction = Literal[
    "leave_fullscreen",
    "quit",
    "fullscreen",
    "next_monitor",
    "play_pause",
    "freeze",
    "blackout",
    "hud",
    "record",
    "pair",
    "preset",
]
KeySet = Literal["stage", "all"]


@dataclass(frozen=True)
class DisplayEvent:
    """Something that the player asked for. `number` is which preset, from 1."""

    action: KeyAction
    number: int | None = None


@dataclass(frozen=True)
class Key:
    """A row of the table. `name` is what stands on the key."""

    name: str
    action: KeyAction
    on_stage: bool
    """Whether it acts in full screen too. Most don't: stray fingers happen."""
    help: str


# A row a line.
# fmt: off
KEYS: tuple[Key, ...] = (
    Key("Esc", "leave_fullscreen", True, "Leave full screen."),
    Key("Shift-Esc", "quit", True, "End the show."),
    Key("F", "fullscreen", False, "Full screen, and back."),
    Key("M", "next_monitor", False, "Move to the next monitor."),
    Key("Space", "play_pause", False, "Play or pause the sound file."),
    Key("Z", "freeze", True, "Hold the picture, and let it go."),
    Key("B", "blackout", True, "Fade to black, and back."),
    Key("H", "hud", False, "Show or hide the head-up display."),
    Key("R", "record", False, "Begin a recording, and end it."),
    Key("P", "pair", False, "Pair the picture shown now with the sound heard now."),
    Key("1-9", "preset", True, "The first, second ... preset of the command line."),
)
# fmt: on
ON_SCREEN: frozenset[KeyAction] = frozenset({"leave_fullscreen", "fullscreen", "next_monitor", "hud"})
"""Actions that a display carries out by itself; all others are the show's."""

DIGITS = "123456789"
_BY_NAME = {name: key for key in KEYS for name in (DIGITS if key.name == "1-9" else (key.name,))}


def pressed(name: str, shift: bool, fullscreen: bool, keys: KeySet = "stage") -> DisplayEvent | None:
    """What a pressed key asks for; None where it asks for nothing. Only with Esc does it matter whether Shift is held.

    Esc leaves full screen with every set of keys: without it the way back to the desktop would be to end the show.
    """
    key = _BY_NAME.get("Shift-Esc" if name == "Esc" and shift else name)
    if key is None or (fullscreen and keys == "stage" and not key.on_stage):
        return None
    return DisplayEvent(key.action, int(name) if key.action == "preset" else None)
