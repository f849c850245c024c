"""Fully connected layer with equalised learning rate (Karras et al. 2018, section 4.1)."""

import math
from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import leaky_relu, linear

SLOPE = 0.2


@dataclass(frozen=True)
class FullyConnected:
    """y = x (g W)^T + h b with g = lr / sqrt(inputs), h = lr; if `leaky`, then leaky_relu(y) sqrt(2).

    Files store unscaled weights; here they include their gains. The positive factor sqrt(2) commutes with the leaky ReLU.
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
        """Multiply weights and bias by their gains."""
        gain = lr_multiplier * (math.sqrt(2) if leaky else 1.0)
        return cls(weight * (gain / math.sqrt(weight.shape[1])), bias * gain, leaky)

    def __call__(self, x: Float32[Tensor, "n inputs"]) -> Float32[Tensor, "n outputs"]:
        """Apply the layer."""
        y = linear(x, self.weight, self.bias)
        return leaky_relu(y, SLOPE) if self.leaky else y
