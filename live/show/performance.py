"""A show: sound in, pictures out, OSC both ways, until it is over.

source ─ Engine (thread) ─ every tick ─ newest ─ PictureThread ─ images ─ PresentationQueue ─ display
                              └ OSC                              main thread: keys, OSC, display, statistics
"""

import csv
import io
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from live.display.base import Display
from live.display.hud_state import HudState
from live.hall import Hall
from live.osc.messages import OscEvent
from live.osc.port import OscPort
from live.show import stats
from live.show.actions.context import Lanes, ShowContext
from live.show.controller import ShowController
from live.show.engine import AnalysedTick, Engine
from live.show.notices import Notices
from live.show.options import ShowOptions
from live.show.picture_shape import PictureShape, first_shape
from live.show.picture_thread import PaintedImage, PictureThread
from live.show.presentation_queue import PresentationQueue
from live.show.preset_library import PresetLibrary, warm_up
from live.show.private_paths import without_paths
from live.show.status import Status
from live.show.takes import Takes
from live.show.timing import Timing
from live.sound.source import Source
from shared.atomic import written_atomically
from shared.controls import aspect_ratio
from shared.errors import PonticelloError, one_line
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset

LONGEST_PAUSE_S = 0.008  # of the main loop, between two looks at OSC and keys
OSC_BUDGET_S = 0.01  # for OSC events in one turn of the main loop; the rest waits for the next turn
HUD_S, STATUS_S = 0.1, 1.0
FPS = 30  # ticks and pictures per second


