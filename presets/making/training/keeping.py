"""A training run in one safetensors file: everything needed to continue it with identical results."""

from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from presets.making.training.trainer import Trainer
from shared.atomic import written_atomically


def save_run(trainer: Trainer, path: Path) -> None:
    """Write the weights, their average, the heads, the state of the optimisers and the step number."""
    tensors = {f"network.{name}": t for name, t in trainer.network.state_dict().items()}
    tensors |= {f"average.{name}": t for name, t in trainer.average.state_dict().items()}
    tensors |= {f"heads.{name}": t for name, t in trainer.heads.state_dict().items()}
    tensors |= {f"velocity.{name}": t for name, t in trainer.muon.velocity.items()}
    for i, entry in trainer.adam.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{name}": t for name, t in entry.items()}
    metadata = {
        "step": str(trainer.step_number),
        "cpu_seconds": repr(trainer.cpu_seconds),
        "recipe": repr(trainer.recipe),
    }
    with written_atomically(path) as temporary:
        save_file({name: t.detach().contiguous().clone() for name, t in tensors.items()}, temporary, metadata)


def load_run(trainer: Trainer, path: Path) -> None:
    """Restore a run written by `save_run`. Raises ValueError if its recipe is another one."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        if metadata["recipe"] != repr(trainer.recipe):
            raise ValueError(f"{path} belongs to another recipe; give that recipe, or another folder")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    trainer.network.load_state_dict(part("network."))
    trainer.average.load_state_dict(part("average."))
    trainer.heads.load_state_dict(part("heads."))
    trainer.muon.velocity = part("velocity.")
    state: dict[int, dict[str, Tensor]] = {}
    for name, t in part("adam.").items():
        i, key = name.split(".")
        state.setdefault(int(i), {})[key] = t
    trainer.adam.load_state_dict({"state": state, "param_groups": trainer.adam.state_dict()["param_groups"]})
    trainer.step_number = int(metadata["step"])
    trainer.cpu_seconds = float(metadata["cpu_seconds"])
