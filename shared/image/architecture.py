"""The constructor arguments of a StyleGAN3 generator (Karras et al. 2021), checked."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import ModelError

MAX_RESOLUTION = 8192
MAX_WIDTH = 65536
MIN_CUTOFF = 0.5  # cycles per width: below, a layer would be sampled less than once


class MappingArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of the mapping network, nested as `mapping_kwargs`."""

    num_layers: int = 2
    lr_multiplier: float = 0.01
    w_avg_beta: float = 0.998
    """Used in training only."""


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about a generator except its weights, with the published names and defaults.

    The defaults give configuration T; R has conv_kernel 1, radial filters, and twice the channel_base and channel_max.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int
    mapping_kwargs: MappingArguments = MappingArguments()
    channel_base: float = 32768.0
    channel_max: int = 512
    num_layers: int = 14
    """Not counting the Fourier input and ToRGB."""
    num_critical: int = 2
    """Critically sampled layers at the end."""
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    """Relative to the last cutoff."""
    margin_size: int = 10
    """Extra samples on each side of the picture."""
    output_scale: float = 0.25
    num_fp16_res: int = 4
    conv_kernel: int = 3
    filter_size: int = 6
    lrelu_upsampling: int = 2
    use_radial_filters: bool = False
    conv_clamp: float | None = 256.0
    magnitude_ema_beta: float = 0.999
    """Used in training only."""

    @property
    def num_ws(self) -> int:
        """Rows of w: one for the Fourier input, one per layer, one for ToRGB."""
        return self.num_layers + 2

    @property
    def variant(self) -> str:
        """`stylegan3-t`, `stylegan3-r` (1x1 convolutions, radial filters), or `stylegan3` for anything else."""
        published = {(3, False): "stylegan3-t", (1, True): "stylegan3-r"}
        return published.get((self.conv_kernel, self.use_radial_filters), "stylegan3")

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> "Architecture":
        """From the published constructor's arguments (`mapping_kwargs` nested).

        Raises ModelError naming the argument that is missing, unknown, of the wrong type or out of range.
        """
        try:
            architecture = msgspec.convert(dict(arguments), cls)
        except (msgspec.ValidationError, TypeError) as error:
            raise ModelError(f"not the arguments of a StyleGAN3 generator: {error}") from error
        architecture._check()
        return architecture

    def arguments(self) -> dict[str, Any]:
        """All arguments of the published constructor, as plain values."""
        return dict(msgspec.to_builtins(self))

    def _check(self) -> None:
        for name, value, lowest, highest in (
            ("z_dim", self.z_dim, 1, MAX_WIDTH),
            ("c_dim", self.c_dim, 0, MAX_WIDTH),
            ("w_dim", self.w_dim, 1, MAX_WIDTH),
            ("img_resolution", self.img_resolution, 4, MAX_RESOLUTION),
            ("mapping_kwargs.num_layers", self.mapping_kwargs.num_layers, 1, 64),
            ("channel_base", self.channel_base, 1, 2**30),
            ("channel_max", self.channel_max, 1, MAX_WIDTH),
            ("num_layers", self.num_layers, 1, 64),
            ("num_critical", self.num_critical, 0, self.num_layers - 1),
            ("margin_size", self.margin_size, 0, 1024),
            ("num_fp16_res", self.num_fp16_res, 0, 64),
            ("filter_size", self.filter_size, 2, 64),
            ("lrelu_upsampling", self.lrelu_upsampling, 1, 8),
        ):
            if not lowest <= value <= highest:
                raise ModelError(f"{name} is {value}, must lie in {lowest} to {highest}")
        for name, value in (
            ("mapping_kwargs.lr_multiplier", self.mapping_kwargs.lr_multiplier),
            ("first_cutoff", self.first_cutoff),
            ("last_stopband_rel", self.last_stopband_rel),
            ("output_scale", self.output_scale),
            ("conv_clamp", 1.0 if self.conv_clamp is None else self.conv_clamp),
        ):
            if not 0 < value < float("inf"):
                raise ModelError(f"{name} is {value}, must be a finite number above 0")
        if self.img_resolution & (self.img_resolution - 1):
            raise ModelError(f"img_resolution is {self.img_resolution}, must be a power of two")
        if self.img_channels not in (1, 3):
            raise ModelError(f"img_channels is {self.img_channels}, must be 3 (colour) or 1 (grey)")
        if self.conv_kernel not in (1, 3, 5, 7):
            raise ModelError(f"conv_kernel is {self.conv_kernel}, must be odd and at most 7")
        if self.filter_size % 2:
            raise ModelError(f"filter_size is {self.filter_size}, must be even")
        if not MIN_CUTOFF <= self.first_cutoff < self.img_resolution / 2:
            raise ModelError(
                f"first_cutoff is {self.first_cutoff}, must lie in {MIN_CUTOFF} to half of img_resolution, {self.img_resolution}"
            )
        if not self.first_cutoff < self.first_stopband <= self.img_resolution * 4:
            raise ModelError(
                f"first_stopband is {self.first_stopband}, must lie above first_cutoff, {self.first_cutoff},"
                f" and within four times img_resolution, {self.img_resolution}"
            )
        if not 1 < self.last_stopband_rel <= 8:
            raise ModelError(f"last_stopband_rel is {self.last_stopband_rel}, must lie above 1 and at most 8")
