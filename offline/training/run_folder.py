"""A run's folder is its state: everything needed to continue it bit for bit, and its results.

run.json                      the settings
state-000123.safetensors      a snapshot after 123 iterations: networks, optimisers, counters; the last three are kept
generator.safetensors         G_ema of the newest snapshot, as `live` and `render` play it
best.safetensors              the G_ema with the best score so far
log.jsonl                     a line of JSON for each report
reals.png, fakes-000004.png   images of the data set, and generated ones at fixed seeds, by thousand images shown
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import Tensor, nn

from offline.training.configuration import Configuration
from offline.training.generator import TrainableGenerator
from offline.training.iteration import Networks, Progress
from offline.training.network_file import AVERAGED, DISCRIMINATOR, GENERATOR, read_networks, write_networks
from offline.training.start import load, tensors
from shared.atomic import make_folder, written_atomically
from shared.errors import ModelError, SettingError, UserError, one_line, refusal
from shared.image.checkpoint import check_values, write_checkpoint

SETTINGS, LOG, GENERATOR_FILE, BEST_FILE, LOCK = (
    "run.json",
    "log.jsonl",
    "generator.safetensors",
    "best.safetensors",
    ".lock",
)
KEPT = 3  # snapshots
CHANGEABLE = {"kimg", "threads", "tick"}  # settings that may change when a run is continued
OF_DATA = ("size", "channels", "images", "data")
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps for each parameter


@dataclass
class Best:
    """The smallest Fréchet distance so far."""

    distance: float | None = None
    kimg: float = 0.0


class RunFolder:
    """Reads and writes a run's files. Every file is complete or absent; the log loses at most its last line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / SETTINGS).exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder. Raises UserError if another program holds it, or the folder contains something else."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; name a folder for the run")
        strangers = self.path.is_dir() and any(file.name != LOCK for file in self.path.iterdir())
        if strangers and not self.exists:
            raise UserError(f"{self.path} is not empty and holds no run; name a new folder")
        make_folder(self.path)
        try:
            with FileLock(self.path / LOCK, timeout=0):
                yield
        except Timeout:
            raise UserError(f"another program is training in {self.path}; wait for its end or stop it") from None
        finally:
            if not self.exists:  # no run has begun
                with suppress(OSError):
                    (self.path / LOCK).unlink(missing_ok=True)
                    self.path.rmdir()

    def configuration(self) -> Configuration:
        """The settings of the run. Raises UserError if they cannot be read."""
        try:
            return msgspec.json.decode((self.path / SETTINGS).read_bytes(), type=Configuration)
        except (OSError, msgspec.DecodeError) as error:
            raise UserError(
                f"{self.path / SETTINGS} cannot be read: {one_line(error)}; restore it or name a new folder"
            ) from error

    def begin(self, configuration: Configuration) -> None:
        """Write the settings of a new run, or of a continued one with changed settings."""
        with written_atomically(self.path / SETTINGS) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(configuration)) + b"\n")

    def check(self, given: Configuration) -> None:
        """Raise SettingError if the run in the folder was started with other settings."""
        found = self.configuration()
        for name in sorted(
            given.__struct_fields__, key=lambda name: name in OF_DATA
        ):  # first those that explain the others
            before, now = getattr(found, name), getattr(given, name)
            if before == now or name in CHANGEABLE:
                continue
            if name in OF_DATA:
                raise SettingError(f"{self.path} was started with another data set; give that one, or a new folder")
            raise SettingError(
                f"{self.path} was started with {name} {_shown(before)}, now {_shown(now)} is given; "
                "give the same settings or a new folder"
            )

    def save(self, networks: Networks, progress: Progress, best: Best) -> None:
        """Write a snapshot and the averaged generator. Two older snapshots are kept.

        Raises ModelError if weights are not finite: nothing is written then, and the older snapshots stay. Also raises it
        if weights of the averaged generator are too large for float16: only its file is not written then.
        """
        arrays = {
            f"{prefix}{name}": tensor.detach().cpu().numpy()
            for prefix, named in _parts(networks).items()
            for name, tensor in named.items()
        }
        try:
            check_values(arrays)
        except ModelError as error:
            raise ModelError(f"no snapshot is saved: {error}") from error
        facts = {"progress": asdict(progress), "best": asdict(best)}
        write_networks(
            self._snapshot(progress.iteration),
            networks.generator.architecture,
            networks.discriminator.architecture,
            {**arrays, **_moments(networks)},
            facts,
        )
        for old in self.snapshots()[:-KEPT]:
            old.unlink(missing_ok=True)
        try:
            write_generator(self.path / GENERATOR_FILE, networks.averaged)
        except ModelError as error:
            raise ModelError(f"{GENERATOR_FILE} is not updated: {error}") from error

    def snapshots(self) -> list[Path]:
        """Paths of the snapshots, the oldest first."""
        return sorted(self.path.glob("state-*.safetensors"))

    def restore(self, networks: Networks) -> tuple[Progress, Best] | None:
        """Load the newest readable snapshot; None if there are none yet. Raises ModelError if none can be read."""
        damaged = None
        for path in reversed(self.snapshots()):
            try:
                file = read_networks(path)
                progress = msgspec.convert(file.facts["progress"], Progress)
                best = msgspec.convert(file.facts["best"], Best)
                for prefix, named in _parts(networks).items():
                    load(named, file.part(prefix))
                _load_moments(networks, file.arrays)
            except (ModelError, KeyError, msgspec.ValidationError) as error:
                damaged = damaged or error
                continue
            return progress, best
        if damaged is not None:
            raise ModelError(f"no snapshot can be read: {one_line(damaged)}; restore one or name a new folder")
        return None

    def log(self, line: Mapping[str, object]) -> None:
        """Append a line of JSON to the log. Raises Failure if the disk is full; the log is then as before."""
        path = self.path / LOG
        size = path.stat().st_size if path.exists() else 0
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            with suppress(OSError):
                os.truncate(path, size)  # the next line would continue a truncated one
            raise refusal(f"cannot write {path}", error) from error

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines, without a truncated last line."""
        if not (self.path / LOG).exists():
            return []
        lines = []
        for text in (self.path / LOG).read_text("utf-8", "replace").splitlines():
            try:
                lines.append(dict(json.loads(text)))
            except (ValueError, TypeError):
                continue
        return lines

    def rewind(self, progress: Progress) -> None:
        """Remove the log's lines after the snapshot from which a run continues: the same reports follow again.

        A truncated last line is removed too: the next report would continue it.
        """
        path = self.path / LOG
        kept = [line for line in self.lines() if line.get("iteration", 0) <= progress.iteration]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        if path.exists() and path.read_text("utf-8", "replace") != text:
            with written_atomically(path) as temporary:
                temporary.write_text(text, "utf-8")

    def _snapshot(self, iteration: int) -> Path:
        return self.path / f"state-{iteration:08d}.safetensors"


def write_generator(path: Path, generator: TrainableGenerator) -> None:
    """Write a generator in float16, for `live` and `render`. Raises ModelError if training has diverged."""
    write_checkpoint(path, generator.architecture, generator.arrays(), half=True)


def _shown(value: object) -> str:
    """A setting's value in a message."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return {None: "auto", "": "none"}.get(value, str(value)) if isinstance(value, str | None) else str(value)


