"""The state that views share and no file keeps: selected image, colours of the map, and what is shown, with a signal for changes."""

from PySide6.QtCore import QObject, Signal

from offline.pairing import palette

IMAGE_SIZES = (20, 96)
POINT_SIZES = (0.5, 3.0)
SHAPES = ("square", "16:9", "9:16", "4:1", "window")
"""Of the film's pictures; `window` is the shape of the pane, or of the screen, that they are shown in."""


class Look(QObject):
    """The look of the map. `change` sets values and notifies the views by `changed`."""

    changed = Signal(str)
    """The name of the changed value."""
    peeked = Signal(str)
    """The image under the pointer in the tray; empty when it has left."""

    def __init__(self) -> None:
        super().__init__()
        self.selected = ""
        """Name of the selected image."""
        self.colour = "image"
        """image, time, sound or a descriptor."""
        self.shows_images = True
        self.shows_gaps = False
        self.image_size = 44
        """Logical pixels a side."""
        self.point_size = 1.0
        """Factor on the usual size."""
        self.source = "mock-up"
        """mock-up, generator or both."""
        self.shape = "square"
        """Of the film's pictures: one of SHAPES."""
        self.region: tuple[float, float] | None = None
        """Seconds of the sound below the map: the region for looping and rendering."""
        self.loops = False
        self._numbers: dict[str, int] = {}

    def change(self, **values: object) -> None:
        """Set values by name."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
                self.changed.emit(name)

    def colour_number(self, image: str) -> int:
        """The number of an image's colour, which does not change while the window is open."""
        if image not in self._numbers:
            taken = set(self._numbers.values())
            self._numbers[image] = next(number for number in range(len(taken) + 1) if number not in taken)
        return self._numbers[image]

    def colour_of(self, image: str) -> palette.RGB:
        """The colour of an image's territory."""
        return palette.distinct(self.colour_number(image))

    def forget_images(self, kept: list[str]) -> None:
        """Free the colours of images that are no longer placed."""
        self._numbers = {name: number for name, number in self._numbers.items() if name in kept}
