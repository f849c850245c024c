"""The table of keys: what acts where, and that the handbook has all of it."""

import re
from pathlib import Path

import pytest

from live.display.keys import KEYS, DisplayEvent, pressed

HANDBOOK = Path(__file__).parents[2] / "docs" / "display.md"
WINDOWED = {
    "F": DisplayEvent("fullscreen"),
    "M": DisplayEvent("next_monitor"),
    "Space": DisplayEvent("play_pause"),
    "H": DisplayEvent("hud"),
    "R": DisplayEvent("record"),
    "P": DisplayEvent("pair"),
}
ALWAYS = {
    "Esc": DisplayEvent("leave_fullscreen"),
    "Z": DisplayEvent("freeze"),
    "B": DisplayEvent("blackout"),
    **{str(i): DisplayEvent("preset", i) for i in range(1, 10)},
}


@pytest.mark.parametrize(("name", "event"), [*WINDOWED.items(), *ALWAYS.items()])
def test_all_keys_act_in_a_window(name, event):
    assert pressed(name, False, False) == event
    assert pressed(name, False, True, "all") == event


def test_few_keys_act_in_full_screen():
    assert {name: pressed(name, False, True) for name in WINDOWED} == dict.fromkeys(WINDOWED)
    assert {name: pressed(name, False, True) for name in ALWAYS} == ALWAYS


@pytest.mark.parametrize("fullscreen", [False, True])
def test_shift_matters_with_esc_alone(fullscreen):
    assert pressed("Esc", True, fullscreen) == DisplayEvent("quit")
    assert pressed("B", True, fullscreen) == DisplayEvent("blackout")


@pytest.mark.parametrize("name", ["", "0", "Q", "1-9", "é"])
def test_other_keys_do_nothing(name):
    assert pressed(name, False, False) is None


def test_the_handbook_has_every_key():
    rows = re.findall(r"^\| `(.+?)` \| (yes)? *\| (.+?) \|$", HANDBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(key.name, "yes" * key.on_stage, key.help) for key in KEYS]
