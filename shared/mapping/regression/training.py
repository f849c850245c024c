"""Settings of the training: the regressor and its hyperparameters."""

from typing import Literal, get_args

import msgspec

from shared.errors import SettingError

RegressorName = Literal["mlp", "nearest", "rbf", "gaussian_process", "ridge", "linear"]
REGRESSORS: tuple[RegressorName, ...] = get_args(RegressorName)
Activation = Literal["relu", "tanh", "sigmoid", "silu", "elu", "identity"]
Kernel = Literal["gaussian", "thin_plate"]
PreprocessingName = Literal["standard", "robust", "whitened"]
Norm = Literal["keep", "sphere"]


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyperparameters of a mapping: the table [training] of preset.toml.

    The defaults are those of the paper (Moore 2025): all pairs, standardised descriptors, an MLP of 40 hidden units with
    ReLU, and Adam at 0.01 for 500 epochs.
    """

    regressor: RegressorName = "mlp"
    pairs: int = 0
    """How many pairs are learned, those most distant in sound; 0: all."""
    preprocessing: PreprocessingName = "standard"
    norm: Norm = "keep"
    """Length of z: as predicted, or that of the sphere on which random z lie."""

    layers: tuple[int, ...] = (40,)
    activation: Activation = "relu"
    epochs: int = 500
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    dropout: float = 0.0
    """Probability with which an input of a pair is left out of an epoch."""
    early_stop: bool = False
    """Whether the number of epochs, up to `epochs`, is that with the least leave-one-out error."""
    seed: int = 0

    neighbours: int = 3
    """Of `nearest`: how many pairs take part."""
    power: float = 2.0
    """Of `nearest`: their weights are distance^-power."""
    kernel: Kernel = "gaussian"
    """Of `rbf`."""
    width: float = 0.0
    """Of the Gaussian kernel of `rbf`, in deviations; 0: the median distance between pairs."""
    penalty: float = 0.0
    """Of `rbf`: added to the diagonal of the kernel matrix. 0: the pairs are met exactly."""
    alpha: float = 1.0
    """Of `ridge`: weight of the squared coefficients."""

    def __post_init__(self) -> None:
        for name, allowed, good in (
            ("pairs", "0 (all) to 1000000", 0 <= self.pairs <= 1_000_000),
            (
                "layers",
                "1 to 8 sizes from 1 to 4096",
                1 <= len(self.layers) <= 8 and all(1 <= n <= 4096 for n in self.layers),
            ),
            ("epochs", "1 to 1000000", 1 <= self.epochs <= 1_000_000),
            ("learning_rate", "above 0, to 1", 0 < self.learning_rate <= 1),
            ("weight_decay", "0 to 1", 0 <= self.weight_decay <= 1),
            ("dropout", "0 to 0.9", 0 <= self.dropout <= 0.9),
            ("seed", "0 to 2^63 - 1", 0 <= self.seed < 2**63),
            ("neighbours", "1 to 1000", 1 <= self.neighbours <= 1000),
            ("power", "above 0, to 20", 0 < self.power <= 20),
            ("width", "0 (the median distance) to 1000", 0 <= self.width <= 1000),
            ("penalty", "0 to 1000000", 0 <= self.penalty <= 1e6),
            ("alpha", "above 0, to 1000000", 0 < self.alpha <= 1e6),
        ):
            if not good:
                raise SettingError(f"{name} = {getattr(self, name)} given; allowed: {allowed}")

    def epochs_of(self, pairs: int) -> int:
        """The largest number of epochs of a fit to `pairs` pairs, including those for leave-one-out errors."""
        if self.regressor != "mlp":
            return 1
        return self.epochs * (pairs + 1 if self.early_stop else 1)
