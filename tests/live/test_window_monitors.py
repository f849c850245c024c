"""The choice of a monitor, and a safe test for whether a window can be opened."""

import re
import sys

import pytest

from live.display import monitors
from live.display.monitors import MonitorInfo, choose, has_screen, probe
from shared.errors import UserError
from tests import rig

pytestmark = pytest.mark.slow

LAPTOP = MonitorInfo(0, "eDP-1", 0, 0, 1920, 1200, 60, 1.5, True)
BEAMER = MonitorInfo(1, "HDMI-1", 1920, 0, 1920, 1080, 50, 1.0, False)
WALL = MonitorInfo(2, "HDMI-1-2", 3840, 0, 3840, 2160, 0, 1.0, False)
ALL = (LAPTOP, BEAMER, WALL)


@pytest.mark.parametrize(
    ("connected", "wanted", "expected"),
    [
        (ALL, None, BEAMER),  # never the operator's by default
        ((LAPTOP,), None, LAPTOP),
        (ALL, "0", LAPTOP),
        (ALL, "2", WALL),
        (ALL, "edp", LAPTOP),
        (ALL, "hdmi-1", BEAMER),  # the whole name goes before a part of another
        (ALL, "1-2", WALL),
    ],
)
def test_the_monitor_that_is_meant(connected, wanted, expected):
    assert choose(connected, wanted) == expected


@pytest.mark.parametrize(
    ("connected", "wanted", "message"),
    [
        (ALL, "beamer", "no monitor 'beamer'; there are: 0 eDP-1 1920x1200 60 Hz (primary), 1 HDMI-1 1920x1080 50 Hz, 2 HDMI-1-2 3840x2160"),
        (ALL, "3", "no monitor '3'; there are: 0 eDP-1"),
        (ALL, "HDMI", "--display HDMI matches 2 monitors; give a number: 1 HDMI-1 .*, 2 HDMI-1-2"),
        ((), None, "no monitor is connected; .* --offscreen"),
    ],
)  # fmt: skip
def test_a_monitor_that_is_not_there(connected, wanted, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(").replace(")", r"\)")):
        choose(connected, wanted)


def test_a_look_at_a_screen():
    with rig.xvfb("800x600") as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        found = probe()
        assert found.problem == ""
        (monitor,) = found.monitors
        assert (monitor.number, monitor.width, monitor.height, monitor.primary) == (0, 800, 600, True)
        assert monitor.refresh_hz == 0  # not known here: nothing may divide by it
        patch.setenv("MESA_GL_VERSION_OVERRIDE", "3.0")
        found = probe()
        assert found.problem.startswith("no OpenGL 3.3: ")
        assert found.problem.endswith("use --offscreen to play without a window")
        assert len(found.monitors) == 1


def test_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_screen()
    assert monitors.monitors() == ()
    if sys.platform == "linux":
        assert probe().problem == (
            "no screen: DISPLAY is not set; start it from a desktop; use --offscreen to play without a window"
        )


@pytest.mark.parametrize(
    ("program", "problem"),
    [("kill -SEGV $$", r"crashed .* \(SIGSEGV\)"), ("exit 3", r"crashed .* \(status 3\)"), ("sleep 5", "did not open")],
)
def test_a_driver_that_breaks_is_an_answer(tmp_path, monkeypatch, program, problem):
    driver = tmp_path / "python"
    driver.write_text(f"#!/bin/sh\nexec 2>/dev/null\n{program}\n")
    driver.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(driver))
    monkeypatch.setattr(monitors, "PROBE_SECONDS", 0.5 if "sleep" in program else 10.0)
    assert re.search(problem, probe().problem)
    assert not has_screen()
