"""Reading TOML files from strangers: bounded in size and nesting."""

import re
import tomllib
from pathlib import Path
from typing import Any

from shared.regular_file import read_bytes

MAX_BYTES = 256 << 10
DEEP_KEY = re.compile(r"(?:[\w\"'-]+[ \t]*\.[ \t]*){32}")  # the parser takes quadratic time for keys of many parts


class BadToml(Exception):
    """Why a file cannot be read, as the end of a sentence that begins with its name."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises BadToml, also for files of more than 256 KB and for deeply nested tables."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
        if DEEP_KEY.search(text):
            raise BadToml("has tables nested more than 32 deep")
        return tomllib.loads(text.replace("\r\n", "\n"))
    except OSError as error:
        raise BadToml(f"cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise BadToml("is nested too deeply") from error
    except ValueError as error:  # of the syntax, the encoding, or a number of thousands of digits
        raise BadToml(f"cannot be read: {error}") from error
