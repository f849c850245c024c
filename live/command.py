"""`ponticello live`: its options, and a show made of them."""

import gc
import importlib.util
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, get_args

import typer

from live import hall
from live.display.base import Display, OffscreenDisplay
from live.display.keys import KeySet, help_text
from live.display.placement import Scaling
from live.display.settings import WindowSettings
from live.hall import Hall
from live.options import SOUND, SoundOptions
from live.osc import port as osc
from live.osc.endpoints import parse_endpoint
from live.show.options import ShowOptions
from live.show.sharing import share_the_machine
from live.sound.open_input import OSC as FROM_OSC
from live.sound.open_input import open_input
from live.sound.source import Source
from shared.audio.descriptors import DESCRIPTORS
from shared.command_line import DeviceOption, PrecisionOption, example, grouped, new_app, option
from shared.controls import CONTROLS, Value
from shared.errors import SettingError, UserError, printable
from shared.image.device import pick_device, pick_precision
from shared.preset import Preset

MAX_PRESETS = 9  # keys
DISPLAY = "Display"
OSC = "OSC"
EXAMPLES = example(
    "ponticello live glass",
    "ponticello live glass violin --input Scarlett --channel 2 --display 1 --fullscreen --hall cellar.toml",
    "ponticello live glass --input tape.wav --loop --record rehearsal",
)


@dataclass(frozen=True)
class LiveSoundOptions(SoundOptions):
    """The input of a show."""

    loop: Annotated[bool, option("--loop", panel=SOUND, help="Repeat a sound file.")] = False
    sync: Annotated[
        str | None,
        option(
            "--sync",
            metavar="ahead|natural|MS",
            panel=SOUND,
            help="When the pictures of a sound file appear: with the sound, as late as a microphone's, or MS early.",
            show_default="ahead",
        ),
    ] = None

    def open(self, hall_options: Mapping[str, str]) -> Source:
        """The input, not started yet. Raises UserError if there is no such input."""
        chosen = self.with_hall(hall_options)
        return open_input(
            chosen.input,
            channel=chosen.channel or "1",
            rate=chosen.rate,
            play=chosen.play,
            output=chosen.output,
            loop=self.loop,
        )


@dataclass(frozen=True)
class DisplayOptions:
    """Where and how the pictures are shown."""

    monitor: Annotated[
        str | None,
        option(
            "--display",
            metavar="N|NAME",
            panel=DISPLAY,
            help="Monitor by number or part of its name.",
            show_default="one that is not the primary monitor",
        ),
    ] = None
    fullscreen: Annotated[bool, option("--fullscreen", panel=DISPLAY, help="Fill the monitor.")] = False
    scaling: Annotated[
        str, option("--scaling", metavar="fit|fill|stretch|1:1", panel=DISPLAY, help="How the picture fits the window.")
    ] = "fit"
    keys: Annotated[
        str,
        option(
            "--keys",
            metavar="stage|all",
            panel=DISPLAY,
            help="Keys that act in full screen: the few marked * below, or all.",
        ),
    ] = "stage"
    shape: Annotated[
        str | None,
        option(
            "--shape",
            metavar="RATIO|square|window|auto",
            panel=DISPLAY,
            help="Shape of the pictures: a ratio such as 16:9, the network's square, the window's own, or auto, the widest that "
            "is fast enough.",
            show_default="window; square without one",
        ),
    ] = None
    hud: Annotated[bool, option("--hud", panel=DISPLAY, help="Show the head-up display from the start.")] = False
    offscreen: Annotated[bool, option("--offscreen", panel=DISPLAY, help="Play without a window.")] = False

    def settings(self, hall_options: Mapping[str, str]) -> WindowSettings:
        """Settings of the window. Raises SettingError for words that are not allowed."""
        return WindowSettings(
            self.monitor if self.monitor is not None else hall_options.get("display"),
            self.fullscreen,
            _one_of("--scaling", self.scaling, get_args(Scaling)),  # type: ignore[arg-type]  # it is one of them
            _one_of("--keys", self.keys, get_args(KeySet)),  # type: ignore[arg-type]
            self.hud,
        )

    def open(self, hall_options: Mapping[str, str]) -> Display:
        """The display. Raises UserError if there is no screen."""
        settings = self.settings(hall_options)
        if self.offscreen:
            return OffscreenDisplay(scaling=settings.scaling, hud=settings.hud)
        load_triton()
        from live.display.windowed import WindowDisplay

        return WindowDisplay(settings)