def _parts(networks: Networks) -> dict[str, dict[str, Tensor]]:
    """The tensors of each network, by its prefix in a file."""
    return {
        GENERATOR: tensors(networks.generator),
        AVERAGED: tensors(networks.averaged),
        DISCRIMINATOR: dict(networks.discriminator.named()),
    }


def _optimisers(networks: Networks) -> dict[str, tuple[torch.optim.Adam, Mapping[str, nn.Parameter]]]:
    return {
        "adam_G/": (networks.adam_generator, networks.generator.parameters_by_name()),
        "adam_D/": (networks.adam_discriminator, networks.trained_of_discriminator()),
    }


def _moments(networks: Networks) -> dict[str, NDArray[Any]]:
    """The state of both optimisers: the step and the two moments of each parameter that has had a step."""
    return {
        f"{prefix}{name}/{moment}": adam.state[parameter][moment].cpu().numpy()
        for prefix, (adam, parameters) in _optimisers(networks).items()
        for name, parameter in parameters.items()
        if parameter in adam.state
        for moment in MOMENTS
    }


def _load_moments(networks: Networks, arrays: Mapping[str, NDArray[Any]]) -> None:
    for prefix, (adam, parameters) in _optimisers(networks).items():
        adam.state.clear()
        for name, parameter in parameters.items():
            if f"{prefix}{name}/step" in arrays:
                adam.state[parameter] = {
                    moment: torch.from_numpy(np.array(arrays[f"{prefix}{name}/{moment}"])).to(
                        "cpu" if moment == "step" else parameter.device
                    )
                    for moment in MOMENTS
                }
