"""A show: sound in, pictures out, OSC both ways, until it is over.

source ─ Engine (thread) ─ every tick ─ newest ─ PictureThread ─ images ─ PresentationQueue ─ display
                              └ OSC                              main thread: keys, OSC, display, statistics
"""

import csv
import io
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from live.display.base import Display
from live.display.hud_state import HudState
from live.osc.port import OscPort
from live.show import stats
from live.show.controller import ShowController
from live.show.engine import AnalysedTick, Engine
from live.show.notices import Notices
from live.show.picture_thread import PaintedImage, PictureThread
from live.show.preset_library import PresetLibrary, warm_up
from live.show.stats import Times
from live.show.takes import Takes
from live.show.timing import PresentationQueue, Timing
from live.sound.source import Source
from shared.atomic import written_atomically
from shared.background import Background
from shared.mapping.scaling import Standardizer
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.stage import SAMPLE_RATE

LONGEST_PAUSE_S = 0.008  # between two looks at OSC and keys
HUD_S, STATUS_S = 0.1, 1.0
TOO_MANY = 0.1  # of the ticks dropped in a while: the generator cannot hold the rate
WHILE_S = 5.0


class Performance:
    """Everything that a show is made of. `run` plays it in the main thread.

    preset: the first of `presets`, with the hall's controls in its `controls`. scaler: the hall's, of a sound-check.
    seconds: how long to play, None: until it is stopped. record: a folder to record into from the beginning. stopped:
    whoever sets it ends the show. Nothing that happens on the way raises out of `run` but what keeps the show from beginning.
    """

    def __init__(
        self,
        presets: Sequence[Preset],
        preset: Preset,
        *,
        source: Source,
        display: Display,
        port: OscPort,
        painter: Painter,
        seconds: float | None = None,
        hall_file: Path | None = None,
        record: Path | None = None,
        scaler: Standardizer | None = None,
        stats_file: Path | None = None,
        hashes_file: Path | None = None,
        stopped: threading.Event | None = None,
    ) -> None:
        self._source, self._display, self._port = source, display, port
        self._seconds, self._stats_file, self._hashes_file = seconds, stats_file, hashes_file
        self._stopped = stopped or threading.Event()
        self._wake = threading.Event()
        self._notices = Notices()
        self._times = Times()
        self._waiting = PresentationQueue()
        self._newest: AnalysedTick | None = None
        self._errors: deque[str] = deque(maxlen=3)
        self._error_count = 0
        self._shown: deque[float] = deque(maxlen=120)  # when the newest pictures were
        self._ticks_of_late: deque[tuple[float, int, int]] = deque(maxlen=int(WHILE_S / STATUS_S) + 1)
        self._told_slow = False
        self._next_hud = self._next_status = 0.0
        self._osc_error = ""
        library = PresetLibrary(presets, painter)
        generator_s = warm_up(preset, painter)
        self._pipeline = pipeline = Pipeline(preset, scaler=scaler)
        self.hashes: dict[int, str] | None = {} if hashes_file else None
        self._engine = Engine(pipeline, source, self._on_tick, self._notices)
        self._pictures = PictureThread(painter, self._on_image, self._notices, self.hashes)
        self._timing = Timing(source, pipeline.fps, pipeline.latency, generator_s)
        self._background = Background()
        generator = painter.load(preset)
        facts = {"input": source.label, "device": generator.device.type, "generator": generator.backend}
        self._takes = Takes(record, self._engine, self._notices, facts)
        self._record = record is not None
        self._controller = ShowController(
            preset,
            source=source,
            engine=self._engine,
            timing=self._timing,
            library=library,
            background=self._background,
            port=port,
            notices=self._notices,
            takes=self._takes,
            newest=lambda: self._newest,
            on_stage=lambda: pipeline.presets,
            hall_file=hall_file,
            scaler=scaler,
        )

    def run(self, on_start: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Play. Gives the statistics, which are written too where asked for, as are the hashes."""
        began = time.monotonic()
        try:
            self._port.start()
            self._source.start()
            if self._record:
                self._takes.begin(self._controller.preset.name)
            for part in (self._background, self._pictures, self._engine):
                part.start()
            on_start()
            while not self._is_over(time.monotonic() - began):
                self._step()
        finally:
            seconds = time.monotonic() - began
            for close in (self._engine.close, self._pictures.close, self._background.close, self._takes.close):
                close()
            self._tell()
            for close in (self._source.close, self._port.close, self._display.close):
                close()
            numbers = self._statistics(seconds)
            self._write(numbers)
        return numbers

    def _is_over(self, seconds: float) -> bool:
        return (
            self._stopped.is_set() or self._controller.quit or (self._seconds is not None and seconds >= self._seconds)
        )

    def _on_tick(self, analysed: AnalysedTick) -> None:
        """In the engine's thread."""
        self._newest = analysed
        self._pictures.offer(analysed)
        tick = analysed.tick
        seconds = (tick.number + 1) / float(self._pipeline.fps)
        self._port.send("descriptors", *map(float, analysed.sounding))
        self._port.send("tick", tick.number, seconds, tick.distance, analysed.speed, tick.nearest)

    def _on_image(self, painted: PaintedImage) -> None:
        """In the picture thread."""
        self._waiting.put(painted, self._timing.due(painted.analysed.tick.number))
        self._wake.set()

    def _step(self) -> None:
        now = time.monotonic()
        self._wake.wait(min(max(self._waiting.next_due() - now, 0.0), LONGEST_PAUSE_S))
        self._wake.clear()
        for pressed in self._display.events():
            self._controller.press(pressed)
        for event in self._port.take():
            self._controller.handle(event)
        for then in self._background.done():
            self._controller.do(then)
        self._controller.soundcheck.step()
        self._present()
        now = time.monotonic()
        if now >= self._next_hud:
            self._next_hud = now + HUD_S
            self._tell()
            self._display.inform(self._hud(now))
        if now >= self._next_status:
            self._next_status = now + STATUS_S
            self._report(now)

    def _present(self) -> None:
        """Bring the newest picture that is due to the screen."""
        now = time.monotonic()
        taken = self._waiting.take(now)
        if taken is not None:
            self._display.show(taken[1].image)
        self._display.draw()
        if taken is None:
            return
        due, painted = taken
        shown = time.monotonic()
        self._shown.append(shown)
        interval_end = self._timing.interval_end(painted.analysed.tick.number)
        self._times.add(painted, interval_end, due, now, shown, self._display.swap_s)

    def _tell(self) -> None:
        """What has gone wrong, on stderr, by OSC and on the head-up display."""
        for line in (*self._source.errors(), *self._display.errors()):
            self._notices.tell(line)
        if self._port.last_error != self._osc_error:
            self._notices.tell(self._port.last_error, sent=True)
        for notice in self._notices.take():
            print(notice.line, file=sys.stderr, flush=True)
            if notice.wrong:
                self._error_count += 1
                if not notice.sent:
                    self._port.error(notice.address, notice.text)
            self._errors.append(notice.line)
        self._osc_error = self._port.last_error

    def _report(self, now: float) -> None:
        """Once a second."""
        counters = self._source.counters
        latency = self._times.latency.recent(50)
        self._port.send(
            "status",
            self._rate(now),
            0.0 if math.isnan(latency) else latency,
            self._pictures.dropped,
            counters.overflows,
            counters.xruns,
        )
        if self._times.generator.count:
            self._timing.measured(self._times.generator.recent(75) / 1000)
        self._ticks_of_late.append((now, self._engine.ticks, self._pictures.dropped))
        then, ticks, dropped = self._ticks_of_late[0]
        if not self._told_slow and now - then >= WHILE_S - STATUS_S:
            ticks, dropped = self._engine.ticks - ticks, self._pictures.dropped - dropped
            if dropped > TOO_MANY * ticks and self._pictures.made:
                self._told_slow = True
                self._notices.tell(
                    f"the generator makes {self._rate(now):.1f} pictures a second of {float(self._pipeline.fps):g}: the newest "
                    "are shown, the others left out; a faster --device or a smaller generator makes more"
                )

    def _rate(self, now: float) -> float:
        """Pictures shown in the last second."""
        return float(sum(now - shown < 1 for shown in self._shown))

    def _hud(self, now: float) -> HudState:
        analysed, values, engine = self._newest, self._controller.values, self._engine
        counters = self._source.counters
        return HudState(
            preset=self._controller.preset.name,
            fps=self._rate(now),
            latency_ms=self._times.latency.recent(50),
            dropped=self._pictures.dropped,
            dropouts=counters.overflows + counters.gaps + counters.xruns,
            level_db=engine.level_db,
            peak_db=self._source.level_db,
            sounding=engine.gate_open,
            names=self._controller.preset.settings.inputs,
            descriptors=tuple(map(float, analysed.tick.descriptors)) if analysed else (),
            distance=analysed.tick.distance if analysed else float("nan"),
            clock=self._timing.clock,
            prompt=self._controller.soundcheck.prompt,
            recording_s=self._takes.seconds,
            frozen=bool(values["freeze"]),
            blackout=bool(values["blackout"]),
            errors=tuple(self._errors),
        )

    def _statistics(self, seconds: float) -> dict[str, Any]:
        osc = self._port.counters
        return {
            "seconds": round(seconds, 3),
            "input": self._source.label,
            "ticks": self._engine.ticks,
            "pictures": self._pictures.made,
            "dropped": self._pictures.dropped,
            "frames": self._engine.frames,
            "sound_seconds": round(self._pipeline.samples / SAMPLE_RATE, 3),
            **asdict(self._source.counters),
            **self._times.summary(),
            "lead_ms": round(1000 * self._timing.lead_s, 1),
            "preset": self._controller.preset.name,
            "preset_changes": self._controller.preset_changes,
            "osc_messages": osc.received,
            "osc_bad": osc.bad,
            "osc_unsent": osc.unsent,
            "errors": self._error_count,
        }

    def _write(self, numbers: dict[str, Any]) -> None:
        if self._stats_file is not None:
            stats.save(self._stats_file, numbers)
        if self._hashes_file is not None and self.hashes is not None:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(("tick", "sha256"))
            writer.writerows(sorted(self.hashes.items()))
            with written_atomically(self._hashes_file) as temporary:
                temporary.write_text(text.getvalue(), "utf-8")
