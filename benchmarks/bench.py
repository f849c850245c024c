"""`ponticello bench`: what this machine can do, as ratios measured side by side in one run."""

import importlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.atomic import written_atomically
from shared.errors import Failure, SettingError

BENCHMARKS = {
    "descriptors": "a hop of sound analysis beside one Fourier transform",
    "generator": "pictures by the fast paths beside the generator as the paper states it",
    "live": "from sound to latent beside a core, from sound to picture beside the generator",
    "studio": "the studio window with 50,000 frames of sound, and with an hour of them",
    "render": "a whole render beside its slowest part",
}

app = typer.Typer(add_completion=False)


@app.command()
def command(
    name: Annotated[str | None, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}; all of them by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer turns.")] = False,
    output: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Measure this machine; the exit status is 1 where a target is missed."""
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
