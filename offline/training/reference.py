"""Compares parts of the training with reference values of another implementation, for `scripts/training_reference`.

A file is a .npz without pickles; its keys tell its form: a discriminator, whole iterations, blur, augmentation at given
percentiles, augmentation as it is drawn, tables, scores, or centre crops.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from offline.training import averages, blur, losses
from offline.training.adaptation import Adaptation
from offline.training.augmentation import Augmentation
from offline.training.augmentation.filtering import FILTERS
from offline.training.augmentation.geometry import LOWPASS
from offline.training.augmentation.parameters import Draws
from offline.training.chance import numbers
from offline.training.discriminator import Discriminator
from offline.training.discriminator_architecture import DiscriminatorArchitecture
from offline.training.generator import TrainableGenerator
from offline.training.iteration import Batch, Iteration, Networks, Progress, Rules
from offline.training.score.distances import frechet_distance, kernel_distance, precision_recall
from shared.image.architecture import Architecture

Arrays = dict[str, NDArray[Any]]
DRAWS = 10_000
GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "colour": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
}


class Row(NamedTuple):
    """A quantity: its largest difference, relative to the largest value of the reference, and the tolerance."""

    name: str
    difference: float
    tolerance: float

    @property
    def passes(self) -> bool:
        """Whether it is within the tolerance; NaN is not."""
        return bool(self.difference <= self.tolerance)


def main(files: Sequence[str]) -> int:
    """Print a table for each file; return the exit status."""
    if not files:
        print("usage: scripts/training_reference FILE.npz...", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    failed = 0
    for file in files:
        try:
            rows = list(compare(Path(file)))
        except (OSError, ValueError, KeyError) as error:
            print(f"{file}: cannot be read: {error}", file=sys.stderr)
            return 2
        for row in rows:
            mark = "" if row.passes else "   BEYOND"
            print(f"{Path(file).name}  {row.name:<44} {row.difference:9.2e}  of {row.tolerance:.0e}{mark}")
        failed += sum(not row.passes for row in rows)
    print(f"{failed} quantities beyond their tolerance" if failed else "all within their tolerances")
    return int(failed > 0)


def compare(file: Path, draws: int = DRAWS) -> Iterator[Row]:
    """Every quantity of a reference file. draws: limit of the draws of augmentation for its statistics."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = set(arrays)
    if any(name.startswith("state/") for name in names):
        yield from _discriminator(arrays)
    elif "real_index" in names:
        yield from _iterations(arrays)
    elif "sigma_table" in names:
        yield from _blur(arrays)
    elif "Hz_geom" in names:
        yield from _augmentation(arrays)
    elif any(name.startswith("mean_square/") for name in names):
        yield from _statistics(arrays, draws)
    elif "ema" in names:
        yield from _tables(arrays)
    elif "frechet" in names:
        yield from _scores(arrays)
    else:
        raise ValueError("it has none of the known forms")


def relative(given: ArrayLike | Tensor, wanted: ArrayLike) -> float:
    """The largest difference over the largest value of `wanted`."""
    a = np.asarray(given.detach() if isinstance(given, Tensor) else given, np.float64)
    b = np.asarray(wanted, np.float64)
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)) if a.size else 0.0


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))


def _loaded_discriminator(arguments: dict[str, Any], arrays: Arrays, prefix: str) -> Discriminator:
    discriminator = Discriminator(DiscriminatorArchitecture(**arguments))
    with torch.no_grad():
        for name, parameter in discriminator.named().items():
            parameter.copy_(_tensor(arrays[prefix + name]))
    return discriminator


