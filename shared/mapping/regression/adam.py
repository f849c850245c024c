"""The training of the multilayer perceptron: full-batch Adam (Kingma & Ba 2015), and when to stop it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from threading import Thread

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shared.mapping.regression.regressor import OnEpoch
from shared.mapping.regression.training import Activation, Training

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "elu": functional.elu,
    "identity": torch.clone,
}


class Network:
    """A network in training. epoch: how many steps were made. losses: mean squared error before each of them, and now."""

    def __init__(self, sizes: tuple[int, ...], training: Training) -> None:
        self.epoch = 0
        self.losses: list[float] = []
        self._activate = ACTIVATIONS[training.activation]
        self._generator = torch.Generator().manual_seed(training.seed)
        self.parameters: list[Tensor] = []  # weight, bias, weight, bias, ...
        for n_in, n_out in pairwise(sizes):
            bound = n_in**-0.5  # LeCun et al. 1998, "Efficient BackProp": scaled by the number of inputs
            for shape in ((n_out, n_in), (n_out,)):
                start = torch.empty(shape).uniform_(-bound, bound, generator=self._generator)
                self.parameters.append(start.requires_grad_())

    @property
    def arrays(self) -> list[NDArray[np.float32]]:
        """Weight, bias, weight, bias, ... as they are now."""
        return [parameter.detach().numpy().copy() for parameter in self.parameters]

    def predict(self, x: Tensor) -> Tensor:
        """(n, d) to (n, latent)."""
        for weight, bias in zip(self.parameters[:-2:2], self.parameters[1:-2:2], strict=True):
            x = self._activate(functional.linear(x, weight, bias))
        return functional.linear(x, self.parameters[-2], self.parameters[-1])

    def dropped(self, x: Tensor, probability: float) -> Tensor:
        """Inputs set to zero with this probability, the others enlarged to make up for it (Srivastava et al. 2014)."""
        if probability == 0:
            return x
        kept = torch.rand(x.shape, generator=self._generator) >= probability
        return x * kept / (1 - probability)


def trained(
    inputs: Float64[np.ndarray, "n d"], targets: Float32[np.ndarray, "n latent"], training: Training
) -> Iterator[Network]:
    """Train; yields the network before the step of every epoch, and after the last one."""
    x, y = torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(targets)
    network = Network((x.shape[1], *training.layers, y.shape[1]), training)
    settings = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    adam = torch.optim.Adam(network.parameters, **settings, fused=True)  # type: ignore[arg-type]
    for network.epoch in range(training.epochs):
        adam.zero_grad()
        loss = functional.mse_loss(network.predict(network.dropped(x, training.dropout)), y)
        network.losses.append(loss.item())
        yield network
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    network.epoch = training.epochs
    with torch.no_grad():
        network.losses.append(functional.mse_loss(network.predict(x), y).item())
    yield network


def best_epoch(
    inputs: Float64[np.ndarray, "n d"],
    targets: Float32[np.ndarray, "n latent"],
    training: Training,
    on_epoch: OnEpoch | None = None,
) -> int:
    """The number of epochs, from 1, after which pairs that are left out, one after the other, are predicted best.

    on_epoch: called before every epoch of each of the n fits, with numbers that go on.
    """
    errors = np.zeros(training.epochs + 1)
    for left_out in range(len(inputs)):
        others = np.arange(len(inputs)) != left_out
        x, y = torch.from_numpy(inputs[left_out].astype(np.float32)), torch.from_numpy(targets[left_out])
        for network in trained(inputs[others], targets[others], training):
            with torch.no_grad():
                errors[network.epoch] += functional.mse_loss(network.predict(x), y).item()
            if on_epoch is not None and network.epoch < training.epochs:
                on_epoch(left_out * training.epochs + network.epoch, network.losses[-1])
    return 1 + int(errors[1:].argmin())


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch's operators in the calling thread: waking a second thread would take longer than these small operations.

    A thread sets the number for itself and for threads that begin later. Another thread takes the latter back at once, or
    a generator that begins to draw during the fit would keep to one thread for good.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    other = Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()
    try:
        yield
    finally:
        torch.set_num_threads(before)
