"""How a voice moves: the order of its steps, the kernels that smooth, the followers of the latent vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from shared.controls import CONTROLS, ORDERS, Kernel, Order, Value
from shared.mapping.kernels import Smoothing
from shared.mapping.smoothing import PAPER

DYNAMICS = (
    "order",
    "smoothing",
    "kernel",
    "window",
    "attack",
    "release",
    "cutoff",
    "beta",
    "latent_smoothing",
    "latent_kernel",
    "latent_window",
    "latent_attack",
    "latent_release",
    "latent_cutoff",
    "latent_beta",
    "pace",
    "settle",
    "speed_limit",
)
"""The controls that decide how a voice moves, besides `range` and `memory/DESCRIPTOR`."""
OFF = Smoothing(coefficient=0.0)


@dataclass(frozen=True)
class Dynamics:
    """The values of those controls. latent: smoothing of the latent vectors at the end, besides that of the order.

    hold: whether the last latent vector within reach of a pair stays. pace in deviations of the sound, settle_s in seconds,
    speed_limit in deviations of the pairs' latent vectors per second; 0 is off for pace and limit.
    """

    order: Order = ORDERS[0]
    smoothing: Smoothing = PAPER
    latent: Smoothing = OFF
    pace: float = 0.0
    settle_s: float = 2.0
    speed_limit: float = 0.0
    hold: bool = False
    memory_s: tuple[float, ...] | None = None
    """Time constants of the inputs in seconds; None if all are 0."""

    @classmethod
    def from_values(cls, values: Mapping[str, Value], inputs: Sequence[str]) -> "Dynamics":
        """From the checked values of all controls of a preset, and the names of its inputs."""
        memory = tuple(_number(values, f"memory/{name}") for name in inputs)
        return cls(
            cast(Order, values["order"]),
            _smoothing(values, "smoothing", ""),
            _smoothing(values, "latent_smoothing", "latent_"),
            _number(values, "pace"),
            _number(values, "settle"),
            _number(values, "speed_limit"),
            values["range"] == "hold",
            memory if any(memory) else None,
        )

    @property
    def smooths_frames(self) -> bool:
        """Whether descriptors are smoothed for every analysis frame."""
        return self.order in ("smooth-decimate-infer", "smooth-infer-decimate")

    @property
    def infers_frames(self) -> bool:
        """Whether the mapping runs for every analysis frame."""
        return self.order in ("smooth-infer-decimate", "infer-smooth-decimate", "infer-decimate-smooth")

    @property
    def smooths_latents(self) -> bool:
        """Whether the smoothing of the order acts on latent vectors."""
        return self.order in ("decimate-infer-smooth", "infer-smooth-decimate", "infer-decimate-smooth")

    @property
    def depends_on_ticks_before(self) -> bool:
        """Whether the latent vector of a tick depends on more than the descriptors that were heard for it."""
        followers_off = self.latent.passes_through and self.pace == 0 and self.speed_limit == 0
        return self.hold or self.memory_s is not None or self.infers_frames or self.smooths_latents or not followers_off


def published(inputs: Sequence[str]) -> dict[str, Value]:
    """The paper's motion: every control that decides how a voice moves, by full name, at its default."""
    values: dict[str, Value] = {name: CONTROLS[name].default for name in DYNAMICS}
    return values | {f"memory/{name}": CONTROLS["memory"].default for name in inputs}


def _smoothing(values: Mapping[str, Value], coefficient: str, prefix: str) -> Smoothing:
    kernel = cast(Kernel, values[f"{prefix}kernel"])
    names = ("window", "attack", "release", "cutoff", "beta")
    return Smoothing(kernel, _number(values, coefficient), *(_number(values, prefix + name) for name in names))


def _number(values: Mapping[str, Value], name: str) -> float:
    value = values[name]
    assert isinstance(value, float)
    return value
