"""StyleGAN3's generator as a trainable network: the operators of `shared.image`, with gradients, under the published names."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import SLOPE
from shared.image.ops.trainable_filtered_lrelu import Filters, filtered_lrelu
from shared.image.stylegan3 import unit_mean_square

EPSILON = 1e-8
GAIN = math.sqrt(2)


W_AVG_BETA = 0.998


class TrainableGenerator(nn.Module):
    """What `shared.image.generator` computes, for training; `arrays` is what `write_checkpoint` takes.

    lr_multiplier: of the mapping network while it is trained, the architecture's by default; the file is written with the
    architecture's. generator: draws the initial weights; None is torch's own.
    """

    def __init__(
        self, architecture: Architecture, lr_multiplier: float | None = None, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.architecture = architecture
        own = architecture.mapping_kwargs.lr_multiplier
        self.lr_multiplier = own if lr_multiplier is None else lr_multiplier
        self.layers = geometry.layers(architecture)
        self.filters = tuple(Filters.of(layer, SLOPE, architecture.conv_clamp) for layer in self.layers[:-1])
        self.trained = nn.ParameterDict()
        for name, tensor in geometry.tensors(architecture).items():
            if not tensor.required:
                continue
            key = name.replace(".", "/")  # a parameter's name may not hold a dot
            if is_buffer(name):
                self.register_buffer(
                    key, torch.ones(tensor.shape) if "magnitude" in name else torch.zeros(tensor.shape)
                )
                continue
            start = torch.randn(tensor.shape, generator=generator)
            if name.startswith("mapping.fc") and name.endswith("weight"):
                start /= self.lr_multiplier
            if name.endswith("bias"):
                start = torch.ones(tensor.shape) if "affine" in name else torch.zeros(tensor.shape)
            if name == "synthesis.input.affine.weight":
                start = torch.zeros(tensor.shape)
            if name == "synthesis.input.affine.bias":
                start = torch.tensor([1.0, 0.0, 0.0, 0.0])
            self.trained[key] = nn.Parameter(start)

    def draw_waves(self, generator: torch.Generator) -> None:
        """Frequencies uniform in a disc of the lowest layer's band limit, phases in a whole period."""
        band_limit = geometry.signals(self.architecture)[0].cutoff
        frequencies, phases = self.get("synthesis.input.freqs"), self.get("synthesis.input.phases")
        drawn = torch.randn(frequencies.shape, generator=generator)
        radius = drawn.norm(dim=1, keepdim=True)
        frequencies.copy_(drawn / radius * torch.exp(-radius.square() / 4) * band_limit)
        phases.copy_(torch.rand(phases.shape, generator=generator) - 0.5)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The trained tensors, by published name."""
        return {key.replace("/", "."): parameter for key, parameter in self.trained.items()}

    def buffers_by_name(self) -> dict[str, Tensor]:
        """The tensors that are stored but not trained, by published name: averages, frequencies and phases."""
        return {key.replace("/", "."): buffer for key, buffer in self.named_buffers() if not key.startswith("trained")}

    def get(self, name: str) -> Tensor:
        """A stored tensor by its published name."""
        key = name.replace(".", "/")
        return self.trained[key] if key in self.trained else self.get_buffer(key)

    def arrays(self) -> dict[str, np.ndarray]:
        """All stored tensors, float32, with the mapping's weights in terms of the architecture's own lr_multiplier."""
        ratio = self.lr_multiplier / self.architecture.mapping_kwargs.lr_multiplier
        arrays = {}
        for name, tensor in geometry.tensors(self.architecture).items():
            if tensor.required:
                factor = ratio if name.startswith("mapping.fc") else 1.0
                arrays[name] = np.asarray((self.get(name).detach() * factor).cpu().numpy(), np.float32)
        return arrays

    def map(
        self, z: Float32[Tensor, "n z_dim"], c: Float32[Tensor, "n c_dim"] | None = None, is_normal: bool = False
    ) -> Float32[Tensor, "n w_dim"]:
        """One w for each z and label c; is_normal: z is of unit mean square already, or a part of one that is."""
        x = z if is_normal else unit_mean_square(z)
        if self.architecture.c_dim:
            if c is None:
                raise ValueError("a conditional generator needs labels")
            weight = self.get("mapping.embed.weight")
            embedded = linear(c, weight / math.sqrt(weight.shape[1]), self.get("mapping.embed.bias"))
            x = torch.cat([x, unit_mean_square(embedded)], dim=1)
        for j in range(self.architecture.mapping_kwargs.num_layers):
            weight, bias = self.get(f"mapping.fc{j}.weight"), self.get(f"mapping.fc{j}.bias")
            x = linear(x, weight * (self.lr_multiplier / math.sqrt(weight.shape[1])), bias * self.lr_multiplier)
            x = leaky_relu(x, SLOPE) * GAIN
        return x

    @torch.no_grad()
    def track_w(self, w: Float32[Tensor, "n w_dim"]) -> None:
        """Move the average w towards the mean of these."""
        self.get("mapping.w_avg").copy_(w.detach().mean(dim=0).lerp(self.get("mapping.w_avg"), W_AVG_BETA))

    def style(self, prefix: str, w: Float32[Tensor, "n w_dim"]) -> Float32[Tensor, "n _"]:
        """The affine map of w that belongs to a layer or the input."""
        weight = self.get(f"{prefix}.affine.weight")
        return linear(w, weight / math.sqrt(weight.shape[1]), self.get(f"{prefix}.affine.bias"))

    def synthesize(
        self,
        w: Float32[Tensor, "n w_dim"],
        transform: Float32[Tensor, "*n 3 3"] | None = None,
        *,
        window: float = 1.0,
        depth: int | None = None,
        beta: float | None = None,
        visit: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """The pictures (n, 3, h, w); or with `depth` the map behind that many layers.

        window: the part of the picture's width, around its centre, that is computed, with margins as around the whole.
        beta: decay of magnitude_ema; None does not update it. visit: called with each layer's number and its map.
        """
        first = geometry.signals(self.architecture)[0]
        margins = first.size - first.sampling_rate
        features = FourierFeatures.prepare(
            self.get("synthesis.input.weight"),
            self.get("synthesis.input.freqs"),
            self.get("synthesis.input.phases"),
            replace(first, size=round(first.sampling_rate * window) + margins),
        )
        transform = torch.eye(3, device=w.device) if transform is None else transform
        x = features(self.style("synthesis.input", w), transform).contiguous(memory_format=torch.channels_last)
        for i, layer in enumerate(self.layers[:depth]):
            x = self._layer(i, layer, x, w, beta)
            if visit is not None:
                visit(i, x)
        return x if depth is not None else x * self.architecture.output_scale

    def _layer(self, i: int, layer: geometry.Layer, x: Tensor, w: Tensor, beta: float | None) -> Tensor:
        prefix = f"synthesis.{layer.name}"
        ema = self.get(f"{prefix}.magnitude_ema")
        if beta is not None:
            ema.copy_(x.detach().to(torch.float32).square().mean().lerp(ema, beta))
        gain = ema.rsqrt().clone()  # the buffer may move before the gradient is taken
        dtype = torch.float16 if x.is_cuda and layer.allows_half else torch.float32
        x = x.to(dtype)
        weight, style = self.get(f"{prefix}.weight"), self.style(prefix, w)
        bias = self.get(f"{prefix}.bias")[None, :, None, None]
        if layer.is_torgb:
            weight = weight / math.sqrt(weight[0].numel())
            y = conv2d(x.to(torch.float32) * (style * gain)[:, :, None, None], weight) + bias
            clamp = self.architecture.conv_clamp
            return y if clamp is None else y.clamp(-clamp, clamp)
        weight = weight * weight.square().sum(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * (style.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
        energy = weight.square().sum(dim=(2, 3)).T
        factors = (style.square() @ energy + EPSILON / weight[0].numel()).rsqrt() * (gain * GAIN)
        y = conv2d(x * style[:, :, None, None].to(dtype), weight.to(dtype), padding=layer.kernel - 1)
        z = torch.addcmul((bias * GAIN).to(dtype), y, factors[:, :, None, None].to(dtype))
        return filtered_lrelu(z, self.filters[i])


def is_buffer(name: str) -> bool:
    """Whether a stored tensor is not trained."""
    return name.endswith((".freqs", ".phases", ".magnitude_ema", ".w_avg"))
