"""Everything that can be steered, a row each: presets, the hall file, OSC and help read this table.

A control's name is the same word in Python, in TOML and (behind `/ponticello/`) in OSC. Per-descriptor controls carry the
descriptor's name: `weight/pitch`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.errors import SettingError

Kind = Literal["float", "pair", "switch"]
Value = float | bool | tuple[float, float]


@dataclass(frozen=True)
class Control:
    """One control: what it is called, what it takes, and who keeps it."""

    name: str
    kind: Kind
    default: Value
    low: float
    high: float
    unit: str
    home: Literal["preset", "hall", "show"]
    """Who keeps its value: the preset (artistic), the hall file (technical), or nobody after the show."""
    acts_on: Literal["samples", "frames", "ticks"]
    help: str
    per_input: bool = False
    """One of them for every descriptor: `name/descriptor`."""

    def checked(self, value: object) -> Value:
        """`value` as this control keeps it; SettingError saying what is allowed where it does not fit."""
        if self.kind == "switch":
            if isinstance(value, bool | int | float) and value in (0, 1):
                return bool(value)
            raise SettingError(f"{self.name} = {value!r} given; allowed are 0 and 1")
        if self.kind == "pair":
            if isinstance(value, list | tuple) and len(value) == 2:
                return (self._number(value[0], value), self._number(value[1], value))
            raise SettingError(f"{self.name} = {value!r} given; allowed are {self.allowed}")
        return self._number(value, value)

    @property
    def allowed(self) -> str:
        """The range in words."""
        if self.kind == "switch":
            return "0 or 1"
        span = f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")
        return f"two numbers from {span}" if self.kind == "pair" else f"a number from {span}"

    def _number(self, number: object, given: object) -> float:
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not math.isfinite(number)
            or not self.low <= number <= self.high
        ):
            raise SettingError(f"{self.name} = {given!r} given; allowed is {self.allowed}")
        return float(number)


# A row a line.
# fmt: off
CONTROLS: Mapping[str, Control] = {row.name: row for row in (
    Control("gain", "float", 0.0, -60, 60, "dB", "hall", "samples", "Level of the sound before its analysis."),
    Control("gate", "float", -60.0, -160, 20, "dB", "hall", "frames", "Loudness below which a frame is silence: the last sounding one holds."),
    Control("smoothing", "float", 0.8, 0, 0.999, "", "preset", "frames", "Leaky integrator on the descriptors: 0 is none, 0.8 the paper's."),
    Control("weight", "float", 1.0, -10, 10, "", "preset", "ticks", "Factor on a standardised descriptor before the mapping.", True),
    Control("offset", "float", 0.0, -10, 10, "deviations", "preset", "ticks", "Added to a standardised descriptor after its weight.", True),
    Control("latent_smoothing", "float", 0.0, 0, 0.999, "", "preset", "ticks", "Leaky integrator on the latent vectors, tick by tick."),
    Control("truncation", "float", 1.0, -2, 2, "", "preset", "ticks", "psi: 0 is the average image, 1 the full variety, above 1 exaggerates."),
    Control("rotate", "float", 0.0, -36000, 36000, "degrees", "preset", "ticks", "Turns the picture's content counter-clockwise."),
    Control("translate", "pair", (0.0, 0.0), -10, 10, "picture widths", "preset", "ticks", "Moves the picture's content right and down."),
    Control("freeze", "switch", False, 0, 1, "", "show", "ticks", "Holds the picture; the sound goes on being analysed."),
    Control("fade", "float", 1.0, 0, 1, "", "show", "ticks", "Brightness of the picture: 0 is black."),
    Control("blackout", "switch", False, 0, 1, "", "show", "ticks", "Fades to black within half a second, and back."),
)}
# fmt: on


@dataclass(frozen=True)
class ControlChange:
    """A control gets a value: it acts on every sample, frame or tick whose time is at or after `sample` (44.1 kHz)."""

    sample: int
    name: str
    value: Value


def find(name: str, inputs: tuple[str, ...]) -> tuple[Control, str | None]:
    """The row for `name`, and the descriptor for one of the per-descriptor controls; SettingError where there is none."""
    base, _, descriptor = name.partition("/")
    row = CONTROLS.get(base)
    if row is None or row.per_input != bool(descriptor):
        known = ", ".join(c.name + "/DESCRIPTOR" * c.per_input for c in CONTROLS.values())
        raise SettingError(f"no control '{name}'; there are: {known}")
    if descriptor and descriptor not in inputs:
        raise SettingError(f"no descriptor '{descriptor}' in '{name}'; there are: {', '.join(inputs)}")
    return row, descriptor or None


def defaults(inputs: tuple[str, ...]) -> dict[str, Value]:
    """Every control of a preset with these inputs at its default."""
    values: dict[str, Value] = {}
    for row in CONTROLS.values():
        names = [f"{row.name}/{descriptor}" for descriptor in inputs] if row.per_input else [row.name]
        values |= dict.fromkeys(names, row.default)
    return values
