"""`ponticello pair`: pair images with moments of sound."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from offline.candidates.files import class_label
from offline.options import PresetArgument, counted
from offline.pairing.automatic import METHODS
from offline.pairing.placed_pairs import REMOTE
from offline.pairing.session import Pairing, clear
from offline.progress import say
from offline.writable import writable
from shared.command_line import example, new_app
from shared.errors import SettingError, pasted
from shared.preset import Preset, history
from shared.times import parse_time

COUNT = 17  # as in the paper

app = new_app()
ImageArgument = Annotated[
    str, typer.Argument(metavar="IMAGE", help="A candidate or a paired image, by number or name (17, seed17).")
]
NUMBERS = {"ignore_unknown_options": True}  # so that -0.2 reaches the range check


@app.callback(epilog=example("ponticello pair place mine 17 0.31 0.84", "ponticello pair auto mine kmeans"))
def group() -> None:
    """Pair images with moments of sound. Every change is written at once and can be undone."""


@app.command(epilog=example("ponticello pair place mine 17 0.31 0.84"), context_settings=NUMBERS)
def place(
    preset: PresetArgument,
    image: ImageArgument,
    x: Annotated[float, typer.Argument(metavar="X", help="Position on the map from left (0) to right (1).")],
    y: Annotated[float, typer.Argument(metavar="Y", help="Position on the map from bottom (0) to top (1).")],
) -> None:
    """Place an image on the map (map.png) and pair it with the nearest analysis frame there."""
    with writable(preset) as own:
        pairing = Pairing(own)
        name = pairing.place(image, x, y)
        _say_where(pairing, name, x, y)
        show(pairing)


@app.command(epilog=example("ponticello pair at mine 17 1:09.6 --sound violin"), context_settings=NUMBERS)
def at(
    preset: PresetArgument,
    image: ImageArgument,
    time: Annotated[
        str, typer.Argument(metavar="TIME", help="Time from the beginning of the sound: seconds, m:ss or h:mm:ss.")
    ],
    sound: Annotated[
        str | None,
        typer.Option(help="Name or number of the sound.", show_default="the only one"),
    ] = None,
) -> None:
    """Pair an image with a moment of a sound."""
    with writable(preset) as own:
        pairing = Pairing(own)
        pairing.at(image, float(parse_time(time)), sound)
        show(pairing)


@app.command(epilog=example("ponticello pair auto mine assignment --count 12", "ponticello pair auto mine --report"))
def auto(
    preset: PresetArgument,
    method: Annotated[
        str | None,
        typer.Argument(metavar="|".join(METHODS), help="How to choose frames and images.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", help="Number of pairs, limited by the number of images.")] = COUNT,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the clusters.", min=0, max=2**32 - 1)] = 0,
    report: Annotated[
        bool, typer.Option("--report", help="Measure all methods beside the present pairs; change nothing.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.", show_default="PRESET-pairing"),
    ] = None,
) -> None:
    """Replace all pairs by those of an unsupervised method, or measure these methods (see docs/studio.md)."""
    if report:
        if method is not None:
            raise SettingError(f"{method} given with --report, which measures all methods; leave one of them out")
        write_report(Preset.load(preset).for_pairing, count, seed, output)
        return
    if method is None or method not in METHODS:
        raise SettingError(f"{method or 'no method'} given; allowed are: {', '.join(METHODS)}")
    with writable(preset) as own:
        pairing = Pairing(own)
        made = pairing.auto(method, count, seed)
        if made < count:
            chosen = len(own.candidates.kept)
            advice = f"; {counted(chosen, 'image is', 'images are')} chosen: --keep more, or --drop all to use all"
            say(
                f"--count {count} given; images and different sounds are enough for {counted(made, 'pair')}"
                f"{advice if 0 < chosen < count else ''}"
            )
        show(pairing)


@app.command(epilog=example("ponticello pair remove mine 17 40", "ponticello pair remove mine all"))
def remove(
    preset: PresetArgument,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Images to unpair, or `all`.")],
) -> None:
    """Remove pairs."""
    with writable(preset) as own:
        if images == ["all"]:
            clear(own)
            show(Pairing(own), redraw=True)
        else:
            pairing = Pairing(own)
            pairing.remove(*images)
            show(pairing)


@app.command(epilog=example("ponticello pair undo mine"))
def undo(preset: PresetArgument) -> None:
    """Undo the last change. Repeat it to go further back."""
    with writable(preset) as own:
        history.undo(own.folder)
        show(Pairing(own), redraw=True)


@app.command(epilog=example("ponticello pair redo mine"))
def redo(preset: PresetArgument) -> None:
    """Redo what was undone last."""
    with writable(preset) as own:
        history.redo(own.folder)
        show(Pairing(own), redraw=True)


@app.command("list", epilog=example("ponticello pair list mine"))
def list_(preset: PresetArgument) -> None:
    """List the pairs: image, position on the map, sound and second."""
    _print(Pairing(Preset.load(preset)))


def write_report(preset: Preset, count: int, seed: int, output: Path | None) -> None:
    """Measure the methods beside the present pairs; write a page and a table, and print the table."""
    from offline.laboratory.pairing_report import CSV, PAGE
    from offline.laboratory.pairing_report import report as measure

    folder = output or Path(f"{preset.name}-pairing")
    print("\n".join(measure(preset, folder, count, seed).lines()))
    print(f"{folder / PAGE}, {folder / CSV}")


def show(pairing: Pairing, redraw: bool = False) -> None:
    """List the pairs and suggest the next command. redraw: draw the map, after changes that did not."""
    if redraw:
        pairing.draw()
    _print(pairing)
    say(f"{counted(len(pairing.pairs), 'pair')}; next: ponticello train {pasted(pairing.preset.folder)}")


def _say_where(pairing: Pairing, name: str, x: float, y: float) -> None:
    """Report the moment of sound with which a position on the map was paired; warn if it is far away."""
    corpus = pairing.corpus
    distance = float(np.hypot(*(corpus.positions[corpus.nearest(x, y)] - (x, y))))
    moment = pairing.moment(pairing.pairs.names.index(name))
    say(f"{name}: paired with {moment}, {distance:.3f} away on the map")
    if distance > REMOTE:
        say(f"no sound within {REMOTE:g} of {x:g} {y:g}; see map.png for positions near sounds")


def _print(pairing: Pairing) -> None:
    if not len(pairing.pairs):
        say("no pairs yet")
    for number, name in enumerate(pairing.pairs.names):
        x, y = pairing.pairs.positions[number]
        label = class_label(pairing.pairs.classes[number])
        print(f"{name:<16} {x:5.3f} {y:5.3f}   {pairing.moment(number)}   {label}".rstrip())
