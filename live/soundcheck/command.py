"""`ponticello soundcheck`: gain, gate and a standardiser for a source in a hall, into the hall file."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from live import hall
from live.options import Channel, OutputDevice, Rate, whole
from live.sound.channels import Channels
from live.sound.file_input import FileInput
from live.sound.open_input import OSC, Block, FrameBlock, Source, names_a_file, open_input
from live.sound.sound_card import SoundCard
from live.sound.tape import Tape
from live.soundcheck.listening import Progress, SoundCheck
from shared.errors import SettingError
from shared.preset import Preset

READ_S = 0.05
COUNTED = 5  # s: of the playing it is told every so many seconds how much is left, and each second at the end

app = typer.Typer(add_completion=False)


@app.command()
def command(
    preset: Annotated[str, typer.Argument(help="A preset's folder, or name: what the playing is compared with.")],
    given: Annotated[
        str | None,
        typer.Option("--input", help="A device by number or part of its name, or a sound file; default: the system's."),
    ] = None,
    channel: Channel = None,
    rate: Rate = None,
    play_file: Annotated[
        bool, typer.Option("--play/--no-play", help="Whether a sound file is played; if not, it is heard in no time.")
    ] = True,
    output: OutputDevice = None,
    hall_file: Annotated[
        Path | None, typer.Option("--hall", help="Hall file (.toml) that keeps what is found, and names the input.")
    ] = None,
) -> None:
    """Hear 5 s of silence, then 30 s of playing; propose gain and gate, and learn to standardise this source."""
    room = hall.read(hall_file) if hall_file is not None and hall_file.exists() else hall.Hall()
    if hall_file is not None:
        hall.check_place(hall_file)
    told = room.options
    compared = Preset.load(preset)
    compared.mapping, compared.pairs  # noqa: B018  # what is wrong with them is told before anybody plays
    source_of = given if given is not None else told.get("input")
    channels = channel or told.get("channel", "1")
    if source_of == OSC:
        raise SettingError("--input osc given; make its sound-check in the show: /ponticello/soundcheck 1")
    if source_of is not None and names_a_file(source_of) and not play_file:
        source, blocks = _at_once(Path(source_of).expanduser(), channels)
    else:
        source = open_input(
            source_of,
            channel=channels,
            rate=rate if rate is not None else whole("rate", told.get("rate")),
            play=play_file,
            output=output if output is not None else told.get("output"),
        )
        blocks = _as_it_comes(source)
    check = SoundCheck(source, isinstance(source, SoundCard))
    source.start()
    try:
        _say(f"{source.label} is heard")
        for block in blocks:
            check.take(block)
            for line in source.errors():
                _say(line)
            progress = check.progress()
            if progress is not None and _counts(progress):
                _say(progress.line)
            if check.complete:
                break
    finally:
        source.close()
    findings = check.find(compared)
    for line in findings.lines:
        _say(line)
    values = {"gate": findings.gate_db} | ({} if findings.gain_db is None else {"gain": findings.gain_db})
    if hall_file is None:
        _say("nothing is kept: --hall FILE.toml keeps it, and ponticello live --hall FILE.toml plays by it")
    else:
        hall.save(hall_file, values, findings.scaler)
        _say(f"saved: {hall_file.absolute()}; ponticello live --hall {hall_file} plays by it")


def _as_it_comes(source: Source) -> Iterator[Block | FrameBlock]:
    while True:
        yield from source.read(READ_S)


def _at_once(path: Path, channels: str) -> tuple[Source, Iterator[Block | FrameBlock]]:
    """A file that nobody listens to, in the time of a clock that each look at it moves on."""
    seconds = 0.0
    source = FileInput(Tape(path), Channels.parse(channels), now=lambda: seconds, background=False)

    def blocks() -> Iterator[Block | FrameBlock]:
        nonlocal seconds
        while True:
            seconds += READ_S
            yield from source.read()

    return source, blocks()


def _counts(progress: Progress) -> bool:
    """Whether this second is told."""
    return progress.phase != "playing" or progress.seconds % COUNTED == 0 or progress.seconds < COUNTED


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
