"""A small multilayer perceptron, as in the paper."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.regression.regressor import OnEpoch, Regressor
from shared.mapping.regression.training import Activation, RegressorName, Training

FEWEST_TO_STOP = 3  # pairs: with fewer, leaving one out says nothing


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.float32(0.5) * (np.float32(1) + np.tanh(np.float32(0.5) * x)))


FUNCTIONS: dict[Activation, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, np.float32(0)))),
    "identity": lambda x: x,
}


@dataclass(frozen=True, eq=False)
class MLPRegressor(Regressor):
    """Hidden layers with an activation, linear output.

    weights[j] (outputs, inputs) and biases[j] (outputs,): float32, layer by layer.
    """

    weights: tuple[Float32[np.ndarray, "_ _"], ...]
    biases: tuple[Float32[np.ndarray, "_"], ...]
    activation: Activation = "relu"
    losses: tuple[float, ...] = field(default=(), repr=False)

    @property
    def name(self) -> RegressorName:
        """`mlp`."""
        return "mlp"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        return (self.weights[0].shape[1], *(len(bias) for bias in self.biases))

    @property
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """Weights and biases, layer by layer."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.float64]] = {}
        for j, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays |= {f"layer{j}.weight": weight, f"layer{j}.bias": bias}
        return arrays

    def predict(self, x: Float64[np.ndarray, "d"], /) -> Float32[np.ndarray, "latent"]:
        """Layer by layer."""
        values = x.astype(np.float32)
        last = len(self.weights) - 1
        for j, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            # Products and sums instead of BLAS: the bits do not depend on the number of rows or threads.
            values = np.add.reduce(weight * values, axis=1) + bias
            if j < last:
                values = FUNCTIONS[self.activation](values)
        return values

    @classmethod
    def fit(
        cls,
        inputs: Float64[np.ndarray, "n d"],
        targets: Float32[np.ndarray, "n latent"],
        training: Training = Training(),  # noqa: B008  # frozen
        on_epoch: OnEpoch | None = None,
    ) -> "MLPRegressor":
        """Full-batch Adam on the mean squared error. The same pairs, settings and torch give the same weights.

        With `early_stop`, the number of epochs is the one after which pairs that were left out are predicted best.
        on_epoch(epoch, loss) is called before the step of every epoch; an exception from it ends the fit.
        """
        from shared.mapping.regression.adam import best_epoch, one_thread, trained

        done, network = 0, None
        with one_thread():
            if training.early_stop and len(inputs) >= FEWEST_TO_STOP:
                epochs = best_epoch(inputs, targets, training, on_epoch)
                done = training.epochs * len(inputs)
                training = msgspec.structs.replace(training, epochs=epochs)
            for network in trained(inputs, targets, training):
                if on_epoch is not None and network.epoch < training.epochs:
                    on_epoch(done + network.epoch, network.losses[-1])
        assert network is not None  # there is at least one epoch
        arrays = network.arrays
        return cls(tuple(arrays[::2]), tuple(arrays[1::2]), training.activation, tuple(network.losses))