@dataclass(frozen=True)
class OscOptions:
    """Where OSC is received and sent."""

    osc_port: Annotated[
        int, option("--osc-port", metavar="PORT", panel=OSC, help="Port that receives OSC; 0 takes any free one.")
    ] = osc.PORT
    osc_host: Annotated[
        str,
        option(
            "--osc-host",
            metavar="ADDRESS",
            panel=OSC,
            help="Address that receives OSC; 0.0.0.0 receives from other machines, too.",
        ),
    ] = osc.HOST
    osc_to: Annotated[
        list[str] | None,
        option(
            "--osc-to",
            metavar="HOST:PORT",
            panel=OSC,
            help="Receiver of all outputs; can be repeated.",
            show_default="127.0.0.1:57120",
        ),
    ] = None

    def open(self, inputs: tuple[str, ...]) -> osc.OscPort:
        """The port, not started yet. Raises UserError for an address that is not one."""
        targets = osc.TARGETS if not self.osc_to else tuple(parse_endpoint(text) for text in self.osc_to)
        return osc.OscPort(inputs, self.osc_host, self.osc_port, targets)


app = new_app()


@app.command(epilog=f"{EXAMPLES}\n\n{help_text()}")
@grouped
def command(
    presets: Annotated[
        list[str],
        typer.Argument(
            metavar="PRESET...", help="Preset folders or names; the first one plays, keys 1-9 switch between them."
        ),
    ],
    sound: LiveSoundOptions,
    display: DisplayOptions,
    osc_options: OscOptions,
    show: ShowOptions,
    device: DeviceOption = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Play live: sound in, pictures out, steered by OSC. See docs/live.md."""
    if len(presets) > MAX_PRESETS:
        raise UserError(f"{len(presets)} presets given; allowed are up to {MAX_PRESETS}, one for each of the keys 1-9")
    show.check()
    room = Hall() if show.hall is None else hall.open_place(show.hall)
    controls: dict[str, Value] = dict(room.controls)
    if sound.sync is not None:
        controls["sync"] = CONTROLS["sync"].checked(_number_or_word(sound.sync))
    if display.shape is not None:
        controls["shape"] = CONTROLS["shape"].checked(display.shape)
    controls.setdefault("shape", "square" if display.offscreen else "window")
    loaded = [Preset.load(preset) for preset in presets]
    if sound.input == FROM_OSC and (
        other := next((each for each in loaded if each.settings.heard != DESCRIPTORS), None)
    ):
        raise SettingError(
            f"--input osc given, and {other.name} hears the descriptor set {other.settings.descriptors}; OSC carries the 23 of "
            "flucoma only: name another input"
        )
    first = replace(loaded[0], controls={**loaded[0].controls, **controls})
    processor = pick_device(device)
    pick_precision(precision, processor)
    port = osc_options.open(first.settings.inputs)
    display.settings(room.options)  # wrong words are reported before anything opens
    source = sound.open(room.options)
    stopped = _stopped_by_signals()
    share_the_machine(processor)
    from live.show.performance import Performance
    from shared.painter import Painter

    performance = Performance(
        loaded,
        first,
        source=source,
        display=display.open(room.options),
        port=port,
        painter=Painter(processor, precision),
        options=show,
        hall=room,
        stopped=stopped,
    )
    performance.run(
        lambda: print(
            printable(f"{first.name} plays: {source.label}; {processor}; OSC port {port.port}; Ctrl-C ends it"),
            file=sys.stderr,
            flush=True,
        )
    )
    gc.freeze()  # the last collection at exit would go through all objects of torch, which takes a second


def load_triton() -> None:
    """Import Triton, if it is installed, before a window opens.

    Training imports it. If Mesa has loaded its own LLVM by then, that crashes the process.
    """
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")


def _stopped_by_signals() -> threading.Event:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second signal kills the program."""
    stopped = threading.Event()

    def end(number: int, _frame: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    return stopped


def _one_of(option_name: str, word: str, allowed: tuple[str, ...]) -> str:
    if word not in allowed:
        raise SettingError(f"{option_name} {word} given; allowed are: {', '.join(allowed)}")
    return word


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
