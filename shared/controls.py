"""Everything that can be steered, asked for or heard, a row each: presets, the hall file, OSC and help read these tables.

CONTROLS    keep a value: `smoothing`. STREAMS carry one that flows in from outside: `in/time`.
ACTIONS     are done once each time, in their order: `preset`, `train`.
OUTPUTS     are sent out: `out/tick`.

A name is the same word in Python, in TOML and (behind `/ponticello/`) in OSC. Per-descriptor controls carry the
descriptor's name: `weight/pitch`. No name stands for something that comes in and something that goes out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.errors import SettingError

Kind = Literal["float", "pair", "switch", "choice"]
Value = float | bool | str | tuple[float, float]


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
    choices: tuple[str, ...] = ()
    """The words that a choice takes; where `low` is below `high`, a number between them does as well."""

    def checked(self, value: object) -> Value:
        """`value` as this control keeps it; SettingError saying what is allowed where it does not fit."""
        if self.kind == "switch":
            if isinstance(value, bool | int | float) and value in (0, 1):
                return bool(value)
            raise SettingError(f"{self.name} = {value!r} given; allowed are 0 and 1")
        if self.kind == "choice" and (isinstance(value, str) or not self.takes_number):
            if value in self.choices:
                return str(value)
            raise SettingError(f"{self.name} = {value!r} given; allowed are {self.allowed}")
        if self.kind == "pair":
            if isinstance(value, list | tuple) and len(value) == 2:
                return (self._number(value[0], value), self._number(value[1], value))
            raise SettingError(f"{self.name} = {value!r} given; allowed are {self.allowed}")
        return self._number(value, value)

    @property
    def takes_number(self) -> bool:
        """Whether one number can be its value: of a choice, where it has a range beside its words."""
        return self.kind == "float" or (self.kind == "choice" and self.low < self.high)

    @property
    def allowed(self) -> str:
        """The range in words."""
        if self.kind == "switch":
            return "0 or 1"
        span = f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")
        if self.kind == "choice":
            return " or ".join([*self.choices, f"a number from {span}"] if self.takes_number else self.choices)
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
    Control("range", "choice", "free", 0, 0, "", "preset", "ticks",
        "Far from every pair: `free` follows the mapping, `hold` keeps the last picture within reach.", choices=("free", "hold")),
    Control("crossfade", "float", 1.0, 0, 60, "s", "preset", "ticks", "Time in which the picture turns into that of a preset that is called."),
    Control("start", "choice", "black", 0, 0, "", "preset", "ticks",
        "Before the first sound or change: `black`, or the image of the `mean` sound of the corpus.", choices=("black", "mean")),
    Control("freeze", "switch", False, 0, 1, "", "show", "ticks", "Holds the picture; the sound goes on being analysed."),
    Control("fade", "float", 1.0, 0, 1, "", "show", "ticks", "Brightness of the picture: 0 is black."),
    Control("blackout", "switch", False, 0, 1, "", "show", "ticks", "Fades to black within half a second, and back."),
    Control("sync", "choice", "ahead", -1000, 1000, "ms", "hall", "ticks",
        "Pictures of a file: `ahead` lands them on the sound, `natural` comes as late as a microphone's, a number says how far ahead.",
        choices=("ahead", "natural")),
    Control("advance", "float", 0.0, -500, 500, "ms", "hall", "ticks",
        "Trims projector and desk: shows pictures so much earlier (below 0: later)."),
)}
# fmt: on


@dataclass(frozen=True)
class ControlStream:
    """Numbers that flow in from outside; the latest are held."""

    name: str
    numbers: int | None
    """How many of them a message has; None: as many as the generator's latent vector, or none, which releases it."""
    help: str


@dataclass(frozen=True)
class OscAction:
    """Something that is done each time it is asked for."""

    name: str
    takes: Literal["nothing", "switch", "number", "text", "text or number"]
    argument: str
    """What its argument is; empty where it takes nothing."""
    help: str
    low: float = 0
    high: float = math.inf
    """The range of its number."""
    optional: bool = False
    """Whether it can go without its text."""
    tells: str = ""
    """What `?` is answered with; empty where there is nothing to ask for."""


@dataclass(frozen=True)
class OscOutput:
    """Something that is sent out: `out/NAME`."""

    name: str
    types: str
    """OSC's letters for its arguments: i, f and s, as Max and TouchDesigner read no others. `*`: more, of any of these types."""
    arguments: str
    when: str
    help: str


