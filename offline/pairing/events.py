"""Events of the studio, delivered on the window's thread when the window asks for them."""

from collections import defaultdict
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Literal, get_args

from shared.errors import SettingError

Name = Literal[
    "preset", "corpus", "candidates", "pairs", "settings", "training", "history", "trained", "progress", "error", "note",
    "transport", "film", "missing", "sounds",
]  # fmt: skip
"""preset: another preset is open, or none is. corpus: sounds were analysed or mapped again. candidates: images or stars changed.
pairs, settings: changed, by the window, by undo or by a command in a terminal. training: its settings were changed, by
the window or by undo. history: what undo and redo can do changed. trained: a fit ended (Fit). progress: a job went on or
ended (Progress). error, note: one line (str). transport: it started, stopped, or plays on another device. film: a new
picture is there. missing: the list of missing files changed. sounds: a sound can be heard and its waveform drawn.
"""


class Events:
    """Callbacks by name. `send` may be called from any thread; callbacks run in `deliver`, on the caller's thread."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[..., None]]] = defaultdict(list)
        self._waiting: SimpleQueue[tuple[Name, tuple[Any, ...]]] = SimpleQueue()

    def on(self, name: Name, callback: Callable[..., None]) -> None:
        """Call `callback` with the event's value, if it has one, in each `deliver`. Raises SettingError for an unknown name."""
        if name not in get_args(Name):
            raise SettingError(f"no event '{name}'; there are: {', '.join(get_args(Name))}")
        self._callbacks[name].append(callback)

    def send(self, name: Name, *values: Any) -> None:
        """Queue an event. Of equal events without a value, one is delivered."""
        self._waiting.put((name, values))

    def deliver(self) -> None:
        """Call the callbacks of all events sent before this call, in order."""
        done = set[str]()
        for _ in range(self._waiting.qsize()):
            name, values = self._waiting.get()
            if not values and name in done:
                continue
            done.add(name)
            for callback in self._callbacks[name]:
                callback(*values)
