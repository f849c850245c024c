"""Actions on the input: play, pause and seek a sound file, take in descriptors."""

from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.source import Source
from shared.errors import SettingError


class Transport:
    """Controls the input of a show. Raises SettingError if the input is of another kind."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def file(self) -> FileInput:
        """The sound file that is the input."""
        if not isinstance(self._source, FileInput):
            raise SettingError(f"the input is {self._source.label}, not a sound file")
        return self._source

    def toggle(self) -> None:
        """Play the file, or pause it."""
        self.file.pause() if self.file.playing else self.file.play()

    def chase(self, numbers: tuple[float, ...], arrived: float) -> None:
        """Follow a tape that plays elsewhere: its position in seconds, and when it was there (s, monotonic)."""
        self.file.chase(numbers[0], arrived)

    def hold_descriptors(self, numbers: tuple[float, ...], _arrived: float) -> None:
        """The 23 descriptors that hold from now on."""
        if not isinstance(self._source, OscFrames):
            raise SettingError(f"the input is {self._source.label}; descriptors need --input osc")
        self._source.hold(numbers)
