"""`ponticello soundcheck`: finds gain, gate and standardisation for a source in a hall, and saves them in the hall file."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from live import hall
from live.hall import Hall
from live.options import SoundOptions
from live.sound.channels import Channels
from live.sound.file_input import FileInput
from live.sound.open_input import OSC, Block, FrameBlock, Source, names_a_file, open_input
from live.sound.sound_card import SoundCard
from live.sound.tape import Tape
from live.soundcheck.findings import Findings
from live.soundcheck.listening import Progress, SoundCheck
from shared.command_line import example, grouped, new_app, option
from shared.errors import SettingError, pasted, printable
from shared.preset import Preset

READ_S = 0.05
REPORT_EVERY = 5  # seconds of playing between two reports; near the end every second is reported


@dataclass(frozen=True)
class Input:
    """An input, and its blocks in order."""

    source: Source
    blocks: Iterator[Block | FrameBlock]


app = new_app()


@app.command(epilog=example("ponticello soundcheck glass --input Scarlett --channel 2 --hall cellar.toml"))
@grouped
def command(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET",
            help="Preset folder or name; the playing is compared with its pairs.",
            show_default=False,
        ),
    ],
    sound: SoundOptions,
    hall_file: Annotated[
        Path | None,
        option(
            "--hall",
            metavar="FILE.toml",
            panel="Files",
            help="Hall file that names the input, and in which the results are saved.",
        ),
    ] = None,
) -> None:
    """Record 5 s of silence and 30 s of playing, then set gain, gate and standardisation of this source."""
    room = hall.read(hall_file) if hall_file is not None and hall_file.exists() else Hall()
    if hall_file is not None:
        hall.check_place(hall_file)
    compared = Preset.load(preset)
    compared.mapping, compared.pairs  # noqa: B018  # errors in them are reported before anybody plays
    options = sound.with_hall(room.options)
    taken = _open(options)
    check = SoundCheck(taken.source, isinstance(taken.source, SoundCard))
    _listen(check, taken)
    findings = check.judge(compared)
    for line in findings.lines:
        _say(line)
    if hall_file is None:
        _say(
            f"nothing is saved; to save, run it again with --hall FILE.toml, then: ponticello live {pasted(preset)} --hall FILE.toml"
        )
        return
    _save(hall_file, findings, options, taken.source)
    _say(f"saved: {hall_file.absolute()}; use it with: ponticello live {pasted(preset)} --hall {pasted(hall_file)}")


def _open(options: SoundOptions) -> Input:
    if options.input == OSC:
        raise SettingError("--input osc given; run this sound-check in the show: /ponticello/soundcheck 1")
    channels = options.channel or "1"
    if options.input is not None and names_a_file(options.input) and not options.play:
        return _at_once(Path(options.input).expanduser(), channels)
    source = open_input(options.input, channel=channels, rate=options.rate, play=options.play, output=options.output)
    return Input(source, _as_it_arrives(source))


def _listen(check: SoundCheck, taken: Input) -> None:
    """Record until the sound-check is complete, and report its progress."""
    taken.source.start()
    try:
        _say(f"listening to {taken.source.label}")
        for block in taken.blocks:
            check.take(block)
            for line in taken.source.errors():
                _say(line)
            progress = check.progress()
            if progress is not None and _is_reported(progress):
                _say(progress.line)
            if check.complete:
                break
    finally:
        taken.source.close()


def _save(file: Path, findings: Findings, options: SoundOptions, source: Source) -> None:
    """Save the results and the input that they belong to."""
    values = {"gate": findings.gate_db} | ({} if findings.gain_db is None else {"gain": findings.gain_db})
    kept: dict[str, str | int] = {"channel": options.channel or "1"}
    if isinstance(source, SoundCard):
        kept |= {"input": options.input or source.device_name, "rate": source.rate}
    elif options.input is not None:
        kept["input"] = str(Path(options.input).expanduser().absolute())
    hall.save(file, values, findings.scaler, kept)


def _as_it_arrives(source: Source) -> Iterator[Block | FrameBlock]:
    while True:
        yield from source.read(READ_S)


def _at_once(path: Path, channels: str) -> Input:
    """A file that nobody listens to, as fast as it can be read: each look at the clock moves it on."""
    seconds = 0.0
    source = FileInput(Tape(path), Channels.parse(channels), now=lambda: seconds, background=False)

    def blocks() -> Iterator[Block | FrameBlock]:
        nonlocal seconds
        while True:
            seconds += READ_S
            yield from source.read()

    return Input(source, blocks())


def _is_reported(progress: Progress) -> bool:
    return progress.phase != "playing" or progress.seconds % REPORT_EVERY == 0 or progress.seconds < REPORT_EVERY


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
