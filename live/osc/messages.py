"""The meaning of an OSC message: a row of the tables in `shared.controls` and a value that the row accepts."""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from live.osc.endpoints import Endpoint
from live.osc.packets import Argument
from shared import controls
from shared.controls import ACTIONS, CONTROLS, STREAMS, Control, ControlStream, OscAction
from shared.errors import SettingError

PREFIX = "/ponticello/"
OUT = PREFIX + "out/"
MAX_HELD = 1024  # buttons held down at the same time


@dataclass(frozen=True)
class Change:
    """A new value for a control or a stream."""

    name: str
    value: controls.Value | tuple[float, ...]
    """For a stream: its numbers; none release it."""
    arrived: float
    """Time of arrival (`time.monotonic()`), or the time tag of the bundle."""


@dataclass(frozen=True)
class Request:
    """A request for an action."""

    name: str
    argument: str | float | bool | None
    """Checked against the table. Where the table takes text or a number, a float is a whole number."""
    sender: Endpoint
    arrived: float


@dataclass(frozen=True)
class Query:
    """A query (`?`) for the value of a control or the answer of an action."""

    name: str
    sender: Endpoint
    arrived: float


OscEvent = Change | Request | Query
Plain = float | bool | str
"""An argument as the tables know it."""


class UnknownAddressError(Exception):
    """No row has this address. `suggestion` finds similar ones, which takes milliseconds."""


class MessageReader:
    """Turns messages into events, allowing for the differences between senders.

    Numbers may be floats, integers or text; switches 0 and 1 or true and false; choices a word or its index; descriptors
    part of the address or the first argument. An action without an argument fires on a message without arguments, on nil
    or an impulse, and when its argument changes from 0 to something else: buttons send 1 when pressed, 0 when released.

    inputs: the descriptors that have controls. latent_size: numbers in `in/latent`; None accepts any count.
    """

    def __init__(self, inputs: tuple[str, ...], latent_size: int | None = None) -> None:
        self._held: set[tuple[str, Endpoint]] = set()
        self.expect(inputs, latent_size)

    def expect(self, inputs: tuple[str, ...], latent_size: int | None) -> None:
        """Read messages for another preset from now on."""
        self.latent_size = latent_size
        self._inputs = inputs
        self._names = frozenset(controls.incoming_names(inputs))

    def read(self, address: str, arguments: tuple[Argument, ...], sender: Endpoint, arrived: float) -> OscEvent | None:
        """The event for a message; None for a button that was released or is still held.

        Raises UnknownAddressError, and SettingError for arguments that the row does not accept.
        """
        if address == PREFIX + "ping":
            return Request("ping", None, sender, arrived)  # always answered, whatever its arguments
        name, given = self._name(address, list(arguments))
        row = ACTIONS.get(name)
        values = _plain(() if row is not None and given == [None] else given)
        if values == ["?"]:
            if name in STREAMS or (row is not None and not row.answer):
                raise SettingError(f"{name} has no value to query")
            return Query(name, sender, arrived)
        if name in STREAMS:
            return Change(name, self._numbers(STREAMS[name], values), arrived)
        if row is None:
            control, _ = controls.find_control(name, self._inputs)
            return Change(name, control.checked(_value(control, values)), arrived)
        if row.takes != "nothing":
            return Request(name, _argument(row, values), sender, arrived)
        return Request(name, None, sender, arrived) if self._pressed(row, values, sender) else None

    def suggestion(self, address: str) -> str:
        """An error text that lists known addresses similar to an unknown one."""
        near = difflib.get_close_matches(address, [PREFIX + name for name in self._names], 3)
        return f"no such address; {'similar: ' + ', '.join(near) if near else f'all addresses start with {PREFIX}'}"

    def _name(self, address: str, given: list[Argument]) -> tuple[str, list[Argument]]:
        """The full name of the row, and the arguments without a descriptor's name."""
        name = address.removeprefix(PREFIX)
        if name == address:
            raise UnknownAddressError
        if name in self._names:
            return name, given
        if name in CONTROLS and CONTROLS[name].per_input:
            if given and given[0] in self._inputs:
                return f"{name}/{given[0]}", given[1:]
            first = repr(given[0]) if given else "nothing"
            raise SettingError(f"{name} got {first}; it takes a descriptor and a number: {', '.join(self._inputs)}")
        raise UnknownAddressError

    def _numbers(self, row: ControlStream, given: list[Plain]) -> tuple[float, ...]:
        numbers = [number for number in map(_number, given) if number is not None]
        if len(numbers) != len(given):
            raise SettingError(f"{row.name} takes finite numbers; {len(given) - len(numbers)} of {len(given)} are not")
        wanted = self.latent_size if row.numbers is None else row.numbers
        released = row.numbers is None and not given
        if not released and wanted is not None and len(numbers) != wanted:
            raise SettingError(f"{row.name} takes {wanted} numbers; {len(numbers)} given")
        return tuple(numbers)

    def _pressed(self, row: OscAction, given: list[Plain], sender: Endpoint) -> bool:
        if not given:
            return True
        key = (row.name, sender)
        number = _number(given[0])
        if number is None or len(given) > 1:
            raise SettingError(f"{row.name} got {_shown(given)}; it takes nothing, or 1 and 0 from a button")
        if number == 0:
            self._held.discard(key)
            return False
        if key in self._held:
            return False
        if len(self._held) == MAX_HELD:
            self._held.clear()
        self._held.add(key)
        return True


