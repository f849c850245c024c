"""What can go wrong, in one tree.

PonticelloError         one line: what was given, what is allowed, what to do
├── UserError           the user can mend it; exit status 2
│   ├── SoundError      a sound that cannot be read or is too short
│   ├── PresetError     a preset folder that is incomplete, unknown or does not fit together
│   ├── ModelError      a generator file that is none of ours, damaged or refused
│   └── SettingError    a setting or control outside its range
├── Failure             the machine's fault: disk full, ffmpeg died, no memory; exit status 1
└── Stopped             the user ended the work, by Ctrl-C or a signal; exit status 130
"""

import errno
import re
import shlex
from typing import ClassVar

WHITE_SPACE = re.compile(r"[ \t\r\n]+")
LONGEST_LINE = 1500
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class PonticelloError(Exception):
    """An error whose message is one clear line for the user."""

    exit_status: ClassVar[int] = 1


def pasted(path: object) -> str:
    """A path as a shell takes it, for commands that a line proposes."""
    return shlex.quote(str(path))


class UserError(PonticelloError):
    """The user's mistake: the message says what was given, what is allowed and what to do."""

    exit_status: ClassVar[int] = 2


class SoundError(UserError):
    """A sound that cannot be read, is empty or is too short."""


class PresetError(UserError):
    """A preset folder that is missing, incomplete, of a newer version, or whose parts do not fit together."""


class ModelError(UserError):
    """A generator file that is not a StyleGAN3, is damaged, or asks for something it may not."""


class SettingError(UserError, ValueError):  # a ValueError, so that msgspec adds the place in the file
    """A setting or control that does not exist or lies outside its range."""


class Failure(PonticelloError):
    """Something outside the user's input failed: disk, memory, a helper program."""


class Stopped(PonticelloError):
    """The user ended the work; the message says what is finished and how to go on."""

    exit_status: ClassVar[int] = 130


DISK_FULL = "the disk is full; free some space or choose a place on another disk"


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def refusal(task: str, error: OSError) -> PonticelloError:
    """The error to raise if the system refuses a task ("cannot write x.csv"): a Failure if the disk is full."""
    if is_disk_full(error):
        return Failure(f"{task}: {DISK_FULL}")
    return UserError(f"{task}: {error.strerror or error}; choose a place that you can write to")


def one_line(error: BaseException) -> str:
    """The message of any error on one line, safe to show (see `printable`); the name of its type if it has no message.

    A longer line than anyone reads is cut.
    """
    line = printable(" ".join(WHITE_SPACE.split(str(error)[: 4 * LONGEST_LINE].strip()))) or type(error).__name__
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def printable(text: str) -> str:
    r"""The text with characters that steer a terminal or reorder a line written as escapes, `\x1b` for ESC.

    These are the control characters (C0, DEL, C1; line feeds and tabs too), the line and paragraph separators, the
    controls of bidirectional text (Unicode Standard Annex 9) and lone surrogates. Everything else, backslashes included,
    stays as it is. Text from a stranger passes through here before anyone sees it: OSC, presets, pickles, file names.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
