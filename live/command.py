"""`ponticello live`: its options, and a show made of them."""

import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer

from live import hall
from live.display.base import Display, OffscreenDisplay
from live.display.keys import KeySet
from live.display.placement import Scaling
from live.display.settings import WindowSettings
from live.options import Channel, OutputDevice, Rate, whole
from live.osc import port as osc
from live.osc.endpoints import parse_endpoint
from live.show.sharing import share_the_machine
from live.sound.open_input import open_input
from live.sound.source import Source
from shared.controls import CONTROLS, Value
from shared.errors import SettingError, UserError
from shared.image.device import pick_device, pick_precision
from shared.preset import Preset

MOST_PRESETS = 9  # keys


def play(
    presets: list[Preset],
    preset: Preset,
    source: Source,
    display: Display,
    port: osc.OscPort,
    *,
    device: str,
    precision: str,
    **options: object,
) -> None:
    """Load what is needed, then play until the end; SIGINT, SIGTERM and the window's closing are ends like others."""
    from live.show.performance import Performance
    from shared.painter import Painter

    stopped = threading.Event()

    def end(number: int, _frame: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)  # whoever insists is obeyed

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    share_the_machine(device)
    performance = Performance(
        presets,
        preset,
        source=source,
        display=display,
        port=port,
        painter=Painter(device, precision),
        stopped=stopped,
        **options,  # type: ignore[arg-type]  # they are Performance's own
    )
    performance.run(
        lambda: print(
            f"{preset.name} plays: {source.label}; {device}; OSC port {port.port}; Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
    )


app = typer.Typer(add_completion=False)


@app.command()
def command(
    presets: Annotated[list[str], typer.Argument(help="Presets' folders, or names; the first plays, keys 1-9 change.")],
    given: Annotated[
        str | None,
        typer.Option(
            "--input", help="A device by number or part of its name, a sound file, or osc; default: the system's."
        ),
    ] = None,
    channel: Channel = None,
    rate: Rate = None,
    play_file: Annotated[
        bool, typer.Option("--play/--no-play", help="Whether a sound file is played through the sound card.")
    ] = True,
    output: OutputDevice = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin a sound file again at its end.")] = False,
    sync: Annotated[
        str | None, typer.Option(help="Pictures of a sound file: ahead (on the sound), natural, or ms ahead.")
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option("--display", help="Monitor by number or part of its name; default: not the operator's."),
    ] = None,
    fullscreen: Annotated[bool, typer.Option("--fullscreen", help="Fill the monitor.")] = False,
    scaling: Annotated[str, typer.Option(help="fit, fill, stretch or 1:1.")] = "fit",
    keys: Annotated[str, typer.Option(help="Keys that act in full screen: stage (B, Z, 1-9, Esc), or all.")] = "stage",
    hud: Annotated[bool, typer.Option("--hud", help="Show the head-up display from the beginning.")] = False,
    offscreen: Annotated[bool, typer.Option("--offscreen", help="The same show without a window.")] = False,
    osc_port: Annotated[int, typer.Option(help="Port on which OSC is received; 0: any free one.")] = osc.PORT,
    osc_host: Annotated[
        str, typer.Option(help="Address on which OSC is received; 0.0.0.0: from everywhere.")
    ] = osc.HOST,
    osc_to: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT that gets all outputs; may be repeated. Default: 127.0.0.1:57120."),
    ] = None,
    hall_file: Annotated[
        Path | None, typer.Option("--hall", help="Hall file (.toml): devices and technical controls.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record the show into this folder, for `ponticello render PRESET FOLDER`.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="End after so many seconds.")] = None,
    stats: Annotated[Path | None, typer.Option(help="Write how it went to this JSON file.")] = None,
    hashes: Annotated[Path | None, typer.Option(help="Write every picture's SHA-256 to this CSV file.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps; by default the fastest there is.")] = None,
    precision: Annotated[str, typer.Option(help="auto, full or half.")] = "auto",
) -> None:
    """Play: sound in, pictures out, steered by OSC. docs/live.md tells all about it."""
    if len(presets) > MOST_PRESETS:
        raise UserError(f"{len(presets)} presets given; allowed are up to {MOST_PRESETS}, one for each of the keys 1-9")
    if seconds is not None and not seconds > 0:
        raise SettingError(f"--seconds {seconds} given; allowed is a number above 0")
    for path in (stats, hashes):
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"no folder {path.absolute().parent}; make it first or choose another place")
    room = hall.Hall() if hall_file is None else hall.read(hall_file)
    told = room.options
    controls: dict[str, Value] = dict(room.controls)
    if sync is not None:
        controls["sync"] = CONTROLS["sync"].checked(_number_or_word(sync))
    loaded = [Preset.load(preset) for preset in presets]
    first = replace(loaded[0], controls={**loaded[0].controls, **controls})
    chosen = pick_device(device)
    pick_precision(precision, chosen)
    targets = osc.TARGETS if not osc_to else tuple(parse_endpoint(text) for text in osc_to)
    settings = WindowSettings(
        monitor if monitor is not None else told.get("display"),
        fullscreen,
        _one_of("--scaling", scaling, get_args(Scaling)),  # type: ignore[arg-type]  # it is one of them
        _one_of("--keys", keys, get_args(KeySet)),  # type: ignore[arg-type]
        hud,
    )
    source = open_input(
        given if given is not None else told.get("input"),
        channel=channel or told.get("channel", "1"),
        rate=rate if rate is not None else whole("rate", told.get("rate")),
        play=play_file,
        output=output if output is not None else told.get("output"),
        loop=loop,
    )
    play(
        loaded,
        first,
        source,
        _display(settings, offscreen),
        osc.OscPort(first.settings.inputs, osc_host, osc_port, targets),
        device=chosen,
        precision=precision,
        seconds=seconds,
        hall_file=hall_file,
        record=None if record is None else record.expanduser().absolute(),
        scaler=room.scaler,
        stats_file=stats,
        hashes_file=hashes,
    )


def _display(settings: WindowSettings, offscreen: bool) -> Display:
    if offscreen:
        return OffscreenDisplay(scaling=settings.scaling, hud=settings.hud)
    from live.display.windowed import WindowDisplay

    return WindowDisplay(settings)


def _one_of(option: str, given: str, allowed: tuple[str, ...]) -> str:
    if given not in allowed:
        raise SettingError(f"{option} {given} given; allowed are: {', '.join(allowed)}")
    return given


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
