"""A filter along both axes of every plane of a batch, with PyTorch's gradients."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d


def filter_planes(images: Float[Tensor, "n c h w"], taps: Float[Tensor, "k"], padding: int = 0) -> Tensor:
    """Correlate every plane with the taps along x and along y, between `padding` zeros on each side.

    The planes are the channels of one image, a group each: as single images oneDNN takes fifteen times as long for the same
    bits, and thirty times with the gradient.
    """
    n, c, h, w = images.shape
    kernel = taps.expand(n * c, 1, 1, -1)
    planes = conv2d(images.reshape(1, n * c, h, w), kernel, padding=(0, padding), groups=n * c)
    planes = conv2d(planes, kernel.transpose(2, 3), padding=(padding, 0), groups=n * c)
    return planes.reshape(n, c, *planes.shape[2:])
