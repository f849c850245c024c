"""Sounds to their descriptors: a table in a file, or the corpus of a preset."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float64
from numpy.typing import NDArray

from offline.progress import progress, say
from offline.writable import writable
from shared.atomic import written_atomically
from shared.audio.descriptors import DESCRIPTORS, describe_blocks
from shared.audio.files import SoundReader
from shared.errors import PresetError, UserError, pasted
from shared.preset.history import PAIRS
from shared.preset.preset import CORPUS, Preset
from shared.stage import HOP, SAMPLE_RATE

Rows = Iterator[Float64[np.ndarray, "m 23"]]


def analyse(sound: Path, output: Path, channel: int | None = None) -> int:
    """Write the descriptors of one sound to a .csv or .npz file, whole or not at all; gives the number of frames.

    csv: a header with the 23 names, then a row per frame with all digits of the numbers. npz: `descriptors` (m, 23),
    `names`, `sample_rate` and `hop` of the analysis. Raises SoundError and UserError.
    """
    if output.suffix.lower() not in WRITERS:
        raise UserError(f"-o {output} given; allowed is a preset, or a file that ends in {' or '.join(WRITERS)}")
    write = WRITERS[output.suffix.lower()]
    with SoundReader(sound, channel) as reader, written_atomically(output) as unfinished:
        frames = write(unfinished, _rows(reader))
    for remark in reader.remarks():
        say(remark)
    say(f"{output}: {frames} frames")
    return frames


def analyse_many(sounds: list[Path], folder: Path, channel: int | None = None) -> None:
    """Write the descriptors of each sound to `folder`/its name.csv. What is wrong with a sound is told before any work."""
    outputs: dict[Path, Path] = {}
    for sound in sounds:
        output = folder / f"{sound.stem}.csv"
        if output in outputs:
            raise UserError(f"{outputs[output]} and {sound} would both become {output}; rename one, or use two folders")
        outputs[output] = sound
        with SoundReader(sound, channel):
            pass
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--csv {folder}: {error.strerror}; name a folder, new or yours") from None
    for output, sound in outputs.items():
        analyse(sound, output, channel)


def _rows(reader: SoundReader) -> Rows:
    with progress(reader.path.name, reader.frames) as advance:
        for rows in describe_blocks(reader.blocks()):
            yield rows
            advance(reader.frames_read)


def _write_csv(path: Path, blocks: Rows) -> int:
    frames = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(DESCRIPTORS) + "\n")
        for rows in blocks:
            file.writelines(",".join(map(repr, row)) + "\n" for row in rows.tolist())
            frames += len(rows)
    return frames


def _write_npz(path: Path, blocks: Rows) -> int:
    descriptors: NDArray[np.float64] = np.concatenate([np.empty((0, len(DESCRIPTORS))), *blocks])
    with path.open("wb") as file:  # to a name, savez would add .npz
        np.savez(file, descriptors=descriptors, names=np.array(DESCRIPTORS), sample_rate=SAMPLE_RATE, hop=HOP)
    return len(descriptors)


def is_preset(output: Path) -> bool:
    """Whether this is the path or the name of a preset, and no name of a file."""
    return output.suffix.lower() not in WRITERS and (output.is_dir() or (len(output.parts) == 1 and not output.suffix))


WRITERS: dict[str, Callable[[Path, Rows], int]] = {".csv": _write_csv, ".npz": _write_npz}

app = typer.Typer(add_completion=False)


@app.command()
def command(
    sounds: Annotated[
        list[Path], typer.Argument(help="Sound files: WAV, FLAC, OGG, MP3, ..., any rate.", metavar="SOUND")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="A preset, whose corpus the sounds become; or for one sound's table a .csv or .npz file.",
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="A folder for the tables of many sounds: NAME.csv each.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option("--channel", help="Which channel, from 1; without it the average of all.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of a preset's map, 0: another number, another layout.", min=0, max=2**32 - 1)
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the sounds into the preset; by default it names their places.")
    ] = False,
) -> None:
    """Analyse sounds: the 23 descriptors, 86 times a second, as tables or as the corpus of a preset."""
    if (output is None) == (csv is None):
        raise UserError("where to? -o PRESET, -o FILE.csv or FILE.npz for one sound, or --csv FOLDER for many")
    is_table = csv is not None or (output is not None and not is_preset(output))
    if is_table and (seed is not None or copy):
        raise UserError(f"{'--copy' if copy else '--seed'} belongs to a preset: -o PRESET")
    if csv is not None:
        analyse_many(sounds, csv, channel)
    elif output is not None and not is_table:
        from offline.corpus import make_corpus
        from offline.pairing.session import Pairing

        with writable(str(output)) as preset:
            facts = make_corpus(preset, sounds, channel, seed or 0, copy).facts
        print(
            f"{preset.folder / CORPUS}: {sum(sound.frames for sound in facts.sounds)} frames of {len(facts.sounds)} sounds; "
            f"{facts.components} of {len(facts.inputs)} principal components keep {facts.kept_variance:.2%} of the variance"
        )
        if (preset.folder / PAIRS).is_file():
            try:
                Pairing(Preset.load(preset.folder)).draw()
                say(f"its pairs keep their moments of sound; next: ponticello train {pasted(preset.folder)}")
            except PresetError as error:  # the sounds are analysed; the pairs cannot follow
                say(str(error))
    elif output is not None:
        if len(sounds) > 1:
            raise UserError(f"{len(sounds)} sounds and one file ({output}) given; use --csv FOLDER for many sounds")
        analyse(sounds[0], output, channel)
