"""The window on a real X server: pixels, sizes, full screen, keys, and recovery from errors."""

import os
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageGrab

from live.display.hud_state import HudState
from live.display.keys import DisplayEvent
from live.display.placement import place
from live.display.settings import WindowSettings
from shared.audio.descriptors import DESCRIPTORS
from shared.errors import UserError
from tests import rig

pytestmark = pytest.mark.slow

SCREEN = (1280, 720)
SIZE = (480, 270)
STATE = HudState(preset="glass", fps=30.0, names=DESCRIPTORS, descriptors=(1.0,) * 23)
NOISE = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)


@pytest.fixture(scope="module")
def screen():
    with rig.xvfb(f"{SCREEN[0]}x{SCREEN[1]}") as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def opened(screen):
    """Opens displays, and closes them after the test."""
    from live.display.windowed import WindowDisplay

    displays = []

    def open_display(**settings):
        displays.append(WindowDisplay(WindowSettings(**{"size": SIZE, "monitor": "0", **settings})))
        return displays[-1]

    yield open_display
    for display in displays:
        display.close()


def smooth(size):
    """A picture without sharp edges, `size` pixels a side."""
    x, y = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    waves = [np.sin(9 * x + k) * np.cos(7 * y * x - 2 * k) + np.exp(-80 * (x - 0.3 * k) ** 2) for k in range(3)]
    return np.clip(128 + 80 * np.stack(waves, -1), 0, 255).astype(np.uint8)


def psnr(a, b):
    """Peak signal to noise ratio in dB."""
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def shown(display, picture=None):
    if picture is not None:
        display.show(picture)
    display.draw()
    assert display.errors() == []
    return display.screenshot()


def wait_for(display, what, seconds=10.0):
    """Run the display until a condition holds; return the events until then."""
    events = []
    end = time.monotonic() + seconds
    while True:
        events += display.events()
        display.draw()
        if what(events):
            return events
        assert time.monotonic() < end, (events, display.errors())
        time.sleep(0.005)


def xdotool(*arguments):
    return subprocess.run(["xdotool", *arguments], check=True, capture_output=True, text=True).stdout.split()


def focus():
    rig.require("xdotool")
    (window,) = xdotool("search", "--sync", "--onlyvisible", "--name", "^Ponticello$")
    xdotool("windowfocus", "--sync", window)
    return window


# ------------------------------------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize("size", [(1, 1), (200, 200), (199, 101), (33, 270), (480, 270), (600, 301)])
def test_one_to_one_is_exact(opened, size):
    picture = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), np.uint8)
    left, top, *_ = place(size, SIZE, "1:1")
    expected = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    part = picture[max(-top, 0) :, max(-left, 0) :][: SIZE[1], : SIZE[0]]
    expected[max(top, 0) :, max(left, 0) :][: part.shape[0], : part.shape[1]] = part
    assert np.array_equal(shown(opened(scaling="1:1"), picture), expected)


def test_the_screen_shows_what_the_screenshot_shows(opened):
    display = opened(hud=True)
    display.inform(STATE)
    shot = shown(display, NOISE)
    left, top = (SCREEN[0] - SIZE[0]) // 2, (SCREEN[1] - SIZE[1]) // 2

    def same(_):
        seen = np.asarray(ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).convert("RGB"))
        return np.array_equal(seen[top : top + SIZE[1], left : left + SIZE[0]], shot)

    wait_for(display, same)


@pytest.mark.parametrize("scaling", ["fit", "fill", "stretch", "1:1"])
def test_the_aspect_is_right_at_every_size(opened, scaling):
    display = opened(scaling=scaling)
    for size in ((128, 128), (1, 1), (7, 300), (301, 5), (1024, 512), (479, 271), (480, 270)):
        seen = shown(display, np.full((size[1], size[0], 3), 200, np.uint8))
        assert set(np.unique(seen)) <= {0, 200}
        left, top, width, height = place(size, SIZE, scaling).within(SIZE)
        rows, columns = np.flatnonzero(seen[..., 0].any(1)), np.flatnonzero(seen[..., 0].any(0))
        assert (columns[0], columns[-1] + 1) == (left, left + width), size
        assert (rows[0], rows[-1] + 1) == (top, top + height), size


