"""The three networks of a training in one safetensors file, as written by `convert --all` and in a run's snapshots.

Tensors have their published names behind "G/", "D/" and "G_ema/"; the header holds the constructor arguments of generator
and discriminator as JSON. A snapshot adds the optimisers' moments and the run's progress. Loading needs no pickle.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from offline.training.discriminator_architecture import DiscriminatorArchitecture
from shared import safetensors_format
from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.checkpoint import check_shapes, check_values
from shared.safetensors_format import DamagedFile, Header

KIND, VERSION = "networks", 1
GENERATOR, DISCRIMINATOR, AVERAGED = "G/", "D/", "G_ema/"
CHUNK = 1 << 20  # bytes

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class NetworkFile:
    """A checked file: the architectures, all tensors by name, and other facts."""

    generator: Architecture
    discriminator: DiscriminatorArchitecture
    arrays: Arrays
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> Arrays:
        """The tensors of one network by their published names."""
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


def write_networks(
    path: Path,
    generator: Architecture,
    discriminator: DiscriminatorArchitecture,
    arrays: Mapping[str, NDArray[Any]],
    facts: Mapping[str, Any],
) -> None:
    """Write a file atomically; names of `arrays` begin with "G/", "D/" and so on. Raises ModelError for wrong shapes."""
    _check(generator, discriminator, {name: array.shape for name, array in arrays.items()})
    metadata = {
        "ponticello": KIND,
        "version": str(VERSION),
        "generator": json.dumps(generator.arguments()),
        "discriminator": json.dumps(asdict(discriminator)),
        "facts": json.dumps(facts),
    }
    safetensors_format.write(path, arrays, metadata)


def is_network_file(path: Path) -> bool:
    """Whether a safetensors file holds networks of a training, according to its header."""
    try:
        return safetensors_format.read_header(path).metadata.get("ponticello") == KIND
    except (DamagedFile, OSError):
        return False


def read_networks(path: Path) -> NetworkFile:
    """Read a file and check names, shapes and values. Raises ModelError with the reason."""
    try:
        header = safetensors_format.read_header(path)
        generator, discriminator, facts = _facts(path, header)
        _check(generator, discriminator, {name: entry.shape for name, entry in header.tensors.items()})
        arrays = safetensors_format.read_tensors(path, header)
        for prefix in (GENERATOR, AVERAGED):
            check_values({name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)})
    except DamagedFile as error:
        raise ModelError(f"{path} {error}; copy it again") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return NetworkFile(generator, discriminator, arrays, facts)


def sha256(path: Path) -> str:
    """The hash of a file. Raises ModelError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    return digest.hexdigest()


def _facts(path: Path, header: Header) -> tuple[Architecture, DiscriminatorArchitecture, dict[str, Any]]:
    metadata = header.metadata
    if metadata.get("ponticello") != KIND:
        raise ModelError("it holds no networks of a training; make such a file with ponticello convert --all")
    if metadata.get("version") != str(VERSION):
        raise ModelError(f"format {metadata.get('version', '')[:20]} given, this program reads {VERSION}; update it")
    try:
        generator = Architecture.from_arguments(json.loads(metadata["generator"]))
        discriminator = msgspec.convert(json.loads(metadata["discriminator"]), DiscriminatorArchitecture)
        facts = json.loads(metadata["facts"])
        discriminator.check()
    except (KeyError, ValueError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise ModelError(f"its header is damaged ({error}); copy it again") from error
    return generator, discriminator, dict(facts)


def _check(
    generator: Architecture, discriminator: DiscriminatorArchitecture, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    for prefix in (GENERATOR, AVERAGED):
        check_shapes(generator, {name[len(prefix) :]: s for name, s in shapes.items() if name.startswith(prefix)})
    given = {name[len(DISCRIMINATOR) :]: s for name, s in shapes.items() if name.startswith(DISCRIMINATOR)}
    for name, shape in discriminator.shapes().items():
        if given.pop(name, None) != shape:
            raise ModelError(f"tensor D/{name} is missing or not of shape {shape}; the file is incomplete")
    if given:
        raise ModelError(f"tensor D/{next(iter(given))} does not belong to a discriminator of these arguments")
