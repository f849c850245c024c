"""The sound card's own process: `python process.py REQUEST`, REQUEST as JSON. Started by `client` and `grain_player`.

A sound system may hang or abort the process that uses it when a device disappears (PortAudio with JACK does both), and
its callbacks wait for Python's interpreter lock. So it lives here: a process that can be ended and started again at any
time, has the devices of that moment, and does nothing but hand blocks on. It needs nothing of the program but this file
and `grains` beside it.

    {"do": "list"}                          one line of JSON: the devices
    {"do": "record", "device": ..., ...}    one line of JSON, then to stdout: for every block BLOCK and its samples
    {"do": "play", "device": ..., ...}      one line of JSON, then from stdin: samples in blocks; to stdout: BLOCK for each
    {"do": "grains", "device": ...}         one line of JSON, then from stdin: commands, a line of JSON each; to stdout:
                                            GRAIN_REPORT for each block that sounds, and for the first one after a command

Samples are float32, interleaved. The line is {"error": "..."} where it could not be done. It ends when stdin does.

Commands of "grains" have a "number" that the reports repeat, and any of: "load" (a file of float32 samples at 44.1 kHz),
"speed", "loop" ([first, end] in samples, or null), "volume" (0 to 1), and one of "play" (from a sample), "scrub" (at a
sample) and "stop".
"""

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

BLOCK_FRAMES = 512  # 11.6 ms at 44.1 kHz; with smaller ones Python loses samples
BLOCK = struct.Struct("<qdd?7x")  # frame number, time in s, delay in s, whether the sound system has lost something
"""What goes with a block. The time is the monotonic clock's, at which its first frame is at the converter; the delay is
from there to the callback (record) or from the callback to there (play). Frame number -1: nothing was there to play."""
GRAIN_REPORT = struct.Struct("<qddd??6x")
"""Number of the last command, position in samples, time in s at which the block is heard, speed (samples of the sound for
each that is heard, 0 where it stands), whether it moves or sounds, whether the sound system had a gap."""
RATE = 44100  # Hz, of the sounds that grains are made of, as in `grains`
LATENCY_S = 0.04  # from a command to the ear, at most, where the sound system allows it
WAITING = 1000  # blocks (11 s) held for a reader that does not come, at most
LARGEST_S = 2.0  # from a converter to a callback
PRIORITY = 5  # of real time: below the sound system's own (JACK's clients have 5 less than it, 10 and more)
FIRST_S, NEXT_S = 3.0, 1.0  # a device that gives no block for so long has failed


class Stamp(NamedTuple):
    """When a block was at the converter, in seconds of the monotonic clock, and how far that is from its callback."""

    time: float
    delay: float


class StampClock:
    """The sound system's stamps on the monotonic clock.

    usual    from the callback to the converter (s, negative where it records) for stamps that make no sense
    latest   the most it can be: a block has been recorded before it is given. Some stamps say otherwise (JACK's, where another
             program is recorded); they are moved alike, as their distances from each other are right.
    """

    def __init__(self, usual: float, latest: float) -> None:
        self._usual, self._latest = usual, latest
        self._offsets: deque[float] = deque(maxlen=256)  # of the two clocks, and how late the callbacks were
        self._excesses: deque[float] = deque(maxlen=256)

    def stamp(self, converter: float, current: float, monotonic: float) -> Stamp:
        """A block's: when its first frame was at the converter, when its callback came (both as the sound system says, in s)
        and when that was on the monotonic clock.
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
"""Where answers go. It is stdout as we were given it: sound systems print to the other one."""


def main() -> None:
    """Do what is asked, and say in one line of JSON whether it can be done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started this one
    request = json.loads(sys.argv[1])
    come_first()
    try:
        try:
            DO[request["do"]](request)
        except Exception as error:  # sound systems fail in many ways: report all of them
            reason = " ".join(str(error).split()) or type(error).__name__
            say({"error": reason, "missing": "sounddevice" not in sys.modules})  # it finds no PortAudio
    finally:
        os._exit(0)  # not through PortAudio's clean-up: where a device has failed, that hangs


def come_first() -> None:
    """Before other programs: what comes too late is lost. Linux allows it to root and to those whose `ulimit -r` is above 0
    (the group audio, on systems made for sound); elsewhere, and for others, the sound system's own threads have to do.
    """
    if hasattr(os, "sched_setscheduler"):
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))


def say(answer: dict[str, Any]) -> None:
    """A line of JSON."""
    WIRE.write(json.dumps(answer).encode() + b"\n")
    WIRE.flush()


def list_devices(_: dict[str, Any]) -> None:
    """Tell which devices are there now."""
    import sounddevice

    say({"devices": devices()})
    sounddevice._terminate()


def devices() -> list[dict[str, Any]]:
    """The devices that are there now: a row each."""
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
    """Hand on what comes in, until stdin ends or the device fails."""
    import sounddevice

    blocks: SimpleQueue[tuple[int, Any, tuple[float, float, float], bool]] = SimpleQueue()
    device = located(request["device"])
    columns, rate = request["columns"], request["rate"] or device["rate"]
    clock = StampClock(usual=-BLOCK_FRAMES / rate, latest=-BLOCK_FRAMES / rate)
    recorded = 0

    def callback(indata: Any, frames: int, stamps: Any, status: Any) -> None:
        nonlocal recorded
        times = (stamps.inputBufferAdcTime, stamps.currentTime, time.monotonic())
        if blocks.qsize() < WAITING:  # else nobody reads; the numbers will show it
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
    """Play what comes from stdin until it ends or the device fails; say of each block when it is heard."""
    import numpy
    import sounddevice

    waiting: deque[Any] = deque()  # the sender knows from the reports how much waits here, and sends no more
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
    """Make grains of sounds as commands say, until stdin ends or the device fails."""
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
        for line in sys.stdin.buffer:
            voice.commands.put(json.loads(line))
        ended.set()

    threading.Thread(target=receive, daemon=True).start()
    stream.start()
    for times, report, gap in arrivals(stream, reports, ended):
        heard = clock.stamp(*times).time
        if report is not None or gap:
            number, position, speed, moves = report or voice.last
            WIRE.write(GRAIN_REPORT.pack(number, position, heard, speed, moves, gap))
            WIRE.flush()
    close(stream, ended)


def output_rate(device: dict[str, Any]) -> int:
    """44.1 kHz where the device takes it, else its own rate."""
    import sounddevice

    try:
        sounddevice.check_output_settings(device["number"], min(2, device["outputs"]), "float32", samplerate=RATE)
    except (sounddevice.PortAudioError, ValueError):
        return int(device["rate"])
    return RATE


def neighbour(name: str) -> Any:
    """A module beside this file, wherever that is: this program is started by its path, outside any package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrivals(stream: Any, items: SimpleQueue[T], ended: threading.Event) -> Iterator[T]:
    """What the callback puts in, until the device fails or nobody wants it any more."""
    patience, last = FIRST_S, time.monotonic()
    while stream.active and not ended.is_set() and time.monotonic() - last < patience:
        try:
            item = items.get(timeout=0.1)
        except Empty:
            continue
        patience, last = NEXT_S, time.monotonic()
        yield item


def close(stream: Any, ended: threading.Event) -> None:
    """Leave in good order where that is wanted: other clients of a sound server hear it when one just disappears."""
    import sounddevice

    if ended.is_set():
        stream.close()
        sounddevice._terminate()


def located(wanted: dict[str, Any]) -> dict[str, Any]:
    """The device of this name and host API as it is now; of twins, the one with the number it had before."""
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
