"""One training iteration, in the order of the paper: generator, discriminator, periodically R1, then the averages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from offline.training import averages, losses
from offline.training.adaptation import INTERVAL, Adaptation
from offline.training.augmentation import Augmentation
from offline.training.blur import blur
from offline.training.blur import sigma as blur_sigma
from offline.training.chance import Phase, numbers
from offline.training.discriminator import Discriminator
from offline.training.generator import TrainableGenerator
from offline.training.processes import ALONE, Processes

R1_INTERVAL = 16  # iterations
LARGEST_GRADIENT = 1e5


@dataclass(frozen=True)
class Rules:
    """The settings of an iteration.

    batch           images of an iteration, of all processes together
    micro_batch     images that a process puts through the networks at once
    gamma           weight of R1
    blur_sigma      width of the blur at the start, in pixels; 0 for none
    blur_kimg       thousand images within which it fades
    fixed_p         the augmentation probability; None adapts it
    warm_up_kimg    thousand images before the generator learns, while the discriminator does
    """

    batch: int
    micro_batch: int
    gamma: float
    generator_lr: float = 0.0025
    discriminator_lr: float = 0.002
    blur_sigma: float = 0.0
    blur_kimg: float = 0.0
    ema_kimg: float = 10.0
    ema_ramp_up: float | None = averages.RAMP_UP
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(frozenset()))
    adaptation: Adaptation = field(default_factory=Adaptation)
    fixed_p: float | None = None
    frozen_layers: int = 0
    warm_up_kimg: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """A process's share of an iteration's data.

    samples         the numbers of its images within the whole batch
    reals, labels   (n, c, s, s) in -1..1 and (n, c_dim)
    z, c            of phase "generator" and of phase "discriminator": (n, z_dim), (n, c_dim)
    """

    samples: Sequence[int]
    reals: Float32[Tensor, "n c s s"]
    labels: Float32[Tensor, "n c_dim"]
    z_generator: Float32[Tensor, "n z_dim"]
    c_generator: Float32[Tensor, "n c_dim"]
    z_discriminator: Float32[Tensor, "n z_dim"]
    c_discriminator: Float32[Tensor, "n c_dim"]

    def parts(self, size: int) -> "list[Batch]":
        """Micro-batches in their order."""
        starts = range(0, len(self.samples), size)
        return [
            Batch(
                self.samples[i : i + size],
                *(
                    tensor[i : i + size]
                    for tensor in (
                        self.reals,
                        self.labels,
                        self.z_generator,
                        self.c_generator,
                        self.z_discriminator,
                        self.c_discriminator,
                    )
                ),
            )
            for i in starts
        ]


@dataclass
class Progress:
    """The progress of a run."""

    iteration: int = 0
    images: int = 0
    p: float = 0.0
    sign_sum: float = 0.0
    sign_count: int = 0
    """Of D's logits of real images since p was adjusted."""
    losses: dict[str, float] = field(default_factory=dict)
    """Of the last iteration, and of the last one with R1: generator, fakes, reals, r1."""


@dataclass
class Networks:
    """The three networks, and the optimisers of the two that are trained."""

    generator: TrainableGenerator
    averaged: TrainableGenerator
    discriminator: Discriminator
    adam_generator: torch.optim.Adam = field(init=False)
    adam_discriminator: torch.optim.Adam = field(init=False)
    rules: Rules

    def __post_init__(self) -> None:
        frozen = self.discriminator.architecture.frozen(self.rules.frozen_layers)
        for name, parameter in self.discriminator.named().items():
            parameter.requires_grad_(name not in frozen)
        self.averaged.requires_grad_(False)
        betas = (0.0, 0.99)
        self.adam_generator = torch.optim.Adam(
            self.generator.parameters(), lr=self.rules.generator_lr, betas=betas, eps=1e-8
        )
        lazy = R1_INTERVAL / (R1_INTERVAL + 1)  # the extra steps of R1 are corrected for
        self.adam_discriminator = torch.optim.Adam(
            self.trained_of_discriminator().values(),
            lr=self.rules.discriminator_lr * lazy,
            betas=(0.0, betas[1] ** lazy),
            eps=1e-8,
        )

    def trained_of_discriminator(self) -> dict[str, nn.Parameter]:
        """D's parameters except the frozen ones."""
        frozen = self.discriminator.architecture.frozen(self.rules.frozen_layers)
        return {name: parameter for name, parameter in self.discriminator.named().items() if name not in frozen}


