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
from shared.errors import PresetError, SettingError, UserError, one_line, pasted, refusal
from shared.image.checkpoint import read_checkpoint
from shared.preset.places import SHIPPED, find_preset
from shared.preset.preset import Preset, sha256_of
from shared.preset.settings import VERSION

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

DIRECT_TOML = """\
# All settings: docs/presets.md. Remove the # from a line to change its value.
version = {version}
picture = "direct"    # a decoder draws the pictures, directly from the sound; there is no generator
{descriptors}
# inputs = ["pitch", "confidence", "loudness"]    # of the descriptor set; all of it by default

[direct]
# size = 128          # shorter side of the pictures, in pixels
# shape = "square"    # or a ratio such as "16:9"
# steps = 1500
# seed = 0

[controls]
# smoothing = 0.8     # 0: nervous, 0.95: dreamy
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
    _check_place(folder)
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
                descriptors=_set_line(descriptors),
                file=tomlkit.item(file).as_string(),
                sha256=sha256_of(generator),
            )
            (made / "preset.toml").write_text(text, "utf-8")
    except OSError as error:
        raise refusal(f"cannot make {folder}", error) from error
    return file


def new_direct(folder: Path, descriptors: SetName = "flucoma") -> None:
    """Make a preset folder without a generator: a decoder, trained on pictures from files, will draw directly from the sound.

    Raises UserError if the folder exists and is not empty.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    _check_place(folder)
    try:
        with folder_made_atomically(folder) as made:
            text = DIRECT_TOML.format(version=VERSION, descriptors=_set_line(descriptors))
            (made / "preset.toml").write_text(text, "utf-8")
    except OSError as error:
        raise refusal(f"cannot make {folder}", error) from error


def _check_place(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name a new folder")
    check_place(folder.parent / f"{folder.name}.toml")


def _set_line(descriptors: SetName) -> str:
    return DEFAULT_SET if descriptors == "flucoma" else f'descriptors = "{descriptors}"'


def find_generator(name: str) -> Path:
    """The file of a generator, given by its path or by the path or name of a preset."""
    path = Path(name).expanduser()
    if path.is_file() or path.suffix:
        return path
    try:
        find_preset(name)
    except PresetError as error:
        raise UserError(f"--generator: no file {name}, and {one_line(error)}") from None
    return Preset.load(name).for_pairing.generator_path


def _existing(folder: Path) -> Preset | None:
    """The preset in a folder; None if there is none, or none with a generator."""
    preset = if_readable(lambda: Preset.load(folder).for_pairing)
    return None if preset is None or if_readable(lambda: preset.generator_path) is None else preset


app = new_app()


@app.command(
    epilog=example(
        "ponticello new mine --generator generator.safetensors",
        "ponticello new mine --generator glass",
        "ponticello new mine --direct",
    )
)
def command(
    preset: Annotated[Path, typer.Argument(metavar="PRESET", help="Folder to create.", show_default=False)],
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            "-g",
            metavar="FILE|PRESET",
            help="StyleGAN3 generator (.safetensors; `ponticello convert` makes it from a .pkl), or a preset whose generator to use.",
            show_default=False,
        ),
    ] = None,
    direct: Annotated[
        bool,
        typer.Option(
            "--direct",
            help="Without a generator: `ponticello train PRESET --direct --pictures DIR` learns pictures from files.",
        ),
    ] = False,
    descriptors: Annotated[
        SetName, typer.Option("--descriptors", help="Descriptor set that the preset hears; see docs/descriptors.md.")
    ] = "flucoma",
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the generator into the preset instead of referring to its file.")
    ] = False,
) -> None:
    """Make a preset around a generator; sounds, images and pairs are added to it later."""
    if direct and (generator is not None or copy):
        raise SettingError(
            "--direct given with a generator; a preset without one draws directly: leave one of them out"
        )
    if direct:
        new_direct(preset, descriptors)
        print(f"{preset}: a preset without a generator")
        say(
            f"next: ponticello analyse {pasted(preset)} SOUND; "
            f"ponticello train {pasted(preset)} --direct --pictures DIR (see docs/direct.md)"
        )
        return
    if generator is None:
        raise SettingError(
            "no --generator given; name a generator's file or a preset, or use --direct to do without one"
        )
    file = new(preset, find_generator(generator), copy, descriptors)
    print(f"{preset}: a preset with the generator {file}")
    say(f"next: ponticello analyse {pasted(preset)} SOUND; ponticello candidates {pasted(preset)}")
