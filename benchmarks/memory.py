"""Peak memory of drawing one picture, measured in a process of its own."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.networks import NETWORKS
from shared.child import module_command, module_environment
from shared.image.canvas import Shape
from shared.image.generator import Generator


def peak_mb(network: str, shape: Shape | None = None) -> float:
    """Peak of a process that makes one picture of a network of `NETWORKS` in half precision, libraries included.

    shape: rows and columns in pixels; None is the square.
    """
    module = f"{__package__}.memory"  # not __name__, which is __main__ in a program
    sides = map(str, shape or ())
    done = subprocess.run(
        module_command(module, network, *sides), env=module_environment(), capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout)["peak_mb"])


def _alone(name: str, *sides: str) -> None:
    """Make one picture and print the peak memory."""
    network = next(each for each in NETWORKS if each.name == name)
    half = Generator(network.architecture, network.arrays(), torch.device("cpu"), "half")
    half.synthesize(half.map(network.z()), shape=(int(sides[0]), int(sides[1])) if sides else None)
    print(json.dumps({"peak_mb": _most_memory_kb() / 1024}))


def _most_memory_kb() -> int:
    """Peak memory of this process. On Linux, getrusage would also count the parent's memory at the start."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    _alone(*sys.argv[1:])
