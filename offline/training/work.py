"""The work of `ponticello train-gan`: the settings, the plan or the run, and lines for the user."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from offline.dataset.reader import Dataset
from offline.options import counted
from offline.progress import Advance, progress, say
from offline.training.augmentation.parameters import GROUPS
from offline.training.configuration import RECIPES, Configuration, published_micro_batch
from offline.training.plan import duration, measure, parameters
from offline.training.processes import Processes, connected, local_device
from offline.training.run import Listener, Report, TrainingRun
from offline.training.run_folder import GENERATOR_FILE, RunFolder
from offline.training.start import Source, begin
from offline.training.stopping import stop_requests
from offline.training.tensorboard import open_writer
from shared.errors import Failure, SettingError, Stopped, one_line, pasted, printable
from shared.image.architecture import Architecture
from shared.image.device import pick_device


@dataclass(frozen=True)
class Work:
    """A command line. given: the given settings of `Configuration` by name."""

    data: Path
    output: Path
    recipe: str | None
    given: Mapping[str, Any]
    cond: bool
    mirror: bool
    source: Path | None
    device: str | None
    snapshot_s: float
    tensorboard: bool
    plan_only: bool


def work(task: Work) -> None:
    """Train, or print the plan. Raises UserError, Failure, and Stopped after a signal."""
    device = local_device(pick_device(task.device))
    with ExitStack() as stack:
        processes = stack.enter_context(connected(device))
        folder = RunFolder(task.output)
        before = folder.configuration() if folder.exists else None
        cond = task.cond or (before is not None and before.classes > 0)
        mirror = task.mirror or (before is not None and before.mirror)
        dataset = Dataset(task.data, use_labels=cond, mirror=mirror)
        source = None if task.source is None else Source.read(task.source)
        if processes.is_first and not task.plan_only:
            stack.enter_context(folder.locked())
        configuration = _configuration(task, dataset, source, folder, mirror=mirror)
        configuration.check()
        _check_share(configuration, processes)
        processes.wait()  # all have read the folder before it is changed
        if processes.is_first:
            _introduce(configuration, dataset, task)
        if task.plan_only:
            _plan(configuration, dataset, source, torch.device(device), processes)
            return
        if processes.is_first:
            folder.begin(configuration)
        processes.wait()
        _train(task, configuration, dataset, source, folder, torch.device(device), processes)


def _configuration(
    task: Work, dataset: Dataset, source: Source | None, folder: RunFolder, *, mirror: bool
) -> Configuration:
    """The settings of a new run, or those of the run in the folder. Raises SettingError if other ones are given."""
    facts = {
        "size": dataset.resolution,
        "channels": dataset.channels,
        "classes": dataset.labels.shape[1],
        "images": len(dataset),
        "data": dataset.fingerprint,
        "mirror": mirror,
    }
    wishes = {**_recipe(task.recipe), **_parsed(task.given)}
    if source is not None:
        wishes |= _of_source(source, wishes, facts)
    base: dict[str, Any] = {}
    if folder.exists:
        base = msgspec.structs.asdict(folder.configuration())
    else:
        config = str(wishes.get("config", "t"))
        base["threads"] = torch.get_num_threads()
        base["micro_batch"] = min(int(wishes.get("batch", 32)), published_micro_batch(dataset.resolution, config))
    try:
        configuration = msgspec.convert({**base, **wishes, **facts}, Configuration, strict=False)
    except msgspec.ValidationError as error:
        raise SettingError(f"{one_line(error)}; see ponticello train-gan --help") from error
    if folder.exists:
        folder.check(configuration)
        if configuration.source and source is None and not folder.snapshots():
            raise SettingError(
                f"{folder.path} was started from a file and has no snapshot yet; "
                "give the same file again with --from, or name a new folder"
            )
    return configuration


def _recipe(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in RECIPES:
        raise SettingError(f"--recipe {name} given; allowed are {', '.join(RECIPES)}")
    return dict(RECIPES[name])


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings with `gamma` and `augment` as values."""
    parsed = dict(given)
    if "gamma" in parsed:
        try:
            parsed["gamma"] = None if parsed["gamma"] == "auto" else float(parsed["gamma"])
        except ValueError:
            raise SettingError(f"--gamma {parsed['gamma']} given; allowed are auto and numbers above 0") from None
    if "augment" in parsed:
        words = [word.strip() for word in str(parsed["augment"]).split(",") if word.strip()]
        groups = {"all": list(Configuration(size=16).augment), "none": []}
        parsed["augment"] = tuple(sorted({group for word in words for group in groups.get(word, [word])}))
        unknown = sorted(set(parsed["augment"]) - set(GROUPS))
        if unknown:
            raise SettingError(f"--augment {unknown[0]} given; allowed are all, none, or some of {', '.join(GROUPS)}")
    return parsed


