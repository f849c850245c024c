"""The filtered leaky ReLU of `ops.filtered_lrelu` in one pass over a map in channels last, on a card: `filtered_lrelu.cu`."""

import ctypes
import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from shared.image.ops.cuda import driver as drivers
from shared.image.ops.cuda.driver import Driver
from shared.image.ops.cuda.plan import FilterPlan, Launch, Macros, Map, Settings, plan_launch


@dataclass(frozen=True, eq=False)
class CudaFilteredLReLU:
    """y = next_style * FilteredLReLU(x, scale), for the filters that `plan.fits` accepts; NaN spreads as on the plain path.

    A radial down filter becomes a sum of two or three separable ones. Sums are in float32 for every input and output format.
    """

    bias: Float32[Tensor, "channels"]
    """Includes the gain."""
    gain: float
    filters: FilterPlan
    slope: float
    clamp: float
    dtype: torch.dtype
    """Of the result: float16 or float32."""
    driver: Driver
    forced: Macros | None = None
    _launches: dict[tuple[int, int, bool], Launch] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        bias: Float32[Tensor, "channels"],
        up_filter: Float32[Tensor, "a"],
        down_filter: Float32[Tensor, "12"] | Float32[Tensor, "12 12"],
        *,
        up: int,
        padding: tuple[int, int],
        gain: float,
        slope: float,
        clamp: float | None,
        dtype: torch.dtype = torch.float32,
        driver: Driver | None = None,
        forced: Macros | None = None,
    ) -> "CudaFilteredLReLU":
        """Arguments as for FilteredLReLU; slope in 0..1. forced: macros for measurements, see `plan`."""
        return cls(
            bias=(bias * gain).contiguous(),
            gain=gain,
            filters=FilterPlan.prepare(up_filter.cpu(), down_filter.cpu(), up=up, padding=padding),
            slope=slope,
            clamp=math.inf if clamp is None else clamp,
            dtype=dtype,
            driver=driver or drivers.cuda_driver(),
            forced=forced,
        )

    def build(self, channels: int, width: int, x_dtype: torch.dtype) -> None:
        """Compile and load the kernel for maps of so many channels and columns, before a graph is captured. Raises KernelError."""
        self._function(channels, self.filters.out_length(width), x_dtype == torch.float16)

    def __call__(
        self,
        x: Float[Tensor, "1 channels h w"],
        scale: Float32[Tensor, "1 channels"],
        next_style: Float32[Tensor, "1 channels"],
    ) -> Float[Tensor, "1 channels h2 w2"]:
        """Apply the operator; x is float16 or float32, in channels last."""
        _, channels, height, width = x.shape
        x = x.contiguous(memory_format=torch.channels_last)
        size = self.filters.out_length(height), self.filters.out_length(width)
        y = torch.empty((1, channels, *size), dtype=self.dtype, device=x.device, memory_format=torch.channels_last)
        launch, function = self._function(channels, size[1], x.dtype == torch.float16)
        strip = launch.strip(channels, *size, self.driver.multiprocessors(x.device) * launch.blocks)
        scale, style = (scale[0] * self.gain).contiguous(), next_style[0].contiguous()
        taps = self.filters.taps
        arguments = [
            *(ctypes.c_void_p(each.data_ptr()) for each in (x, y, scale, self.bias, style)),
            Map(height, width, channels),
            Map(*size, channels),
            Settings(channels, self.filters.first, strip, self.slope, self.clamp),
            (ctypes.c_float * taps.size)(*taps),
        ]
        self.driver.launch(function, launch.grid(channels, *size, strip), launch.threads, arguments, x.device)
        return y

    def _function(self, channels: int, out_width: int, x_half: bool) -> tuple[Launch, object]:
        key = channels, out_width, x_half
        if key not in self._launches:
            self._launches[key] = plan_launch(
                self.filters,
                channels,
                out_width,
                x_half=x_half,
                y_half=self.dtype == torch.float16,
                capability=self.driver.capability(self.bias.device),
                forced=self.forced,
            )
        launch = self._launches[key]
        return launch, self.driver.function(launch.macros, self.bias.device)
