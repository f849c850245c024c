"""The keyboard: one table that the window, the show, the help, the head-up display and docs/display.md read."""

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
    "unpair",
    "train",
    "save",
    "preset",
    "ignored",
]
KeySet = Literal["stage", "all"]


@dataclass(frozen=True)
class DisplayEvent:
    """Something that the player asked for at the display."""

    action: KeyAction
    number: int | None = None
    """For `preset`: which one, from 1."""
    key: str = ""
    """For `ignored`: the key."""


@dataclass(frozen=True)
class Key:
    """A row of the table."""

    name: str
    """As printed on the key."""
    action: KeyAction
    on_stage: bool
    """Whether it acts in full screen with `--keys stage`. Most keys do not, in case they are hit by accident."""
    short: str
    """For the head-up display."""
    help: str
    by_window: bool = False
    """Whether the display carries it out by itself; all others are the show's."""


# One row per line.
# fmt: off
KEYS: tuple[Key, ...] = (
    Key("Esc", "leave_fullscreen", True, "window", "Leave full screen.", by_window=True),
    Key("Shift-Esc", "quit", True, "end", "End the show."),
    Key("F", "fullscreen", True, "full screen", "Switch full screen on or off.", by_window=True),
    Key("M", "next_monitor", False, "monitor", "Move to the next monitor.", by_window=True),
    Key("Space", "play_pause", False, "play", "Play or pause the sound file."),
    Key("Z", "freeze", True, "freeze", "Freeze the picture, or release it."),
    Key("B", "blackout", True, "black", "Fade to black, or back."),
    Key("H", "hud", False, "hide this", "Show or hide the head-up display.", by_window=True),
    Key("R", "record", False, "record", "Start or end a recording."),
    Key("P", "pair", False, "pair", "Pair the current picture with the current sound."),
    Key("U", "unpair", False, "unpair", "Remove the last pair made in this show."),
    Key("T", "train", False, "train", "Train the mapping on the pairs."),
    Key("S", "save", False, "save", "Save controls, pairs and mapping in the preset."),
    Key("1-9", "preset", True, "preset", "Change to the first, second ... preset of the command line."),
)
# fmt: on

DIGITS = "123456789"
_BY_NAME = {name: key for key in KEYS for name in (DIGITS if key.name == "1-9" else (key.name,))}


def pressed(name: str, shift: bool, fullscreen: bool, keys: KeySet = "stage") -> DisplayEvent | None:
    """The event for a key press, None for a key without a function. Shift matters with Esc alone.

    A key that does not act in full screen gives the event `ignored`. Esc leaves full screen with every key set: otherwise
    the only way back to the desktop would be to end the show.
    """
    key = _BY_NAME.get("Shift-Esc" if name == "Esc" and shift else name)
    if key is None:
        return None
    if not _acts(key, fullscreen, keys):
        return DisplayEvent("ignored", key=key.name)
    return DisplayEvent(key.action, int(name) if key.action == "preset" else None)


def ignored_hint(name: str) -> str:
    """What to tell a player whose key was ignored."""
    return f"key {name} acts in a window only; F leaves full screen, --keys all enables all keys there"


def summary(fullscreen: bool, keys: KeySet) -> tuple[str, str]:
    """The keys that act now, in two lines for the head-up display."""
    texts = [f"{key.name} {key.short}" for key in KEYS if _acts(key, fullscreen, keys)]
    half = -(-len(texts) // 2)
    return ",  ".join(texts[:half]), ",  ".join(texts[half:])


def help_text() -> str:
    """The keys in one paragraph for `--help`."""
    texts = (f"{key.name}: {key.help.rstrip('.').lower()}" + " *" * key.on_stage for key in KEYS)
    return f"Keys (* also in full screen): {'; '.join(texts)}."


def _acts(key: Key, fullscreen: bool, keys: KeySet) -> bool:
    return key.on_stage or keys == "all" or not fullscreen