def test_colours_and_corners_are_where_they_belong(opened):
    picture = np.zeros((80, 80, 3), np.uint8)
    corners = {(0, 0): (250, 0, 0), (0, -1): (0, 250, 0), (-1, 0): (0, 0, 250), (-1, -1): (90, 91, 92)}
    for (y, x), colour in corners.items():
        picture[slice(40) if y == 0 else slice(40, 80), slice(40) if x == 0 else slice(40, 80)] = colour
    seen = shown(opened(scaling="stretch"), picture)
    assert {(y, x): tuple(seen[y, x].tolist()) for y, x in corners} == corners


def test_a_small_picture_is_drawn_large_and_smooth(opened):
    picture = smooth(128)
    seen = shown(opened(scaling="stretch", size=(540, 540)), picture)
    bicubic, nearest = (
        np.asarray(Image.fromarray(picture).resize((540, 540), how))
        for how in (Image.Resampling.BICUBIC, Image.Resampling.NEAREST)
    )
    assert psnr(seen, bicubic) > max(45, psnr(nearest, bicubic) + 6)
    # a straight edge stays straight: no row of it strays from the mean by more than a fraction of a picture's pixel
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    edge = np.clip(128 + 200 * (x - 0.2 * y - 50), 0, 255).astype(np.uint8)
    seen = shown(opened(scaling="stretch", size=(1280, 720)), np.repeat(edge[..., None], 3, 2))[..., 0]
    across = np.argmax(seen > 128, axis=1)[20:-20]
    line = np.polynomial.Polynomial.fit(np.arange(across.size), across, 1)(np.arange(across.size))
    assert np.abs(across - line).max() < 4  # of 10 screen pixels to a picture's


def test_a_large_picture_is_averaged(opened):
    board = np.indices((1000, 1000)).sum(0) % 2 * 255
    seen = shown(opened(scaling="stretch", size=(250, 250)), np.repeat(board[..., None], 3, 2).astype(np.uint8))
    assert np.abs(seen.astype(int) - 127).max() <= 1
    picture = smooth(1000)
    seen = shown(opened(scaling="stretch", size=(440, 440)), picture)
    assert psnr(seen, np.asarray(Image.fromarray(picture).resize((440, 440), Image.Resampling.BOX))) > 45


def test_a_preset_of_another_size(opened):
    display = opened(scaling="1:1")
    for size in (64, 128, 64, 200):
        seen = shown(display, NOISE[:size, :size].copy())
        left, top = (SIZE[0] - size) // 2, (SIZE[1] - size) // 2
        assert np.array_equal(seen[top : top + size, left : left + size], NOISE[:size, :size])
        assert seen.sum() == NOISE[:size, :size].sum()


@pytest.mark.parametrize("size", [(960, 540), (640, 360), (300, 200), (50, 40)])
def test_a_picture_does_not_depend_on_those_before(opened, size):
    pictures = [smooth(128), smooth(64)[::-1].copy(), 255 - smooth(128), smooth(256)]
    one_by_one = opened(size=size)
    for picture in pictures:
        assert np.array_equal(shown(one_by_one, picture), shown(opened(size=size), picture))


def test_black_until_the_first_picture(opened):
    assert not shown(opened()).any()


# ------------------------------------------------------------------------------------------------ sizes and full screen


