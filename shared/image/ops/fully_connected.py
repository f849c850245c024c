"""Fully connected layer with an equalised learning rate (Karras et al. 2018, section 4.1)."""

import math
from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import leaky_relu, linear

SLOPE = 0.2


@dataclass(frozen=True)
class FullyConnected:
    """y = x (g W)^T + h b, g = lr / sqrt(inputs), h = lr; then, where `leaky`, leaky_relu(y) sqrt(2).

    Weights are stored unscaled in a file; here they carry their gains. sqrt(2) > 0 passes through the leaky ReLU.
    """

    weight: Float32[Tensor, "outputs inputs"]
    bias: Float32[Tensor, "outputs"]
    leaky: bool

    @classmethod
    def prepare(
        cls,
        weight: Float32[Tensor, "outputs inputs"],
        bias: Float32[Tensor, "outputs"],
        *,
        lr_multiplier: float = 1.0,
        leaky: bool = False,
    ) -> "FullyConnected":
        """Put the gains into weights and bias."""
        gain = lr_multiplier * (math.sqrt(2) if leaky else 1.0)
        return cls(weight * (gain / math.sqrt(weight.shape[1])), bias * gain, leaky)

    def __call__(self, x: Float32[Tensor, "n inputs"]) -> Float32[Tensor, "n outputs"]:
        """The formula above."""
        y = linear(x, self.weight, self.bias)
        return leaky_relu(y, SLOPE) if self.leaky else y
