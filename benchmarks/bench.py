"""`ponticello bench`: this machine's speed, as ratios measured side by side in one run."""

import importlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.atomic import written_atomically
from shared.command_line import example, new_app
from shared.errors import Failure, SettingError

BENCHMARKS = {
    "descriptors": "the cost of a hop of sound analysis, in Fourier transforms",
    "generator": "the fast paths beside the generator as the paper states it",
    "live": "the cost from sound to latent, and the time from sound to picture beyond the generator's",
    "studio": "the studio window with 50,000 frames of sound, and with an hour of them",
    "training": "a step of train-gan beside the paper's formulas with automatic gradients",
    "render": "the time of a whole render beside its slowest part",
}

app = new_app()


@app.command(epilog=example("ponticello bench generator --quick", "ponticello bench --json figures.json"))
def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="BENCHMARK", help=f"{', '.join(BENCHMARKS)}.", show_default="all of them"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Take fewer measurements.")] = False,
    output: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Measure this machine. The exit status is 1 if a target is missed."""
    if name is not None and name not in BENCHMARKS:
        raise SettingError(f"no benchmark '{name}'; there are: {', '.join(BENCHMARKS)}")
    figures: dict[str, Any] = {
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    }
    for chosen in BENCHMARKS if name is None else [name]:
        print(f"{chosen}: {BENCHMARKS[chosen]}")
        figures[chosen] = importlib.import_module(f"{__package__}.{chosen}").run(quick)
    if output:
        with written_atomically(output) as temporary:
            temporary.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    missed = [chosen for chosen, figure in figures.items() if isinstance(figure, dict) and not figure["met"]]
    if missed:
        raise Failure(f"target missed: {', '.join(missed)}; measure again on an idle machine")