def test_resizing_refits_the_picture(opened):
    display = opened()
    shown(display, np.full((100, 100, 3), 200, np.uint8))
    for size in ((301, 401), (640, 111)):
        xdotool("windowsize", focus(), *map(str, size))
        wait_for(display, lambda _, size=size: display.screenshot().shape == (size[1], size[0], 3))
        rows, columns = np.nonzero(display.screenshot()[..., 0])
        assert len(rows) == min(size) ** 2 == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_full_screen_and_back(opened):
    from live.display.opengl import glfw

    display = opened()
    shown(display, NOISE)
    assert display.fills is None
    focus()
    xdotool("key", "f")
    wait_for(display, lambda _: display.screenshot().shape == (SCREEN[1], SCREEN[0], 3))
    assert display.fills.name == "screen"
    handle = display.window.handle
    assert glfw.get_input_mode(handle, glfw.CURSOR) == glfw.CURSOR_HIDDEN
    xdotool("key", "Escape")
    wait_for(display, lambda _: display.screenshot().shape == (SIZE[1], SIZE[0], 3))
    assert display.fills is None
    assert glfw.get_input_mode(handle, glfw.CURSOR) == glfw.CURSOR_NORMAL
    assert tuple(glfw.get_window_pos(handle)) == ((SCREEN[0] - SIZE[0]) // 2, (SCREEN[1] - SIZE[1]) // 2)
    assert display.errors() == []


def test_a_show_may_begin_in_full_screen(opened):
    display = opened(fullscreen=True, monitor=None)
    assert shown(display, NOISE).shape == (SCREEN[1], SCREEN[0], 3)
    focus()
    xdotool("key", "Escape")
    wait_for(display, lambda _: display.screenshot().shape == (SIZE[1], SIZE[0], 3))


# --------------------------------------------------------------------------------------------------------------- keys


def test_keys_in_a_window(opened):
    display = opened()
    focus()
    xdotool("key", "z", "b", "space", "p", "3", "9", "KP_1", "shift+b", "ctrl+r", "q", "0", "m", "Escape")
    expected = ["freeze", "blackout", "play_pause", "pair", "preset", "preset", "preset", "blackout"]
    events = wait_for(display, lambda events: len(events) == len(expected))
    assert [event.action for event in events] == expected
    assert [event.number for event in events if event.action == "preset"] == [3, 9, 1]
    xdotool("key", "shift+Escape")
    assert wait_for(display, bool) == [DisplayEvent("quit")]


def test_stray_fingers_in_full_screen(opened):
    display = opened(fullscreen=True)
    focus()
    xdotool("key", "m", "h", "p", "space", "b", "z", "5", "shift+Escape")
    events = wait_for(display, lambda events: DisplayEvent("quit") in events)
    ignored = [DisplayEvent("ignored", key=name) for name in ("M", "H", "P", "Space")]
    acting = [DisplayEvent("blackout"), DisplayEvent("freeze"), DisplayEvent("preset", 5), DisplayEvent("quit")]
    assert events == ignored + acting
    assert display.fills is not None
    assert not display.hud_visible


@pytest.mark.parametrize("keys", ["stage", "all"])
def test_f_leaves_full_screen_with_every_key_set(opened, keys):
    display = opened(fullscreen=True, keys=keys)
    focus()
    xdotool("key", "f")
    wait_for(display, lambda _: display.fills is None)


def test_all_keys_in_full_screen(opened):
    display = opened(fullscreen=True, keys="all")
    focus()
    xdotool("key", "h", "p", "space")
    assert wait_for(display, lambda events: len(events) == 2) == [DisplayEvent("pair"), DisplayEvent("play_pause")]
    assert display.hud_visible
    xdotool("key", "f")
    wait_for(display, lambda _: display.fills is None)


def test_closing_the_window_is_asked_for_only(opened):
    from live.display.opengl import glfw

    display = opened()
    shown(display, NOISE)
    glfw.set_window_should_close(display.window.handle, True)  # what glfw does when the window is to be closed
    assert wait_for(display, bool) == [DisplayEvent("quit")]
    assert display.events() == []
    assert shown(display).any()


def test_a_letter_is_the_one_on_the_key(monkeypatch):
    from live.display import desktop_window
    from live.display.opengl import glfw

    german = {glfw.KEY_Y: "z", glfw.KEY_Z: "y", glfw.KEY_M: "m"}
    monkeypatch.setattr(desktop_window.glfw, "get_key_name", lambda key, scancode: german.get(key, "я"))
    names = [desktop_window.key_name(key, 0) for key in (glfw.KEY_Y, glfw.KEY_Z, glfw.KEY_M, glfw.KEY_B, glfw.KEY_F1)]
    assert names == ["Z", "Y", "M", "B", ""]  # and a Russian one's keys are where a US one has them


# ------------------------------------------------------------------------------------------------------- head-up display


def test_the_head_up_display_lies_over_the_picture(opened):
    display = opened(size=(960, 540))
    display.inform(STATE)
    bare = shown(display, smooth(128))
    focus()
    xdotool("key", "h")
    wait_for(display, lambda _: display.hud_visible)
    covered = display.screenshot()
    changed = (covered != bare).any(-1)
    panel, keys = changed[:, :210], changed[:, 210:]  # the keys stand in a strip at its right, along the lower edge
    for part, first, last in ((panel, 0, 540), (keys, 460, 540)):
        rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
        assert first < rows[0] < rows[-1] < last
        assert 0 < columns[0] < columns[-1]
    xdotool("key", "h")
    wait_for(display, lambda _: not display.hud_visible)
    assert np.array_equal(display.screenshot(), bare)


def test_an_error_is_readable_over_a_white_picture(opened):
    display = opened(size=(960, 540), hud=True, scaling="stretch")
    display.inform(replace(STATE, errors=("the card is gone",)))
    seen = shown(display, np.full((8, 8, 3), 255, np.uint8)).astype(int)
    strip = seen[-40:-10, 220:330]
    assert strip.sum(-1).min() < 200
    assert strip.sum(-1).max() > 500
    assert seen[-1, -1].tolist() == [255, 255, 255]


def test_nothing_is_drawn_where_nothing_is_new(opened, monkeypatch):
    display = opened(hud=True)
    drawn = []
    canvas = display.canvas
    monkeypatch.setattr(canvas, "draw", lambda *given, draw=canvas.draw: (drawn.append(given), draw(*given)))
    display.show(NOISE)
    wait_for(display, lambda _: drawn)
    for _ in range(20):  # what the X server still had to say
        display.events()
        display.draw()
        time.sleep(0.005)
    drawn.clear()
    for _ in range(20):
        display.events()
        display.draw()
    assert drawn == []
    display.show(NOISE.copy())
    display.draw()
    assert len(drawn) == 1


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.usefixtures("unchecked")
def test_a_failure_to_draw_is_reported_and_the_last_picture_stays(opened):
    display = opened()
    before = shown(display, NOISE)
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((20000, 2, 3), np.uint8)):
        display.show(image)
        display.draw()
        (line,) = display.errors()
        assert "cannot be shown" in line or "too large" in line
        assert np.array_equal(display.screenshot(), before)
    assert not np.array_equal(shown(display, 255 - NOISE), before)


