"""Settings of a preset as the window's panels show them: a row each, and which of them act at present."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from offline.laboratory.grid import GRID, OUTSIDE
from shared.controls import Control, Kernel, Value
from shared.mapping.regression import REGRESSORS, RegressorName, Training
from shared.mapping.regression.training import Activation, PreprocessingName
from shared.mapping.regression.training import Kernel as RadialKernel
from shared.pipeline.dynamics import published

Sections = Sequence[tuple[str, Sequence["Row"]]]
"""Titles, and the settings below each."""

SPANS = {
    "truncation": (-1.0, 2.0),
    "weight": (-1.0, 3.0),
    "window": (0.0, 1000.0),
    "attack": (0.0, 500.0),
    "release": (0.0, 2000.0),
    "cutoff": (0.01, 10.0),
    "beta": (0.0, 5.0),
    "pace": (0.0, 40.0),
    "settle": (0.01, 10.0),
    "speed_limit": (0.0, 20.0),
}
"""The range of a slider where the control allows more; the number beside it takes all values."""
KERNEL_SETTINGS: Mapping[Kernel, tuple[str, ...]] = {
    "leaky": ("smoothing",),
    "mean": ("window",),
    "hann": ("window",),
    "median": ("window",),
    "one-euro": ("cutoff", "beta"),
    "attack-release": ("attack", "release"),
    "critical": ("window",),
}
REGRESSOR_SETTINGS: Mapping[RegressorName, tuple[str, ...]] = {
    "mlp": ("layers", "activation", "epochs", "weight_decay", "dropout", "early_stop"),
    "nearest": ("neighbours", "power"),
    "rbf": ("kernel", "width", "penalty"),
    "gaussian_process": (),
    "ridge": ("alpha",),
    "linear": (),
}
REGRESSOR_HELP: Mapping[RegressorName, str] = {
    "mlp": "The paper's neural network.",
    "nearest": "Mean of the nearest pairs, weighted by distance.",
    "rbf": "Radial basis functions: meets every pair, smooth between them.",
    "gaussian_process": "Finds width and noise by itself.",
    "ridge": "A straight line for every number of the latent vector, with small coefficients.",
    "linear": "A straight line for every number of the latent vector.",
}
OWN = "own"
"""The name of a motion that no variant of the laboratory has."""
MOTIONS: Mapping[str, Mapping[str, Value]] = {
    name: settings for name, settings in GRID if not {"fps", *OUTSIDE} & set(settings)
}
"""Variants of the laboratory's grid that a preset can hold, by name: what each sets besides the paper's values."""


@dataclass(frozen=True)
class Row:
    """A setting: its full name, the text beside it, its help, and the values it takes.

    low, high: limits of a number; span: those of its slider, None if it has only a field. decimals: those shown and
    set; 0 for an integer. kind `sizes`: several integers, separated by spaces.
    """

    name: str
    text: str
    help: str
    kind: Literal["number", "choice", "switch", "sizes"]
    default: object
    low: float = 0.0
    high: float = 0.0
    span: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    decimals: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it takes integers only."""
        return self.kind == "number" and self.decimals == 0


def control_row(name: str, control: Control) -> Row:
    """The row of a control with a number or a choice."""
    text = name.partition("/")[2] or name.removeprefix("latent_").replace("_", " ")
    unit = f" ({control.unit})" if control.unit in ("ms", "s", "Hz") else ""
    allowed = f"{control.help} {control.allowed.capitalize()}; {control.default} by default."
    if control.kind == "choice":
        return Row(name, text, allowed, "choice", control.default, choices=control.choices)
    span = SPANS.get(control.name.removeprefix("latent_"), (control.low, control.high))
    return Row(
        name, text + unit, allowed, "number", control.default, control.low, control.high, span, decimals=_decimals(span)
    )


def _decimals(span: tuple[float, float]) -> int:
    """Decimals that suit a slider's range."""
    return 2 if span[1] - span[0] > 1 else 3


def _default(name: str) -> object:
    return msgspec.to_builtins(Training())[name]