class Performance:
    """The parts of a show. `run` plays it in the main thread.

    presets: those of the command line, first: the one that plays first, with the controls of the hall. stopped: ends the
    show when set. Only errors that keep the show from starting raise out of `run`.
    """

    def __init__(
        self,
        presets: Sequence[Preset],
        first: Preset,
        *,
        source: Source,
        display: Display,
        port: OscPort,
        painter: Painter,
        options: ShowOptions = ShowOptions(),  # noqa: B008  # frozen
        hall: Hall = Hall(),  # noqa: B008
        stopped: threading.Event | None = None,
    ) -> None:
        self._source, self._display, self._port, self._options = source, display, port, options
        self._stopped = stopped or threading.Event()
        self._wake = threading.Event()
        self._notices = Notices()
        self._images = PresentationQueue()
        self._errors: deque[str] = deque(maxlen=3)  # for the head-up display
        self._error_count = 0
        self._events: deque[OscEvent] = deque()
        self._next_hud = self._next_status = 0.0
        self._osc_error = ""
        library = PresetLibrary(presets, painter)
        measure = cache(partial(warm_up, first, painter))
        wanted_shape, shape, line = first_shape(first.controls["shape"], display, measure, FPS)
        if line:
            self._notices.tell(line, wrong=False)
        library.prepare(aspect_ratio(shape))
        generator_s = measure(aspect_ratio(shape))
        shaped = replace(first, controls={**first.controls, "shape": shape})
        pipeline = Pipeline(shaped, FPS, hall.scaler, library.heard)
        self.hashes: dict[int, str] | None = {} if options.hashes else None
        self.engine = Engine(pipeline, source, self._on_tick, self._notices)
        self._pictures = PictureThread(painter, self._on_image, self._notices, self.hashes)
        self._timing = Timing(source, pipeline.fps, pipeline.latency, generator_s)
        self._status = Status(source, self.engine, self._pictures, self._timing)
        self._lanes = Lanes()
        generator = painter.load(first)
        facts = {"input": source.label, "device": generator.device.type, "generator": generator.backend}
        folder = None if options.record is None else options.record.expanduser().absolute()
        self.takes = Takes(folder, self.engine, self._notices, facts)
        self._folders = _folders(presets, hall, folder, source.file)
        context = ShowContext(source, self.engine, self._timing, port, self._notices, self._lanes, self._folders)
        self._shape = PictureShape(context, library, display, wanted_shape, shape)
        first = replace(first, controls={**first.controls, "shape": wanted_shape})
        self.controller = ShowController(first, context, library, self.takes, hall, self._shape, options.restore)

    def run(self, on_start: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Play. Returns the statistics; writes them and the hashes to files if the options name any."""
        start = time.monotonic()
        try:
            self._port.start()
            self._source.start()
            if self._options.record is not None:
                self.takes.wanted = True
                self.takes.begin(self.controller.preset.name)
            for part in (self._lanes, self._pictures, self.engine):
                part.start()
            on_start()
            while not self._is_over(time.monotonic() - start):
                self._step()
        finally:
            seconds = time.monotonic() - start
            self._close()
            numbers = self._statistics(seconds)
            self._write(numbers)
        return numbers

    def _close(self) -> None:
        """End all parts: first what produces, then what is still to be written, at last what shows and reports."""
        self.controller.close()
        for close in (self.engine.close, self._pictures.close, self._lanes.close, self.takes.close):
            close()
        for then in self._lanes.done():
            self.controller.do(then)
        self._carry_on(self.controller.finish)
        self._show_notices()
        for close in (self._source.close, self._port.close, self._display.close):
            close()

    def _is_over(self, seconds: float) -> bool:
        limit = self._options.seconds
        return self._stopped.is_set() or self.controller.quit or (limit is not None and seconds >= limit)

    def _on_tick(self, analysed: AnalysedTick) -> None:
        """Runs in the engine's thread."""
        self._pictures.offer(analysed)
        tick = analysed.tick
        seconds = (tick.number + 1) / float(self.engine.pipeline.fps)
        self._port.send("descriptors", *map(float, analysed.descriptors))
        self._port.send("tick", tick.number, seconds, tick.distance, analysed.latent_speed, tick.nearest)

    def _on_image(self, painted: PaintedImage) -> None:
        """Runs in the picture thread."""
        self._images.put(painted, self._timing.due(painted.number))
        self._wake.set()

    def _step(self) -> None:
        now = time.monotonic()
        self._wake.wait(min(max(self._images.next_due() - now, 0.0), LONGEST_PAUSE_S))
        self._wake.clear()
        for event in self._display.events():
            self.controller.press(event)
        self._handle_osc()
        for then in self._lanes.done():
            self.controller.do(then)
        self.controller.soundcheck.step()
        self._present()
        now = time.monotonic()
        if now >= self._next_hud:
            self._next_hud = now + HUD_S
            self._show_notices()
            self._display.inform(self._hud(now))
            self._shape.step(now)
        if now >= self._next_status:
            self._next_status = now + STATUS_S
            self._port.send("status", *self._status.report(now))
            if (line := self._status.slow_line(now)) is not None:
                self._notices.tell(line)

    def _handle_osc(self) -> None:
        """Events in order, for 10 ms at most: however many arrive, the pictures go on."""
        if not self._events:
            self._events.extend(self._port.take())
        deadline = time.monotonic() + OSC_BUDGET_S
        while self._events and time.monotonic() < deadline:
            self.controller.handle(self._events.popleft())

    def _present(self) -> None:
        """Show the newest image that is due."""
        now = time.monotonic()
        taken = self._images.take(now)
        if taken is not None:
            self._display.show(taken[1].image)
        self._display.draw()
        if taken is not None:
            self._status.shown(taken[1], taken[0], now, time.monotonic(), self._display.swap_s)

    def _show_notices(self) -> None:
        """Report what has happened on stderr, by OSC and on the head-up display."""
        for line in (*self._source.errors(), *self._display.errors()):
            self._notices.tell(line)
        if self._port.last_error != self._osc_error:
            self._notices.tell(self._port.last_error, sent=True)
        for notice in self._notices.take():
            with suppress(OSError, ValueError):  # a terminal that is gone, or a closed stderr
                print(notice.line, file=sys.stderr, flush=True)
            if notice.wrong:
                self._error_count += 1
                if not notice.sent:
                    self._port.error(notice.address, notice.text, public=without_paths(notice.text, self._folders))
            self._errors.append(notice.line)
        self._osc_error = self._port.last_error

    def _hud(self, now: float) -> HudState:
        values, analysed = self.controller.values, self.engine.newest
        counters = self._source.counters
        return HudState(
            preset=self.controller.preset.name,
            fps=self._status.rate(now),
            latency_ms=self._status.times.latency.recent(50),
            dropped=self._pictures.dropped,
            dropouts=counters.overflows + counters.gaps + counters.xruns,
            level_db=self.engine.level_db,
            peak_db=self._source.level_db,
            sounding=self.engine.gate_open,
            names=self.controller.preset.settings.inputs,
            descriptors=tuple(map(float, analysed.tick.descriptors)) if analysed else (),
            distance=analysed.tick.distance if analysed else float("nan"),
            clock=self._timing.clock,
            prompt=self.controller.soundcheck.prompt,
            recording_s=self.takes.seconds,
            frozen=bool(values["freeze"]),
            blackout=bool(values["blackout"]),
            errors=tuple(self._errors),
        )

    def _statistics(self, seconds: float) -> dict[str, Any]:
        counters = self._port.counters
        return {
            "seconds": round(seconds, 3),
            **self._status.summary(),
            "preset": self.controller.preset.name,
            "preset_changes": self.controller.preset_changes,
            "osc_messages": counters.received,
            "osc_bad": counters.bad,
            "osc_unsent": counters.unsent,
            "errors": self._error_count,
        }

    def _write(self, numbers: dict[str, Any]) -> None:
        if (path := self._options.stats) is not None:
            stats.save(path, numbers)
        if (path := self._options.hashes) is not None and self.hashes is not None:
            save_hashes(path, self.hashes)

    def _carry_on(self, work: Callable[[], None]) -> None:
        """Do something that must not keep the show from ending."""
        try:
            work()
        except PonticelloError as error:
            self._notices.tell(one_line(error))


def _folders(presets: Sequence[Preset], hall: Hall, recording: Path | None, sound: Path | None) -> tuple[Path, ...]:
    """Where the files of a show are."""
    found = {preset.folder.parent for preset in presets} | {preset.folder for preset in presets}
    found |= {preset.generator_path.parent for preset in presets}
    as_written = {Path(preset.settings.generator.file).parent for preset in presets}
    found |= {folder for folder in as_written if str(folder).startswith(("..", "~"))}
    found |= {path.parent for path in (hall.file, recording, sound and sound.absolute()) if path is not None}
    return (*found, *([] if hall.folder is None else [hall.folder]))


def save_hashes(path: Path, hashes: dict[int, str]) -> None:
    """Write the SHA-256 of pictures by tick to a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tick", "sha256"))
    writer.writerows(sorted(hashes.items()))
    with written_atomically(path) as temporary:
        temporary.write_text(text.getvalue(), "utf-8")
