"""Real programs for tests: a screen, a sound server, a player on it, SuperCollider, Pure Data.

Each context manager starts a real program, waits until it answers, and ends it (that one process, by its id) on the way
out. If the program is not installed, the test is skipped with the reason; on a CI server (`CI` is
set) it fails instead, because the set-up there must include all of them.

    def test_window(monkeypatch):
        with rig.xvfb() as environment: ...        # {"DISPLAY": ":7", ...} for the program under test
"""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from system_packages import PACKAGES

Variables = dict[str, str]
"""Environment variables that a program needs beside the usual ones, to find what the rig started."""


def missing(*programs: str) -> str:
    """The reason why a test that needs these programs cannot run, with their packages; empty if it can."""
    absent = [program for program in programs if shutil.which(program) is None]
    packages = sorted({package.name for package in PACKAGES if package.proof in absent})
    return f"not installed: {', '.join(absent)} (Debian: {', '.join(packages)})" if absent else ""


def require(*programs: str) -> None:
    """Skip the running test if a program is missing; fail it on CI."""
    if reason := missing(*programs):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


class Program:
    """A running program whose output, including stderr, is read all the time; a test can wait for a line in it."""

    def __init__(self, command: list[str], variables: Mapping[str, str] = {}) -> None:
        self.name = Path(command[0]).name
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(self.lines[-1])
        self._new.put(None)

    def expect(self, text: str, seconds: float = 10) -> str:
        """Wait for the next line that contains `text`; earlier lines are not searched again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"{self.name} did not say {text!r} in {seconds} s:\n" + self.output()) from None
            if line is None:
                raise EOFError(f"{self.name} ended (status {self.process.wait()}) without {text!r}:\n" + self.output())
            if text in line:
                return line

    def output(self) -> str:
        """All of its output so far."""
        return "\n".join(self.lines)

    def wait(self, seconds: float = 10) -> int:
        """Wait until it ends by itself; return its exit status."""
        return self.process.wait(seconds)

    def end(self, seconds: float = 5) -> None:
        """Ask it to end, and kill it after some seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(1)
        if not self._reader.is_alive() and self.process.stdout is not None:  # else a child of it still holds the pipe
            self.process.stdout.close()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


@contextlib.contextmanager
def xvfb(size: str = "1280x720") -> Iterator[Variables]:
    """An X server without a screen, on a display number of its own, with Mesa's software OpenGL (core profile up to 4.5)."""
    require("Xvfb")
    read, write = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(write),
        "-screen",
        "0",
        f"{size}x24",
        "+extension",
        "GLX",
        "+extension",
        "RANDR",
    ]
    server = subprocess.Popen([*command, "-nolisten", "tcp", "-noreset"], pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    number = b""
    with open(read, "rb", buffering=0) as pipe:
        # the number and its newline come in two writes: who closes after the first kills the server
        while not number.endswith(b"\n") and (piece := pipe.read(16)):
            number += piece
    try:
        if not number:
            raise RuntimeError(f"Xvfb did not start (status {server.wait()})")
        # only for GLFW: X11 also where the user's own desktop is Wayland
        yield {"DISPLAY": f":{number.decode().strip()}", "LIBGL_ALWAYS_SOFTWARE": "1", "PYGLFW_LIBRARY_VARIANT": "x11"}
    finally:
        server.terminate()
        server.wait(5)


@contextlib.contextmanager
def jack(rate: int = 44100, period: int = 256) -> Iterator[Variables]:
    """A JACK sound server without a sound card, in stereo, under a private name; PortAudio sees its clients as devices.

    In real time if the system allows it (period 256: no lost samples), else with a period of at least 1024
    samples, which is as exact but later. `rate` in Hz; JACK never resamples.
    """
    require("jackd", "jack_wait")
    name = f"rig{os.getpid()}_{time.monotonic_ns() % 10**6}"
    variables = {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    output = ""
    for flags, samples in ((["-R", "-P70"], period), (["-r"], max(period, 1024))):
        card = ["-d", "dummy", "-r", str(rate), "-p", str(samples), "-C", "2", "-P", "2"]
        with Program(["jackd", "-n", name, *flags, *card], variables) as server:
            with Program(["jack_wait", "-s", name, "-w", "-t", "5"], variables) as waiter:
                answered = waiter.wait() == 0
            if answered and server.process.poll() is None:
                yield variables
                return
            output = server.output()
    raise RuntimeError(f"jackd did not start:\n{output}")


@contextlib.contextmanager
def jack_mic(wav: Path, variables: Variables, lead: float = 0.5, name: str = "violin") -> Iterator[Program]:
    """A player on the JACK server of `variables`: PortAudio sees an input device called `name`.

    The file starts exactly `lead` seconds after the first connection, to the sample, and its samples arrive unchanged. It has to be
    mono at the server's rate. PortAudio lists devices once, when it starts: start the player before the program under
    test. After playing, it prints `xruns N`; if N is not 0, the machine was too busy and samples were lost.
    """
    with Program(
        [sys.executable, str(Path(__file__).with_name("jack_player.py")), str(wav), str(lead), name], variables
    ) as player:
        player.expect("ready")
        yield player


@contextlib.contextmanager
def sclang(script: Path, variables: Mapping[str, str] = {}) -> Iterator[Program]:
    """SuperCollider's language runs `script`, in a home folder of its own and without a screen.

    A script with a mistake does not end sclang: have it post a line, and `expect` that; end it with `0.exit`.
    """
    require("sclang")
    with tempfile.TemporaryDirectory(prefix="sclang") as home:
        own = {"HOME": home, "XDG_RUNTIME_DIR": home, "QT_QPA_PLATFORM": "offscreen"}
        own["QTWEBENGINE_DISABLE_SANDBOX"] = "1"  # without it Qt aborts where root runs the tests
        with Program(["sclang", str(script)], {**own, **variables}) as program:
            program.expect("compile done", 30)
            yield program


@contextlib.contextmanager
def pd(patch: Path) -> Iterator[Program]:
    """Pure Data runs `patch`, without window, sound and MIDI; `[print name]` comes out as `name: ...`."""
    require("pd")
    with tempfile.TemporaryDirectory(prefix="pd") as folder:
        # Pd opens patches in their order: when this one prints, the one under test is loaded
        ready = Path(folder, "ready.pd")
        ready.write_text(
            "#N canvas 0 0 200 100 10;\n#X obj 9 9 loadbang;\n#X obj 9 39 print rig_ready;\n#X connect 0 0 1 0;\n"
        )
        command = ["pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", str(patch), str(ready)]
        with Program(command) as program:
            program.expect("rig_ready")
            yield program
