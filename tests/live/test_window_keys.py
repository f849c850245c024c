"""The table of keys: where each key acts, and that the handbook lists all of them."""

import re
from pathlib import Path

import pytest

from live.display.keys import KEYS, DisplayEvent, help_text, ignored_hint, pressed, summary

pytestmark = pytest.mark.slow

HANDBOOK = Path(__file__).parents[2] / "docs" / "display.md"
WINDOWED = {
    "M": DisplayEvent("next_monitor"),
    "Space": DisplayEvent("play_pause"),
    "H": DisplayEvent("hud"),
    "R": DisplayEvent("record"),
    "P": DisplayEvent("pair"),
    "U": DisplayEvent("unpair"),
    "T": DisplayEvent("train"),
    "S": DisplayEvent("save"),
}
ALWAYS = {
    "Esc": DisplayEvent("leave_fullscreen"),
    "F": DisplayEvent("fullscreen"),
    "Z": DisplayEvent("freeze"),
    "B": DisplayEvent("blackout"),
    **{str(i): DisplayEvent("preset", i) for i in range(1, 10)},
}


@pytest.mark.parametrize(("name", "event"), [*WINDOWED.items(), *ALWAYS.items()])
def test_all_keys_act_in_a_window(name, event):
    assert pressed(name, False, False) == event
    assert pressed(name, False, True, "all") == event


def test_few_keys_act_in_full_screen():
    assert {name: pressed(name, False, True) for name in WINDOWED} == {
        name: DisplayEvent("ignored", key=name) for name in WINDOWED
    }
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


def test_the_help_and_the_head_up_display_have_every_key():
    for key in KEYS:
        assert f"{key.name}: " in help_text()
        assert f"{key.name} {key.short}" in " ".join(summary(False, "stage"))
    on_stage = " ".join(summary(True, "stage"))
    assert "P pair" not in on_stage
    assert "B black" in on_stage
    assert "P pair" in " ".join(summary(True, "all"))
    assert "P acts in a window only" in ignored_hint("P").removeprefix("key ")