def _number(
    name: str, tip: str, low: float, high: float, span: tuple[float, float] | None = None, decimals: int = 0
) -> Row:
    text = name.replace("_", " ")
    return Row(f"training/{name}", text, tip, "number", _default(name), low, high, span, decimals=decimals)


def _choice(name: str, tip: str, choices: Sequence[str]) -> Row:
    return Row(f"training/{name}", name, tip, "choice", _default(name), choices=tuple(choices))


# A row a line.
# fmt: off
TRAINING: tuple[Row, ...] = (
    _choice("regressor", "What learns the pairs: see docs/mapping.md.", REGRESSORS),
    Row("training/layers", "layers", "Sizes of the hidden layers, such as 40 or 40 40.", "sizes", _default("layers")),
    _choice("activation", "What a hidden unit does with its sum.", get_args(Activation)),
    _number("epochs", "Passes over the pairs.", 1, 1_000_000),
    _number("weight_decay", "Keeps weights small: the picture moves less, and pairs are met less exactly.", 0, 1, (0, 0.1), 5),
    _number("dropout", "How often a descriptor is left out of an epoch.", 0, 0.9, (0, 0.9), 3),
    Row("training/early_stop", "early stop", "Stop at the least leave-one-out error. Takes as many fits as there are pairs.", "switch", False),
    _number("neighbours", "How many pairs take part; 1000: all.", 1, 1000),
    _number("power", "Weights are distance to the power of minus this: a high one shows the nearest pair alone.", 0.001, 20, (0.1, 8), 4),
    _choice("kernel", "A bell around each pair, or a thin plate bent through all.", get_args(RadialKernel)),
    _number("width", "Of the bell, in deviations; 0: the median distance between pairs.", 0, 1000, (0, 20), 3),
    _number("penalty", "0 meets every pair; more smooths over them.", 0, 1e6, (0, 2), 4),
    _number("alpha", "Weight of the squared coefficients.", 0.001, 1e6, (0.01, 50), 4),
    _number("pairs", "How many pairs are learned, the most distant in sound first; 0: all.", 0, 1_000_000),
    _choice("preprocessing", "What is done to the standardised descriptors first.", get_args(PreprocessingName)),
)
# fmt: on


def motion_of(values: Mapping[str, Value], inputs: Sequence[str]) -> str:
    """The name of the variant of the laboratory's grid that these controls are; OWN if they are none."""
    present = {name: values[name] for name in published(inputs)}
    return next((name for name in MOTIONS if motion_values(name, inputs) == present), OWN)


def motion_values(name: str, inputs: Sequence[str]) -> dict[str, Value]:
    """All controls of the motion that a variant of the laboratory's grid has."""
    return published(inputs) | dict(MOTIONS[name])


def acting(values: Mapping[str, Value], training: Training) -> set[str]:
    """Full names of the settings of training and motion that act at present: those of the chosen regressor and kernels."""
    names = {f"training/{name}" for name in ("regressor", "pairs", "preprocessing")}
    names |= {f"training/{name}" for name in REGRESSOR_SETTINGS[training.regressor]}
    if training.kernel != "gaussian":
        names.discard("training/width")
    names |= {"order", "kernel", "latent_kernel", "pace", "speed_limit"} | ({"settle"} if values["pace"] else set())
    for prefix in ("", "latent_"):
        names |= {prefix + name for name in KERNEL_SETTINGS[values[f"{prefix}kernel"]]}  # type: ignore[index]
    return names


def motion_sections(controls: Mapping[str, Control]) -> Sections:
    """The settings of the panel *Motion*. controls: those of the preset, by full name."""

    def rows(*names: str) -> tuple[Row, ...]:
        return tuple(control_row(name, controls[name]) for name in names)

    kernel = ("kernel", "smoothing", "window", "attack", "release", "cutoff", "beta")
    return (
        ("Mapping", TRAINING),
        ("Motion", ()),
        ("Smoothing of the sound", rows("order", *kernel)),
        ("Smoothing of the picture", rows(*(f"latent_{name}" for name in kernel))),
        ("Followers", rows("pace", "settle", "speed_limit")),
    )
