"""The options of `ponticello train-gan`. Needs no torch."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from shared.command_line import MACHINE, option

NETWORKS, TRAINING, RUN = "Networks", "Training", "Run"  # panels of --help


def _setting(help_text: str, panel: str, default: str, metavar: str | None = None) -> Any:
    """An option whose value comes from the recipe if it is not given. default: that of a run without a recipe."""
    return option(panel=panel, help=help_text, show_default=default, metavar=metavar)


class _Given:
    """Options that are settings of a `Configuration`."""

    def given(self) -> dict[str, Any]:
        """The given options, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class NetworkOptions(_Given):
    """The widths and depths of the networks."""

    config: Annotated[
        str | None, _setting("t: equivariant to translation; r: also to rotation.", NETWORKS, "t", "t|r")
    ] = None
    channel_base: Annotated[int | None, _setting("Channels of G times the resolution.", NETWORKS, "32768")] = None
    channel_max: Annotated[int | None, _setting("Most channels of G.", NETWORKS, "512")] = None
    num_layers: Annotated[int | None, _setting("Layers of G.", NETWORKS, "14")] = None
    z_dim: Annotated[int | None, _setting("Numbers of z.", NETWORKS, "512")] = None
    w_dim: Annotated[int | None, _setting("Numbers of w.", NETWORKS, "512")] = None
    mapping_layers: Annotated[int | None, _setting("Layers of the mapping network.", NETWORKS, "2")] = None
    d_channel_base: Annotated[int | None, _setting("Channels of D times the resolution.", NETWORKS, "32768")] = None
    d_channel_max: Annotated[int | None, _setting("Most channels of D.", NETWORKS, "512")] = None


@dataclass(frozen=True)
class TrainingOptions(_Given):
    """Losses, optimisers and augmentation."""

    batch: Annotated[int | None, _setting("Images of an iteration, of all processes together.", TRAINING, "32")] = None
    micro_batch: Annotated[
        int | None,
        _setting("Images that a process computes at once; fewer need less memory.", TRAINING, "4 to 16, by size"),
    ] = None
    gamma: Annotated[
        str | None, _setting("Weight of R1; auto follows the published table.", TRAINING, "auto", "auto|X")
    ] = None
    g_rate: Annotated[float | None, _setting("Learning rate of G.", TRAINING, "0.0025")] = None
    d_rate: Annotated[float | None, _setting("Learning rate of D.", TRAINING, "0.002")] = None
    augment: Annotated[
        str | None,
        _setting(
            "Adaptive augmentation: all, none, or some of the groups in docs/training.md, with commas.",
            TRAINING,
            "all",
            "GROUPS",
        ),
    ] = None
    augment_p: Annotated[
        float | None, _setting("A fixed augmentation probability, 0 to 1.", TRAINING, "adapted", "P")
    ] = None
    freeze_d: Annotated[
        int | None, _setting("Keep this many layers of D constant, counted from the image.", TRAINING, "0", "N")
    ] = None
    seed: Annotated[int | None, _setting("Random seed.", TRAINING, "0")] = None


@dataclass(frozen=True)
class RunOptions(_Given):
    """The length of the run, and its reports."""

    kimg: Annotated[float | None, _setting("Thousand images to show.", RUN, "25000")] = None
    tick: Annotated[float | None, _setting("Thousand images between two reports.", RUN, "4")] = None
    threads: Annotated[
        int | None,
        _setting("Threads of the processor; the last bits of the results depend on them.", MACHINE, "all cores"),
    ] = None


OutputOption = Annotated[
    Path,
    option(
        "-o",
        "--output",
        metavar="RUN",
        panel=RUN,
        help="Folder of the run. The same command goes on with it.",
        show_default=False,
    ),
]
RecipeOption = Annotated[
    str | None,
    option(
        "--recipe",
        metavar="laptop|small|paper",
        panel=RUN,
        help="Starting point for a processor and 64 pixels, a card and 256, or the paper's run (R, 1024).",
        show_default=False,
    ),
]
PlanOption = Annotated[
    bool, option("-n", "--plan", panel=RUN, help="Measure, print time, memory and disk of the run, and stop.")
]
SnapshotOption = Annotated[
    float, option("--snapshot-minutes", metavar="MINUTES", min=0.0, panel=RUN, help="Minutes between snapshots.")
]
TensorboardOption = Annotated[
    bool, option("--tensorboard", panel=RUN, help="Write the reports for TensorBoard, too, into RUN/tensorboard.")
]
SourceOption = Annotated[
    Path | None,
    option(
        "--from",
        metavar="FILE",
        panel=NETWORKS,
        help="Fine-tune a file of convert --all, a run's snapshot, or a generator.",
        show_default=False,
    ),
]
CondOption = Annotated[bool, option("--cond", panel=TRAINING, help="Train on the labels of the data set.")]
MirrorOption = Annotated[bool, option("--mirror", panel=TRAINING, help="Show flipped copies of all images, too.")]