def test_drawing_is_tried_again(opened, monkeypatch):
    monkeypatch.setattr("live.display.windowed.SHORTEST_WAIT_S", 0.01)
    display = opened(hud=True)
    display.inform(STATE)
    before = shown(display, NOISE)
    broken, window = display.canvas, display.window

    def fail(*_):
        raise MemoryError("the card is full")

    monkeypatch.setattr(broken, "draw", fail)
    display.show(NOISE.copy())
    wait_for(display, lambda _: display.canvas is not broken)
    assert display.errors() == ["cannot draw: the card is full; trying again"]
    assert display.window is window  # the canvas alone is new
    assert np.array_equal(display.screenshot(), before)


@pytest.mark.parametrize("fullscreen", [False, True])
def test_a_lost_context_is_replaced(opened, monkeypatch, fullscreen):
    from live.display.canvas import WindowCanvas

    monkeypatch.setattr("live.display.windowed.SHORTEST_WAIT_S", 0.01)
    display = opened(fullscreen=fullscreen)
    before = shown(display, NOISE)
    window, draw, failures = display.window, WindowCanvas.draw, iter("123")

    def lost(*given):
        if next(failures, None):
            raise RuntimeError("the context is lost")
        draw(*given)

    monkeypatch.setattr(WindowCanvas, "draw", lost)
    display.show(NOISE.copy())
    wait_for(display, lambda _: display.window not in (window, None) and np.array_equal(display.screenshot(), before))
    assert display.errors() == ["cannot draw: the context is lost; trying again"]
    assert np.array_equal(display.screenshot(), before)
    assert (display.fills is not None) == fullscreen


def test_another_context_does_not_matter(opened):
    from live.display.opengl import glfw

    display = opened()
    before = shown(display, NOISE)
    glfw.make_context_current(None)  # as somebody else's window would
    shown(display, 255 - NOISE)
    assert np.array_equal(shown(display, NOISE), before)


def test_complaints_of_glfw_are_errors_of_ours(opened):
    from live.display.opengl import glfw

    display = opened()
    for _ in range(3):
        glfw.window_hint(0xDEAD, 1)
    (line,) = display.errors()
    assert line.startswith("window: ")
    assert display.errors() == []


def test_no_such_monitor(opened):
    with pytest.raises(UserError, match="no monitor 'beamer'; there are: 0 screen 1280x720"):
        opened(monitor="beamer")
    assert shown(opened(), NOISE).any()  # and glfw was left as if nothing had been


def test_old_drivers(opened, monkeypatch):
    monkeypatch.setenv("MESA_GL_VERSION_OVERRIDE", "3.0")
    with pytest.raises(
        UserError, match=r"^no OpenGL 3.3: .*; update the graphics driver; use --offscreen to play without a window$"
    ):
        opened()


def test_closed_twice_and_used_afterwards(opened):
    display = opened()
    shown(display, NOISE)
    display.close()
    display.close()
    display.show(NOISE)
    display.draw()
    assert display.events() == display.errors() == []
