"""Opens a glfw window with an OpenGL 3.3 core context, or says why that is impossible."""

import ctypes
import os
import sys
from typing import Any

from live.display.monitors import MonitorInfo
from live.display.placement import Size
from shared.errors import UserError

TITLE = "Ponticello"
REMEDY = "; use --offscreen to play without a window"

# The glfw wheel contains a library for X11 and one for Wayland. A Wayland window can neither be placed nor be drawn to while
# something covers it; where X11 is available, too, the picture is safer there.
if os.environ.get("DISPLAY"):
    os.environ.setdefault("PYGLFW_LIBRARY_VARIANT", "x11")
try:
    import glfw
except ImportError as error:
    raise UserError(f"no screen: glfw's library cannot be loaded ({error}){REMEDY}") from error

__all__ = [
    "REMEDY",
    "TITLE",
    "WindowHandle",
    "complaints",
    "connected",
    "glfw",
    "open_window",
    "start",
]  # glfw: imported from here everywhere

WindowHandle = Any  # a ctypes pointer
HINTS = (
    (glfw.CONTEXT_VERSION_MAJOR, 3),
    (glfw.CONTEXT_VERSION_MINOR, 3),
    (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
    (glfw.OPENGL_FORWARD_COMPAT, True),  # the only core profile of macOS
    (glfw.CONTEXT_ROBUSTNESS, glfw.LOSE_CONTEXT_ON_RESET),  # a reset of the card causes an error, not a crash
    (glfw.SRGB_CAPABLE, False),
    (glfw.ALPHA_BITS, 0),
    (glfw.DEPTH_BITS, 0),
    (glfw.STENCIL_BITS, 0),
    (glfw.AUTO_ICONIFY, False),  # the picture stays when the player clicks on another screen
    (glfw.SCALE_TO_MONITOR, True),
    (glfw.VISIBLE, False),
)

_complaints: list[str] = []


def _complain(_code: int, text: str | bytes) -> None:
    _complaints.append(f"window: {_decoded(text)}")


def _decoded(text: str | bytes) -> str:
    """Text from glfw, which is bytes, whatever its annotations say."""
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def complaints() -> list[str]:
    """Errors reported by glfw since the last call."""
    taken = _complaints.copy()
    _complaints.clear()
    return taken


def start() -> None:
    """Start glfw. Raises UserError if there is no screen."""
    glfw.set_error_callback(_complain)
    glfw.init_hint(glfw.COCOA_CHDIR_RESOURCES, False)
    if not glfw.init():
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            complaints()
            raise UserError(f"no screen: DISPLAY is not set; start it from a desktop{REMEDY}")
        raise UserError(f"no screen: {_reason()}{REMEDY}")


def open_window(size: Size) -> WindowHandle:
    """Open a hidden window and make its context current. Raises UserError if the driver has no OpenGL 3.3."""
    glfw.default_window_hints()
    for hint, value in HINTS:
        glfw.window_hint(hint, value)
    glfw.window_hint_string(glfw.X11_CLASS_NAME, TITLE.lower())
    glfw.window_hint_string(glfw.WAYLAND_APP_ID, TITLE.lower())
    window = glfw.create_window(*size, TITLE, None, None)
    if not window:
        raise UserError(f"no OpenGL 3.3: {_reason()}; update the graphics driver{REMEDY}")
    glfw.make_context_current(window)
    return window


def make_current(window: WindowHandle) -> None:
    """Make the context of this window current, if it is not."""
    current = glfw.get_current_context()
    if ctypes.cast(current, ctypes.c_void_p).value != ctypes.cast(window, ctypes.c_void_p).value:
        glfw.make_context_current(window)


def connected() -> list[MonitorInfo]:
    """The monitors connected now. glfw must be running."""
    found = []
    for number, monitor in enumerate(glfw.get_monitors()):
        mode, (left, top) = glfw.get_video_mode(monitor), glfw.get_monitor_pos(monitor)
        found.append(
            MonitorInfo(
                number,
                _decoded(glfw.get_monitor_name(monitor)),
                left,
                top,
                mode.size.width,
                mode.size.height,
                mode.refresh_rate,
                glfw.get_monitor_content_scale(monitor)[0],
                primary=number == 0,  # glfw's order
            )
        )
    return found


def _reason() -> str:
    return "; ".join(complaint.removeprefix("window: ") for complaint in complaints()) or "glfw gives no reason"
