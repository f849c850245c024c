"""Drives the window like an artist, and measures it, for `ponticello bench studio`."""

import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QEventLoop, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.main_window import MainWindow
from offline.pairing.window.memory import Memory

PAN_MS = 16  # between two moves of the pointer
HOVERS, DROPS = 200, 8
PATIENCE_S = 240.0  # the first start compiles the picture filters

Figures = dict[str, float]


class RepaintCounter(QObject):
    """Counts the repaints of widgets."""

    def __init__(self, widgets: dict[str, QWidget]) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._names = {id(widget): name for name, widget in widgets.items()}
        for widget in widgets.values():
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let every event pass."""
        if event.type() == QEvent.Type.Paint:
            self.counts[self._names[id(watched)]] += 1
        return False


class Measure:
    """One window of a size, with a preset open. seconds: of each measurement. started: when its process began (`time.time`)."""

    def __init__(self, folder: str, size: tuple[int, int], seconds: float, started: float) -> None:
        self.application = QApplication.instance() or QApplication(sys.argv[:1])
        assert isinstance(self.application, QApplication)
        theme.dress(self.application)
        self.seconds = seconds
        self.studio = Studio()
        self.window = MainWindow(self.studio, Memory(hints_seen=True))
        self.window.resize(*size)
        self.window.show()
        self.window.open_preset(folder)
        self.paints = RepaintCounter({"map": self.window.map, "wave": self.window.wave})
        self.until("the map is painted", lambda: self.paints.counts["map"] > 0 and self.studio.board is not None)
        self.opened_s = time.time() - started
        self.fits: list[float] = []
        self.studio.events.on("trained", lambda _: self.fits.append(time.perf_counter()))
        self.until("the sound card is open", lambda: self.studio.transport.silent != "opening the sound card")
        self.until("the sound is decoded", lambda: self.studio.transport.envelope(0, 0.0, 1.0, 8) is not None)
        self.until("torch is imported", lambda: self.studio.jobs.is_warm and not self.studio.jobs.running)

    def run(self, scrubbing: float) -> dict[str, Any]:
        """All figures. scrubbing: seconds of that."""
        self.wait(3.0)  # what follows the opening has ended
        gaps = self.studio.transport.underflows
        figures: dict[str, Any] = {"opened_s": self.opened_s, "idle": self.phase()}
        self.studio.transport.play()
        self.window.wake()
        figures["playing"] = self.phase()
        figures["playing_and_panning"] = self.phase(self.panned())
        self.studio.transport.stop()
        figures["panning"] = self.phase(self.panned())
        figures["hover_ms"] = self.hover()
        figures |= self.drops()
        figures["scrubbing_and_training"] = self.scrubbed(scrubbing)
        figures["silent"] = self.studio.transport.silent
        figures["underflows"] = self.studio.transport.underflows - gaps
        figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return figures

    def close(self) -> None:
        """Close the window."""
        self.window.close()

    def phase(self, act: Callable[[], None] | None = None, seconds: float | None = None) -> Figures:
        """Per second: ticks and repaints; in % of a core: the window's thread and the whole process."""
        timer = QTimer()
        if act is not None:
            timer.timeout.connect(act)
            timer.start(PAN_MS)
        paints, ticks = Counter(self.paints.counts), self.window.ticks
        start, thread, process = time.perf_counter(), time.thread_time(), time.process_time()
        self.wait(seconds or self.seconds)
        took = time.perf_counter() - start
        timer.stop()
        return {
            "ticks": (self.window.ticks - ticks) / took,
            "map_paints": (self.paints.counts["map"] - paints["map"]) / took,
            "wave_paints": (self.paints.counts["wave"] - paints["wave"]) / took,
            "window_percent": 100 * (time.thread_time() - thread) / took,
            "process_percent": 100 * (time.process_time() - process) / took,
        }

    def panned(self) -> Callable[[], None]:
        """Drags the map in circles, by the right button."""
        centre = QPointF(self.window.map.rect().center())
        step = 0

        def move() -> None:
            nonlocal step
            angle = step / 20
            place = centre + QPointF(80 * math.cos(angle), 60 * math.sin(angle))
            kind = QEvent.Type.MouseMove if step else QEvent.Type.MouseButtonPress
            self.mouse(kind, place, Qt.MouseButton.RightButton)
            step += 1

        return move

    def hover(self) -> float:
        """Median time of a look-up under the moving pointer, in ms."""
        area, times = self.window.map.rect(), []
        self.mouse(QEvent.Type.MouseButtonRelease, QPointF(area.center()), Qt.MouseButton.RightButton)
        for i in range(HOVERS):
            place = QPointF(area.width() * (0.1 + 0.8 * (i * 0.618 % 1)), area.height() * (0.1 + 0.8 * (i * 0.382 % 1)))
            start = time.perf_counter()
            self.mouse(QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
            times.append(1000 * (time.perf_counter() - start))
        return sorted(times)[len(times) // 2]

    def drops(self) -> Figures:
        """Of images that are moved on the map while the sound plays and the generator draws: medians.

        To the disk, and to the redrawn map, in ms of the window's CPU time; to the trained mapping and to the second picture after it (the first
        may have been begun before) in s.
        """
        project = self.studio.project
        assert project is not None
        names = [pair.name for pair in project.pairs][:DROPS]
        self.window.look.change(source="generator")
        self.studio.transport.play()
        self.window.wake()
        self.until("the generator draws", lambda: self.studio.film.rate > 0)
        self.wait(self.seconds)
        rate = self.studio.film.rate
        on_disk, shown, trained, changed = [], [], [], []
        pictures: list[float] = []
        self.studio.events.on("film", lambda: pictures.append(time.perf_counter()))
        for i, name in enumerate(names):
            fits = len(self.fits)
            start, processor = time.perf_counter(), time.thread_time()
            project.place(name, (0.2 + 0.07 * i) % 1, (0.8 - 0.09 * i) % 1)
            on_disk.append(1000 * (time.thread_time() - processor))
            self.window.follow()
            shown.append(1000 * (time.thread_time() - processor))
            self.until("the pairs are learned", lambda fits=fits: len(self.fits) > fits)  # type: ignore[misc]
            fitted = self.fits[-1]
            self.until("the film changes", lambda fitted=fitted: sum(made > fitted for made in pictures) >= 2)  # type: ignore[misc]
            trained.append(fitted - start)
            changed.append(pictures[-1] - start)
        for _ in names:  # as it was: a drop at the same place again would change nothing, and train nothing
            project.undo()
        self.studio.transport.stop()
        self.window.look.change(source="mock-up")
        middle = len(names) // 2
        return {
            "generator_rate": rate,
            "drop_to_disk_cpu_ms": sorted(on_disk)[middle],
            "drop_to_map_cpu_ms": sorted(shown)[middle],
            "drop_to_trained_s": sorted(trained)[middle],
            "drop_to_film_s": sorted(changed)[middle],
        }

    def scrubbed(self, seconds: float) -> Figures:
        """While the pointer scrubs on the map and the pairs are learned over and over."""
        project = self.studio.project
        assert project is not None
        area, step = self.window.map.rect(), 0
        names = project.tray("free")[:2]

        def move() -> None:
            nonlocal step
            place = QPointF(
                area.width() * (0.3 + 0.4 * (step * 0.013 % 1)), area.height() * (0.3 + 0.4 * (step * 0.007 % 1))
            )
            self.studio.transport.scrub(0, step * 0.05 % 60)
            self.mouse(QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
            if step % 60 == 0:
                project.place(names[step // 60 % len(names)], (step * 0.0031) % 1, 0.5)
            step += 1

        self.window.wake()
        fits = len(self.fits)
        figures = self.phase(move, seconds)
        self.studio.transport.stop()
        for _ in range(-(-step // 60)):
            project.undo()
        return {**figures, "fits": len(self.fits) - fits}

    def mouse(self, kind: QEvent.Type, place: QPointF, button: Qt.MouseButton) -> None:
        """An event of the pointer on the map."""
        canvas = self.window.map
        pressed = button if kind == QEvent.Type.MouseButtonPress else Qt.MouseButton.NoButton
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else button
        event = QMouseEvent(
            kind, place, QPointF(canvas.mapToGlobal(place)), pressed or button, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(canvas, event)

    def wait(self, seconds: float) -> None:
        """Run the window for this time."""
        loop = QEventLoop()
        QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec()

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Run the window until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition() and time.monotonic() < deadline:
            self.wait(0.01)
        if not condition():
            raise TimeoutError(f"{what}: not within {PATIENCE_S:g} s")


def measure(folder: str, size: tuple[int, int], seconds: float, scrubbing: float, started: float) -> dict[str, Any]:
    """The figures of a window of this size with this preset."""
    session = Measure(folder, size, seconds, started)
    try:
        return session.run(scrubbing)
    finally:
        session.close()
