"""The toolkit's numbers of activations."""

from shared.mapping.regression import Activation

NUMBERS: dict[Activation, int] = {"identity": 0, "sigmoid": 1, "relu": 2, "tanh": 3}
NAMES: dict[int, Activation] = {number: name for name, number in NUMBERS.items()}
