"""The frames of a film, exactly once each, with their times; upright, with square pixels, in sRGB.

ffmpeg decodes into a pipe. It reports frames and errors of the decoder on stderr in the order in which they occur. That order
tells which frames may be damaged.
"""

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import UInt8

from offline.dataset.film_facts import FilmFacts, film_input
from offline.dataset.left_out import LeftOut
from offline.dataset.selection import Selection
from shared.errors import Failure, printable
from shared.ffmpeg import find_ffmpeg

PATIENCE_S = 60.0  # a decoder that reports nothing for so long hangs
REACH = 32  # frames that a decoder and its queues may hold back when it reports an error
SCALING = "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
TONE_MAPPING = (  # BT.2408: graphics white at 203 cd/m2
    "zscale=tin={transfer}:min=2020_ncl:pin=2020:t=linear:npl=203,format=gbrpf32le,zscale=p=709,"
    "tonemap=mobius:desat=0,zscale=t=709:m=709:r=tv,format=yuv444p,"
)
_REPORT = re.compile(rb"\[showinfo@(\w+) @ [^]]*\] \[info\] n: *\d+ pts: *(\S+) +pts_time: *(\S+) .*? iskey: *(\d)")
_TROUBLE = re.compile(rb"(?:\[[^]]*\] )*\[(?:error|fatal|panic)\] (.*)|.*\[warning\] (.*corrupt.*)")


class FilmFrame(NamedTuple):
    """A frame of a film."""

    number: int
    """Counted from 0 over the whole film."""
    time_s: float | None
    """From the film's start; None if it has no times."""
    pixels: UInt8[np.ndarray, "h w c"]
    """RGB or RGBA."""
    damage: str | None
    """The decoder's error if the frame may be damaged; else None."""


def frames(
    path: Path, facts: FilmFacts, selection: Selection, *, deinterlace: bool = False, patience_s: float = PATIENCE_S
) -> Generator[FilmFrame, None, None]:
    """The selected frames in the order of their times.

    After an error of the decoder all frames are marked as damaged until a key frame that it cannot have held back:
    damage spreads from frame to frame up to there. deinterlace: all frames, not only those marked as interlaced.
    Raises LeftOut if the film cannot be read, ends with an error, or its decoder hangs; frames before that are whole.
    """
    decoder = _Decoder(_command(path, facts, selection, deinterlace), patience_s)
    try:
        count, has_damage = 0, False
        while (picture := decoder.picture()) is not None:
            number, time_s, damage = decoder.report()
            yield FilmFrame(number, time_s, picture, damage)
            count, has_damage = count + 1, has_damage or damage is not None
        reason = decoder.end()
    finally:
        decoder.kill()
    if decoder.hung:
        raise LeftOut(f"the decoder hung for {patience_s:.0f} s and was ended; nothing from here on")
    if reason and not has_damage:
        raise LeftOut(f"ffmpeg: {reason}" if not count else f"its end is damaged (ffmpeg: {reason})")


def _command(path: Path, facts: FilmFacts, selection: Selection, deinterlace: bool) -> list[str]:
    ffmpeg = find_ffmpeg()
    filters = ""
    if deinterlace or facts.interlaced:
        filters += f"bwdif=mode=send_frame:deint={'all' if deinterlace else 'interlaced'},"
    filters += f"showinfo@all=checksum=0,{selection.filters()}showinfo@kept=checksum=0,"
    filters += "setpts=N*100/TB,"  # the muxer's clock may be coarser than the film's; times are reported above
    matrix = ""
    if facts.transfer:
        if not _tone_maps(ffmpeg):
            raise LeftOut("HDR, and this ffmpeg has no zscale and tonemap to map it; install another ffmpeg")
        filters += TONE_MAPPING.format(transfer=facts.transfer)
        matrix = ":in_color_matrix=bt709"
    elif facts.matrix:
        matrix = f":in_color_matrix={facts.matrix}"
    size = "w='if(gt(sar,1),round(iw*sar),iw)':h='if(lt(sar,1),round(ih/sar),ih)'"
    filters += f"scale={size}:{SCALING}{matrix},format={'rgba' if facts.alpha else 'rgb24'}"
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"]
    if selection.end is not None:
        command += ["-t", f"{float(selection.end) + 0.1:.6f}"]  # the filter says which frames; this ends the decoding
    command += [*film_input(path), "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough"]
    return [*command, "-c:v", "pam", "-f", "image2pipe", "pipe:1"]