def _discriminator(arrays: Arrays) -> Iterator[Row]:
    discriminator = _loaded_discriminator(json.loads(str(arrays["arguments"])), arrays, "state/")
    x, c = _tensor(arrays["x"]), _tensor(arrays["c"])
    for name, count, scale in (
        ("logits_8", 8, 1),
        ("logits_first4", 4, 1),
        ("logits_first3", 3, 1),
        ("logits_first1", 1, 1),
        ("logits_x3000", 8, 3000),
    ):
        if name in arrays:
            yield Row(name, relative(discriminator(x[:count] * scale, c[:count]), arrays[name]), 1e-5)
    images = x.clone().requires_grad_()
    logits = discriminator(images, c)
    (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
    yield Row("r1_image_gradient", relative(gradient[:2], arrays["r1_image_gradient"]), 1e-4)
    yield Row("r1_sum_of_squares", relative(gradient.square().sum(dim=(1, 2, 3)), arrays["r1_sum_of_squares"]), 1e-4)
    penalty = losses.r1_penalty(logits, images, 1.0)
    yield Row("r1_loss_gamma1", relative(penalty, arrays["r1_loss_gamma1"]), 1e-4)
    penalty.backward()  # type: ignore[no-untyped-call]
    yield from _gradients(arrays, discriminator, "r1grad")
    discriminator.zero_grad()
    on_fakes = losses.discriminator_loss_on_fakes(discriminator(x[4:], c[4:]))
    loss = on_fakes + losses.discriminator_loss_on_reals(discriminator(x[:4], c[:4]))
    yield Row("loss_D", relative(loss, arrays["loss_D"]), 1e-5)
    yield Row("loss_G", relative(losses.generator_loss(discriminator(x[4:], c[4:])), arrays["loss_G"]), 1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    yield from _gradients(arrays, discriminator, "lossDgrad")


def _gradients(arrays: Arrays, discriminator: Discriminator, kind: str) -> Iterator[Row]:
    for name, parameter in discriminator.named().items():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for key, value in ((f"{kind}_norm/{name}", gradient.norm()), (f"{kind}/{name}", gradient)):
            if key in arrays:
                yield Row(key, relative(value, arrays[key]), 1e-4)


def _iterations(arrays: Arrays) -> Iterator[Row]:
    arguments = json.loads(str(arrays["arguments"]))
    described = {name: value for name, value in arguments["G"].items() if name != "magnitude_ema_beta"}
    architecture = Architecture.from_arguments(described)
    generator, averaged = TrainableGenerator(architecture), TrainableGenerator(architecture)
    with torch.no_grad():
        for network in (generator, averaged):
            for name, tensor in _stored(network).items():
                tensor.copy_(_tensor(arrays[f"before/G/{name}"]))
    discriminator = _loaded_discriminator(arguments["D"], arrays, "before/D/")
    batch = arguments["batch"]
    rules = Rules(
        batch,
        arguments["micro"],
        arguments["gamma"],
        generator_lr=arguments["glr"],
        blur_sigma=arguments["blur"],
        blur_kimg=arguments["fade"],
        ema_kimg=averages.EMA_KIMG * batch / 32,
        ema_ramp_up=None if arguments["resume"] else averages.RAMP_UP,
    )
    networks = Networks(generator, averaged, discriminator, rules)
    iteration = Iteration(networks, Progress())
    reals = _tensor(arrays["reals"]) / 127.5 - 1
    gradients: dict[str, Tensor] = {}

    def keep(phase: str, parameters: dict[str, Tensor]) -> None:
        gradients.update({f"{phase}/{name}": gradient.clone() for name, gradient in parameters.items()})

    for number, after in enumerate((1, 3)):
        iteration.on_gradients = keep if number == 0 else None
        while iteration.progress.iteration < after:
            i = iteration.progress.iteration
            iteration.run(_recorded_batch(arrays, reals, i, batch))
            iteration.on_gradients = None
        if after == 1:
            for key in sorted(arrays):
                kind, _, name = key.partition("/")
                if kind in ("gradient_0", "gradient_norm_0"):
                    given = gradients.get(name, torch.zeros(()))
                    yield Row(key, relative(given.norm() if "norm" in kind else given, arrays[key]), 1e-4)
        yield from _weights(arrays, networks, after)


def _recorded_batch(arrays: Arrays, reals: Tensor, i: int, batch: int) -> Batch:
    z, c = _tensor(arrays["z"][i]), _tensor(arrays["gen_c"][i])
    labels = _tensor(arrays["real_c"][i])
    return Batch(range(batch), reals[arrays["real_index"][i]], labels, z[0], c[0], z[1], c[1])


def _stored(network: TrainableGenerator) -> dict[str, Tensor]:
    return {**network.parameters_by_name(), **network.buffers_by_name()}


def _weights(arrays: Arrays, networks: Networks, after: int) -> Iterator[Row]:
    stored: dict[str, dict[str, Tensor]] = {
        "G": _stored(networks.generator),
        "G_ema": _stored(networks.averaged),
        "D": dict(networks.discriminator.named()),
    }
    prefix = f"after_{after}/"
    for key in sorted(key for key in arrays if key.startswith(prefix)):
        network, _, name = key.removeprefix(prefix).partition("/")
        if network == "G_ema_picture":
            with torch.no_grad():
                w = networks.averaged.map(_tensor(arrays["z"][0, 0, :2]), _tensor(arrays["gen_c"][0, 0, :2]))
                yield Row(key, relative(networks.averaged.synthesize(w), arrays[key]), 1e-4)
        elif network.endswith("_sum"):
            tensor = stored[network.removesuffix("_sum")].get(name)
            if tensor is not None:
                given = np.array([float(tensor.detach().double().sum()), float(tensor.detach().double().abs().sum())])
                yield Row(key, relative(given, arrays[key]), 1e-4)
        elif name in stored[network]:
            yield Row(key, relative(stored[network][name], arrays[key]), 1e-4)


def _blur(arrays: Arrays) -> Iterator[Row]:
    x = _tensor(arrays["x"])
    for key in sorted(arrays):
        kind, _, sigma = key.partition("/")
        if kind == "y":
            yield Row(key, relative(blur.blur(x, float(sigma)), arrays[key]), 1e-5)
        elif kind == "radius":
            yield Row(key, relative(blur.radius(float(sigma)), arrays[key]), 0.0)
    given = [blur.sigma(int(images), int(batch)) for images, batch, _ in arrays["sigma_table"]]
    yield Row("sigma_table", relative(given, arrays["sigma_table"][:, 2]), 1e-9)


def _augmentation(arrays: Arrays) -> Iterator[Row]:
    yield Row("Hz_geom", relative(LOWPASS, arrays["Hz_geom"]), 1e-6)
    yield Row("Hz_fbank", relative(FILTERS, arrays["Hz_fbank"]), 1e-6)
    sets = json.loads(str(arrays["sets"]))
    for key in sorted(arrays):
        kind, _, place = key.partition("/")
        if kind not in ("y", "y_grey", "gradient"):
            continue
        name, _, percentile = place.partition("/")
        groups = frozenset(sets[name])
        x = _tensor(arrays["x_grey" if kind == "y_grey" else "x"]).requires_grad_(kind == "gradient")
        y = Augmentation(groups).apply(x, Draws.at_percentile(groups, float(percentile), len(x)))
        if kind == "gradient":
            (y * _tensor(arrays["g"])).sum().backward()  # type: ignore[no-untyped-call]
            assert x.grad is not None
            y = x.grad
        yield Row(key, relative(y, arrays[key]), 1e-4 if kind == "gradient" else 2e-5)


def _statistics(arrays: Arrays, draws: int) -> Iterator[Row]:
    """Means per pixel, in standard errors of both runs' difference; shares of unchanged pictures likewise."""
    x = _tensor(arrays["x"])
    for key in sorted(key for key in arrays if key.startswith("mean/")):
        _, name, p = key.split("/")
        groups = frozenset(sum(GROUPS.values(), ()) if name == "default" else GROUPS.get(name, (name,)))
        total, squares, same = torch.zeros(x.shape[1:]).double(), torch.zeros(x.shape[1:]).double(), 0
        for first in range(0, draws, 500):
            chances = [numbers(1, 0, "augment_reals", i) for i in range(first, min(first + 500, draws))]
            y = Augmentation(groups)(x.expand(len(chances), -1, -1, -1), float(p), chances)
            total, squares = total + y.double().sum(dim=0), squares + y.double().square().sum(dim=0)
            same += int(((y - x).abs().amax(dim=(1, 2, 3)) < 0.02).sum())
        mean, square = np.asarray(total / draws), np.asarray(squares / draws)
        deviation = np.sqrt(np.maximum(arrays[f"mean_square/{name}/{p}"] - arrays[key] ** 2, 0))
        error = deviation * np.sqrt(1 / draws + 1 / DRAWS) + 1e-3
        yield Row(f"{key} (standard errors)", float((np.abs(mean - arrays[key]) / error).max()), 4.5)
        spread = np.sqrt(arrays[f"mean_square/{name}/{p}"].max())
        yield Row(
            f"mean_square/{name}/{p}",
            float(np.abs(square - arrays[f"mean_square/{name}/{p}"]).max() / spread**2),
            0.3 * np.sqrt(DRAWS / draws)
            if name in ("saturation", "colour", "default")
            else 0.1 * np.sqrt(DRAWS / draws),
        )
        wanted = float(arrays[f"unchanged/{name}/{p}"])
        share_error = np.sqrt(max(wanted * (1 - wanted), 1e-4) * (1 / draws + 1 / DRAWS))
        yield Row(f"unchanged/{name}/{p} (standard errors)", abs(same / draws - wanted) / share_error, 4.0)


def _tables(arrays: Arrays) -> Iterator[Row]:
    given = [
        averages.ema_beta(int(batch), int(images), None if ramp < 0 else float(ramp))
        for batch, images, ramp, _ in arrays["ema"]
    ]
    yield Row("ema", relative(given, arrays["ema"][:, 3]), 1e-9)
    p, kimg, adjusted = 0.0, None, []
    for row_kimg, sign, _ in arrays["ada"]:
        p = 0.0 if row_kimg != kimg else p
        kimg = row_kimg
        p = Adaptation(float(kimg)).adjusted(p, float(sign), 32)
        adjusted.append(p)
    yield Row("ada", relative(adjusted, arrays["ada"][:, 2]), 1e-6)
    betas = [averages.magnitude_beta(int(batch)) for batch, _ in arrays["magnitude_beta"]]
    yield Row("magnitude_beta", relative(betas, arrays["magnitude_beta"][:, 1]), 1e-9)


def _scores(arrays: Arrays) -> Iterator[Row]:
    real, fake = arrays["real"].astype(np.float64), arrays["fake"].astype(np.float64)
    near = precision_recall(real, fake)
    for name, given in (
        ("frechet", frechet_distance(real, fake)),
        ("kid_unbiased", kernel_distance(real, fake)),
        ("precision_k3", near.precision),
        ("recall_k3", near.recall),
    ):
        yield Row(name, relative(given, arrays[name]), 1e-6)
