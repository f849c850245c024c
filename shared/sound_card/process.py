"""The process that owns the sound card: `python process.py REQUEST`, REQUEST as JSON; started by `client` and `grain_player`.

A sound system may hang or abort its process when a device disappears (PortAudio with JACK does both), and its callbacks wait
for Python's interpreter lock. It therefore has a process of its own, which can be ended and restarted at any time, sees the
present devices, and only passes blocks on. It uses nothing of the program but this file and `grains` beside it.

    {"do": "list"}                          one line of JSON: the devices
    {"do": "record", "device": ..., ...}    one line of JSON, then to stdout: for every block BLOCK and its samples
    {"do": "play", "device": ..., ...}      one line of JSON, then from stdin: samples in blocks; to stdout: BLOCK for each
    {"do": "grains", "device": ...}         one line of JSON, then from stdin: commands, a line of JSON each; to stdout:
                                            GRAIN_REPORT for each block that sounds, and for the first one after a command

Samples are float32, interleaved. If a request fails, the line is {"error": "..."}. The process ends when stdin does.

Commands of "grains" have a "number" that the reports repeat, and any of: "load" (a file of float32 samples at 44.1 kHz),
"speed", "loop" ([first, end] in samples, or null), "volume" (0 to 1), and one of "play" (from a sample), "scrub" (at a
sample) and "stop".
"""

import gc
import importlib.util
import json
import math
import os
import signal
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

BLOCK_FRAMES = 512  # 11.6 ms at 44.1 kHz; Python loses samples with smaller blocks
BLOCK = struct.Struct("<qdd?7x")  # frame number, time in s, delay in s, whether sound was lost
"""The header of a block. Time: when its first frame is at the converter, on the monotonic clock. Delay: from there to the
callback (record), or from the callback to there (play). Frame number -1: no block was queued for playing."""
GRAIN_REPORT = struct.Struct("<qddd??6x")
"""Number of the last command, position in samples, time in s at which the block is heard, speed (samples of the sound per
sample heard, 0 while it stands), whether it moves or sounds, whether the sound system had a gap."""
RATE = 44100  # Hz, of the sounds for grains, as in `grains`
LATENCY_S = 0.04  # requested limit of the delay from a command to the ear
WAITING = 1000  # limit of the blocks (11 s) kept for a reader that stalls
LARGEST_S = 2.0  # from a converter to a callback
PRIORITY = 5  # of real time: below the sound system's own (JACK's clients have 5 less than it, 10 and more)
SWITCH_S = 0.0005  # until a thread that waits for the interpreter's lock gets it
FIRST_S, NEXT_S = 3.0, 1.0  # a device that delivers no block for this time has failed


class Stamp(NamedTuple):
    """The time at which a block was at the converter, in seconds of the monotonic clock, and its distance to the callback."""

    time: float
    delay: float


class StampClock:
    """Converts the sound system's time stamps to the monotonic clock.

    usual    time from the callback to the converter (s, negative for recording), for implausible stamps
    latest   upper limit of that time: a block is recorded before it is delivered. Stamps beyond it (JACK's, when it records
             another program) are all moved by the same amount, because their differences are right.
    """

    def __init__(self, usual: float, latest: float) -> None:
        self._usual, self._latest = usual, latest
        self._offsets: deque[float] = deque(
            maxlen=256
        )  # differences of the two clocks, including the callbacks' delays
        self._excesses: deque[float] = deque(maxlen=256)

    def stamp(self, converter: float, current: float, monotonic: float) -> Stamp:
        """The stamp of a block. Times in s: of its first frame at the converter and of its callback, on the sound system's
        clock, and of the callback on the monotonic clock.
        """
        current = current if current > 0 else monotonic
        distance = converter - current
        if converter <= 0 or abs(distance) > LARGEST_S:
            distance = self._usual
        self._offsets.append(monotonic - current)
        self._excesses.append(max(0.0, distance - self._latest))
        distance -= max(self._excesses)
        return Stamp(min(self._offsets) + current + distance, abs(distance))


WIRE = os.fdopen(os.dup(1), "wb") if __name__ == "__main__" else sys.stdout.buffer
"""The original stdout, for answers: sound systems print to the redirected one."""


