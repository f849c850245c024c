"""Where and how precisely a generator computes."""

from dataclasses import dataclass

import torch

from shared.errors import SettingError

PRECISIONS = ("auto", "full", "half")


@dataclass(frozen=True)
class Precision:
    """Number formats of one layer: of its convolution, and of what its other operators read and write."""

    convolution: torch.dtype
    activation: torch.dtype


FULL = Precision(torch.float32, torch.float32)
HALF = {
    "cpu": Precision(torch.bfloat16, torch.float32),  # depthwise filters in bfloat16 are 8 times slower than in float32
    "cuda": Precision(torch.float16, torch.float16),
    "mps": Precision(torch.float16, torch.float16),
}

CHANNELS_LAST = {"cpu": True, "cuda": False, "mps": False}
"""How maps lie in memory. On CUDA it was not measured which is faster; benchmarks/gpu.sh tells."""


def devices() -> list[str]:
    """The kinds of device that this machine has, the fastest first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, there in present.items() if there]


def pick_device(name: str | None = None) -> str:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"), or the fastest there is.

    Raises SettingError where the machine has no such device.
    """
    if name is None:
        return devices()[0]
    kind, _, number = name.partition(":")
    there = f"this machine has: {', '.join(devices())}"
    if kind not in devices():
        raise SettingError(f"{name} asked for; {there}")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number and not (number.isdecimal() and int(number) < count):
        raise SettingError(f"{name} asked for; {there}, numbered from 0 to {count - 1}")
    return name


def pick_precision(name: str, device: str) -> str:
    """Full or half: `auto` is half, but full on a CPU that does not compute in bfloat16. Raises SettingError for any other word."""
    if name not in PRECISIONS:
        raise SettingError(f"precision {name!r}; there are: {', '.join(PRECISIONS)}")
    if name == "auto":
        return "half" if not device.startswith("cpu") or multiplies_bfloat16() else "full"
    return name


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (AVX512-BF16, AMX); without them it is slower than float32."""
    questions = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask is not None and ask() for ask in questions)  # an older torch does not know them
