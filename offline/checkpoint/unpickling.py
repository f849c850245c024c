"""Reads the data in a pickle without executing it.

A pickle is a program for a small stack machine. Python's machine imports each module that the program names and calls
functions in it. This one implements the few instructions needed for data, imports nothing, and calls only functions of a
fixed table. It refuses everything else, with its name. pickletools decodes the instructions but executes none.
"""

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from mmap import mmap
from types import UnionType
from typing import Any

MAX_INSTRUCTIONS = 500_000  # official checkpoints have some 40,000
LARGE = 1 << 16  # bytes; longer data is not copied out of the file

NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
CONSTANTS = frozenset((*NUMBERS, *TEXTS, *BYTES))
FRESH: Mapping[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
HASHABLE = (str, int, float, bytes, type(None))
"""Allowed types of keys and of items in sets. Tuples are excluded: hashing a deeply nested one crashes the process."""


class Refused(Exception):
    """The pickle is not allowed; the message gives the reason, starting with "it"."""


@dataclass(frozen=True)
class GlobalName:
    """A global that the pickle names. It is only looked up in the table, never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:100]


class Buildable(ABC):
    """A stand-in for an object that a pickle creates first and gives a state afterwards."""

    @abstractmethod
    def build(self, state: object) -> None:
        """Use or check the state. Raises Refused."""


class ByteStream:
    """Bytes with the methods of a file. Long reads return views, not copies."""

    def __init__(self, data: bytes | memoryview | mmap) -> None:
        self._data = memoryview(data)
        self._place = 0

    def read(self, count: int = -1) -> bytes | memoryview:
        """The next `count` bytes, or all if it is negative; a view if there are many."""
        stop = len(self._data) if count < 0 else self._place + count
        piece = self._data[self._place : stop]
        self._place += len(piece)
        return piece if len(piece) > LARGE else bytes(piece)

    def readline(self) -> bytes:
        """The next line, truncated if it is very long."""
        piece = bytes(self._data[self._place : self._place + LARGE])
        line = piece[: piece.find(b"\n") + 1] or piece
        self._place += len(line)
        return line

    def tell(self) -> int:
        """The number of bytes read so far."""
        return self._place


Call = Callable[[tuple[Any, ...]], object]


class Machine:
    """Runs one pickle from a stream and leaves the stream at its end.

    calls: all globals that the pickle may name, with functions of the tuple of arguments; None for a global that must not be
    called. persistent: converts a persistent id; None if they are not allowed.
    """

    def __init__(
        self,
        stream: ByteStream,
        calls: Mapping[GlobalName, Call | None],
        persistent: Callable[[object], object] | None = None,
    ) -> None:
        self._stream = stream
        self._calls = calls
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Run the pickle and return its value. Raises Refused."""
        try:
            for count, (instruction, argument, _) in enumerate(pickletools.genops(self._stream)):  # type: ignore[arg-type]
                if count >= MAX_INSTRUCTIONS:
                    raise Refused(f"it has more than {MAX_INSTRUCTIONS:,} instructions; no checkpoint has that many")
                self._step(instruction.name, argument)
        except (ValueError, IndexError, KeyError) as error:  # from genops; or not on the stack, or not in the memo
            raise Refused(f"the pickle is damaged or truncated at byte {self._stream.tell():,}") from error
        if len(self._stack) != 1 or self._marks:
            raise Refused("the pickle is damaged: it does not end with exactly one value")
        return self._stack[0]

    def _step(self, instruction: str, argument: Any) -> None:
        stack = self._stack
        match instruction:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _ if instruction in CONSTANTS:
                stack.append(argument)
            case _ if instruction in FRESH:
                stack.append(FRESH[instruction]())
            case _ if instruction in TUPLES:
                stack.append(tuple(self._take(TUPLES[instruction])))
            case "MARK":
                self._marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "LIST":
                stack.append(self._since_mark())
            case "DICT":
                items = self._since_mark()
                stack.append({})
                self._set_items(items)
            case "APPEND" | "APPENDS":
                items = self._take(1) if instruction == "APPEND" else self._since_mark()
                self._top(list).extend(items)
            case "SETITEM" | "SETITEMS":
                self._set_items(self._take(2) if instruction == "SETITEM" else self._since_mark())
            case "ADDITEMS":
                items = self._since_mark()
                self._top(set).update(hashable(item) for item in items)
            case "FROZENSET":
                stack.append(frozenset(hashable(item) for item in self._since_mark()))
            case "READONLY_BUFFER":
                self._top(bytes | memoryview | bytearray)
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(self._named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(self._named(*self._take(2)))
            case "REDUCE" | "NEWOBJ":
                stack.append(self._call(*self._take(2)))
            case "BUILD":
                (state,) = self._take(1)
                self._top(Buildable).build(state)
            case "BINPERSID" if self._persistent:
                stack.append(self._persistent(self._take(1)[0]))
            case _:
                raise Refused(f"the pickle has the instruction {instruction}, which data in one file does not need")

    def _take(self, count: int) -> list[Any]:
        if len(self._stack) - count < (self._marks[-1] if self._marks else 0):
            raise IndexError("the stack holds fewer values")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        taken = self._stack[mark:]
        del self._stack[mark:]
        return taken

    def _top(self, kind: type | UnionType) -> Any:
        top = self._stack[-1]
        if not isinstance(top, kind):
            name = kind.__name__ if isinstance(kind, type) else "buffer"
            raise Refused(f"it would change a {type(top).__name__} as if it were a {name}")
        return top

    def _set_items(self, items: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[hashable(key)] = value

    def _named(self, module: object, name: object) -> GlobalName:
        named = GlobalName(module if isinstance(module, str) else "?", name if isinstance(name, str) else "?")
        if named not in self._calls:
            raise Refused(f"it names {named}, which a checkpoint does not need")
        return named

    def _call(self, called: object, arguments: object) -> object:
        function = self._calls.get(called) if isinstance(called, GlobalName) else None
        if function is None or not isinstance(arguments, tuple):
            raise Refused(
                f"it calls {called if isinstance(called, GlobalName) else type(called).__name__}, which is not allowed"
            )
        return function(arguments)


def hashable(key: object) -> Any:
    """Return the object if it may be a key or an item of a set. Raises Refused."""
    if not isinstance(key, HASHABLE):
        raise Refused(f"it has a {type(key).__name__} as a key")
    return key
