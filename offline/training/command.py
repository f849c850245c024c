"""`ponticello train-gan`: a data set to a StyleGAN3 generator."""

from pathlib import Path
from typing import Annotated, Any

import typer

from shared.command_line import MACHINE, DeviceOption, example, new_app

NETWORKS, TRAINING, RUN = "Networks", "Training", "Run"
RECIPE_HELP = "Starting point: laptop (64 pixels, a processor), small (256 pixels, a card) or paper (R, 1024 pixels)."
AUGMENT_HELP = "Adaptive augmentation: all, none, or some of the groups in docs/training.md, with commas."

app = new_app()


def _network(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=NETWORKS, show_default=False)


def _training(text: str, **extra: Any) -> Any:
    return typer.Option(help=text, rich_help_panel=TRAINING, show_default=False, **extra)


@app.command(
    epilog=example(
        "ponticello train-gan glass.zip -o glass-run --recipe laptop",
        "ponticello train-gan glass.zip -o glass-run --from ffhq.safetensors --recipe paper -n",
    )
)
def command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA.zip", help="A data set of ponticello dataset.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="RUN",
            help="Folder of the run. The same command goes on where it stopped.",
            rich_help_panel=RUN,
            show_default=False,
        ),
    ],
    recipe: Annotated[str | None, typer.Option(help=RECIPE_HELP, rich_help_panel=RUN, show_default=False)] = None,
    plan: Annotated[
        bool,
        typer.Option("-n", "--plan", help="Measure time and memory, print the plan and stop.", rich_help_panel=RUN),
    ] = False,
    kimg: Annotated[
        float | None,
        typer.Option(
            help="Thousand images to show (25000; --recipe sets it).", rich_help_panel=RUN, show_default=False
        ),
    ] = None,
    tick: Annotated[
        float | None, typer.Option(help="Thousand images between reports (4).", rich_help_panel=RUN, show_default=False)
    ] = None,
    snapshot_minutes: Annotated[
        float, typer.Option(metavar="MINUTES", min=0.0, help="Minutes between snapshots.", rich_help_panel=RUN)
    ] = 15.0,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write reports for TensorBoard into RUN/tensorboard.", rich_help_panel=RUN),
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Fine-tune: a file of convert --all, a run's snapshot, or a generator.",
            rich_help_panel=NETWORKS,
            show_default=False,
        ),
    ] = None,
    config: Annotated[str | None, _network("t: equivariant to translation (default); r: also to rotation.")] = None,
    channel_base: Annotated[int | None, _network("Channels of G times the resolution (32768).")] = None,
    channel_max: Annotated[int | None, _network("Most channels of G (512).")] = None,
    num_layers: Annotated[int | None, _network("Layers of G (14).")] = None,
    z_dim: Annotated[int | None, _network("Numbers of z (512).")] = None,
    w_dim: Annotated[int | None, _network("Numbers of w (512).")] = None,
    mapping_layers: Annotated[int | None, _network("Layers of the mapping network (2).")] = None,
    d_channel_base: Annotated[int | None, _network("Channels of D times the resolution (32768).")] = None,
    d_channel_max: Annotated[int | None, _network("Most channels of D (512).")] = None,
    batch: Annotated[int | None, _training("Images of an iteration, of all processes together (32).")] = None,
    micro_batch: Annotated[
        int | None, _training("Images that a process computes at once; fewer need less memory.")
    ] = None,
    gamma: Annotated[
        str | None, _training("Weight of R1: auto (the published table) or a number.", metavar="auto|X")
    ] = None,
    g_rate: Annotated[float | None, _training("Learning rate of G (0.0025).")] = None,
    d_rate: Annotated[float | None, _training("Learning rate of D (0.002).")] = None,
    augment: Annotated[str | None, _training(AUGMENT_HELP, metavar="GROUPS")] = None,
    augment_p: Annotated[float | None, _training("A fixed augmentation probability, 0 to 1.", metavar="P")] = None,
    cond: Annotated[bool, _training("Train on the labels of the data set.")] = False,
    mirror: Annotated[bool, _training("Show flipped copies of all images, too.")] = False,
    freeze_d: Annotated[
        int | None, _training("Keep this many layers of D constant, counted from the image.", metavar="N")
    ] = None,
    seed: Annotated[int | None, _training("Random seed (0).")] = None,
    device: DeviceOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Threads of the processor. Results depend on it in the last bits.",
            rich_help_panel=MACHINE,
            show_default="all cores",
        ),
    ] = None,
) -> None:
    """Train a StyleGAN3 on a data set. RUN holds the whole state: after any stop the same command goes on.

    RUN/generator.safetensors is the generator for `ponticello new`.
    """
    given = {
        "config": config,
        "kimg": kimg,
        "tick": tick,
        "channel_base": channel_base,
        "channel_max": channel_max,
        "num_layers": num_layers,
        "z_dim": z_dim,
        "w_dim": w_dim,
        "mapping_layers": mapping_layers,
        "d_channel_base": d_channel_base,
        "d_channel_max": d_channel_max,
        "batch": batch,
        "gamma": gamma,
        "augment": augment,
        "micro_batch": micro_batch,
        "g_rate": g_rate,
        "d_rate": d_rate,
        "augment_p": augment_p,
        "freeze_d": freeze_d,
        "seed": seed,
        "threads": threads,
    }
    from offline.training.work import Work, work  # torch takes seconds to import

    work(
        Work(
            data=data,
            output=output,
            recipe=recipe,
            given={name: value for name, value in given.items() if value is not None},
            cond=cond,
            mirror=mirror,
            source=source,
            device=device,
            snapshot_s=snapshot_minutes * 60,
            tensorboard=tensorboard,
            plan_only=plan,
        )
    )
