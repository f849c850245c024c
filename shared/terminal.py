"""Standard streams that no command has to think about: missing, closed by the reader, or too narrow for a letter."""

import io
import os
import sys
from typing import Any


def prepare_streams() -> None:
    """Make stdin, stdout and stderr safe to use until the process ends.

    A missing stream (`2>&-`, pythonw) becomes the null device, and so does its file descriptor: otherwise the next file
    that is opened would get it. Output to a pipe whose reader has gone (`| head`) is dropped. Characters that the stream's
    encoding lacks are written as escapes.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest free one
        pass
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # for the life of the process
    sys.stdout = _safe(sys.stdout)
    sys.stderr = _safe(sys.stderr)


class _Output(io.FileIO):
    """A file descriptor that drops what its reader no longer takes, and reports any other error once."""

    _has_failed = False

    def write(self, data: "bytes | memoryview", /) -> int:  # type: ignore[override]  # all kinds of buffers
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)
        except OSError:
            if self._has_failed:  # the interpreter tries once more at its end
                return len(data)
            self._has_failed = True
            raise


def _safe(stream: Any) -> Any:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # for the life of the process
    if not isinstance(stream, io.TextIOWrapper):  # a test's, or a program's that embeds Python
        return stream
    if type(getattr(stream.buffer, "raw", stream.buffer)) is not io.FileIO:  # a Windows console
        stream.reconfigure(errors="backslashreplace")
        return stream
    stream.flush()
    raw: Any = _Output(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # as Python does with -u
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
