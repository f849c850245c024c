"""A separate program, since a broken driver may crash it: prints the monitors, and why no window can be opened."""

import msgspec

from live.display.monitors import Screens
from shared.errors import PonticelloError


def look() -> Screens:
    """The monitors, and whether a hidden window can be drawn to."""
    try:
        from live.display import opengl

        opengl.start()
    except PonticelloError as error:
        return Screens(problem=str(error))
    monitors = tuple(opengl.connected())
    try:
        from live.display.canvas import WindowCanvas

        opengl.open_window((64, 64))
        WindowCanvas().draw((64, 64), "fit")
    except Exception as error:  # any error of the driver is the answer
        return Screens(monitors, str(error))
    return Screens(monitors)


if __name__ == "__main__":
    print(msgspec.json.encode(look()).decode())
