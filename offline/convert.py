"""`ponticello convert`: converts an official StyleGAN3 checkpoint to safetensors, without executing the code in it."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from offline.checkpoint.official import Network, constructor_arguments, network_tensors, read_official
from shared.command_line import example, new_app
from shared.errors import ModelError, UserError
from shared.image.architecture import Architecture
from shared.image.checkpoint import check_shapes, write_checkpoint


class Format(StrEnum):
    """Number format of the output."""

    float32 = "float32"
    float16 = "float16"


def convert(model: Path, output: Path, *, half: bool = False) -> Architecture:
    """Write the G_ema of an official StyleGAN3 checkpoint to a generator file; return its architecture.

    half: write float16. Raises ModelError for a file that is not a StyleGAN3 or contains more than data, UserError if
    `output` cannot be written.
    """
    if output.suffix != ".safetensors":
        raise UserError(f"-o {output} given; allowed is a file that ends in .safetensors")
    content = read_official(model)
    network = content.get("G_ema")
    if not isinstance(network, Network):
        raise ModelError(f"{model} has no generator under G_ema; it holds: {', '.join(map(str, content)) or 'nothing'}")
    try:
        tensors = network_tensors(network)
        check_kind(tensors)
        architecture = Architecture.from_arguments(constructor_arguments(network))
        check_shapes(architecture, {name: array.shape for name, array in tensors.items()})
        write_checkpoint(
            output, architecture, {name: array.astype(np.float32) for name, array in tensors.items()}, half=half
        )
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    return architecture


def check_kind(names: Collection[str]) -> None:
    """Raise ModelError unless these are names of a StyleGAN3's tensors."""
    if "synthesis.input.freqs" in names:
        return
    if "synthesis.b4.const" in names:
        raise ModelError("this is a StyleGAN2 (stylegan2-ada or later); only StyleGAN3 can be converted")
    raise ModelError("its G_ema is not a StyleGAN3: it has no synthesis.input.freqs; only StyleGAN3 can be converted")


app = new_app()


@app.command(epilog=example("ponticello convert model.pkl -o model.safetensors"))
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.pkl", help="An official StyleGAN3 checkpoint.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL.safetensors", help="Where to write.")],
    dtype: Annotated[
        Format, typer.Option(help="float16 halves the file; pictures differ by less than a grey level.")
    ] = Format.float32,
) -> None:
    """Convert an official StyleGAN3 checkpoint to safetensors. Code in the checkpoint is not executed."""
    made = convert(model, output, half=dtype is Format.float16)
    print(f"{output}: {summary(made)}, {dtype.value}, {output.stat().st_size:,} bytes")


def summary(architecture: Architecture) -> str:
    """A generator's kind and sizes in one line."""
    kind = {"stylegan3-t": "StyleGAN3-T", "stylegan3-r": "StyleGAN3-R"}.get(architecture.variant, "StyleGAN3")
    a = architecture
    condition = f"conditional on {a.c_dim} numbers" if a.c_dim else "unconditional"
    return f"{kind}, {a.img_resolution} x {a.img_resolution} pixels, z {a.z_dim}, w {a.w_dim}, {condition}"
