"""`ponticello lab`: variants of the motion side by side, measured; and keeping one of them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from offline.laboratory.grid import LEARNED, Variant, default_grid, find_variant, read_grid
from offline.laboratory.lab_plots import correspondence_plot, delay_plot
from offline.laboratory.memory_fit import learned_variant
from offline.laboratory.page import Page, strip
from offline.laboratory.plots import new_plot
from offline.laboratory.side_by_side import Comparison, Measured
from offline.laboratory.table import Cell, Column, Table
from offline.options import PresetArgument
from offline.progress import say
from offline.rendering.relaxation import opencv
from offline.writable import writable
from shared.command_line import DeviceOption, example, new_app
from shared.errors import UserError, pasted
from shared.preset import Preset
from shared.times import parse_time

COLUMNS = (
    Column("number"),
    Column("variant", help="Its name; 0 is the preset as it is."),
    Column("settings", help="Whatever differs from the paper, as preset.toml writes it."),
    Column("pictures", help="Twelve moments from the beginning to the end."),
    Column(
        "half delay", "ms", "low", 3, "From a step of the sound until the latent vector has covered half of the way."
    ),
    Column("delay", "ms", "low", 3, "Until it has covered nine tenths; the sound does not move after the step."),
    Column(
        "jitter",
        "",
        "low",
        3,
        "Mean second difference of the latent vector over its first: 0 straight on, 2 to and fro.",
    ),
    Column("speed", "1/s", "", 3, "Median speed of the latent vector, in deviations of the pairs' latent vectors."),
    Column(
        "change", "grey levels", "low", 3, "Median change from picture to picture: mean difference of 64 x 64 pixels."
    ),
    Column("restless", "grey levels", "low", 3, "95th percentile of that change."),
    Column("spread", "grey levels", "high", 3, "Mean difference of random pictures: the variety that is left."),
    Column(
        "correspondence", "", "high", 3, "Spearman correlation of the change of the descriptors and of the picture."
    ),
    Column("best", "", "high", 3, "That correlation at the lag at which it is highest, up to 250 ms."),
    Column("lag", "ms", "", 3, "That lag."),
)


def results_table(measured: list[Measured]) -> Table:
    """A row for each variant."""
    return Table(COLUMNS, tuple(_row(one) for one in measured))


def _row(one: Measured) -> tuple[Cell, ...]:
    return (
        one.variant.number,
        one.variant.name,
        one.variant.summary,
        strip(one.strip),
        one.half_ms,
        one.most_ms,
        one.jitter,
        float(np.median(one.speeds[1:])) if len(one.speeds) > 1 else 0.0,
        one.change,
        float(np.percentile(one.changes, 95)),
        one.spread,
        one.correlation,
        one.best_correlation,
        one.lag_ms,
    )


def write_page(folder: Path, comparison: Comparison, measured: list[Measured], title: str, keeping: str) -> Path:
    """Write lab.html with the film in it, and lab.csv. keeping: the command that keeps a variant."""
    table = results_table(measured)
    table.write_csv(folder / "lab.csv")
    page = Page(title)
    page.text(
        "Every cell plays the same sound with other settings. Click on a cell to see it large, beside the one before.",
        f"Keep one of them: {keeping} writes its settings into the preset.",
    )
    page.film(comparison.film, cells=comparison.layout.places)
    page.heading("What was measured")
    page.table(table)
    page.heading("Correspondence against smoothness")
    page.text(
        "Smoothing trades one for the other. The yellow variants are the front: no other one is both smoother and closer "
        "to the sound. The grey ones have another frame rate, so their pictures have more or less time to change; they are "
        "not compared."
    )
    page.plot(correspondence_plot(measured))
    page.heading("Delay against jitter")
    page.plot(delay_plot(measured))
    page.write(folder / "lab.html")
    return folder / "lab.html"


def keep(preset: str, variant: Variant) -> str:
    """Write the settings of a variant into a preset; gives a line about it."""
    with writable(preset) as own:
        own.save_controls(variant.values)
    film = f"; a preset holds no flow constraint: use --relax {variant.relax:g} in render" if variant.relax else ""
    rate = "" if variant.fps == 30 else f"; a preset has no frame rate: use --fps {variant.fps} where you play it"
    return f"{own.folder / 'preset.toml'}: {variant.name} ({variant.summary}){rate}{film}"


def _kept_variant(variants: list[Variant], wanted: str, sound: Path | None) -> Variant:
    """The variant of this number or name. Raises UserError if it is measured on a sound and there is none."""
    needs_sound = UserError(f"--keep {wanted} is measured on a sound; give the SOUND as well")
    if sound is None and wanted in (str(len(variants)), LEARNED) and not any(v.name == wanted for v in variants):
        raise needs_sound
    variant = find_variant(variants, wanted)
    if variant.change_limit and sound is None:
        raise needs_sound
    return variant


app = new_app()


@app.command(
    epilog=example(
        "ponticello lab mine violin.wav --end 10",
        "ponticello lab mine violin.wav --grid try.toml -o try",
        "ponticello lab mine --keep 14",
    )
)
def command(
    preset: PresetArgument,
    sound: Annotated[
        Path | None,
        typer.Argument(
            metavar="SOUND",
            help="Sound file. --keep needs it only for variants that are measured on it.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for lab.html, lab.mp4 and lab.csv.", show_default="SOUND-lab"),
    ] = None,
    start: Annotated[str, typer.Option(help="First time: seconds, m:ss or h:mm:ss.", metavar="TIME")] = "0",
    end: Annotated[
        str | None, typer.Option(help="Time to stop before.", show_default="the end of the sound", metavar="TIME")
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option(
            help="Your own variants, a TOML file: see docs/laboratory.md.",
            show_default="orders, coefficients, kernels, followers, frame rates",
        ),
    ] = None,
    keep_variant: Annotated[
        str | None,
        typer.Option("--keep", metavar="N|NAME", help="Write the settings of a variant into the preset, and end."),
    ] = None,
    cell: Annotated[int, typer.Option(min=64, max=512, help="Size of a picture in the film, in pixels.")] = 160,
    device: DeviceOption = None,
) -> None:
    """Play variants of the motion side by side through one sound, measure them, and keep one."""
    loaded = Preset.load(preset)
    variants = default_grid(loaded) if grid is None else read_grid(grid, loaded)
    if sound is not None and grid is None:
        variants.append(learned_variant(len(variants), loaded, sound))
    folder = output or Path(f"{sound.stem if sound else 'sound'}-lab")
    excerpt = parse_time(start), None if end is None else parse_time(end)
    if keep_variant is not None:
        chosen = _kept_variant(variants, keep_variant, sound)
        if chosen.change_limit and sound is not None:
            chosen = Comparison(loaded, sound, [chosen], folder, *excerpt, device).resolved()[0]
        print(keep(preset, chosen))
        return
    if sound is None:
        raise UserError("a SOUND is missing; give a sound file, or --keep N to keep a variant")
    new_plot()  # whether plots can be drawn, before the long work
    if any(variant.relax for variant in variants):
        opencv()
    if folder.is_file():
        raise UserError(f"{folder} is a file; give -o a folder")
    comparison = Comparison(loaded, sound, variants, folder, *excerpt, device, cell)
    measured = comparison.run()
    keeping = f"ponticello lab {pasted(preset)}{f' --grid {pasted(grid)}' if grid else ''} --keep NUMBER"
    page = write_page(folder, comparison, measured, f"{loaded.name} and {sound.name}: variants of the motion", keeping)
    for line in results_table(measured).lines([0, 1, 4, 5, 6, 7, 8, 10, 11]):
        print(line)
    print(f"{page}: {len(measured)} variants; film and numbers beside it")
    say(f"next: {keeping}")
