"""Every control, stream, action and output, one row each. Presets, the hall file, OSC and the help read these tables.

CONTROLS    hold a value: `smoothing`
STREAMS     carry numbers that other programs send continuously: `in/time`
ACTIONS     happen once per message, in order of arrival: `preset`, `train`
OUTPUTS     are sent to other programs: `out/tick`

A name is the same in Python, in TOML and in OSC, where `/ponticello/` precedes it. Controls that exist per descriptor
append its name: `weight/pitch`. No name is used for both an input and an output.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64

from shared.errors import SettingError

Kind = Literal["float", "pair", "switch", "choice", "shape"]
Value = float | bool | str | tuple[float, float]


@dataclass(frozen=True)
class Control:
    """A control: its name, the values it accepts and where its value is kept."""

    name: str
    kind: Kind
    default: Value
    low: float
    high: float
    unit: str
    home: Literal["preset", "hall", "show"]
    """Where its value is kept: in the preset (artistic), in the hall file (technical), or only during the show."""
    acts_on: Literal["samples", "frames", "ticks"]
    help: str
    per_input: bool = False
    """Whether there is one for every descriptor: `name/descriptor`."""
    choices: tuple[str, ...] = ()
    """The words that a choice accepts. If `low` is below `high`, it also accepts numbers in that range."""

    def checked(self, value: object) -> Value:
        """`value` in the type that this control stores. Raises SettingError, which names the allowed values."""
        if self.kind == "switch":
            checked: Value | None = self._switch(value)
        elif self.kind == "pair":
            checked = self._pair(value)
        elif self.kind == "shape":
            checked = self._shape(value)
        elif self.kind == "choice" and (isinstance(value, str) or not self.takes_number):
            checked = value if isinstance(value, str) and value in self.choices else None
        else:
            checked = self._number(value)
        if checked is None:
            verb = "is" if self.kind == "float" else "are"
            raise SettingError(f"{self.name} = {value!r} given; allowed {verb} {self.allowed}")
        return checked

    @property
    def takes_number(self) -> bool:
        """Whether a number can be its value; a choice may have a range besides its words."""
        return self.kind == "float" or (self.kind == "choice" and self.low < self.high)

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.kind == "switch":
            return "0 or 1"
        span = f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")
        if self.kind == "shape":
            return f"{', '.join(self.choices)} or a ratio from 1:{self.high:g} to {self.high:g}:1, such as 16:9"
        if self.kind == "choice":
            return " or ".join([*self.choices, f"a number from {span}"] if self.takes_number else self.choices)
        return f"two numbers from {span}" if self.kind == "pair" else f"a number from {span}"

    def _switch(self, value: object) -> bool | None:
        return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None

    def _pair(self, value: object) -> tuple[float, float] | None:
        if not isinstance(value, list | tuple) or len(value) != 2:
            return None
        first, second = map(self._number, value)
        return None if first is None or second is None else (first, second)

    def _shape(self, value: object) -> str | None:
        """One of the words, or the ratio in its lowest terms; 1:1 is the square."""
        if not isinstance(value, str) or value in self.choices:
            return value if isinstance(value, str) else None
        width, _, height = value.replace("x", ":").partition(":")
        if not all(text.isascii() and text.isdecimal() and len(text) < 6 and int(text) for text in (width, height)):
            return None
        ratio = Fraction(int(width), int(height))
        if not 1 / self.high <= ratio <= self.high:
            return None
        return "square" if ratio == 1 else f"{ratio.numerator}:{ratio.denominator}"

    def _number(self, value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if math.isfinite(value) and self.low <= value <= self.high else None


Order = Literal[
    "smooth-decimate-infer",
    "smooth-infer-decimate",
    "decimate-smooth-infer",
    "decimate-infer-smooth",
    "infer-smooth-decimate",
    "infer-decimate-smooth",
]
"""A step before `decimate` runs for every analysis frame, one after it for every tick; `smooth` after `infer` acts on latents."""
ORDERS: tuple[Order, ...] = get_args(Order)
"""The paper's first."""
Kernel = Literal["leaky", "mean", "hann", "median", "one-euro", "attack-release", "critical"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
"""Kernels that smooth along time; the paper's first."""

# One row per line.
# fmt: off
CONTROLS: Mapping[str, Control] = {row.name: row for row in (
    Control("gain", "float", 0.0, -60, 60, "dB", "hall", "samples", "Gain of the sound before analysis."),
    Control("gate", "float", -60.0, -160, 20, "dB", "hall", "frames",
        "Loudness below which a frame counts as silence; the last frame above it is held."),
    Control("smoothing", "float", 0.8, 0, 0.999, "", "preset", "frames", "Leaky integrator on the descriptors: 0 is off, 0.8 the paper's value."),
    Control("weight", "float", 1.0, -10, 10, "", "preset", "ticks", "Factor on a standardised descriptor before the mapping.", True),
    Control("offset", "float", 0.0, -10, 10, "deviations", "preset", "ticks", "Added to a standardised descriptor after its weight.", True),
    Control("memory", "float", 0.0, 0, 60, "s", "preset", "ticks",
        "Time constant with which the mapping remembers a descriptor; `ponticello lab` learns them. 0 is off.", True),
    Control("order", "choice", "smooth-decimate-infer", 0, 0, "", "preset", "frames",
        "Order of smoothing, decimation to ticks and the mapping; the paper's is the default. What follows `infer` acts on latent vectors.",
        choices=ORDERS),
    Control("kernel", "choice", "leaky", 0, 0, "", "preset", "frames",
        "Kernel of the smoothing: `leaky` uses `smoothing`; `mean`, `hann`, `median` and `critical` use `window`; `attack-release` and "
        "`one-euro` have their own settings.", choices=KERNELS),
    Control("window", "float", 100.0, 0, 10000, "ms", "preset", "frames",
        "Length of the `mean`, `hann` or `median` window; mean delay of `critical`, a follower without overshoot."),
    Control("attack", "float", 20.0, 0, 10000, "ms", "preset", "frames", "Time constant of `attack-release` for rising values."),
    Control("release", "float", 200.0, 0, 10000, "ms", "preset", "frames", "Time constant of `attack-release` for falling values."),
    Control("cutoff", "float", 1.0, 0.01, 100, "Hz", "preset", "frames", "Lowest cutoff of `one-euro`: lower is steadier in slow movement."),
    Control("beta", "float", 0.5, 0, 100, "", "preset", "frames",
        "Growth of the cutoff of `one-euro` with speed: higher follows quick movement closer."),
    Control("latent_smoothing", "float", 0.0, 0, 0.999, "", "preset", "ticks", "Leaky integrator on the latent vectors, per tick."),
    Control("latent_kernel", "choice", "leaky", 0, 0, "", "preset", "ticks",
        "Kernel of the smoothing of latent vectors: `leaky` uses `latent_smoothing`, the others the `latent_` settings of the same names.",
        choices=KERNELS),
    Control("latent_window", "float", 100.0, 0, 10000, "ms", "preset", "ticks", "As `window`, for latent vectors."),
    Control("latent_attack", "float", 20.0, 0, 10000, "ms", "preset", "ticks", "As `attack`, for latent vectors."),
    Control("latent_release", "float", 200.0, 0, 10000, "ms", "preset", "ticks", "As `release`, for latent vectors."),
    Control("latent_cutoff", "float", 1.0, 0.01, 100, "Hz", "preset", "ticks", "As `cutoff`, for latent vectors."),
    Control("latent_beta", "float", 0.5, 0, 100, "", "preset", "ticks", "As `beta`, for latent vectors."),
    Control("pace", "float", 0.0, 0, 1000, "deviations", "preset", "ticks",
        "The sound's own movement paces the picture: it covers 63 % of the way while the sound moves so far. 0 is off."),
    Control("settle", "float", 2.0, 0.01, 600, "s", "preset", "ticks",
        "With `pace`: time in which the picture covers 63 % of the way under a sound that stands still."),
    Control("speed_limit", "float", 0.0, 0, 1000, "deviations per second", "preset", "ticks",
        "Highest speed of the latent vector, in deviations of the pairs' latent vectors. 0 is off."),
    Control("truncation", "float", 1.0, -2, 2, "", "preset", "ticks",
        "psi: 0 is the average image, 1 the full variety; values above 1 exaggerate."),
    Control("rotate", "float", 0.0, -36000, 36000, "degrees", "preset", "ticks", "Rotates the content of the picture counter-clockwise."),
    Control("translate", "pair", (0.0, 0.0), -10, 10, "picture widths", "preset", "ticks", "Moves the content of the picture right and down."),
    Control("drift", "pair", (0.0, 0.0), -1, 1, "picture widths per second", "preset", "ticks",
        "Moves the content of the picture on and on, right and down: a slow pan across a scene without end."),
    Control("spin", "float", 0.0, -360, 360, "degrees per second", "preset", "ticks",
        "Turns the content of the picture on and on, counter-clockwise."),
    Control("range", "choice", "free", 0, 0, "", "preset", "ticks",
        "When the sound is far from every pair: `free` follows the mapping, `hold` keeps the last picture within reach.",
        choices=("free", "hold")),
    Control("label", "choice", "sound", 0, 4095, "", "preset", "ticks",
        "Class of a conditional generator in z: `sound` mixes those of the pairs; a number shows one, 0.5 is halfway from 0 to 1.",
        choices=("sound",)),
    Control("crossfade", "float", 1.0, 0, 60, "s", "preset", "ticks",
        "Duration of the cross-fade to a preset or regressor that is selected."),
    Control("start", "choice", "black", 0, 0, "", "preset", "ticks",
        "Picture before the first sound or change: `black`, or the image for the `mean` of the corpus.", choices=("black", "mean")),
    Control("shape", "shape", "square", 0, 16, "", "hall", "ticks",
        "The picture's shape: the network's `square`, a ratio such as 16:9, the `window`'s (as in a new show) or `auto`, the widest fast one.",
        choices=("square", "window", "auto")),
    Control("freeze", "switch", False, 0, 1, "", "show", "ticks", "Holds the picture; analysis continues."),
    Control("fade", "float", 1.0, 0, 1, "", "show", "ticks", "Brightness of the picture; 0 is black."),
    Control("blackout", "switch", False, 0, 1, "", "show", "ticks", "Fades to black within half a second, and back."),
    Control("sync", "choice", "ahead", -1000, 1000, "ms", "hall", "ticks",
        "When pictures of a sound file appear: `ahead` with the sound, `natural` as late as a microphone's, or a lead in ms.",
        choices=("ahead", "natural")),
    Control("advance", "float", 0.0, -500, 500, "ms", "hall", "ticks",
        "Trim for the delay of projector and mixing desk: shows pictures earlier (negative: later)."),
)}
# fmt: on


@dataclass(frozen=True)
class ControlStream:
    """Numbers that another program sends continuously; the latest message is held."""

    name: str
    numbers: int | None
    """Numbers per message. None: the size of the generator's latent vector, or none to release the stream."""
    help: str


@dataclass(frozen=True)
class OscAction:
    """Something that happens each time its message arrives."""

    name: str
    takes: Literal["nothing", "switch", "number", "text", "text or number"]
    argument: str
    """What its argument is; empty if it takes none."""
    help: str
    low: float = 0
    high: float = math.inf
    """Range of a number argument."""
    optional: bool = False
    """Whether the text argument can be left out."""
    answer: str = ""
    """What the query `?` is answered with; empty if it cannot be queried."""


@dataclass(frozen=True)
class OscOutput:
    """A message that is sent: `out/NAME`."""

    name: str
    types: str
    """OSC type tags: i, f and s only, since Max and TouchDesigner read no others. `*`: more arguments of any of these."""
    arguments: str
    when: str
    help: str


# fmt: off
STREAMS: Mapping[str, ControlStream] = {row.name: row for row in (
    ControlStream("in/latent", None, "Sets the latent vector directly; without numbers the sound takes over again."),
    ControlStream("in/descriptors", 23, "Descriptors analysed elsewhere (`--input osc`), in the usual units and order; read 86 times a second."),
    ControlStream("in/time", 1, "Position in seconds of a tape that plays elsewhere, about 10 times a second; the sound file follows it."),
)}
ACTIONS: Mapping[str, OscAction] = {row.name: row for row in (
    OscAction("preset", "text or number", "name, or number on the command line",
        "Loads a preset in the background and cross-fades to it. Names: presets of the command line, shipped ones, and your own.",
        low=1, answer="name of the current preset"),
    OscAction("save", "nothing", "", "Saves controls, pairs and mapping in the preset; in your own copy if the preset is a shipped one."),
    OscAction("hall/save", "text", "name", "Saves the hall's controls in the hall file in use, or under this name in its folder.", optional=True),
    OscAction("show", "text", "name of a pair or candidate",
        "Shows its image; without a name the sound takes over again.", optional=True, answer="name of the image shown; empty if the sound steers"),
    OscAction("pair", "text", "name of a pair or candidate",
        "Pairs its image with the current sound; without a name, the current picture.", optional=True),
    OscAction("unpair", "nothing", "", "Removes the last pair made in this show."),
    OscAction("train", "nothing", "", "Trains the mapping on the pairs in the background, then uses it."),
    OscAction("regressor", "text", "mlp, nearest, rbf, gaussian_process, ridge or linear",
        "Learns the pairs with this regressor in the background and cross-fades to it; `save` keeps it.",
        answer="name of the regressor in use; `direct` if a decoder draws the pictures"),
    OscAction("soundcheck", "switch", "1 starts, 0 cancels",
        "Records 5 s of silence and 30 s of playing, then sets gain, gate and the standardisation of this source.",
        answer="phase: silence, playing, analysis or off"),
    OscAction("play", "nothing", "", "Continues the sound file."),
    OscAction("pause", "nothing", "", "Pauses the sound file."),
    OscAction("seek", "number", "seconds from 0", "Jumps to a position in the sound file.", answer="current position in seconds"),
    OscAction("record", "switch", "1 starts, 0 ends", "Records the show for `ponticello render PRESET FOLDER`; see docs/recording.md.",
        answer="1 while recording"),
    OscAction("notify", "number", "1, a port, or 0",
        "Subscribes to all outputs: on the port that the message came from (1) or another port of that machine; 0 ends it.",
        high=65535, answer="1 if subscribed"),
    OscAction("ping", "nothing", "", "Answered with `/ponticello/out/pong`."),
)}
OUTPUTS: Mapping[str, OscOutput] = {row.name: row for row in (
    OscOutput("descriptors", "f*", "the 23 descriptors, or those of the preset's own set", "every tick",
        "In the usual units and order (docs/descriptors.md)."),
    OscOutput("tick", "ifffs", "number, seconds, distance, latent speed, nearest pair", "every tick",
        "Distance to the nearest pair in deviations; speed of the latent vector per second."),
    OscOutput("status", "ffiii", "pictures per second, latency in ms, dropped, overflows, xruns", "every second",
        "State of the show; the last three count from its start."),
    OscOutput("soundcheck", "sis", "silence, playing, analysis, done, refused or off; seconds left; instruction",
        "every second of a sound-check", "Instructions for the player."),
    OscOutput("error", "ss", "address, reason", "when it happens",
        "A refused message changes nothing. The address is empty if no message caused the error."),
    OscOutput("value", "s*", "address, value", "in answer to `?`", "Sent to the sender of the query."),
    OscOutput("pong", "", "", "in answer to `/ponticello/ping`", "Sent to the sender of the ping."),
)}
# fmt: on


@dataclass(frozen=True)
class ControlChange:
    """A new value for a control. It acts on every sample, frame or tick at or after `sample` (at 44.1 kHz)."""

    sample: int
    name: str
    value: Value


def aspect_ratio(shape: Value) -> Fraction:
    """Width over height of a value of the control `shape`; 1 for its words."""
    width, colon, height = str(shape).partition(":")
    return Fraction(int(width), int(height)) if colon else Fraction(1)


def find_control(name: str, inputs: tuple[str, ...]) -> tuple[Control, str | None]:
    """The row for `name`, and the descriptor for per-descriptor controls. Raises SettingError for unknown names."""
    base, _, descriptor = name.partition("/")
    row = CONTROLS.get(base)
    if row is None or row.per_input != bool(descriptor):
        known = ", ".join(c.name + "/DESCRIPTOR" * c.per_input for c in CONTROLS.values())
        raise SettingError(f"no control '{name}'; there are: {known}")
    if descriptor and descriptor not in inputs:
        raise SettingError(f"no descriptor '{descriptor}' in '{name}'; there are: {', '.join(inputs)}")
    return row, descriptor or None


def incoming_names(inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Full names of everything that can be sent to Ponticello: controls, streams and actions."""
    return (*defaults(inputs), *STREAMS, *ACTIONS)


def weight_and_offset(
    values: Mapping[str, Value], inputs: tuple[str, ...]
) -> tuple[Float64[np.ndarray, "d"], Float64[np.ndarray, "d"]]:
    """Factor and addend of each standardised descriptor before the mapping, each (d,): weight * descriptor + offset."""
    weight, offset = (
        np.array([values[f"{control}/{name}"] for name in inputs], np.float64) for control in ("weight", "offset")
    )
    return weight, offset


def defaults(inputs: tuple[str, ...]) -> dict[str, Value]:
    """The default of every control, by full name, for a preset with these inputs."""
    values: dict[str, Value] = {}
    for row in CONTROLS.values():
        names = [f"{row.name}/{descriptor}" for descriptor in inputs] if row.per_input else [row.name]
        values |= dict.fromkeys(names, row.default)
    return values
