"""`ponticello new`: a new preset around a generator."""

import os
import shutil
from pathlib import Path
from typing import Annotated

import tomlkit
import typer

from offline.progress import say
from offline.readable import if_readable
from shared.atomic import check_place, folder_made_atomically
from shared.audio.descriptors import SetName
from shared.command_line import example, new_app
from shared.errors import PresetError, UserError, one_line, pasted, refusal
from shared.image.checkpoint import read_checkpoint
from shared.preset.preset import SHIPPED, VERSION, Preset, find_preset, sha256_of

TOML = """\
# All settings: docs/presets.md. Remove the # from a line to change its value.
version = {version}
{descriptors}
# inputs = ["pitch", "confidence", "loudness"]    # of the descriptor set; all of it by default

[generator]
file = {file}
sha256 = "{sha256}"

[training]            # the paper's recipe
# layers = [40]
# epochs = 500
# learning_rate = 0.01
# seed = 0

[controls]
# smoothing = 0.8     # 0: nervous, 0.95: dreamy
# truncation = 1.0    # below 1: calmer, above 1: wilder
"""


DEFAULT_SET = '# descriptors = "flucoma"   # what is heard: flucoma, mel, onsets+chroma or combined'


def new(folder: Path, generator: Path, copy: bool = False, descriptors: SetName = "flucoma") -> str:
    """Make a preset folder, completely or not at all; return the generator's path as preset.toml names it.

    A generator below the preset's parent folder is named relative to the preset, so that both can be moved together. copy:
    copy the generator into the preset; a shipped preset's always is. descriptors: what the preset hears. Does nothing if the
    folder is a preset with this generator. Raises UserError if it contains anything else, ModelError for a file that is not
    a generator.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    generator = generator.expanduser().resolve()
    if not generator.is_file():
        raise UserError(
            f"no file {generator}; name a generator (.safetensors) or a preset; `ponticello convert` reads a .pkl"
        )
    read_checkpoint(generator)
    if (existing := _existing(folder)) and existing.generator_sha256 == sha256_of(generator):
        say(f"{folder} is a preset with this generator already; nothing to do")
        return existing.settings.generator.file
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name a new folder")
    check_place(folder.parent / f"{folder.name}.toml")
    copy = copy or SHIPPED in generator.parents  # an update may replace it
    if copy:
        file = "generator.safetensors"
    elif folder.parent.resolve() in generator.parents:
        file = Path(os.path.relpath(generator, folder.parent.resolve() / folder.name)).as_posix()
    else:
        file = str(generator)
    try:
        with folder_made_atomically(folder) as made:
            if copy:
                shutil.copyfile(generator, made / file)
            text = TOML.format(
                version=VERSION,
                descriptors=DEFAULT_SET if descriptors == "flucoma" else f'descriptors = "{descriptors}"',
                file=tomlkit.item(file).as_string(),
                sha256=sha256_of(generator),
            )
            (made / "preset.toml").write_text(text, "utf-8")
    except OSError as error:
        raise refusal(f"cannot make {folder}", error) from error
    return file


def find_generator(name: str) -> Path:
    """The file of a generator, given by its path or by the path or name of a preset."""
    path = Path(name).expanduser()
    if path.is_file() or path.suffix:
        return path
    try:
        find_preset(name)
    except PresetError as error:
        raise UserError(f"--generator: no file {name}, and {one_line(error)}") from None
    return Preset.load(name).generator_path


def _existing(folder: Path) -> Preset | None:
    """The preset in a folder; None if there is none, or none with a generator."""
    preset = if_readable(lambda: Preset.load(folder))
    return None if preset is None or if_readable(lambda: preset.generator_path) is None else preset


app = new_app()


@app.command(
    epilog=example("ponticello new mine --generator generator.safetensors", "ponticello new mine --generator glass")
)
def command(
    preset: Annotated[Path, typer.Argument(metavar="PRESET", help="Folder to create.", show_default=False)],
    generator: Annotated[
        str,
        typer.Option(
            "--generator",
            "-g",
            metavar="FILE|PRESET",
            help="StyleGAN3 generator (.safetensors; `ponticello convert` makes it from a .pkl), or a preset whose generator to use.",
        ),
    ],
    descriptors: Annotated[
        SetName, typer.Option("--descriptors", help="Descriptor set that the preset hears; see docs/descriptors.md.")
    ] = "flucoma",
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the generator into the preset instead of referring to its file.")
    ] = False,
) -> None:
    """Make a preset around a generator; sounds, images and pairs are added to it later."""
    file = new(preset, find_generator(generator), copy, descriptors)
    print(f"{preset}: a preset with the generator {file}")
    say(f"next: ponticello analyse {pasted(preset)} SOUND; ponticello candidates {pasted(preset)}")