@lru_cache(maxsize=4)
def _tone_maps(ffmpeg: Path) -> bool:
    listed = subprocess.run([ffmpeg, "-hide_banner", "-filters"], capture_output=True, check=False).stdout
    return all(re.search(rb" %b +V->V" % name, listed) for name in (b"zscale", b"tonemap"))


@dataclass
class _Damage:
    """Tells which frames an error of the decoder affects."""

    reason: str | None = None
    """The first complaint since the last whole frame."""
    last: str = ""
    """The latest complaint of all."""
    _passed: int = field(default=0)

    def complain(self, reason: str) -> None:
        self.reason, self.last, self._passed = self.reason or reason, reason, 0

    def passes(self, *, is_key: bool) -> str | None:
        """The error that affects the next frame; None for an intact one."""
        self._passed += 1
        if is_key and self._passed > REACH:
            self.reason = None
        return self.reason


class _Decoder:
    """An ffmpeg at work, and a watchdog that ends it with SIGKILL when it hangs: some of its decoders ignore SIGTERM."""

    def __init__(self, command: list[str], patience_s: float) -> None:
        self.hung = False
        self._patience_s = patience_s
        self._reports: queue.Queue[tuple[int, float | None, str | None]] = queue.Queue()
        self._damage = _Damage()
        self._active_at = time.monotonic()
        self._waits = False
        self._over = threading.Event()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=os.name == "posix",  # a Ctrl-C in the terminal does not reach it
            )
        except OSError as error:
            raise Failure(f"{command[0]} does not start: {error.strerror or error}") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._output: IO[bytes] = self._process.stdout
        self._threads = [
            threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def picture(self) -> UInt8[np.ndarray, "h w c"] | None:
        """The next picture; None at the end."""
        self._active_at, self._waits = time.monotonic(), True
        try:
            header = {}
            while (line := self._output.readline()) != b"ENDHDR\n":
                if not line:
                    return None
                name, _, value = line.strip().partition(b" ")
                header[name] = value
            shape = (int(header[b"HEIGHT"]), int(header[b"WIDTH"]), int(header[b"DEPTH"]))
            content = self._output.read(shape[0] * shape[1] * shape[2])
            if len(content) < shape[0] * shape[1] * shape[2]:
                return None
            return np.frombuffer(content, np.uint8).reshape(shape)
        finally:
            self._waits = False

    def report(self) -> tuple[int, float | None, str | None]:
        """Number, time in seconds and damage of the last picture read."""
        try:
            return self._reports.get(timeout=self._patience_s)
        except queue.Empty:
            raise Failure("ffmpeg gave a picture without a report; set PONTICELLO_FFMPEG to another ffmpeg") from None

    def end(self) -> str:
        """Wait until it has ended; return its last error, empty if there is none."""
        self._active_at, self._waits = time.monotonic(), True
        status = self._process.wait()
        self._threads[0].join()
        return self._damage.last or (f"status {status}" if status else "")

    def kill(self) -> None:
        """Kill it, and end the threads."""
        self._over.set()
        self._end_process()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        self._output.close()

    def _end_process(self) -> None:
        if self._process.poll() is None:
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)  # the program and its children, in case it is a script
            else:
                self._process.kill()

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._patience_s / 4)):
            if self._process.poll() is not None:
                return
            if self._waits and time.monotonic() - self._active_at > self._patience_s:
                self.hung = True
                self._end_process()
                return

    def _listen(self, stream: IO[bytes]) -> None:
        passed: deque[tuple[int, bytes, str | None]] = deque()
        number = 0
        with stream:
            for line in stream:
                self._active_at = time.monotonic()
                if line.startswith(b"[info] Input #0"):  # complaints while probing come up again while decoding
                    self._damage.reason = None
                elif found := _TROUBLE.match(line):
                    text = (found[1] or found[2]).decode("utf-8", "replace")
                    self._damage.complain(printable(text.strip())[:200])
                elif found := _REPORT.match(line):
                    name, pts, pts_time, is_key = found.groups()
                    if name == b"all":
                        passed.append((number, pts, self._damage.passes(is_key=is_key == b"1")))
                        number += 1
                        continue
                    while passed[0][1] != pts:  # frames that were not selected
                        passed.popleft()
                    frame, _, damage = passed.popleft()
                    self._reports.put((frame, _seconds(pts_time), damage))


def _seconds(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:  # NOPTS
        return None
