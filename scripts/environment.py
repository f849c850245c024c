"""The checkout's own Python environment, `.venv`, made from the pinned versions of `constraints.txt`."""

import contextlib
import hashlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from console import ROOT, say, stop
from system_packages import apt_install, shell_line

UNFINISHED = "unfinished"
NO_CONNECTION = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "ProxyError",
    "Network is unreachable",
)


class Environment:
    """`.venv` in the checkout `root`, with a stamp of what it was made for.

    The stamp holds the environment's place, a hash of what decides what is installed, and `dev` if the tools of the tests are
    in it. While a set-up runs it says `unfinished`. An environment that says so later was interrupted; it is made again
    from nothing, as half a package looks like a whole one to pip. So is one that was moved, as programs in it name its
    place. One that fits costs its user a hash.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.stamp = self.folder / "ponticello-set-up"
        self.log = self.folder / "set-up.log"

    def program(self, name: str) -> str:
        """The path of a program in the environment, such as `python` or `ponticello`."""
        return str(self.folder / ("Scripts/" + name + ".exe" if os.name == "nt" else "bin/" + name))

    def prepare(self, *, dev: bool) -> None:
        """Set up the environment, with `dev` also for checks and tests. Exits with one line if that is impossible."""
        if self.fits(dev=dev):
            return
        with _one_at_a_time(self.root):
            if not self.fits(dev=dev):  # unless another set-up has just done it
                self._set_up(dev)

    def fits(self, *, dev: bool) -> bool:
        """Whether nothing is to be done. An environment with the tools for tests also serves the demo."""
        stamp = self._read_stamp()
        fits = stamp == self.stamp_for(dev=True) or (not dev and stamp == self.stamp_for(dev=False))
        return fits and os.path.exists(self.program("python"))

    def stamp_for(self, *, dev: bool) -> str:
        """The stamp of a finished environment."""
        decisive = [(self.root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
        return f"{self.folder}\n{hashlib.sha256(b'+'.join(decisive)).hexdigest()}\n{'dev' if dev else ''}"

    def _read_stamp(self) -> str:
        return self.stamp.read_text(encoding="utf-8") if self.stamp.exists() else ""

    def _set_up(self, dev: bool) -> None:
        begin = time.monotonic()
        before = self._read_stamp()
        keep = before.startswith(f"{self.folder}\n") and os.path.exists(self.program("python"))
        how = "updating" if keep else "setting up (once; several minutes and up to 3 GB, most of it PyTorch)"
        say(f"{how}: {self.folder}")
        dev = dev or before.endswith("\ndev")
        try:
            self.folder.mkdir(exist_ok=True)
            self.stamp.write_text(UNFINISHED, encoding="utf-8")
            if before and not keep:
                self._clear()
            if not keep:
                self._create()
            self._install(".[dev,studio]" if dev else ".[studio]")
            self.stamp.write_text(self.stamp_for(dev=dev), encoding="utf-8")
        except KeyboardInterrupt:
            stop("set-up interrupted; the next run repairs it")
        except OSError as error:
            stop(f"cannot set up {self.folder}: {error}")
        say(f"set up in {time.monotonic() - begin:.0f} s")

    def _clear(self) -> None:
        """Remove everything except the stamp, which tells the next run if this one is interrupted."""
        for item in self.folder.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item != self.stamp:
                item.unlink()

    def _create(self) -> None:
        """Make the bare environment; one that was made by hand is kept and completed."""
        require_venv()
        # not sys.executable, which may be the very .venv/bin/python that has just been removed
        python = getattr(sys, "_base_executable", None) or sys.executable
        command = [python, "-m", "venv", str(self.folder)]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if made.returncode:
            words = (made.stderr or made.stdout).strip().splitlines() or ["no reason given"]
            stop(f"{python} -m venv failed: {words[-1]}")

    def _install(self, what: str) -> None:
        """Let pip install the checkout in editable mode, with all packages and the build backend at pinned versions."""
        pins = {  # file names without a path, as pip splits these lists at spaces
            "PIP_CONSTRAINT": "constraints.txt",  # reaches a build's own environment up to pip 26.1
            "PIP_BUILD_CONSTRAINT": "constraints.txt",  # the same from pip 25.3 on
            "PIP_USER": "0",
        }
        command = [self.program("python"), "-I", "-m", "pip", "install", "--progress-bar", "off"]
        with (
            open(self.log, "w", encoding="utf-8") as log,
            subprocess.Popen(
                [*command, "-c", "constraints.txt", "-e", what],
                cwd=self.root,
                env={**os.environ, **pins},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as pip,
        ):
            for line in pip.stdout or ():
                log.write(line)
                _show(line)
        _show("")
        if pip.returncode:
            stop(f"{why_pip_failed(self.log.read_text(encoding='utf-8'))} (pip's log: {self.log})")


def why_pip_failed(log: str) -> str:
    """One line of pip's output."""
    if any(sign in log for sign in NO_CONNECTION):
        return "no connection to the package index: set-up needs the network; run this again when it is there"
    errors = [line.strip()[6:].strip() for line in log.splitlines() if line.lstrip().startswith("ERROR:")]
    return "pip could not install everything" + (f": {errors[0]}" if errors else "")


def require_venv() -> None:
    """Debian and Ubuntu have a separate package for making environments: install it, or exit with a line that names it."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python3.{sys.version_info[1]}-venv"
    apt_install([package])
    importlib.invalidate_caches()
    if not importlib.util.find_spec("ensurepip"):
        cure = shell_line([package]) if shutil.which("apt-get") else "install a complete Python"
        stop(f"{sys.executable} has no ensurepip and cannot make environments: {cure}")


def _show(line: str) -> None:
    """Show what pip is doing on the terminal's last line; nothing without a terminal."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r\033[K" + line.strip()[:width], end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Make a second set-up of the same checkout wait for the first."""
    try:
        import fcntl
    except ImportError:  # Windows: users must not start two at once
        yield
        return
    folder = os.open(root, os.O_RDONLY)  # a lock on the folder leaves no file behind, and ends with the process
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this checkout is at work; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
