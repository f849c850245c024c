"""Plain data that a pickle writes as function calls: sets, bytes, arrays and numbers of Python and numpy.

The form depends on the pickle's protocol. Before protocol 4, a set is a call of `builtins.set`; in protocol 2, bytes are a
text to encode; a bytearray is an instruction since protocol 5; numpy arrays have a buffer since protocol 5, and a state
before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from offline.checkpoint.unpickling import Buildable, Call, GlobalName, Refused, hashable

MOST_MADE_BYTES = 640 << 20  # limit for all calls together; in protocol 2, all tensors are texts to encode
ITEM_BYTES = 100  # of an item in a set or a dict
NUMBERS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"})


@dataclass(frozen=True)
class NumberFormat(Buildable):
    """A numpy dtype of plain numbers or texts."""

    code: str

    def build(self, state: object) -> None:
        """Check that the state says little-endian or no byte order."""
        match state:
            case (_, "<" | "|" | "=", *_):
                return
        raise Refused("it has numbers of an unknown byte order")


class UnreadArray(Buildable):
    """An array of numpy or Python. Official modules have some, but pictures do not depend on them."""

    def build(self, state: object) -> None:
        """Ignore the state."""


class Budget:
    """The number of bytes that calls may still produce. Without it, a small pickle could produce the same bytes repeatedly."""

    def __init__(self) -> None:
        self._left = MOST_MADE_BYTES

    def spend(self, count: int) -> None:
        """Subtract from the budget. Raises Refused if it is exhausted."""
        self._left -= count
        if self._left < 0:
            raise Refused(f"its data would need more than {MOST_MADE_BYTES:,} bytes")


def plain_calls() -> dict[GlobalName, Call | None]:
    """The table of calls, sharing a new budget."""
    budget = Budget()
    calls: dict[GlobalName, Call | None] = {}
    for builtins in ("builtins", "__builtin__"):  # of Python 3 and 2
        calls |= {
            GlobalName(builtins, "set"): _collection(set, budget),
            GlobalName(builtins, "frozenset"): _collection(frozenset, budget),
            GlobalName(builtins, "bytes"): _bytes(budget),
            GlobalName(builtins, "bytearray"): _bytes(budget),
            GlobalName(builtins, "complex"): _complex,
            GlobalName(builtins, "range"): _inert("range"),
            GlobalName(builtins, "xrange"): _inert("range"),
            GlobalName(builtins, "slice"): _inert("slice"),
        }
    calls |= {
        GlobalName("_codecs", "encode"): _bytes(budget),
        GlobalName("collections", "OrderedDict"): _dictionary(budget),
        GlobalName("array", "array"): _inert_array,
        GlobalName("array", "_array_reconstructor"): _inert_array,
        GlobalName("numpy", "dtype"): _number_format,
        GlobalName("numpy", "ndarray"): None,
    }
    for core in ("core", "_core"):  # before numpy 2 and since
        calls |= {
            GlobalName(f"numpy.{core}.multiarray", "scalar"): _number,
            GlobalName(f"numpy.{core}.multiarray", "_reconstruct"): _inert_array,
            GlobalName(f"numpy.{core}.numeric", "_frombuffer"): _inert_array,
        }
    return calls


def _collection(kind: Callable[[list[Any]], object], budget: Budget) -> Call:
    def call(arguments: tuple[Any, ...]) -> object:
        match arguments:
            case ():
                return kind([])
            case (list(items) | tuple(items),):
                budget.spend(ITEM_BYTES * len(items))
                return kind([hashable(item) for item in items])
        raise Refused("it makes a set in an unusual way")

    return call


def _bytes(budget: Budget) -> Call:
    """A call that turns bytes, bytearrays and texts to encode into bytes, and leaves views as they are."""

    def call(arguments: tuple[Any, ...]) -> object:
        match arguments:
            case ():
                return b""
            case (bytes() | bytearray() | memoryview() as data,):
                return data
            case (str(text), "latin1" | "latin-1"):
                budget.spend(len(text))
                try:
                    return text.encode("latin-1")
                except UnicodeEncodeError as error:
                    raise Refused("it has invalid bytes") from error
        raise Refused("it makes bytes in an unusual way")

    return call


def _dictionary(budget: Budget) -> Call:
    def call(arguments: tuple[Any, ...]) -> object:
        match arguments:
            case ():
                return {}
            case (list(pairs),) if all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
                budget.spend(ITEM_BYTES * len(pairs))
                return {hashable(key): value for key, value in pairs}
        raise Refused("it makes a dictionary in an unusual way")

    return call


def _complex(arguments: tuple[Any, ...]) -> object:
    match arguments:
        case (float(real), float(imaginary)):
            return complex(real, imaginary)
    raise Refused("it has a complex number in an unknown form")


def _inert(kind: str) -> Call:
    """A call whose result is not used: it returns its name and arguments."""
    return lambda arguments: (kind, arguments)


def _inert_array(arguments: tuple[Any, ...]) -> UnreadArray:
    return UnreadArray()


def _number_format(arguments: tuple[Any, ...]) -> NumberFormat:
    match arguments:
        case (str(code), *_) if code in NUMBERS or (code[:1] in ("S", "U") and code[1:].isdecimal()):
            return NumberFormat(code)
    raise Refused("it has a numpy dtype that is not a plain number")


def _number(arguments: tuple[Any, ...]) -> object:
    match arguments:
        case (NumberFormat(code), bytes(data)) if code in NUMBERS:
            dtype = np.dtype(f"<{code}")
            if len(data) == dtype.itemsize:
                return np.frombuffer(data, dtype)[0].item()
    raise Refused("it has a number in an unknown form")
