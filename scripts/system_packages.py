"""Programs and libraries that pip cannot install: their purpose, and how to install them."""

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import NamedTuple

from console import say


class SystemPackage(NamedTuple):
    """A package of Debian and Ubuntu, how to detect it, and what does not work without it."""

    name: str
    proof: str
    """A program on the path; or `lib` and the name of a library."""
    brew: str
    """How Homebrew calls it; empty where macOS does not need it."""
    needed_for: str

    def present(self) -> bool:
        """Whether it is installed, from a package or otherwise."""
        if self.proof.startswith("lib"):
            return ctypes.util.find_library(self.proof[3:]) is not None
        return shutil.which(self.proof) is not None


PACKAGES = (
    SystemPackage("libportaudio2", "libportaudio", "", "a live sound card"),  # macOS, Windows: in sounddevice's wheel
    SystemPackage("xvfb", "Xvfb", "--cask xquartz", "tests of the window"),
    SystemPackage("xdotool", "xdotool", "xdotool", "tests of the window"),
    SystemPackage("openbox", "openbox", "", "tests of the studio window"),
    *(  # needed by Qt's windows
        SystemPackage(name, f"lib{library}", "", "the studio window")
        for name, library in (
            ("libegl1", "EGL"),
            ("libfontconfig1", "fontconfig"),
            ("libxcb-cursor0", "xcb-cursor"),
            ("libxcb-icccm4", "xcb-icccm"),
            ("libxcb-keysyms1", "xcb-keysyms"),
            ("libxcb-shape0", "xcb-shape"),
            ("libxkbcommon-x11-0", "xkbcommon-x11"),
        )
    ),
    SystemPackage("jackd2", "jackd", "jack", "tests of live sound"),
    SystemPackage("supercollider-language", "sclang", "--cask supercollider", "tests with SuperCollider"),
    SystemPackage("supercollider-server", "scsynth", "--cask supercollider", "tests with SuperCollider"),
    SystemPackage("puredata-core", "pd", "--cask pd", "tests with Pure Data"),
)


def provide() -> None:
    """Install missing packages if apt and the rights for it are available; report the rest in one line."""
    missing = [package for package in PACKAGES if not package.present()]
    if missing:
        apt_install([package.name for package in missing])
        missing = [package for package in missing if not package.present()]
    if missing:
        say(advice(missing))


def advice(missing: list[SystemPackage]) -> str:
    """One line: what to install, and what works without it."""
    if sys.platform == "darwin":
        cure = "; ".join(f"brew install {name}" for name in _once(p.brew for p in missing if p.brew))
    elif shutil.which("apt-get"):
        cure = shell_line([p.name for p in missing])
    else:
        cure = f"install the packages that provide {', '.join(p.proof for p in missing)}"
    return f"missing packages; everything works without them except {', '.join(_once(p.needed_for for p in missing))}: {cure}"


def shell_line(names: list[str]) -> str:
    """The command that installs the Debian packages."""
    return f"sudo apt-get install --no-install-recommends {' '.join(names)}"


def apt_install(names: list[str]) -> None:
    """Install Debian packages if that is possible without a question."""
    rights = _rights()
    if rights is None or not shutil.which("apt-get"):
        return
    say(f"installing {', '.join(names)}")
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    _succeeds([*apt, "update"])
    install = [*apt, "install", "--no-install-recommends", "-y"]
    if not _succeeds([*install, *names]):  # apt takes all or nothing: one unknown name must not cost the others
        for name in names:
            _succeeds([*install, name])


def _rights() -> list[str] | None:
    """The prefix of a command that needs root: empty for root, sudo if it asks no question; else None."""
    if os.name != "posix":
        return None
    if os.geteuid() == 0:
        return []
    return ["sudo", "-n"] if shutil.which("sudo") and _succeeds(["sudo", "-n", "true"]) else None


def _succeeds(command: list[str]) -> bool:
    """Run a command without input or output."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _once(names: Iterable[str]) -> list[str]:
    """Each name once, in order."""
    return list(dict.fromkeys(names))
