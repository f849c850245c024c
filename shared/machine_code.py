"""Keeps a damaged or full cache of numba's machine code from stopping a program.

numba stores compiled functions on disk. A truncated file there raises EOFError in every later start, and a full disk
raises OSError. Importing this module makes numba treat an unreadable cache as empty, write it again, and do without one
where it cannot be written. This covers the functions of other packages too, such as umap's.
"""

import logging
from typing import Any

from numba.core.caching import Cache

from shared.errors import one_line

log = logging.getLogger(__name__)
_read: Any = Cache.load_overload
_write: Any = Cache.save_overload
_reported: set[str] = set()


def _report(line: str) -> None:
    """Log a line once."""
    if line not in _reported:
        _reported.add(line)
        log.warning(line)


def load_overload(cache: Any, signature: Any, context: Any) -> Any:
    """The cached machine code of a function; None if there is none or it is damaged."""
    try:
        return _read(cache, signature, context)
    except Exception:  # whatever unpickling a damaged file raises
        _report(f"the cache of machine code in {cache.cache_path} is damaged: it is compiled again")
        return None


def save_overload(cache: Any, signature: Any, data: Any) -> None:
    """Write machine code to the cache, replacing a damaged index. If that fails, go on without a cache."""
    try:
        _write(cache, signature, data)
    except Exception:  # a damaged index, or a full disk: replace it, and report if that fails too
        try:
            cache.flush()
            _write(cache, signature, data)
        except Exception as error:
            _report(f"cannot keep machine code ({one_line(error)}): it is compiled at every start")


Cache.load_overload, Cache.save_overload = load_overload, save_overload  # type: ignore[method-assign]
