"""The non-saturating logistic loss (Goodfellow et al. 2014) and R1 (Mescheder et al. 2018), per micro-batch."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import softplus

Logits = Float32[Tensor, "n 1"]
Scalar = Float32[Tensor, ""]


def generator_loss(fake: Logits) -> Scalar:
    """Mean of softplus(-D(G(z)))."""
    return softplus(-fake).mean()


def discriminator_loss_on_fakes(fake: Logits) -> Scalar:
    """Mean of softplus(D(G(z)))."""
    return softplus(fake).mean()


def discriminator_loss_on_reals(real: Logits) -> Scalar:
    """Mean of softplus(-D(x))."""
    return softplus(-real).mean()


def r1_penalty(real: Logits, images: Float32[Tensor, "n c h w"], gamma: float) -> Scalar:
    """Gamma / 2 times the squared gradient of D at the real images, mean over the batch; itself with a gradient.

    `images` require a gradient: they are the images before blur and augmentation.
    """
    (gradient,) = torch.autograd.grad(real.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() * (gamma / 2)


def published_gamma(resolution: int, batch: int = 32) -> float:
    """The R1 weight of the published table, 0.5 · (resolution / 128)^2 at a batch of 32; in inverse proportion to the batch."""
    return 0.5 * (resolution / 128) ** 2 * 32 / batch
