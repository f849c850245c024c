"""`ponticello new`: a preset to begin with, around a generator."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import tomlkit
import typer

from offline.progress import say
from shared.atomic import check_place
from shared.errors import PresetError, UserError, pasted
from shared.image.checkpoint import read_checkpoint
from shared.preset.preset import VERSION, Preset, sha256_of

TOML = """\
# What each setting does, and all that there are: docs/presets.md. Take the # away from a line to change its value.
version = {version}
# inputs = ["pitch", "confidence", "loudness"]    # of the 23 descriptors; all of them by default

[generator]
file = {file}
sha256 = "{sha256}"

[training]            # the paper's recipe
# layers = [40]
# epochs = 500
# learning_rate = 0.01
# seed = 0

[controls]
# smoothing = 0.8     # 0 is nervous, 0.95 dreams
# truncation = 1.0    # below 1 calmer, above 1 wilder
"""


def new(folder: Path, generator: Path, copy: bool = False) -> str:
    """Make a preset folder, whole or not at all; gives the generator's path as preset.toml names it.

    A generator below the preset's parent folder is named relative to the preset: the two can move together. copy: it is
    copied into the preset. Nothing is done where the folder is a preset with this generator. Raises UserError where there is
    something else in it, ModelError for what is no generator.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    generator = generator.expanduser().resolve()
    if not generator.is_file():
        raise UserError(
            f"no file {generator}; name a generator (.safetensors); `ponticello convert` makes one of a .pkl"
        )
    read_checkpoint(generator)
    if (there := _there(folder)) and there.generator_sha256 == sha256_of(generator):
        say(f"{folder} is a preset with this generator already; nothing to do")
        return there.settings.generator.file
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already, and not empty; name a new folder")
    check_place(folder.parent / f"{folder.name}.toml")
    if copy:
        file = "generator.safetensors"
    elif folder.parent.resolve() in generator.parents:
        file = Path(os.path.relpath(generator, folder.parent.resolve() / folder.name)).as_posix()
    else:
        file = str(generator)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            made.mkdir()
            if copy:
                shutil.copyfile(generator, made / file)
            text = TOML.format(version=VERSION, file=tomlkit.item(file).as_string(), sha256=sha256_of(generator))
            (made / "preset.toml").write_text(text, "utf-8")
            if folder.exists():
                folder.rmdir()  # empty; not every system renames onto one
            made.rename(folder)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}; choose a place that is yours") from error
    return file


def _there(folder: Path) -> Preset | None:
    """The preset in a folder, if there is a whole one."""
    try:
        preset = Preset.load(folder)
        return preset if preset.generator_path.is_file() else None
    except PresetError:
        return None


app = typer.Typer(add_completion=False)


@app.command()
def command(
    preset: Annotated[Path, typer.Argument(help="The folder to make.")],
    generator: Annotated[
        Path, typer.Option("--generator", "-g", help="A StyleGAN3, as `ponticello convert` writes it.")
    ],
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the generator into the preset; by default the preset names its place.")
    ] = False,
) -> None:
    """Make a preset around a generator; sounds, images and pairs come next."""
    file = new(preset, generator, copy)
    print(f"{preset}: a preset with the generator {file}")
    say(f"next: ponticello analyse {pasted(preset)} SOUND; ponticello candidates {pasted(preset)}")
