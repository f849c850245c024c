"""All styles of a picture at once: the affine layers and modulations of `modulated_conv` in a few large products."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from shared.image.ops.fully_connected import FullyConnected
from shared.image.ops.modulated_conv import EPSILON, ModulatedConv

Modulation = tuple[Float32[Tensor, "1 inputs"], Float32[Tensor, "1 outputs"]]


@dataclass(frozen=True)
class Styles:
    """ModulatedConv.modulation(affine(w)) of every layer, for a single picture. Rows are padded with zeros."""

    weight: Float32[Tensor, "layers w_dim inputs"]
    """Transposed: a row times a matrix is many times faster than a matrix times a column."""
    bias: Float32[Tensor, "layers 1 inputs"]
    share: Float32[Tensor, "demodulated 1 1"]
    """1 / number of the layer's inputs."""
    energy: Float32[Tensor, "demodulated outputs inputs"]
    """For all layers except the last, ToRGB, which neither normalises nor demodulates."""
    epsilon: Float32[Tensor, "demodulated 1 1"]
    gain: Float32[Tensor, "demodulated 1 1"]
    torgb: Float32[Tensor, "1 colours"]
    """The factors of ToRGB's output channels."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @classmethod
    def prepare(
        cls,
        layers: Sequence[tuple[FullyConnected, ModulatedConv]],
        channels: Callable[[int], int] = lambda count: count,
    ) -> "Styles":
        """From the layers' operators; ToRGB is the last. channels: of a map in memory, with zeros for those added."""
        convolutions = [convolution for _, convolution in layers]
        demodulating = convolutions[:-1]
        like = layers[0][0].weight
        inputs = tuple(convolution.weight.shape[1] for convolution in convolutions)
        outputs = tuple(len(convolution.weight) for convolution in convolutions)
        inputs_stored = tuple(map(channels, inputs))
        outputs_stored = (*map(channels, outputs[:-1]), outputs[-1])
        weight = like.new_zeros(len(layers), like.shape[1], max(inputs_stored))
        bias = like.new_zeros(len(layers), 1, max(inputs_stored))
        energy = like.new_zeros(len(demodulating), max(outputs_stored), max(inputs_stored))
        for i, (affine, convolution) in enumerate(layers):
            weight[i, :, : inputs[i]], bias[i, 0, : inputs[i]] = affine.weight.T, affine.bias
            if convolution.energy is not None:
                energy[i, : outputs[i], : inputs[i]] = convolution.energy.T

        def column(values: list[float]) -> Float32[Tensor, "_ 1 1"]:
            return torch.tensor(values, dtype=torch.float32, device=like.device)[:, None, None]

        return cls(
            weight=weight,
            bias=bias,
            share=column([1 / count for count in inputs[:-1]]),
            energy=energy,
            epsilon=column([EPSILON / convolution.weight[0].numel() for convolution in demodulating]),
            gain=column([convolution.gain for convolution in demodulating]),
            torgb=like.new_full((1, outputs[-1]), convolutions[-1].gain),
            inputs=inputs_stored,
            outputs=outputs_stored,
        )

    def __call__(self, rows: Float32[Tensor, "layers w_dim"]) -> list[Modulation]:
        """The factors of each convolution's input and output channels; rows: one w per layer."""
        styles = torch.baddbmm(self.bias, rows[:, None], self.weight).mT
        normal = styles[:-1]
        squares = normal.square()
        scale = (squares.sum(dim=1, keepdim=True) * self.share).reciprocal_()
        factors = torch.bmm(self.energy, squares * scale).add_(self.epsilon).rsqrt_().mul_(self.gain)
        normal.mul_(scale.sqrt_())
        return [
            (styles[i, :count].T, factors[i, : self.outputs[i]].T if i < len(factors) else self.torgb)
            for i, count in enumerate(self.inputs)
        ]