ARCHITECTURE = ("config", "channel_base", "channel_max", "num_layers", "z_dim", "w_dim", "mapping_layers")


def _of_source(source: Source, wishes: dict[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a file determines. Raises SettingError if the data set or the command line contradict them."""
    a = source.generator
    for name, has, wanted, remedy in (
        ("images of {} pixels", a.img_resolution, facts["size"], "make the data set with --size {has}"),
        ("{} channels", a.img_channels, facts["channels"], "make the data set with or without --grey"),
        (
            "labels of {} numbers",
            a.c_dim,
            facts["classes"],
            "use --cond with a data set of as many classes, or leave it out",
        ),
    ):
        if has != wanted:
            raise SettingError(
                f"{source.path} has {name.format(has)}, the data set {name.format(wanted)}; {remedy.format(has=has)}"
            )
    values = _settings(a)
    if a.variant not in ("stylegan3-t", "stylegan3-r"):
        values.pop("config")
    for name in ARCHITECTURE:
        if name in values and name in wishes and wishes[name] != values[name]:
            option = f"--{name.replace('_', '-')}"
            raise SettingError(
                f"{option} {wishes[name]} given, {source.path} has {values[name]}; leave {option} out: the file decides"
            )
    values |= {"source": source.sha256, "generator": a.arguments()}
    if source.discriminator is not None:
        values["discriminator"] = asdict(source.discriminator)
    return values


def _settings(a: Architecture) -> dict[str, Any]:
    """A generator's arguments as settings."""
    config = "r" if a.variant == "stylegan3-r" else "t"
    double = 2 if config == "r" else 1
    return {
        "config": config,
        "channel_base": int(a.channel_base) // double,
        "channel_max": a.channel_max // double,
        "num_layers": a.num_layers,
        "z_dim": a.z_dim,
        "w_dim": a.w_dim,
        "mapping_layers": a.mapping_kwargs.num_layers,
    }


def _check_share(configuration: Configuration, processes: Processes) -> None:
    """Raise SettingError if the batch cannot be shared among the processes."""
    share, rest = divmod(configuration.batch, processes.count)
    part = min(configuration.micro_batch, share) if share else 1
    if rest or not share or share % part or part % min(4, part):
        raise SettingError(
            f"--batch {configuration.batch} given for {processes.count} processes; each needs as many images, "
            "in multiples of 4 and of --micro-batch"
        )


def _introduce(configuration: Configuration, dataset: Dataset, task: Work) -> None:
    """Lines about the data, the networks and gamma."""
    if dataset.has_labels and not configuration.classes:
        say(f"{task.data} has labels; they are not used without --cond")
    mirrored = " with their mirror images" if configuration.mirror else ""
    say(f"{len(dataset):,} images{mirrored} of {configuration.size} x {configuration.size}")
    if configuration.classes:
        say(printable(dataset.describe_labels()))
    gamma = configuration.gamma_used
    origin = "the published table" if configuration.gamma is None else "given"
    say(
        f"gamma {gamma:g} ({origin}); where images collapse or do not settle try {2 * gamma:g} or {4 * gamma:g}, "
        f"where they stay coarse {gamma / 2:g} or {gamma / 4:g}"
    )


def _plan(
    configuration: Configuration,
    dataset: Dataset,
    source: Source | None,
    device: torch.device,
    processes: Processes,
) -> None:
    torch.set_num_threads(configuration.threads)
    networks = begin(configuration, source, device)
    plan = measure(configuration, networks, dataset, device, processes)
    if processes.is_first:
        g, d = parameters(networks)
        kind = {"stylegan3-t": "StyleGAN3-T", "stylegan3-r": "StyleGAN3-R"}
        name = kind.get(configuration.generator_architecture.variant, "StyleGAN3")
        print(f"networks: {name} with {g:,} weights, discriminator with {d:,}")
        print(
            f"batch {configuration.batch}, {min(configuration.micro_batch, configuration.batch // processes.count)} at once; "
            f"{counted(processes.count, 'process', 'processes')} on {device}, {counted(configuration.threads, 'thread')}"
        )
        print("\n".join(plan.lines()))


def _train(
    task: Work,
    configuration: Configuration,
    dataset: Dataset,
    source: Source | None,
    folder: RunFolder,
    device: torch.device,
    processes: Processes,
) -> None:
    run = TrainingRun(configuration, dataset, folder, device, processes=processes, source=source)
    started = run.progress.iteration
    kimg = run.progress.images / 1000
    if processes.is_first:
        say(
            f"going on at {kimg:g} kimg"
            if run.is_resumed
            else "a new run; the first report follows after a few iterations"
        )
    total = configuration.iterations - started
    if total <= 0:
        say(f"{folder.path} has reached its {configuration.kimg:g} kimg; --kimg sets a later end")
        return
    with ExitStack() as stack:
        writer = stack.enter_context(open_writer(folder.path / "tensorboard" if task.tensorboard else None))
        stopped = stack.enter_context(
            stop_requests(lambda: say("stopping after this iteration; a second signal stops at once"))
        )
        advance: Advance = lambda _: None  # noqa: E731
        if processes.is_first:
            advance = stack.enter_context(progress(f"training to {configuration.kimg:g} kimg", total))

        def on_report(report: Report) -> None:
            print(summary(report, configuration), flush=True)
            for warning in report.warnings:
                say(warning)
            writer(report)

        listener = Listener(lambda done: advance(done - started), on_report, say, stopped)
        try:
            is_finished = run.train(listener, task.snapshot_s)
        except torch.cuda.OutOfMemoryError as error:
            half = max(configuration.micro_batch // 2, 4)
            raise Failure(f"not enough memory on {device}; start with --micro-batch {half}") from error
        except RuntimeError as error:
            if processes.count == 1:
                raise
            raise Failure(
                f"process {processes.rank}: another process has ended, or the network failed ({one_line(error)}); "
                "the same command goes on from the last snapshot"
            ) from error
    if not processes.is_first:
        return
    if not is_finished:
        raise Stopped(f"stopped at {run.progress.images / 1000:g} kimg; the same command goes on")
    print(f"{pasted(folder.path / GENERATOR_FILE)}: finished at {run.progress.images / 1000:g} kimg")


def summary(report: Report, configuration: Configuration) -> str:
    """A report in a line; the values in brackets are those of other real images."""
    kimg, losses, s, real = report.progress.images / 1000, report.progress.losses, report.scores, report.floor
    pace = ""
    if report.seconds_per_kimg is not None:
        left = duration(max(report.seconds_per_kimg * (configuration.kimg - kimg), 0.0))
        pace = f", {report.seconds_per_kimg:.3g} s/kimg, {left} left"
    augmented = f"p {report.progress.p:.3f} | " if configuration.augment else ""
    return (
        f"{kimg:g} kimg{pace} | {augmented}"
        f"loss G {losses.get('generator', 0):.2f} D {losses['fakes'] + losses['reals']:.2f} | "
        f"Gabor-Frechet {s.gabor_frechet:.3g} ({real.gabor_frechet:.2g}) "
        f"SWD {s.sliced_wasserstein:.3f} ({real.sliced_wasserstein:.3f}) "
        f"precision {s.precision:.2f} ({real.precision:.2f}) recall {s.recall:.2f} ({real.recall:.2f}) "
        f"diversity {s.diversity:.2f} | {s.images} images"
    )