@dataclass
class Iteration:
    """Carries out iterations."""

    networks: Networks
    progress: Progress
    processes: Processes = ALONE
    on_gradients: Callable[[str, dict[str, Tensor]], None] | None = None
    """Is shown each phase's gradients by name ("Gmain", "Dmain", "Dreg"), just before the optimiser's step."""

    def run(self, batch: Batch) -> None:
        """One iteration, with this process's share of its data."""
        rules, progress = self.networks.rules, self.progress
        sigma = blur_sigma(progress.images, rules.batch, rules.blur_sigma, rules.blur_kimg) if rules.blur_sigma else 0.0
        parts = batch.parts(rules.micro_batch)
        is_warm = progress.images >= rules.warm_up_kimg * 1000
        if is_warm:
            self._train_generator(parts, sigma)
        self._train_discriminator(parts, sigma)
        if progress.iteration % R1_INTERVAL == 0:
            self._regularise_discriminator(parts, sigma)
        if is_warm:
            self._average()
        progress.images += rules.batch
        progress.iteration += 1
        if rules.fixed_p is not None:
            progress.p = rules.fixed_p
        elif rules.augmentation.groups and progress.iteration % INTERVAL == 0:
            self._adapt()

    def _train_generator(self, parts: list[Batch], sigma: float) -> None:
        generator = self.networks.generator
        with self._trained("Gmain", generator.parameters_by_name(), self.networks.adam_generator):
            loss = 0.0
            for part in parts:
                fakes = generator.synthesize(generator.map(part.z_generator, part.c_generator))
                logits = self._judged(fakes, part.c_generator, sigma, "augment_generator", part.samples)
                part_loss = losses.generator_loss(logits)
                part_loss.backward()  # type: ignore[no-untyped-call]
                loss += float(part_loss.detach())
        self.progress.losses["generator"] = loss / len(parts)

    def _train_discriminator(self, parts: list[Batch], sigma: float) -> None:
        networks = self.networks
        beta = averages.magnitude_beta(networks.rules.batch)
        with self._trained("Dmain", networks.trained_of_discriminator(), networks.adam_discriminator):
            on_fakes = on_reals = 0.0
            for part in parts:
                with torch.no_grad():
                    w = networks.generator.map(part.z_discriminator, part.c_discriminator)
                    networks.generator.track_w(w)
                    fakes = networks.generator.synthesize(w, beta=beta)
                logits = self._judged(fakes, part.c_discriminator, sigma, "augment_fakes", part.samples)
                fake_loss = losses.discriminator_loss_on_fakes(logits)
                fake_loss.backward()  # type: ignore[no-untyped-call]
                logits = self._judged(part.reals, part.labels, sigma, "augment_reals", part.samples)
                self._count_signs(logits)
                real_loss = losses.discriminator_loss_on_reals(logits)
                real_loss.backward()  # type: ignore[no-untyped-call]
                on_fakes += float(fake_loss.detach())
                on_reals += float(real_loss.detach())
        self.progress.losses |= {"fakes": on_fakes / len(parts), "reals": on_reals / len(parts)}
        self.processes.average_(
            [tensor for name, tensor in networks.generator.buffers_by_name().items() if name.endswith(AVERAGES)]
        )

    def _regularise_discriminator(self, parts: list[Batch], sigma: float) -> None:
        networks = self.networks
        with self._trained("Dreg", networks.trained_of_discriminator(), networks.adam_discriminator):
            loss = 0.0
            for part in parts:
                reals = part.reals.detach().clone().requires_grad_()
                logits = self._judged(reals, part.labels, sigma, "augment_r1", part.samples)
                self._count_signs(logits)
                penalty = losses.r1_penalty(logits, reals, networks.rules.gamma)
                (penalty * R1_INTERVAL).backward()  # type: ignore[no-untyped-call]
                loss += float(penalty.detach())
        self.progress.losses["r1"] = loss / len(parts)

    def _judged(
        self, images: Tensor, labels: Tensor, sigma: float, phase: Phase, samples: Sequence[int]
    ) -> Float32[Tensor, "n 1"]:
        rules = self.networks.rules
        images = blur(images, sigma)
        if rules.augmentation.groups and self.progress.p > 0:
            chances = [numbers(rules.seed, self.progress.iteration, phase, sample) for sample in range(rules.batch)]
            images = rules.augmentation(images, self.progress.p, chances, samples)
        logits: Tensor = self.networks.discriminator(images, labels)
        return logits

    def _trained(self, phase: str, parameters: dict[str, nn.Parameter], adam: torch.optim.Adam) -> "_Step":
        on_gradients = None if self.on_gradients is None else partial(self.on_gradients, phase)
        return _Step(self.networks, parameters, adam, self.processes, on_gradients)

    def _average(self) -> None:
        networks, rules = self.networks, self.networks.rules
        beta = averages.ema_beta(rules.batch, self.progress.images, rules.ema_ramp_up, rules.ema_kimg)
        generator, averaged = networks.generator, networks.averaged
        averages.average(
            averaged.parameters_by_name(),
            generator.parameters_by_name(),
            (averaged.buffers_by_name(), generator.buffers_by_name()),
            beta,
        )

    def _count_signs(self, logits: Tensor) -> None:
        self.progress.sign_sum += float(logits.detach().sign().sum())
        self.progress.sign_count += len(logits)

    def _adapt(self) -> None:
        progress, rules = self.progress, self.networks.rules
        total, count = self.processes.sums(progress.sign_sum, progress.sign_count)
        progress.p = rules.adaptation.adjusted(progress.p, total / max(count, 1), rules.batch)
        progress.sign_sum, progress.sign_count = 0.0, 0


AVERAGES = (".magnitude_ema", ".w_avg")


class _Step:
    """Gradients of some parameters alone, averaged over the processes and made finite; then a step of Adam."""

    def __init__(
        self,
        networks: Networks,
        parameters: dict[str, nn.Parameter],
        adam: torch.optim.Adam,
        processes: Processes,
        on_gradients: Callable[[dict[str, Tensor]], None] | None,
    ) -> None:
        self._all = [*networks.generator.parameters(), *networks.discriminator.parameters()]
        self._parameters, self._adam, self._processes = parameters, adam, processes
        self._on_gradients = on_gradients

    def __enter__(self) -> None:
        for parameter in self._all:
            parameter.requires_grad_(False)
            parameter.grad = None
        for parameter in self._parameters.values():
            parameter.requires_grad_()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        gradients = {name: each.grad for name, each in self._parameters.items() if each.grad is not None}
        self._processes.average_(list(gradients.values()))
        for gradient in gradients.values():
            torch.nan_to_num(gradient, nan=0.0, posinf=LARGEST_GRADIENT, neginf=-LARGEST_GRADIENT, out=gradient)
        if self._on_gradients is not None:
            self._on_gradients(gradients)
        self._adam.step()
