"""Where and how precisely a generator computes."""

import threading
from dataclasses import dataclass

import torch

from shared.errors import SettingError

PRECISIONS = ("auto", "full", "half")

_lock = threading.Lock()


@dataclass(frozen=True)
class Precision:
    """Number formats of one layer: of its convolution, and of the maps that its other operators read and write."""

    convolution: torch.dtype
    activation: torch.dtype
    tf32: bool = False
    """The fused path on a card may round the factors of a float32 convolution to TF32: 10 bits of mantissa, as in float16."""


FULL = Precision(torch.float32, torch.float32)
HALF = {
    "cpu": Precision(torch.bfloat16, torch.float32),  # depthwise filters in bfloat16 are 8 times slower than in float32
    "cuda": Precision(torch.float16, torch.float16),
    "mps": Precision(torch.float16, torch.float16),
}
WIDE_RANGE = {"cuda": Precision(torch.float32, torch.float32, tf32=True)}
"""In half precision, the layers that need more range than float16 has; FULL on devices that are not named."""

CHANNELS_LAST = {"cpu": True, "cuda": True, "mps": False}
"""The memory format of maps. On a CPU it was measured; on CUDA it is the layout of tensor cores' float16 convolutions."""


def devices() -> list[str]:
    """The kinds of device in this machine, the fastest first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, is_present in present.items() if is_present]


def pick_device(name: str | None = None) -> str:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"), or the fastest in the machine.

    Raises SettingError if the machine has no such device.
    """
    if name is None:
        return devices()[0]
    kind, _, number = name.partition(":")
    present = f"this machine has: {', '.join(devices())}"
    if kind not in devices():
        raise SettingError(f"{name} given; {present}")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number and not (number.isdecimal() and int(number) < count):
        raise SettingError(f"{name} given; {present}, numbered from 0 to {count - 1}")
    return name


def pick_precision(name: str, device: str) -> str:
    """Full or half. `auto` is half, except on a CPU without bfloat16 instructions. Raises SettingError for any other word."""
    if name not in PRECISIONS:
        raise SettingError(f"precision {name!r}; allowed are: {', '.join(PRECISIONS)}")
    if name == "auto":
        return "half" if not device.startswith("cpu") or multiplies_bfloat16() else "full"
    return name


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (AVX512-BF16, AMX); without them it is slower than float32."""
    queries = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(query is not None and query() for query in queries)  # older versions of torch lack them


def set_card_numerics() -> None:
    """On CUDA: float32 products in float32, not TF32, and the same algorithms every time.

    These settings belong to the process, so they are set and never restored: threads that restored each other's values
    would leave them wrong. A convolution that may use TF32 asks for it in its own call.
    """
    with _lock:
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
