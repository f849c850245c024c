"""Sums of kernels at the pairs: radial basis functions (Broomhead & Lowe 1988) and the mean of a Gaussian process."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.errors import SettingError
from shared.mapping.regression.regressor import Regressor
from shared.mapping.regression.training import Kernel, RegressorName, Training

MOST_PAIRS = 2000  # the matrix of kernels grows with the square of their number, its solution with the cube
RESTARTS = 2  # of the search for a Gaussian process's width and noise


@dataclass(frozen=True, eq=False)
class KernelRegressor(Regressor):
    """bias + weight x + sum over j of coefficients[j] k(|x - centres[j]|).

    centres (n, d), coefficients (n, latent), bias (latent,), weight (latent, d) or None: float64. The kernel `gaussian`
    is exp(-(r / width)^2), `thin_plate` r^2 log r.
    """

    centres: Float64[np.ndarray, "n d"]
    coefficients: Float64[np.ndarray, "n latent"]
    bias: Float64[np.ndarray, "latent"]
    weight: Float64[np.ndarray, "latent d"] | None
    kernel: Kernel
    width: float = 1.0
    kind: Literal["rbf", "gaussian_process"] = "rbf"

    @property
    def name(self) -> RegressorName:
        """How it was fitted."""
        return self.kind

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, outputs."""
        return self.centres.shape[1], self.coefficients.shape[1]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """Centres, coefficients, bias, and the weight where there is one."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.float64]] = {
            "centres": self.centres,
            "coefficients": self.coefficients,
            "bias": self.bias,
        }
        return arrays if self.weight is None else {**arrays, "weight": self.weight}

    def predict(self, x: Float64[np.ndarray, "d"], /) -> Float32[np.ndarray, "latent"]:
        """The sum."""
        squares = np.add.reduce(np.square(self.centres - x), axis=1)
        kernels = _kernel(squares, self.kernel, self.width)
        out = np.add.reduce(kernels[:, None] * self.coefficients, axis=0) + self.bias
        if self.weight is not None:
            out = out + np.add.reduce(self.weight * x, axis=1)
        return np.asarray(out, np.float32)

    @classmethod
    def fit_rbf(
        cls, inputs: Float64[np.ndarray, "n d"], targets: Float32[np.ndarray, "n latent"], training: Training
    ) -> "KernelRegressor":
        """Interpolate the pairs as scipy's RBFInterpolator does, whose coefficients are private.

        Gaussian: with a constant added. Thin plate: with a polynomial of degree 1, for which there must be more pairs
        than inputs and no input may be constant; otherwise without a polynomial.
        """
        from scipy.linalg import LinAlgError, solve

        _check_count(len(inputs), "rbf")
        width = (training.width or median_distance(inputs)) if training.kernel == "gaussian" else 1.0
        shift, scale = _centre_and_span(inputs)
        columns = [np.ones((len(inputs), 1)), (inputs - shift) / scale]
        polynomial = np.hstack(columns[:1]) if training.kernel == "gaussian" else np.hstack(columns)
        if np.linalg.matrix_rank(polynomial) < polynomial.shape[1]:
            polynomial = polynomial[:, :0]
        n, terms = polynomial.shape
        squares = np.square(inputs[:, None] - inputs).sum(axis=2)
        system = np.zeros((n + terms, n + terms))
        system[:n, :n] = _kernel(squares, training.kernel, width) + training.penalty * np.eye(n)
        system[:n, n:], system[n:, :n] = polynomial, polynomial.T
        wanted = np.vstack([targets.astype(np.float64), np.zeros((terms, targets.shape[1]))])
        try:
            solution = solve(system, wanted, assume_a="sym")
        except LinAlgError:
            raise SettingError(
                "rbf cannot meet two pairs with the same sound exactly; remove one, or set a penalty in [training]"
            ) from None
        rest = solution[n:]
        weight = (rest[1:] / scale[:, None]).T.copy() if terms > 1 else None
        bias = rest[0] if terms else np.zeros(targets.shape[1])
        if weight is not None:
            bias = bias - weight @ shift
        return cls(inputs.copy(), solution[:n].copy(), bias.copy(), weight, training.kernel, width)

    @classmethod
    def fit_gaussian_process(
        cls, inputs: Float64[np.ndarray, "n d"], targets: Float32[np.ndarray, "n latent"], training: Training
    ) -> "KernelRegressor":
        """The posterior mean (Rasmussen & Williams 2006, eq. 2.25) with the width and noise of the greatest likelihood."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        _check_count(len(inputs), "gaussian_process")
        mean = targets.astype(np.float64).mean(axis=0)
        spread = float((targets - mean).std()) or 1.0
        length = median_distance(inputs)
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(length, (length / 30, length * 30))
        model = GaussianProcessRegressor(
            kernel + WhiteKernel(1e-4, (1e-8, 1.0)), n_restarts_optimizer=RESTARTS, random_state=training.seed % 2**32
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a bound was met: still the best within bounds
            model.fit(inputs, (targets - mean) / spread)
        fitted = model.kernel_.k1
        coefficients = model.alpha_ * fitted.k1.constant_value * spread
        # sklearn's RBF is exp(-r^2 / (2 length^2))
        width = float(fitted.k2.length_scale) * 2**0.5
        return cls(inputs.copy(), coefficients, mean, None, "gaussian", width, "gaussian_process")


def median_distance(inputs: Float64[np.ndarray, "n d"]) -> float:
    """The median distance between two different rows; 1 where there are none."""
    squares = np.square(inputs[:, None] - inputs).sum(axis=2)
    apart = squares[squares > 0]
    return float(np.sqrt(np.median(apart))) if len(apart) else 1.0


def _kernel(squares: NDArray[np.float64], kernel: Kernel, width: float) -> NDArray[np.float64]:
    """The kernel at squared distances of any shape."""
    if kernel == "gaussian":
        return np.asarray(np.exp(squares * (-1.0 / width**2)))
    return np.asarray(0.5 * squares * np.log(np.where(squares > 0, squares, 1.0)))


def _centre_and_span(inputs: Float64[np.ndarray, "n d"]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and half range of each input, as scipy scales a polynomial; a range of zero counts as 2."""
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    half = (high - low) / 2
    return (low + high) / 2, np.where(half == 0, 1.0, half)


def _check_count(count: int, name: str) -> None:
    if count > MOST_PAIRS:
        raise SettingError(
            f"{count} pairs given; {name} learns up to {MOST_PAIRS}: set pairs = {MOST_PAIRS} in [training], or another regressor"
        )
