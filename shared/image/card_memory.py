"""Memory on a card: what a generator needs, and an error of one line if it is too little."""

import math

import torch

from shared.errors import Failure
from shared.image import geometry
from shared.image.architecture import Architecture

LIBRARIES_BYTES = 600 * 2**20  # the context, cuDNN and cuBLAS with their workspaces
MAPS = 3  # of the largest size, at once: a convolution's input and result, and the filters' result


def needed_bytes(architecture: Architecture, half: bool) -> int:
    """About what the fused path takes: weights in both formats, maps, libraries. An estimate, not measured on a card."""
    weights = sum(math.prod(tensor.shape) for tensor in geometry.tensors(architecture).values())
    bytes_per_number = 2 if half else 4
    largest = max(
        layer.target.channels * (layer.target.size + layer.kernel + 1) ** 2 for layer in geometry.layers(architecture)
    )
    last = architecture.img_resolution**2 * geometry.layers(architecture)[-1].source.channels * 4  # ToRGB is float32
    return weights * (4 + bytes_per_number) + MAPS * largest * bytes_per_number + last + LIBRARIES_BYTES


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a card's memory ran out, as torch, cuDNN and the driver report it."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in str(error).lower()


def out_of_memory(name: str, architecture: Architecture, device: torch.device, precision: str) -> Failure:
    """The error to raise: how much is free, how much is needed, what would fit."""
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    return Failure(out_of_memory_message(name, architecture, str(device), precision, free, total))


def out_of_memory_message(
    name: str, architecture: Architecture, device: str, precision: str, free: int, total: int
) -> str:
    """The line, for `free` of `total` bytes."""
    needed, half = needed_bytes(architecture, precision == "half"), needed_bytes(architecture, True)
    line = f"{name} does not fit into the memory of {device}: it needs about {_gb(needed)}, {_gb(free)} of {_gb(total)} are free"
    if precision == "full" and half < free:
        return f"{line}; --precision half takes about {_gb(half)}"
    if half < total:
        return f"{line}; close other programs that use the card, or choose a smaller generator"
    return f"{line}; choose a smaller generator or --device cpu"


def _gb(count: int) -> str:
    return f"{count / 2**30:.1f} GB"
