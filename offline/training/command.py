"""`ponticello train-gan`: a data set to a StyleGAN3 generator."""

from pathlib import Path
from typing import Annotated

import typer

from offline.training.options import (
    CondOption,
    MirrorOption,
    NetworkOptions,
    OutputOption,
    PlanOption,
    RecipeOption,
    RunOptions,
    SnapshotOption,
    SourceOption,
    TensorboardOption,
    TrainingOptions,
)
from shared.command_line import DeviceOption, example, grouped, new_app

app = new_app()


@app.command(
    epilog=example(
        "ponticello train-gan glass.zip -o glass-run --recipe laptop",
        "ponticello train-gan glass.zip -o glass-run --from ffhq.safetensors --recipe paper -n",
    )
)
@grouped
def command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA.zip", help="A data set of ponticello dataset.", show_default=False)
    ],
    output: OutputOption,
    run: RunOptions,
    networks: NetworkOptions,
    training: TrainingOptions,
    recipe: RecipeOption = None,
    plan: PlanOption = False,
    snapshot_minutes: SnapshotOption = 15.0,
    tensorboard: TensorboardOption = False,
    source: SourceOption = None,
    cond: CondOption = False,
    mirror: MirrorOption = False,
    device: DeviceOption = None,
) -> None:
    """Train a StyleGAN3 on a data set. RUN holds the whole state: after any stop the same command goes on.

    RUN/generator.safetensors is the generator, for `ponticello new`.
    """
    from offline.training.work import Work, work  # torch takes seconds to import

    work(
        Work(
            data=data,
            output=output,
            recipe=recipe,
            given={**run.given(), **networks.given(), **training.given()},
            cond=cond,
            mirror=mirror,
            source=source,
            device=device,
            snapshot_s=snapshot_minutes * 60,
            tensorboard=tensorboard,
            plan_only=plan,
        )
    )
