"""Muon: momentum with orthogonalised updates, for the convolutions (Jordan et al. 2024, "Muon")."""

import torch
from jaxtyping import Float32
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Published coefficients of the Newton-Schulz iteration; singular values end between 0.7 and 1.2."""


def orthogonal(matrix: Float32[Tensor, "rows columns"], steps: int = 5) -> Float32[Tensor, "rows columns"]:
    """Approximates U V^T of the singular value decomposition U S V^T."""
    a, b, c = QUINTIC
    x: Tensor = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon:
    """Optimiser for weights (outputs, ...) that are normalised by row when used; `rate` is the relative size of a step.

    After each step all rows have a mean square of 1 again, so a rate has the same effect throughout training.
    """

    def __init__(self, weights: dict[str, nn.Parameter], momentum: float = 0.95) -> None:
        self.weights = weights
        self.momentum = momentum
        self.velocity = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step against the weights' gradients. Weights without a gradient do not change."""
        for name, weight in self.weights.items():
            if weight.grad is None:
                continue
            velocity = self.velocity[name]
            velocity.lerp_(weight.grad, 1 - self.momentum)
            ahead = torch.lerp(weight.grad, velocity, self.momentum).flatten(1)
            direction = orthogonal(ahead)
            weight.sub_((direction * (rate / direction.square().mean().sqrt())).view_as(weight))
            weight.mul_(weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())
