"""The mapping itself: a small multilayer perceptron from descriptors to a latent vector."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Thread
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.errors import SettingError
from shared.stage import Memoryless

Activation = Literal["relu", "tanh", "sigmoid", "identity"]
FUNCTIONS: dict[Activation, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "tanh": np.tanh,
    "sigmoid": lambda x: np.float32(0.5) * (np.float32(1) + np.tanh(np.float32(0.5) * x)),
    "identity": lambda x: x,
}


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyperparameters of a regressor. The defaults are those of the paper: 40 hidden units, ReLU, Adam 0.01, 500 epochs."""

    layers: tuple[int, ...] = (40,)
    activation: Activation = "relu"
    epochs: int = 500
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, allowed, good in (
            (
                "layers",
                self.layers,
                "1 to 8 sizes from 1 to 4096",
                1 <= len(self.layers) <= 8 and all(1 <= n <= 4096 for n in self.layers),
            ),
            ("epochs", self.epochs, "1 to 1000000", 1 <= self.epochs <= 1_000_000),
            ("learning_rate", self.learning_rate, "above 0, to 1", 0 < self.learning_rate <= 1),
            ("weight_decay", self.weight_decay, "0 to 1", 0 <= self.weight_decay <= 1),
            ("seed", self.seed, "0 to 2^63 - 1", 0 <= self.seed < 2**63),
        ):
            if not good:
                raise SettingError(f"{name} = {value} given; allowed: {allowed}")


@dataclass(frozen=True, eq=False)
class MLPRegressor(Memoryless[NDArray[np.float64], NDArray[np.float32]]):
    """(k, d) standardised descriptors in, (k, latent) float32 out: hidden layers with an activation, linear output.

    weights[j] (outputs, inputs) and biases[j] (outputs,): float32, layer by layer.
    """

    weights: tuple[Float32[np.ndarray, "_ _"], ...]
    biases: tuple[Float32[np.ndarray, "_"], ...]
    activation: Activation = "relu"
    losses: tuple[float, ...] = field(default=(), repr=False)
    """Mean squared error before every epoch of the fit and after the last; empty for a regressor from a file."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        return (self.weights[0].shape[1], *(len(bias) for bias in self.biases))

    def process(self, block: Float64[np.ndarray, "k d"], /) -> Float32[np.ndarray, "k latent"]:
        """Predict, one row at a time."""
        out = np.empty((len(block), self.sizes[-1]), np.float32)
        for i, row in enumerate(block):
            out[i] = self._predict(row.astype(np.float32))
        return out

    def _predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        last = len(self.weights) - 1
        for j, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            # Products and sums instead of BLAS: the bits do not depend on the number of rows or threads.
            x = np.add.reduce(weight * x, axis=1) + bias
            if j < last:
                x = FUNCTIONS[self.activation](x)
        return x

    @classmethod
    def fit(
        cls,
        inputs: Float64[np.ndarray, "n d"],
        targets: Float32[np.ndarray, "n latent"],
        training: Training = Training(),  # noqa: B008  # frozen
        on_epoch: Callable[[int, float], None] | None = None,
    ) -> "MLPRegressor":
        """Full-batch Adam on the mean squared error. The same pairs, settings and torch give the same weights.

        on_epoch(epoch, loss) is called before the step of every epoch; an exception from it ends the fit.
        """
        import torch
        from torch.nn import functional

        generator = torch.Generator().manual_seed(training.seed)
        x = torch.from_numpy(inputs.astype(np.float32))
        y = torch.from_numpy(targets)
        parameters: list[torch.Tensor] = []  # weight, bias, weight, bias, ...
        for n_in, n_out in pairwise((x.shape[1], *training.layers, y.shape[1])):
            bound = n_in**-0.5  # LeCun et al. 1998, "Efficient BackProp": scaled by the number of inputs
            for shape in ((n_out, n_in), (n_out,)):
                parameters.append(torch.empty(shape).uniform_(-bound, bound, generator=generator).requires_grad_())
        activations = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": torch.clone}
        activate = activations[training.activation]

        def loss_now() -> torch.Tensor:
            h = x
            for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
                h = activate(functional.linear(h, weight, bias))
            return functional.mse_loss(functional.linear(h, parameters[-2], parameters[-1]), y)

        adam = torch.optim.Adam(parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
        losses = []
        with _one_thread():
            for epoch in range(training.epochs):
                adam.zero_grad()
                loss = loss_now()
                losses.append(loss.item())
                if on_epoch is not None:
                    on_epoch(epoch, losses[-1])
                loss.backward()  # type: ignore[no-untyped-call]
                adam.step()
            with torch.no_grad():
                losses.append(loss_now().item())
        arrays = [parameter.detach().numpy().copy() for parameter in parameters]
        return cls(tuple(arrays[::2]), tuple(arrays[1::2]), training.activation, tuple(losses))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch's operators in the calling thread: these are so small that waking a second one takes longer than their work.

    A thread sets the number for itself and for threads that begin later. Another thread takes the latter back at once, or
    a generator that begins to draw during the fit would keep to one thread for good.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    other = Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()
    try:
        yield
    finally:
        torch.set_num_threads(before)