# fmt: off
STREAMS: Mapping[str, ControlStream] = {row.name: row for row in (
    ControlStream("in/latent", None, "Steers the latent vector directly; without numbers the sound has it back."),
    ControlStream("in/descriptors", 23, "Descriptors analysed elsewhere (`--input osc`), in their own units and order; read 86 times a second."),
    ControlStream("in/time", 1, "Seconds of a tape that plays elsewhere, about 10 times a second: the sound file chases it."),
)}
ACTIONS: Mapping[str, OscAction] = {row.name: row for row in (
    OscAction("preset", "text or number", "name, or number on the command line",
        "Loads a preset in the background and fades over to it.", low=1, tells="the name of the preset that plays"),
    OscAction("save", "nothing", "", "Writes controls, pairs and mapping into the preset; into your own copy of a shipped one."),
    OscAction("hall/save", "text", "file", "Writes what belongs to the hall; without a file into the one that is in use.", optional=True),
    OscAction("show", "text", "name of a pair or candidate",
        "Shows its image; without a name the sound has the picture back.", optional=True, tells="what is shown, empty where it is the sound's"),
    OscAction("pair", "text", "name of a pair or candidate",
        "Pairs its image with what sounds now; without a name, the picture that is shown now.", optional=True),
    OscAction("unpair", "nothing", "", "Takes back the last pair made while playing."),
    OscAction("train", "nothing", "", "Learns the pairs anew in the background, then uses what was learned."),
    OscAction("soundcheck", "switch", "1 to begin, 0 to break it off",
        "Hears 5 s of the hall's silence, then 30 s of playing, and sets gain, gate and the source's own standardising by them.",
        tells="what it hears: silence, playing or analysis; off"),
    OscAction("play", "nothing", "", "Plays the sound file on."),
    OscAction("pause", "nothing", "", "Holds the sound file."),
    OscAction("seek", "number", "seconds from 0", "Goes to a place in the sound file.", tells="the place that sounds now"),
    OscAction("record", "switch", "1 to begin, 0 to end", "Records the show, for `ponticello render PRESET FOLDER`: docs/recording.md.",
        tells="1 while it is recorded"),
    OscAction("notify", "number", "1, or a port; or 0",
        "Sends all outputs to whoever asks: to the port that the message came from (1) or to another port of that machine; 0 ends it.",
        high=65535, tells="1 for whoever gets the outputs"),
    OscAction("ping", "nothing", "", "Is answered with `/ponticello/out/pong`."),
)}
OUTPUTS: Mapping[str, OscOutput] = {row.name: row for row in (
    OscOutput("descriptors", "f" * 23, "the 23 descriptors", "every tick", "In their own units and order (docs/descriptors.md)."),
    OscOutput("tick", "ifffs", "number, seconds, distance, latent speed, nearest pair", "every tick",
        "Distance in deviations from the nearest pair; speed of the latent vector per second."),
    OscOutput("status", "ffiii", "pictures per second, latency in ms, dropped, overflows, xruns", "every second",
        "How the show is doing; the last three count from its beginning."),
    OscOutput("soundcheck", "sis", "silence, playing, analysis, done, refused or off; seconds left; what to do",
        "every second of a sound-check", "For the player."),
    OscOutput("error", "ss", "address, what is wrong", "when it happens",
        "Address is empty where no message was at fault. What was wrong has changed nothing."),
    OscOutput("value", "s*", "address, value", "as an answer to `?`", "To whoever asked."),
    OscOutput("pong", "", "", "as an answer to `/ponticello/ping`", "To whoever asked."),
)}
# fmt: on


@dataclass(frozen=True)
class ControlChange:
    """A control gets a value: it acts on every sample, frame or tick whose time is at or after `sample` (44.1 kHz)."""

    sample: int
    name: str
    value: Value


def find_control(name: str, inputs: tuple[str, ...]) -> tuple[Control, str | None]:
    """The row for `name`, and the descriptor for one of the per-descriptor controls; SettingError where there is none."""
    base, _, descriptor = name.partition("/")
    row = CONTROLS.get(base)
    if row is None or row.per_input != bool(descriptor):
        known = ", ".join(c.name + "/DESCRIPTOR" * c.per_input for c in CONTROLS.values())
        raise SettingError(f"no control '{name}'; there are: {known}")
    if descriptor and descriptor not in inputs:
        raise SettingError(f"no descriptor '{descriptor}' in '{name}'; there are: {', '.join(inputs)}")
    return row, descriptor or None


def incoming_names(inputs: tuple[str, ...]) -> tuple[str, ...]:
    """All that can come in, by full names: controls, streams and actions."""
    return (*defaults(inputs), *STREAMS, *ACTIONS)


def defaults(inputs: tuple[str, ...]) -> dict[str, Value]:
    """Every control of a preset with these inputs at its default."""
    values: dict[str, Value] = {}
    for row in CONTROLS.values():
        names = [f"{row.name}/{descriptor}" for descriptor in inputs] if row.per_input else [row.name]
        values |= dict.fromkeys(names, row.default)
    return values