def main() -> None:
    """Handle the request; the first line of JSON tells whether it can be done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program that started this one handles Ctrl-C
    request = json.loads(sys.argv[1])
    come_first()
    try:
        try:
            DO[request["do"]](request)
        except Exception as error:  # sound systems fail in many ways: report all of them
            reason = " ".join(str(error).split()) or type(error).__name__
            say({"error": reason, "missing": "sounddevice" not in sys.modules})  # it finds no PortAudio
    finally:
        os._exit(0)  # skips PortAudio's clean-up, which hangs after a device has failed


def come_first() -> None:
    """Request real-time priority, because late blocks are lost. Linux grants it to root and to users whose `ulimit -r` is
    above 0 (often the group audio). Elsewhere, the priority of the sound system's own threads has to suffice.
    """
    if hasattr(os, "sched_setscheduler"):
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))


def be_punctual() -> None:
    """Keep Python from delaying a callback: no search through all modules for garbage, no 5 ms until the interpreter's lock
    changes hands.
    """
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)


def say(answer: dict[str, Any]) -> None:
    """Print a line of JSON."""
    WIRE.write(json.dumps(answer).encode() + b"\n")
    WIRE.flush()


def list_devices(_: dict[str, Any]) -> None:
    """Report the present devices."""
    import sounddevice

    say({"devices": devices()})
    sounddevice._terminate()


def devices() -> list[dict[str, Any]]:
    """The present devices, a row each."""
    import sounddevice

    apis = sounddevice.query_hostapis()
    default_input, default_output = sounddevice.default.device
    return [
        {
            "number": number,
            "name": device["name"],
            "host_api": apis[device["hostapi"]]["name"],
            "inputs": device["max_input_channels"],
            "outputs": device["max_output_channels"],
            "rate": round(device["default_samplerate"]),
            "default_input": number == default_input,
            "default_output": number == default_output,
        }
        for number, device in enumerate(sounddevice.query_devices())
    ]


def record(request: dict[str, Any]) -> None:
    """Pass recorded blocks on until stdin ends or the device fails."""
    import sounddevice

    blocks: SimpleQueue[tuple[int, Any, tuple[float, float, float], bool]] = SimpleQueue()
    device = located(request["device"])
    columns, rate = request["columns"], request["rate"] or device["rate"]
    clock = StampClock(usual=-BLOCK_FRAMES / rate, latest=-BLOCK_FRAMES / rate)
    recorded = 0

    def callback(indata: Any, frames: int, stamps: Any, status: Any) -> None:
        nonlocal recorded
        times = (stamps.inputBufferAdcTime, stamps.currentTime, time.monotonic())
        if blocks.qsize() < WAITING:  # otherwise the reader stalls; a gap in the frame numbers shows it
            blocks.put((recorded, indata[:, columns], times, status.input_overflow))  # a list of columns: a copy
        recorded += frames

    stream = sounddevice.InputStream(
        device=device["number"],
        channels=max(columns) + 1,
        samplerate=rate,
        blocksize=BLOCK_FRAMES,
        dtype="float32",
        latency="low",
        callback=callback,
    )
    stream.start()
    say({"rate": rate})
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    for number, samples, times, lost in arrivals(stream, blocks, ended):
        WIRE.write(BLOCK.pack(number, *clock.stamp(*times), lost) + samples.tobytes())
        WIRE.flush()
    close(stream, ended)


def play(request: dict[str, Any]) -> None:
    """Play blocks from stdin until it ends or the device fails; report when each block is heard."""
    import numpy
    import sounddevice

    waiting: deque[Any] = deque()  # unlimited: the sender limits it by the reports
    reports: SimpleQueue[tuple[int, tuple[float, float, float], bool]] = SimpleQueue()
    device = located(request["device"])
    channels, rate = request["channels"], device["rate"]
    played = 0

    def callback(outdata: Any, frames: int, stamps: Any, status: Any) -> None:
        nonlocal played
        times = (stamps.outputBufferDacTime, stamps.currentTime, time.monotonic())
        there = bool(waiting)
        outdata[:] = waiting.popleft() if there else 0
        if reports.qsize() < WAITING:
            reports.put((played if there else -1, times, status.output_underflow))
        played += frames * there

    stream = sounddevice.OutputStream(
        device=device["number"],
        channels=channels,
        samplerate=rate,
        blocksize=BLOCK_FRAMES,
        dtype="float32",
        latency="high",
        callback=callback,
    )
    clock = StampClock(usual=stream.latency if 0 < stream.latency < LARGEST_S else BLOCK_FRAMES / rate, latest=math.inf)
    say({"rate": rate})
    ended = threading.Event()

    def receive() -> None:
        size = 4 * channels * BLOCK_FRAMES
        while len(piece := sys.stdin.buffer.read(size)) == size:
            waiting.append(numpy.frombuffer(piece, numpy.float32).reshape(BLOCK_FRAMES, channels))
        ended.set()

    threading.Thread(target=receive, daemon=True).start()
    stream.start()
    for number, times, gap in arrivals(stream, reports, ended):
        WIRE.write(BLOCK.pack(number, *clock.stamp(*times), gap))
        WIRE.flush()
    close(stream, ended)


def grains(request: dict[str, Any]) -> None:
    """Play grains of sounds by commands, until stdin ends or the device fails."""
    import sounddevice

    device = located(request["device"])
    channels, rate = min(2, device["outputs"]), output_rate(device)
    voice = neighbour("grains").GrainVoice(rate)
    reports: SimpleQueue[tuple[tuple[float, float, float], Any, bool]] = SimpleQueue()

    def callback(outdata: Any, frames: int, stamps: Any, status: Any) -> None:
        times = (stamps.outputBufferDacTime, stamps.currentTime, time.monotonic())
        report = voice.fill(outdata)
        if reports.qsize() < WAITING:
            reports.put((times, report, status.output_underflow))

    stream = sounddevice.OutputStream(
        device=device["number"],
        channels=channels,
        samplerate=rate,
        blocksize=BLOCK_FRAMES,
        dtype="float32",
        latency=LATENCY_S,
        callback=callback,
    )
    clock = StampClock(usual=stream.latency if 0 < stream.latency < LARGEST_S else BLOCK_FRAMES / rate, latest=math.inf)
    say({"rate": rate})
    ended = threading.Event()

    def receive() -> None:
        try:
            for line in sys.stdin.buffer:
                voice.command(json.loads(line))
        finally:  # also if a file is gone: the window then says that the device is
            ended.set()

    threading.Thread(target=receive, daemon=True).start()
    be_punctual()
    stream.start()
    for times, report, gap in arrivals(stream, reports, ended):
        heard = clock.stamp(*times).time
        if report is not None or gap:
            number, position, speed, moves = report or voice.last
            WIRE.write(GRAIN_REPORT.pack(number, position, heard, speed, moves, gap))
            WIRE.flush()
    close(stream, ended)


def output_rate(device: dict[str, Any]) -> int:
    """44.1 kHz if the device supports it, else its own rate."""
    import sounddevice

    try:
        sounddevice.check_output_settings(device["number"], min(2, device["outputs"]), "float32", samplerate=RATE)
    except (sounddevice.PortAudioError, ValueError):
        return int(device["rate"])
    return RATE


def neighbour(name: str) -> Any:
    """Load a module beside this file. This program is started by its path, outside any package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrivals(stream: Any, items: SimpleQueue[T], ended: threading.Event) -> Iterator[T]:
    """The items that the callback queues, until the device fails or stdin ends."""
    patience, last = FIRST_S, time.monotonic()
    while stream.active and not ended.is_set() and time.monotonic() - last < patience:
        try:
            item = items.get(timeout=0.1)
        except Empty:
            continue
        patience, last = NEXT_S, time.monotonic()
        yield item


def close(stream: Any, ended: threading.Event) -> None:
    """Close the stream properly, if requested: other clients of a sound server hear a click when one just disappears."""
    import sounddevice

    if ended.is_set():
        stream.close()
        sounddevice._terminate()


def located(wanted: dict[str, Any]) -> dict[str, Any]:
    """The present device of this name and host API; of several equal ones, the one with the same number as before."""
    twins = [row for row in devices() if (row["name"], row["host_api"]) == (wanted["name"], wanted["host_api"])]
    if not twins:
        raise ValueError("it is not there")
    return next((twin for twin in twins if twin["number"] == wanted["number"]), twins[0])


DO: dict[str, Callable[[dict[str, Any]], None]] = {
    "list": list_devices,
    "record": record,
    "play": play,
    "grains": grains,
}

if __name__ == "__main__":
    main()
