"""`ponticello convert`: an official StyleGAN3 checkpoint to safetensors, without executing the code in it. Needs no torch."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from offline.checkpoint.official import StoredNetwork, constructor_arguments, network_tensors, read_official
from offline.training.discriminator_architecture import DiscriminatorArchitecture
from offline.training.network_file import (
    AVERAGED,
    DISCRIMINATOR,
    GENERATOR,
    Arrays,
    NetworkFile,
    is_network_file,
    read_networks,
    write_networks,
)
from shared.command_line import example, new_app
from shared.errors import ModelError, UserError
from shared.image.architecture import Architecture
from shared.image.checkpoint import check_shapes, write_checkpoint

FILTERS = "resample_filter"  # buffers of D that follow from its architecture
SNAPSHOTS = "state-*.safetensors"


class Format(StrEnum):
    """Number format of a file."""

    float32 = "float32"
    float16 = "float16"


def convert(model: Path, output: Path, *, half: bool = False, all_networks: bool = False) -> Architecture:
    """Write the generator of a checkpoint (G_ema), or all three networks, as safetensors; gives the generator's architecture.

    model: an official StyleGAN3 checkpoint; a file of networks, such as a training's snapshot; or the folder of a training,
    whose newest snapshot is taken. half: float16. all_networks: G, D and G_ema in float32, to train on from.
    Raises ModelError for anything that is no StyleGAN3 or asks to be run, UserError if `output` cannot be written.
    """
    if output.suffix != ".safetensors":
        raise UserError(f"-o {output} given; allowed is a file that ends in .safetensors")
    if half and all_networks:
        raise UserError("--all keeps float32, to train on from; leave out --dtype float16")
    if model.is_dir() or is_network_file(model):
        file = _of_training(model)
    else:
        try:
            file = _of_checkpoint(model, all_networks)
        except ModelError as error:
            raise error if str(error).startswith(str(model)) else ModelError(f"{model}: {error}") from error
    try:
        if all_networks:
            arrays = {
                name: array
                for name, array in file.arrays.items()
                if name.startswith((GENERATOR, DISCRIMINATOR, AVERAGED))
            }
            write_networks(output, file.generator, file.discriminator, arrays, {})
        else:
            write_checkpoint(output, file.generator, file.part(AVERAGED), half=half)
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    return file.generator


def _of_training(model: Path) -> NetworkFile:
    """The networks of a snapshot, or of the newest one in a folder."""
    if model.is_dir():
        snapshots = sorted(model.glob(SNAPSHOTS))
        if not snapshots:
            raise ModelError(
                f"{model} has no snapshot of a training (state-*.safetensors); name a file, or train first"
            )
        model = snapshots[-1]
    return read_networks(model)


def _of_checkpoint(model: Path, all_networks: bool) -> NetworkFile:
    """The networks of an official checkpoint; G_ema alone where the others are not wanted."""
    content = read_official(model)
    arrays: Arrays = {}
    generator = None
    for name, prefix in (("G_ema", AVERAGED), ("G", GENERATOR)) if all_networks else (("G_ema", AVERAGED),):
        network = _network(content, name)
        tensors = network_tensors(network)
        check_kind(tensors)
        architecture = Architecture.from_arguments(constructor_arguments(network))
        check_shapes(architecture, {key: array.shape for key, array in tensors.items()})
        generator = generator or architecture
        arrays |= {f"{prefix}{key}": array.astype(np.float32) for key, array in tensors.items()}
    assert generator is not None
    discriminator = DiscriminatorArchitecture(generator.c_dim, generator.img_resolution, generator.img_channels)
    if all_networks:
        network = _network(content, "D")
        discriminator = discriminator_arguments(constructor_arguments(network))
        for key, array in network_tensors(network).items():
            if not key.endswith(FILTERS):
                arrays[f"{DISCRIMINATOR}{key}"] = array.astype(np.float32)
    return NetworkFile(generator, discriminator, arrays, {})


def _network(content: Mapping[str, object], name: str) -> StoredNetwork:
    network = content.get(name)
    if not isinstance(network, StoredNetwork):
        kind = "generator" if name.startswith("G") else "discriminator"
        raise ModelError(f"it has no {kind} under {name}; it holds: {', '.join(map(str, content)) or 'nothing'}")
    return network


def discriminator_arguments(arguments: Mapping[str, Any]) -> DiscriminatorArchitecture:
    """The architecture from the published constructor's arguments. Raises ModelError if it is another kind of network."""
    known = {field.name for field in fields(DiscriminatorArchitecture)}
    epilogue = dict(arguments.get("epilogue_kwargs") or {})
    for name, usual in (("architecture", "resnet"), ("cmap_dim", None)):
        if arguments.get(name, usual) != usual:
            raise ModelError(f"its discriminator has {name} {arguments[name]}; {usual or 'the default'} is needed")
    given = {name: value for name, value in {**arguments, **epilogue}.items() if name in known}
    try:
        architecture = msgspec.convert(given, DiscriminatorArchitecture)
    except msgspec.ValidationError as error:
        raise ModelError(f"its discriminator's arguments cannot be used: {error}") from error
    architecture.check()
    return architecture


def check_kind(names: Collection[str]) -> None:
    """Raise ModelError unless these are names of a StyleGAN3's tensors."""
    if "synthesis.input.freqs" in names:
        return
    if "synthesis.b4.const" in names:
        raise ModelError("this is a StyleGAN2 (stylegan2-ada or later); only StyleGAN3 can be converted")
    raise ModelError("its G_ema is not a StyleGAN3: it has no synthesis.input.freqs; only StyleGAN3 can be converted")


app = new_app()


@app.command(
    epilog=example(
        "ponticello convert stylegan3-t.pkl -o t.safetensors",
        "ponticello convert stylegan3-r.pkl -o r.safetensors --all",
        "ponticello convert my-run -o mine.safetensors --dtype float16",
    )
)
def command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL.pkl|RUN",
            help="An official StyleGAN3 checkpoint, the folder of a training, or one of its snapshots.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="MODEL.safetensors", help="Where to write.", show_default=False),
    ],
    dtype: Annotated[
        Format, typer.Option(help="float16 halves the file; pictures differ by less than a grey level.")
    ] = Format.float32,
    all_networks: Annotated[
        bool, typer.Option("--all", help="Keep G, D and G_ema, for train-gan --from, instead of the generator alone.")
    ] = False,
) -> None:
    """Convert an official StyleGAN3 checkpoint, or a training's snapshot, to a generator in safetensors.

    Code in the checkpoint is not executed.
    """
    made = convert(model, output, half=dtype is Format.float16, all_networks=all_networks)
    kept = "G, D and G_ema, " if all_networks else ""
    print(f"{output}: {kept}{summary(made)}, {dtype.value}, {output.stat().st_size:,} bytes")


def summary(architecture: Architecture) -> str:
    """A generator's kind and sizes in one line."""
    kind = {"stylegan3-t": "StyleGAN3-T", "stylegan3-r": "StyleGAN3-R"}.get(architecture.variant, "StyleGAN3")
    a = architecture
    condition = f"conditional on {a.c_dim} numbers" if a.c_dim else "unconditional"
    return f"{kind}, {a.img_resolution} x {a.img_resolution} pixels, z {a.z_dim}, w {a.w_dim}, {condition}"
