"""The discriminator's low-pass filter: a convolution, and its gradients of first and second order."""

import pytest
import torch
from torch.nn.functional import conv2d, pad

from offline.training.lowpass import lowpass

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("padding", [1, 2])
def test_it_is_a_convolution_with_gradients_of_both_orders(padding):
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
    kernel = torch.outer(taps, taps)[None, None].repeat(3, 1, 1, 1)
    torch.testing.assert_close(lowpass(x, padding), conv2d(pad(x, [padding] * 4), kernel, groups=3))
    assert torch.autograd.gradcheck(lambda x: lowpass(x, padding), x)
    assert torch.autograd.gradgradcheck(lambda x: lowpass(x, padding) ** 2, x)
