"""What an OSC message means: a row of the tables in `shared.controls`, and a value that it allows."""

import difflib
import math
from dataclasses import dataclass

from live.osc.listeners import Endpoint
from live.osc.packets import Argument
from shared import controls
from shared.controls import ACTIONS, CONTROLS, STREAMS, Control, ControlStream, OscAction
from shared.errors import SettingError

PREFIX = "/ponticello/"
OUT = PREFIX + "out/"
HELD_AT_MOST = 1024  # buttons that are down at the same time


@dataclass(frozen=True)
class Change:
    """A control or a stream gets a value."""

    name: str
    value: controls.Value | tuple[float, ...]
    """Of a stream: its numbers (none: released)."""
    arrived: float
    """When: `time.monotonic()`; of a message with a time tag, the time that it names."""


@dataclass(frozen=True)
class Request:
    """An action is asked for."""

    name: str
    argument: str | float | bool | None
    """Checked against the table; a float is a whole number where the table takes a text or a number."""
    sender: Endpoint
    arrived: float


@dataclass(frozen=True)
class Query:
    """Somebody wants to know a control's value, or what an action tells."""

    name: str
    sender: Endpoint
    arrived: float


OscEvent = Change | Request | Query
Plain = float | bool | str
"""An argument as the tables know them."""


class UnknownAddressError(Exception):
    """Nothing has this address. What is like it takes milliseconds to find: `suggestion`."""


class MessageReader:
    """Messages to events, as tolerantly as senders differ.

    Numbers come as floats, whole numbers or text; switches as 0 and 1, true and false; choices as a word or its number;
    descriptors in the address or as the first argument. An action that takes nothing is done by a message without
    arguments, or when its argument turns from 0 to something else: a button says 1 when pressed, 0 when released.
    """

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs
        self.latent_size: int | None = None
        self._held: set[tuple[str, Endpoint]] = set()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The descriptors that have controls of their own."""
        return self._inputs

    @inputs.setter
    def inputs(self, inputs: tuple[str, ...]) -> None:
        self._inputs = inputs
        self._names = frozenset(controls.incoming_names(inputs))

    def read(self, address: str, arguments: tuple[Argument, ...], sender: Endpoint, arrived: float) -> OscEvent | None:
        """What a message asks for; None for a button that was released or is held.

        Raises UnknownAddressError, and SettingError for arguments that are not allowed.
        """
        name, given = self._name(address, _plain(arguments))
        if given == ["?"]:
            if name in STREAMS or (name in ACTIONS and not ACTIONS[name].tells):
                raise SettingError(f"{name} has no value that could be asked for")
            return Query(name, sender, arrived)
        if name in STREAMS:
            return Change(name, self._numbers(STREAMS[name], given), arrived)
        if name in ACTIONS:
            row = ACTIONS[name]
            if row.takes == "nothing":
                return Request(name, None, sender, arrived) if self._pressed(row, given, sender) else None
            return Request(name, _argument(row, given), sender, arrived)
        control, _ = controls.find_control(name, self._inputs)
        return Change(name, control.checked(_value(control, given)), arrived)

    def suggestion(self, address: str) -> str:
        """What somebody may have meant who wrote an unknown address."""
        known = [PREFIX + name for name in self._names]
        near = difflib.get_close_matches(address, known, 3)
        return (
            f"no such address; {'near it: ' + ', '.join(near) if near else f'all that there are begin with {PREFIX}'}"
        )

    def _name(self, address: str, given: list[Plain]) -> tuple[str, list[Plain]]:
        name = address.removeprefix(PREFIX)
        if name == address:
            raise UnknownAddressError
        if name in self._names:
            return name, given
        if name in CONTROLS and CONTROLS[name].per_input:
            if given and given[0] in self._inputs:
                return f"{name}/{given[0]}", given[1:]
            what = f"'{given[0]}'" if given else "nothing"
            raise SettingError(f"{name} got {what}; it takes a descriptor and a number: {', '.join(self._inputs)}")
        raise UnknownAddressError

    def _numbers(self, row: ControlStream, given: list[Plain]) -> tuple[float, ...]:
        numbers = [number for number in map(_number, given) if number is not None]
        if len(numbers) != len(given):
            raise SettingError(f"{row.name} takes finite numbers; something else was among the {len(given)} given")
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
        if len(self._held) == HELD_AT_MOST:
            self._held.clear()
        self._held.add(key)
        return True


def _plain(arguments: tuple[Argument, ...]) -> list[Plain]:
    """Arguments without the brackets that some senders put around a list."""
    plain: list[Plain] = []
    for argument in arguments:
        for item in argument if isinstance(argument, list) else [argument]:
            if isinstance(item, bytes):
                raise SettingError(
                    "a blob given, which nothing takes; SuperCollider makes one of an array: write *array"
                )
            if item is None or isinstance(item, list):
                raise SettingError("nil given; allowed are numbers and text")
            plain.append(item)
    return plain


def _number(given: Plain) -> float | None:
    """The finite number that it is or, as a text, stands for."""
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _value(row: Control, given: list[Plain]) -> object:
    """What `Control.checked` is to check: numbers where they can be read as such, else what was given."""
    if len(given) != (2 if row.kind == "pair" else 1):
        raise SettingError(f"{row.name} got {_shown(given)}; allowed is {row.allowed}")
    values = [item if (number := _number(item)) is None else number for item in given]
    if row.kind == "pair":
        return values
    if row.kind == "choice" and not row.takes_number and values[0] in range(len(row.choices)):
        return row.choices[int(values[0])]
    return values[0]


def _argument(row: OscAction, given: list[Plain]) -> str | float | bool | None:
    if not given and row.takes == "switch":
        return True
    if given in ([], [""]) and row.optional:
        return None
    if len(given) == 1:
        text = given[0] if isinstance(given[0], str) else None
        number = _number(given[0])
        whole = number is not None and number == int(number)
        in_range = number is not None and row.low <= number <= row.high
        if row.takes == "switch" and number in (0, 1):
            return bool(number)
        if row.takes == "number" and in_range:
            return number
        if row.takes in ("text", "text or number") and text:
            return text
        if row.takes == "text" and number is not None and whole:  # Pure Data makes numbers of names like 17
            return str(int(number))
        if row.takes == "text or number" and whole and in_range:
            return number
    raise SettingError(f"{row.name} got {_shown(given)}; it takes {row.argument}")


def _shown(given: list[Plain]) -> str:
    """What was given, short enough to be shown."""
    return "nothing" if not given else " ".join(map(str, given[:4])) + (" ..." if len(given) > 4 else "")
