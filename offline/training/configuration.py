"""The settings of a training run: a frozen value, kept as JSON in the run's folder."""

import math
from typing import Annotated, Any, Literal

import msgspec

from offline.training import averages, blur
from offline.training.adaptation import Adaptation
from offline.training.augmentation import Augmentation
from offline.training.augmentation.parameters import DEFAULT_GROUPS, GROUPS
from offline.training.discriminator_architecture import DiscriminatorArchitecture
from offline.training.iteration import Rules
from offline.training.losses import published_gamma
from shared.errors import SettingError
from shared.image.architecture import Architecture

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

ADA_KIMG, ADA_KIMG_FINE_TUNING = 500.0, 100.0
WARM_UP_KIMG = 4.0
"""A new discriminator learns alone for so long before it teaches a generator from a file."""
FIRST_REPORT = 4  # iterations
SMALLEST = 16  # pixels a side
GROUP = 4  # images in a group of the minibatch standard deviation


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides a run's weights, besides the images.

    config             t: equivariant to translation; r: also to rotation
    size, channels, classes, images, data
                       of the data set: pixels a side, 1 or 3, length of a label (0 without --cond), number of images with
                       mirrored ones, fingerprint
    micro_batch        images that a process puts through the networks at once
    channel_base, channel_max, num_layers, z_dim, w_dim, mapping_layers
                       of the generator; R doubles the two channel numbers, as published
    d_channel_base, d_channel_max
                       of the discriminator
    gamma              weight of R1; None: `published_gamma`
    augment            groups of adaptive augmentation; empty for none
    augment_p          a fixed augmentation probability; None: adapted
    source             SHA-256 of the file that is fine-tuned; empty for new networks
    generator, discriminator
                       constructor arguments of the networks in that file; None for new networks
    tick               thousand images between two reports
    threads            of the CPU; results depend on them in the last bits
    """

    size: Count
    channels: Literal[1, 3] = 3
    classes: Annotated[int, msgspec.Meta(ge=0)] = 0
    images: Count = 1
    data: str = ""
    config: Literal["t", "r"] = "t"
    batch: Count = 32
    micro_batch: Count = 16
    kimg: Positive = 25000.0
    z_dim: Count = 512
    w_dim: Count = 512
    mapping_layers: Count = 2
    channel_base: Count = 32768
    channel_max: Count = 512
    num_layers: Count = 14
    d_channel_base: Count = 32768
    d_channel_max: Count = 512
    gamma: Positive | None = None
    g_rate: Positive = 0.0025
    d_rate: Positive = 0.002
    mirror: bool = False
    augment: tuple[str, ...] = tuple(sorted(DEFAULT_GROUPS))
    augment_p: Share | None = None
    freeze_d: Annotated[int, msgspec.Meta(ge=0)] = 0
    source: str = ""
    generator: dict[str, Any] | None = None
    discriminator: dict[str, Any] | None = None
    tick: Positive = 4.0
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    threads: Count = 1

    def check(self) -> None:
        """Raise SettingError if the settings do not fit together, ModelError if they make no generator."""
        unknown = sorted(set(self.augment) - set(GROUPS))
        if unknown:
            raise SettingError(f"--augment {unknown[0]} given; allowed are all, none, or some of {', '.join(GROUPS)}")
        if self.size < SMALLEST or self.size & (self.size - 1):
            raise SettingError(f"images of {self.size} pixels given; allowed are powers of two from {SMALLEST}")
        if "imgfilter" in self.augment and self.size <= 21:
            raise SettingError("--augment imgfilter needs images of more than 21 pixels; leave it out")
        for name, count in (("--batch", self.batch), ("--micro-batch", self.micro_batch)):
            if count % min(GROUP, count):
                raise SettingError(f"{name} {count} given; allowed are 1 to {GROUP} and multiples of {GROUP}")
        if self.batch % self.micro_batch:
            raise SettingError(f"--micro-batch {self.micro_batch} given; it must divide the batch of {self.batch}")
        _ = self.generator_architecture

    @property
    def generator_architecture(self) -> Architecture:
        """The constructor arguments of G. Raises ModelError if there is no such generator."""
        if self.generator is not None:
            return Architecture.from_arguments(self.generator)
        double = 2 if self.config == "r" else 1
        return Architecture.from_arguments(
            {
                "z_dim": self.z_dim,
                "c_dim": self.classes,
                "w_dim": self.w_dim,
                "img_resolution": self.size,
                "img_channels": self.channels,
                "channel_base": self.channel_base * double,
                "channel_max": self.channel_max * double,
                "num_layers": self.num_layers,
                "conv_kernel": 1 if self.config == "r" else 3,
                "use_radial_filters": self.config == "r",
                "mapping_kwargs": {"num_layers": self.mapping_layers},
                "magnitude_ema_beta": averages.magnitude_beta(self.batch),
            }
        )

    @property
    def discriminator_architecture(self) -> DiscriminatorArchitecture:
        """The constructor arguments of D."""
        if self.discriminator is not None:
            return DiscriminatorArchitecture(**self.discriminator)
        return DiscriminatorArchitecture(
            self.classes, self.size, self.channels, self.d_channel_base, self.d_channel_max
        )

    @property
    def gamma_used(self) -> float:
        """The weight of R1, the given one or the published one."""
        return published_gamma(self.size, self.batch) if self.gamma is None else self.gamma

    @property
    def warm_up_kimg(self) -> float:
        """Thousand images before the generator learns."""
        return WARM_UP_KIMG if self.source and self.discriminator is None else 0.0

    def rules(self) -> Rules:
        """The settings of an iteration. Fine-tuning has no blur, no ramp-up of the average, and adapts p faster, as published."""
        is_new = not self.source
        is_r = self.generator_architecture.variant == "stylegan3-r"
        return Rules(
            batch=self.batch,
            micro_batch=self.micro_batch,
            gamma=self.gamma_used,
            generator_lr=self.g_rate,
            discriminator_lr=self.d_rate,
            blur_sigma=blur.INITIAL_SIGMA if is_r and is_new else 0.0,
            blur_kimg=blur.FADE_KIMG * self.batch / 32,
            ema_kimg=averages.EMA_KIMG * self.batch / 32,
            ema_ramp_up=averages.RAMP_UP if is_new else None,
            augmentation=Augmentation(frozenset(self.augment)),
            adaptation=Adaptation(ADA_KIMG if is_new else ADA_KIMG_FINE_TUNING),
            fixed_p=self.augment_p,
            frozen_layers=self.freeze_d,
            warm_up_kimg=self.warm_up_kimg,
            seed=self.seed,
        )

    @property
    def iterations(self) -> int:
        """Iterations of the whole run."""
        return math.ceil(self.kimg * 1000 / self.batch)

    def is_tick(self, iteration: int) -> bool:
        """Whether a report follows after so many iterations: at the start, each `tick`, and at the end."""
        if iteration in (FIRST_REPORT, self.iterations):
            return True
        step = self.tick * 1000 / self.batch
        return math.floor(iteration / step) > math.floor((iteration - 1) / step)


def published_micro_batch(size: int, config: str) -> int:
    """Images at once on one card in the published table; smaller sizes as 128 pixels."""
    table = {128: (16, 16), 256: (16, 8), 512: (8, 4)}
    return table.get(max(size, 128), (4, 4))[config == "r"]


RECIPES: dict[str, dict[str, Any]] = {
    "laptop": {
        "batch": 8,
        "micro_batch": 8,
        "kimg": 200.0,
        "z_dim": 128,
        "w_dim": 128,
        "channel_base": 1024,
        "channel_max": 48,
        "num_layers": 6,
        "d_channel_base": 1024,
        "d_channel_max": 48,
        "g_rate": 0.0015,
        "augment": ("brightness", "contrast", "scale", "xfrac", "xint"),
        "tick": 2.0,
    },
    "small": {"batch": 32, "micro_batch": 16, "kimg": 5000.0, "channel_base": 16384, "d_channel_base": 16384},
    "paper": {"config": "r", "batch": 32, "micro_batch": 4, "kimg": 480.0},
}
"""Starting points: a processor and images of 64 pixels; one card and 256 pixels; the paper's run, R at 1024 from FFHQ."""
