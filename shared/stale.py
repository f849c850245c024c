"""Removes temporary files of killed programs, which it recognises by their names.

    .preset-3fa9c1.18233.k2x9_qd1.toml      made on the computer 3fa9c1 by process 18233, to become preset.toml

The next program that writes in the folder, or opens the preset, removes those that are an hour older than itself and whose
process has ended. Files of other computers, in a shared folder, stay. The hour protects programs in containers, which may
share a disk and the name of the computer but not the numbers of their processes.
"""

import hashlib
import os
import re
import shutil
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

COMPUTER = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
NAME = re.compile(r"\..+-([0-9a-f]{6})\.(\d{1,10})\.[a-z0-9_]{8}(\.[^.]*)?", re.DOTALL)

MARGIN_S = 3600.0  # files that have changed since so long before the start may be another program's

_started = time.time()
_looked: set[str] = set()  # folders that this program has cleaned
_guard = threading.Lock()


def temporary_prefix(stem: str) -> str:
    """The prefix of the name of a temporary file for `stem`; eight random characters and a suffix follow."""
    return f".{stem}-{COMPUTER}.{os.getpid()}."


def remove_stale(folder: Path) -> None:
    """Remove the temporary files of killed programs from a folder, once for each folder. Raises nothing."""
    key = os.path.abspath(folder)
    with _guard:
        if key in _looked:
            return
        _looked.add(key)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                found = NAME.fullmatch(entry.name)
                if found is None or found[1] != COMPUTER or is_running(int(found[2])):
                    continue
                if entry.stat(follow_symlinks=False).st_mtime >= _started - MARGIN_S:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def is_running(process: int) -> bool:
    """Whether a process with this number runs on this computer; true if that is unknown."""
    if process == os.getpid():
        return True
    if sys.platform == "win32":
        return _is_running_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user, or no process can have this number
        return True
    return True


def _is_running_on_windows(process: int) -> bool:
    """The same for Windows, where os.kill would end the process."""
    import ctypes

    limited_information, still_active = 0x1000, 259
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(limited_information, False, process)
    if not handle:
        return bool(kernel.GetLastError() != 87)  # ERROR_INVALID_PARAMETER: there is none
    try:
        status = ctypes.c_ulong()
        return not kernel.GetExitCodeProcess(handle, ctypes.byref(status)) or status.value == still_active
    finally:
        kernel.CloseHandle(handle)
