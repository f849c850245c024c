"""Commands that the window runs as child processes: `ponticello render` and `ponticello live`."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path
from queue import SimpleQueue

from offline.progress import LIVELY
from shared.child import module_command, module_environment
from shared.errors import Failure

PROGRESS = re.compile(r"(.+): (\d+) of (\d+), \d+ s left")
KEPT_LINES = 20


class Child:
    """A running command, with its progress and its last line on stderr."""

    def __init__(self, command: list[str]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**module_environment(), LIVELY: "1"},
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(f"ponticello did not start: {error.strerror}") from error
        self.is_ended = False
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._progress: SimpleQueue[tuple[str, int, int]] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="command", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                if found := PROGRESS.fullmatch(line.strip()):
                    self._progress.put((found[1], int(found[2]), int(found[3])))
                elif line.strip():
                    self._lines.append(line.strip())

    def progress(self) -> list[tuple[str, int, int]]:
        """The newest progress since the last call: task, steps done, all steps."""
        reports = []
        while not self._progress.empty():
            reports.append(self._progress.get())
        return reports

    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        status = self._process.poll()
        if status is not None:
            self._reader.join(1.0)
        return status

    def last_line(self) -> str:
        """Its last line on stderr, which is the reason if it failed."""
        return self._lines[-1].removeprefix("ponticello: ") if self._lines else "the command failed without a message"

    def end(self) -> None:
        """Ask it to end, like Ctrl-C."""
        self.is_ended = True
        if self._process.poll() is not None:
            return
        if os.name == "posix":
            self._process.send_signal(signal.SIGINT)
        else:  # Windows can send Ctrl-C only to whole consoles; rendered segments stay usable anyway
            self._process.terminate()


def render_command(
    preset: Path, sound: Path, channel: int | None, start: float, end: float, output: Path, shape: str
) -> list[str]:
    """The command that renders a region of a sound, in seconds. shape: square, or a ratio such as 16:9."""
    channel_option = ["--channel", str(channel)] if channel else []
    return ponticello(
        "render",
        str(preset),
        str(sound),
        "-o",
        str(output),
        "--start",
        f"{start:.4f}",
        "--end",
        f"{end:.4f}",
        "--shape",
        shape,
        *channel_option,
    )


def live_command(preset: Path, shape: str) -> list[str]:
    """The command that plays a preset live. shape: as `--shape` takes it."""
    return ponticello("live", str(preset), "--shape", shape)


def ponticello(*arguments: str) -> list[str]:
    """`ponticello ARGUMENTS` of this installation or checkout, whatever is on the PATH."""
    return module_command("ponticello", *arguments)