def _plain(arguments: tuple[Argument, ...] | list[Argument]) -> list[Plain]:
    """Arguments without the brackets that some senders put around a list."""
    plain: list[Plain] = []
    for argument in arguments:
        for item in argument if isinstance(argument, list) else [argument]:
            if isinstance(item, bytes):
                raise SettingError("a blob given; send numbers or text (SuperCollider: spread an array with *array)")
            if item is None or isinstance(item, list):
                raise SettingError("nil or an impulse given; allowed are numbers and text")
            plain.append(item)
    return plain


def _number(given: Plain) -> float | None:
    """The finite number that an argument is, or that its text spells."""
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _value(row: Control, given: list[Plain]) -> object:
    """Arguments as `Control.checked` expects them: converted to numbers if possible, otherwise unchanged."""
    if len(given) != (2 if row.kind == "pair" else 1):
        raise SettingError(f"{row.name} got {_shown(given)}; allowed is {row.allowed}")
    values = [item if (number := _number(item)) is None else number for item in given]
    if row.kind == "pair":
        return values
    if row.kind == "choice" and not row.takes_number and values[0] in range(len(row.choices)):
        return row.choices[int(values[0])]
    return values[0]


def _argument(row: OscAction, given: list[Plain]) -> str | float | bool | None:
    """The argument of an action that takes one."""
    if not given and row.takes == "switch":
        return True
    if given in ([], [""]) and row.optional:
        return None
    argument = ARGUMENTS[row.takes](row, given[0]) if len(given) == 1 else None
    if argument is None:
        raise SettingError(f"{row.name} got {_shown(given)}; it takes {row.argument}")
    return argument


def _switch(_: OscAction, item: Plain) -> bool | None:
    number = _number(item)
    return bool(number) if number in (0, 1) else None


def _number_in_range(row: OscAction, item: Plain) -> float | None:
    number = _number(item)
    return number if number is not None and row.low <= number <= row.high else None


def _text(_: OscAction, item: Plain) -> str | None:
    if isinstance(item, str):
        return item or None
    number = _number(item)  # Pure Data turns names such as 17 into numbers
    return str(int(number)) if number is not None and number == int(number) else None


def _text_or_number(row: OscAction, item: Plain) -> str | float | None:
    if isinstance(item, str):
        return item or None
    number = _number_in_range(row, item)
    return number if number is not None and number == int(number) else None


ARGUMENTS: dict[str, Callable[[OscAction, Plain], str | float | bool | None]] = {
    "switch": _switch,
    "number": _number_in_range,
    "text": _text,
    "text or number": _text_or_number,
}
"""How the argument of an action is read, by what the action takes; None: it does not fit."""


def _shown(given: list[Plain]) -> str:
    """The arguments, shortened for an error message."""
    return "nothing" if not given else " ".join(map(str, given[:4])) + (" ..." if len(given) > 4 else "")
