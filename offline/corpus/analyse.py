"""`ponticello analyse`: the descriptors of sounds, as tables or as the map of a preset."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float64
from numpy.typing import NDArray

from offline.options import counted
from offline.progress import progress, say
from offline.silence import silence_remark
from offline.writable import writable
from shared.atomic import written_atomically
from shared.audio.descriptors import SETS, SetName, describe_blocks, heard
from shared.audio.files import SoundReader
from shared.command_line import example, new_app, option
from shared.errors import PresetError, UserError, pasted
from shared.preset.corpus import CORPUS
from shared.preset.history import PAIRS
from shared.preset.lock import preset_lock
from shared.preset.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

Rows = Iterator[Float64[np.ndarray, "m columns"]]
TABLES, MAP = "Tables", "The preset's map"  # panels of --help


def analyse(sound: Path, output: Path, channel: int | None = None, descriptor_set: SetName = "flucoma") -> int:
    """Write a descriptor set of one sound to a .csv or .npz file, completely or not at all; return the number of frames.

    csv: a header with the names, then one row per frame at full precision. npz: `descriptors` (m, columns), `names`,
    `sample_rate` and `hop` of the analysis. Raises SoundError and UserError.
    """
    if output.suffix.lower() not in WRITERS:
        raise UserError(
            f"-o {output} given; allowed are files that end in {' or '.join(WRITERS)}; "
            f"for a preset: ponticello analyse {pasted(output)} {pasted(sound)}"
        )
    write = WRITERS[output.suffix.lower()]
    with SoundReader(sound, channel) as reader, written_atomically(output) as unfinished:
        frames = write(unfinished, SETS[descriptor_set], _rows(reader, descriptor_set))
    for remark in [*reader.remarks(), silence_remark(sound, channel)]:
        if remark:
            say(remark)
    say(f"{output}: {counted(frames, 'frame')}")
    return frames


def analyse_many(
    sounds: list[Path], folder: Path, channel: int | None = None, descriptor_set: SetName = "flucoma"
) -> None:
    """Write the descriptors of each sound to `folder`/NAME.csv. All sounds are opened before any is analysed."""
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
        analyse(sound, output, channel, descriptor_set)


def _rows(reader: SoundReader, descriptor_set: SetName) -> Rows:
    names = heard(descriptor_set)
    columns = [names.index(name) for name in SETS[descriptor_set]]
    with progress(reader.path.name, reader.frames) as advance:
        for rows in describe_blocks(reader.blocks(), names):
            yield rows[:, columns]
            advance(reader.frames_read)


def _write_csv(path: Path, names: tuple[str, ...], blocks: Rows) -> int:
    frames = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(names) + "\n")
        for rows in blocks:
            file.writelines(",".join(map(repr, row)) + "\n" for row in rows.tolist())
            frames += len(rows)
    return frames


def _write_npz(path: Path, names: tuple[str, ...], blocks: Rows) -> int:
    descriptors: NDArray[np.float64] = np.concatenate([np.empty((0, len(names))), *blocks])
    with path.open("wb") as file:  # given a name, savez would add .npz
        np.savez(file, descriptors=descriptors, names=np.array(names), sample_rate=SAMPLE_RATE, hop=HOP)
    return len(descriptors)


WRITERS: dict[str, Callable[[Path, tuple[str, ...], Rows], int]] = {".csv": _write_csv, ".npz": _write_npz}

app = new_app()


@app.command(
    epilog=example(
        "ponticello analyse mine violin.wav glass.flac",
        "ponticello analyse violin.wav -o violin.csv",
        "ponticello analyse *.wav --csv tables --set combined",
        "ponticello analyse violin.wav --compare sets.html",
    )
)
def command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[PRESET] SOUND...",
            help="A preset and its sounds; with -o or --csv sounds alone. WAV, FLAC, OGG, MP3, ..., at any sample rate.",
        ),
    ],
    output: Annotated[
        Path | None,
        option("-o", "--output", panel=TABLES, help="Write one sound to this .csv or .npz file."),
    ] = None,
    csv: Annotated[
        Path | None, option("--csv", panel=TABLES, help="Write each sound to NAME.csv in this folder.")
    ] = None,
    descriptor_set: Annotated[
        SetName | None,
        option(
            "--set",
            panel=TABLES,
            help="Descriptor set of the tables. A preset names its own in preset.toml.",
            show_default="flucoma",
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        option(
            "--compare",
            metavar="PAGE.html",
            panel=TABLES,
            help="Compare all descriptor sets on one sound: maps side by side, and how well each tells 17 moments apart.",
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(
            "--channel", metavar="N", help="Channel to analyse, from 1.", show_default="the average of all channels"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        option("--seed", panel=MAP, help="Random seed of the map's layout.", min=0, max=2**32 - 1, show_default="0"),
    ] = None,
    copy: Annotated[
        bool,
        option("--copy", panel=MAP, help="Copy the sounds into the preset instead of referring to their files."),
    ] = False,
) -> None:
    """Analyse sounds 86 times a second, by the 23 descriptors or another set, as the map of a preset or as tables."""
    if compare is not None:
        _compare(names, compare, channel, seed or 0)
        return
    if output is not None and csv is not None:
        raise UserError("-o and --csv given; -o writes one sound, --csv many: choose one")
    if output is None and csv is None:
        preset, sounds = _split(names)
        if descriptor_set is not None:
            raise UserError(
                f'--set {descriptor_set} given; for a preset, write descriptors = "{descriptor_set}" in its preset.toml'
            )
        _make_map(preset, sounds, channel, seed or 0, copy)
        return
    if seed is not None or copy:
        raise UserError(f"{'--copy' if copy else '--seed'} belongs to a preset: ponticello analyse PRESET SOUND...")
    sounds = [Path(name) for name in names]
    if csv is not None:
        analyse_many(sounds, csv, channel, descriptor_set or "flucoma")
    elif output is not None:
        if len(sounds) > 1:
            raise UserError(f"{len(sounds)} sounds and one file ({output}) given; use --csv FOLDER for many sounds")
        analyse(sounds[0], output, channel, descriptor_set or "flucoma")


def _compare(names: list[str], page: Path, channel: int | None, seed: int) -> None:
    from offline.laboratory.hearing import compare_sets

    if len(names) > 1:
        raise UserError(f"{len(names)} sounds given; --compare takes one")
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--compare {page} given; allowed are files that end in .html")
    for line in compare_sets(Path(names[0]), page, channel, seed).lines():
        print(line)
    say(f"{page}: maps side by side; open it in a browser")


def _split(names: list[str]) -> tuple[str, list[Path]]:
    """The preset and the sounds of a command line. Raises UserError if one of them is missing."""
    preset, *sounds = names
    if Path(preset).is_file():
        given = " ".join(pasted(name) for name in names)
        raise UserError(
            f"{preset} is a file; name the preset first (ponticello analyse PRESET {given}), or write a table: -o FILE.csv"
        )
    if not sounds:
        raise UserError(f"preset {preset} given and no sound; name the sounds after it")
    return preset, [Path(sound) for sound in sounds]


def _make_map(path: str, sounds: list[Path], channel: int | None, seed: int, copy: bool) -> None:
    from offline.corpus.corpus import make_corpus
    from offline.pairing.session import Pairing

    with writable(path, held=False) as preset:
        facts = make_corpus(preset, sounds, channel, seed, copy).facts
        frames = sum(sound.frames for sound in facts.sounds)
        print(
            f"{preset.folder / CORPUS}: {counted(frames, 'frame')} of {counted(len(facts.sounds), 'sound')}; "
            f"{facts.components} of {len(facts.inputs)} principal components keep {facts.kept_variance:.2%} of the variance"
        )
        if (preset.folder / PAIRS).is_file():
            try:
                with preset_lock(preset.folder):
                    Pairing(Preset.load(preset.folder)).draw()
                say(f"the pairs keep their moments of sound; next: ponticello train {pasted(preset.folder)}")
            except PresetError as error:  # the sounds are analysed; the pairs cannot follow
                say(str(error))
