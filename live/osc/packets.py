"""OSC packets as bytes: checks and parses incoming ones, builds outgoing ones (opensoundcontrol.org, OSC 1.0 and 1.1).

python-osc parses and builds, but only sees packets that were checked here. On its own it loops forever on a 20-byte bundle
with a negative element size, logs every unknown type tag, and raises undocumented errors for text that is not UTF-8 and
for deeply nested bundles.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import NamedTuple

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from shared.errors import printable

Argument = int | float | str | bool | bytes | None | list["Argument"]
SIZES = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0, "N": 0, "I": 0, "[": 0, "]": 0}
"""Bytes of an argument by its type tag. Strings (s) and blobs (b) carry their own length."""
BUNDLE = b"#bundle\0"
MAX_DEPTH = 8  # bundles within bundles
MAX_TEXT = 4096  # bytes of a string, an address or type tags: python-osc reads them byte by byte
LARGEST_INT = 2**31 - 1
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127  # 32-bit


class BadPacket(Exception):
    """Bytes that are not OSC, or use types that Ponticello does not accept. The message says why.

    address: the OSC address of the faulty message; empty if it could not be read.
    """

    def __init__(self, reason: str, address: str = "") -> None:
        super().__init__(reason)
        self.address = address


class Message(NamedTuple):
    """One message of a packet."""

    due: float
    """When it should act, in seconds since 1970. For "immediately" and for late messages: the time of parsing."""
    address: str
    arguments: tuple[Argument, ...]
    """None stands for nil (N) and for an impulse (I)."""


def parse(datagram: bytes) -> list[Message]:
    """The messages of a packet, ordered by the time tags of their bundles. Raises BadPacket."""
    packet = bytearray(datagram)
    _check_packet(packet, 0, len(packet), 0)
    return [
        Message(timed.time, timed.message.address, tuple(timed.message.params))
        for timed in OscPacket(bytes(packet)).messages
    ]


def build(address: str, types: str, values: Iterable[object]) -> bytes:
    """A message with arguments of the given types (i, f and s). Raises ValueError if values do not match the types.

    Receivers choke on what does not fit 32 bits: larger numbers are clipped, NaN and infinity become 0. Control
    characters in strings are escaped.
    """
    builder = OscMessageBuilder(address)
    for letter, value in zip(types, values, strict=True):
        builder.add_arg(_fitting(letter, value), letter)
    return bytes(builder.build().dgram)


def types_of(values: Iterable[object]) -> str:
    """Type tags for any values: f for floats, i for integers and booleans, s for everything else."""
    return "".join("i" if isinstance(v, Integral) else "f" if isinstance(v, Real) else "s" for v in values)


def _fitting(letter: str, value: object) -> int | float | str:
    if letter == "s":
        return printable(str(value))
    if not isinstance(value, Real):  # covers numpy scalars too
        raise ValueError(f"{value!r} is not a number")
    number = float(value)
    largest = LARGEST_INT if letter == "i" else LARGEST_FLOAT
    number = min(max(number, -largest), largest) if math.isfinite(number) else 0.0
    return int(number) if letter == "i" else number


def _check_packet(packet: bytearray, start: int, end: int, depth: int) -> None:
    size = end - start
    if not size or size % 4:
        raise BadPacket(f"a packet or bundle element of {size} bytes; OSC sizes are multiples of 4")
    if packet.startswith(BUNDLE, start, end):
        _check_bundle(packet, start, end, depth)
    elif packet.startswith(b"/", start, end):
        _check_message(packet, start, end)
    else:
        raise BadPacket(f"neither an OSC message nor a bundle; it starts with {bytes(packet[start : start + 8])!r}")


def _check_bundle(packet: bytearray, start: int, end: int, depth: int) -> None:
    if depth == MAX_DEPTH:
        raise BadPacket(f"bundles nested more than {MAX_DEPTH} deep")
    if end - start < 16:
        raise BadPacket("a bundle without a time tag")
    start += 16
    while start < end:
        size = int.from_bytes(packet[start : start + 4], signed=True)
        start += 4
        if not 0 < size <= end - start:
            raise BadPacket(f"a bundle element of {size} bytes where {end - start} are left")
        _check_packet(packet, start, start + size, depth + 1)
        start += size


def _check_message(packet: bytearray, start: int, end: int) -> None:
    address, start = _text(packet, start, end)
    if start == end:
        return  # no type tags and no arguments: old senders leave both out
    if packet[start] != ord(","):
        raise BadPacket("no type tags before the arguments; send them, for instance ,f for a float", address)
    try:
        tags, arguments = _text(packet, start, end)
        _check_arguments(packet, tags[1:], arguments, end)
    except BadPacket as bad:
        raise BadPacket(str(bad), address) from None
    for place, letter in enumerate(tags, start):
        if letter == "I":
            packet[place] = ord("N")  # python-osc knows no impulse; both mean "no value" here


def _check_arguments(packet: bytearray, tags: str, start: int, end: int) -> None:
    depth = 0
    for letter in tags:
        start += _size(packet, letter, start, end)
        depth += (letter == "[") - (letter == "]")
        if depth not in (0, 1):
            raise BadPacket("unbalanced brackets, or a list within a list")
    if depth or start != end:
        raise BadPacket("arguments longer or shorter than their type tags say")


def _size(packet: bytearray, letter: str, start: int, end: int) -> int:
    """Bytes of the argument at `start`, padding included."""
    if letter in SIZES:
        return SIZES[letter]
    if letter == "s":
        return _text(packet, start, end)[1] - start
    if letter != "b":
        raise BadPacket(f"an argument of type '{letter}'; accepted types are {' '.join(SIZES)} s b")
    if start + 4 > end:
        raise BadPacket("a blob without a size")
    size = int.from_bytes(packet[start : start + 4], signed=True)
    if not 0 <= size <= end - start - 4:
        raise BadPacket(f"a blob of {size} bytes where {end - start - 4} are left")
    return 4 + size + -size % 4


def _text(packet: bytearray, start: int, end: int) -> tuple[str, int]:
    """The string at `start`, and where the next item starts."""
    stop = packet.find(b"\0", start, end)
    if stop < 0:
        raise BadPacket("a string without a terminating zero byte")
    if stop - start > MAX_TEXT:
        raise BadPacket(f"a string of {stop - start} bytes; at most {MAX_TEXT} are accepted")
    try:
        return packet[start:stop].decode(), stop + 4 - (stop - start) % 4
    except UnicodeDecodeError as error:
        raise BadPacket("a string that is not UTF-8") from error
