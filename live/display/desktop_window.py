"""A glfw window: its place, its monitor, full screen or not. Knows nothing about pictures."""

from collections.abc import Callable, Mapping

from live.display import opengl
from live.display.keys import DIGITS, DisplayEvent, KeyAction, pressed
from live.display.monitors import MonitorInfo, choose
from live.display.opengl import WindowHandle, glfw
from live.display.placement import Rectangle, Size
from live.display.settings import WindowSettings

OTHER_MEANING = (
    glfw.MOD_CONTROL | glfw.MOD_ALT | glfw.MOD_SUPER
)  # a key pressed with one of these belongs to the desktop
NAMED_KEYS = {
    glfw.KEY_ESCAPE: "Esc",
    glfw.KEY_SPACE: "Space",
    **{glfw.KEY_0 + int(digit): digit for digit in DIGITS},
    **{glfw.KEY_KP_0 + int(digit): digit for digit in DIGITS},
}


class DesktopWindow:
    """The window; its OpenGL context is current. Raises UserError if there is no screen, no OpenGL 3.3 or no such monitor.

    Full screen is a borderless window over the whole monitor at its current resolution: glfw then hides panels and blocks
    the screen saver. Unless the settings name a monitor, it is never the operator's, the primary one of the desktop. If
    the monitor is unplugged, the picture goes on in a window; it fills the monitor again when that is back.
    """

    def __init__(self, settings: WindowSettings, redraw: Callable[[], None]) -> None:
        self.damaged = True
        """Whether the screen must be drawn again."""
        self._problems: list[str] = []
        self._settings = settings
        self._redraw = redraw
        self._pressed: list[DisplayEvent] = []
        self._fills: MonitorInfo | None = None
        self._unplugged: MonitorInfo | None = None  # the monitor to fill again when it is back
        self._monitors_changed = False
        self.keys: Mapping[KeyAction, Callable[[], None]] = {
            "leave_fullscreen": self.leave,
            "fullscreen": lambda: self.leave() if self._fills else self.fill(self._monitor),
            "next_monitor": self.next_monitor,
        }
        opengl.start()
        try:
            self._monitor = choose(opengl.connected(), settings.monitor)
            self._handle = opengl.open_window(settings.size)
            glfw.swap_interval(1 if settings.vsync else 0)
            glfw.set_key_callback(self._handle, self._on_key)
            glfw.set_framebuffer_size_callback(self._handle, self._on_damage)
            glfw.set_window_refresh_callback(self._handle, self._on_refresh)
            glfw.set_monitor_callback(self._on_monitor)
            self._windowed = self._middle_of(self._monitor)
            if settings.monitor is not None or settings.fullscreen:
                self._put(self._windowed)
            if settings.fullscreen:
                self.fill(self._monitor)
            glfw.show_window(self._handle)
        except BaseException:
            glfw.terminate()
            raise

    @property
    def handle(self) -> WindowHandle:
        """The window as glfw knows it."""
        return self._handle

    @property
    def monitor(self) -> MonitorInfo:
        """The chosen monitor, for the window and for full screen."""
        return self._monitor

    @property
    def fills(self) -> MonitorInfo | None:
        """The monitor that the picture fills; None in a window."""
        return self._fills

    @property
    def area(self) -> Size:
        """Size of the drawing area in pixels; 0 by 0 while minimised."""
        if glfw.get_window_attrib(self._handle, glfw.ICONIFIED):
            return 0, 0
        width, height = glfw.get_framebuffer_size(self._handle)
        return width, height

    @property
    def scale(self) -> float:
        """Pixels per point."""
        return float(glfw.get_window_content_scale(self._handle)[0])

    def use(self) -> None:
        """Make its OpenGL context current."""
        opengl.make_current(self._handle)

    def swap(self) -> None:
        """Show what was drawn, at the next refresh if vsync is on."""
        glfw.swap_buffers(self._handle)
        self.damaged = False

    def poll(self) -> list[DisplayEvent]:
        """Key presses since the last call. Those that concern the window alone are carried out here and not returned."""
        glfw.poll_events()
        if self._monitors_changed:
            self._monitors_changed = False
            self._follow_monitors()
        taken, self._pressed = self._pressed, []
        events = []
        for event in taken:
            if (carry_out := self.keys.get(event.action)) is not None:
                carry_out()
            else:
                events.append(event)
        if glfw.window_should_close(self._handle):
            glfw.set_window_should_close(self._handle, False)
            events.append(DisplayEvent("quit"))
        return events

    def take_problems(self) -> list[str]:
        """What happened to the window since the last call, one line each."""
        taken, self._problems = self._problems, []
        return taken

    def fill(self, monitor: MonitorInfo) -> None:
        """Full screen on a monitor; if it is gone, on the one that would be chosen now."""
        connected = opengl.connected()
        if not connected:
            return
        monitor = _connected_again(monitor, connected) or choose(connected, None)
        if self._fills is None:
            self._windowed = self._rectangle()
        if monitor != self._fills:
            self._put(self._middle_of(monitor))  # many window managers fill the monitor that the window is on
        self._fills = monitor
        handle = glfw.get_monitors()[monitor.number]
        rate = monitor.refresh_hz or glfw.DONT_CARE
        glfw.set_window_monitor(self._handle, handle, 0, 0, monitor.width, monitor.height, rate)
        self._settle()

    def leave(self) -> None:
        """Leave full screen."""
        self._unplugged = None
        if self._fills is not None:
            self._fills = None
            self._put(self._windowed)
            self._settle()

    def next_monitor(self) -> None:
        """Move to the next monitor, in full screen or not."""
        connected = opengl.connected()
        if len(connected) < 2:
            return
        here = _connected_again(self._monitor, connected)
        self._monitor = connected[(here.number + 1) % len(connected) if here else 0]
        self._windowed = self._middle_of(self._monitor)
        if self._fills is not None:
            self.fill(self._monitor)
        else:
            self._put(self._windowed)

    def close(self) -> None:
        """Close the window and end glfw."""
        glfw.terminate()

    def _on_key(self, _handle: WindowHandle, key: int, scancode: int, action: int, held: int) -> None:
        if action != glfw.PRESS or held & OTHER_MEANING:
            return
        shift = bool(held & glfw.MOD_SHIFT)
        event = pressed(key_name(key, scancode), shift, self._fills is not None, self._settings.keys)
        if event is not None:
            self._pressed.append(event)

    def _on_damage(self, *_: object) -> None:
        self.damaged = True

    def _on_refresh(self, _handle: WindowHandle) -> None:
        self.damaged = True
        self._redraw()  # now: while a window is being resized, polling does not return on Windows and macOS

    def _on_monitor(self, *_: object) -> None:
        self._monitors_changed = True

    def _follow_monitors(self) -> None:
        connected = opengl.connected()
        if self._fills is not None and not glfw.get_window_monitor(self._handle):
            if connected:
                self._windowed = self._middle_of(connected[0])
                self._put(self._windowed)
            self._unplugged, self._fills = self._fills, None
            self._problems.append(
                f"monitor {self._unplugged.name} is disconnected; the picture is in a window until it is back"
            )
            self._settle()
        back = self._fills or self._unplugged
        back = back and _connected_again(back, connected)
        if back is not None and back != self._fills:  # it is back, or has another resolution
            self._unplugged = None
            self.fill(back)

    def _settle(self) -> None:
        hidden = glfw.CURSOR_HIDDEN if self._fills else glfw.CURSOR_NORMAL
        glfw.set_input_mode(self._handle, glfw.CURSOR, hidden)
        self.damaged = True

    def _rectangle(self) -> Rectangle:
        left, top = glfw.get_window_pos(self._handle) if _placeable() else (0, 0)
        return Rectangle(left, top, *glfw.get_window_size(self._handle))

    def _middle_of(self, monitor: MonitorInfo) -> Rectangle:
        width, height = self._windowed[2:] if self._fills else glfw.get_window_size(self._handle)
        width, height = min(width, monitor.width), min(height, monitor.height)
        left, top = monitor.left + (monitor.width - width) // 2, monitor.top + (monitor.height - height) // 2
        return Rectangle(left, top, width, height)

    def _put(self, rectangle: Rectangle) -> None:
        if glfw.get_window_monitor(self._handle):
            glfw.set_window_monitor(self._handle, None, *rectangle, glfw.DONT_CARE)  # type: ignore[arg-type]  # on none of them
        else:
            glfw.set_window_size(self._handle, rectangle.width, rectangle.height)
            if _placeable():
                glfw.set_window_pos(self._handle, rectangle.left, rectangle.top)


def _placeable() -> bool:
    """Whether the desktop lets programs place windows."""
    return bool(glfw.get_platform() != glfw.PLATFORM_WAYLAND)


def _connected_again(monitor: MonitorInfo, connected: list[MonitorInfo]) -> MonitorInfo | None:
    """Match a remembered monitor to a connected one; of two with the same name, the one at the same place."""
    alike = [m for m in connected if m.name == monitor.name]
    return next((m for m in alike if (m.left, m.top) == (monitor.left, monitor.top)), alike[0] if alike else None)


def key_name(key: int, scancode: int) -> str:
    """What is printed on a key. glfw's codes are positions on a US keyboard: where it has Z, a German one has Y."""
    if key in NAMED_KEYS:
        return NAMED_KEYS[key]
    printed = glfw.get_key_name(key, scancode) or ""
    if printed.isascii() and printed:
        return printed.upper()
    return chr(key) if glfw.KEY_A <= key <= glfw.KEY_Z else ""
