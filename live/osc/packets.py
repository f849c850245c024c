"""OSC's bytes: packets that came are checked and parsed, messages that go are built (opensoundcontrol.org, OSC 1.0).

python-osc parses and builds. It is shown only what was checked here: 20 bytes with a negative size keep its bundle parser
busy for ever, letters that it does not know fill the log, and text that is not UTF-8 or bundles nested without end raise
what a receiver would not expect.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import NamedTuple

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

Argument = int | float | str | bool | bytes | None | list["Argument"]
SIZES = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0, "N": 0, "[": 0, "]": 0}  # bytes; s and b say theirs themselves
BUNDLE = b"#bundle\0"
DEEPEST = 8  # bundles within bundles
LONGEST = 4096  # bytes of a text, an address or type tags (a letter an argument): python-osc reads them one by one
LARGEST_INT = 2**31 - 1
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127  # of 32 bits


class BadPacket(Exception):
    """Bytes that are no OSC, or not of the kinds that are taken here; the message says why."""


class Message(NamedTuple):
    """One message of a packet."""

    due: float
    """When it is meant to act, in seconds since 1970; the moment of its parsing where it says 'at once' or is late."""
    address: str
    arguments: tuple[Argument, ...]


def parse(datagram: bytes) -> list[Message]:
    """The messages of a packet, those of bundles in the order of their time tags; BadPacket where it is none."""
    _check_packet(datagram, 0)
    return [
        Message(timed.time, timed.message.address, tuple(timed.message.params))
        for timed in OscPacket(datagram).messages
    ]


def build(address: str, types: str, values: Iterable[object]) -> bytes:
    """A message with arguments of these types (i, f and s); ValueError where values and types do not fit together.

    Numbers beyond 32 bits become the largest there are, those that are not finite 0: receivers choke on them.
    """
    builder = OscMessageBuilder(address)
    for letter, value in zip(types, values, strict=True):
        builder.add_arg(_fitting(letter, value), letter)
    return bytes(builder.build().dgram)


def types_of(values: Iterable[object]) -> str:
    """The letters for values of any kind: f for floats, i for whole numbers and switches, s for the rest."""
    return "".join("i" if isinstance(v, Integral) else "f" if isinstance(v, Real) else "s" for v in values)


def _fitting(letter: str, value: object) -> int | float | str:
    if letter == "s":
        return str(value).replace("\0", " ")
    if not isinstance(value, Real):  # numpy's numbers are of that kind too
        raise ValueError(f"{value!r} is no number")
    number = float(value)
    largest = LARGEST_INT if letter == "i" else LARGEST_FLOAT
    number = min(max(number, -largest), largest) if math.isfinite(number) else 0.0
    return int(number) if letter == "i" else number


def _check_packet(packet: bytes, depth: int) -> None:
    if not packet or len(packet) % 4:
        raise BadPacket(f"a packet or an element of {len(packet)} bytes: OSC comes in multiples of 4")
    if packet.startswith(BUNDLE):
        _check_bundle(packet, depth)
    elif packet.startswith(b"/"):
        _check_message(packet)
    else:
        raise BadPacket(f"neither an OSC message nor a bundle: it begins with {packet[:8]!r}")


def _check_bundle(bundle: bytes, depth: int) -> None:
    if depth == DEEPEST:
        raise BadPacket(f"bundles nested more than {DEEPEST} deep")
    if len(bundle) < 16:
        raise BadPacket("a bundle without a time tag")
    start = 16
    while start < len(bundle):
        size = int.from_bytes(bundle[start : start + 4], signed=True)
        start += 4
        if not 0 < size <= len(bundle) - start:
            raise BadPacket(f"a bundle's element of {size} bytes, where {len(bundle) - start} are left")
        _check_packet(bundle[start : start + size], depth + 1)
        start += size


def _check_message(message: bytes) -> None:
    _, start = _text(message, 0)
    if start == len(message):
        return  # no type tags at all: old senders do that
    tags, start = _text(message, start)
    if not tags.startswith(","):
        raise BadPacket("the arguments' types are missing")
    depth = 0
    for letter in tags[1:]:
        if letter == "s":
            _, start = _text(message, start)
        elif letter == "b":
            start = _after_blob(message, start)
        elif letter in SIZES:
            start += SIZES[letter]
        else:
            raise BadPacket(f"an argument of type '{letter}'; taken are {' '.join(SIZES)} s b")
        depth += (letter == "[") - (letter == "]")
        if depth not in (0, 1):
            raise BadPacket("brackets that do not match, or lists in lists")
    if depth or start != len(message):
        raise BadPacket("arguments that are longer or shorter than their types say")


def _text(message: bytes, start: int) -> tuple[str, int]:
    """The text that begins there, and where the next thing begins."""
    end = message.find(b"\0", start)
    if end < 0:
        raise BadPacket("a text without an end")
    if end - start > LONGEST:
        raise BadPacket(f"a text of {end - start} bytes; taken are up to {LONGEST}")
    try:
        return message[start:end].decode(), end + 4 - end % 4
    except UnicodeDecodeError as error:
        raise BadPacket("a text that is not UTF-8") from error


def _after_blob(message: bytes, start: int) -> int:
    if start + 4 > len(message):
        raise BadPacket("a blob without a size")
    size = int.from_bytes(message[start : start + 4], signed=True)
    if not 0 <= size <= len(message) - start - 4:
        raise BadPacket(f"a blob of {size} bytes, where {len(message) - start - 4} are left")
    return start + 4 + size + -size % 4
