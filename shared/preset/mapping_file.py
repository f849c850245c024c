"""The form of mapping.safetensors: its facts, and the arrays of each kind of regressor."""

from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np

from shared.errors import PresetError
from shared.mapping.preprocessing import Preprocessing
from shared.mapping.regression import MLPRegressor, Regressor, RegressorName
from shared.mapping.regression.kernels import KernelRegressor
from shared.mapping.regression.linear import LinearRegressor
from shared.mapping.regression.nearest import NearestRegressor
from shared.mapping.regression.training import Activation, Kernel, Norm, PreprocessingName
from shared.preset.pairs import LatentSpace
from shared.preset.tensorfile import Arrays, Expected, floats


class Facts(msgspec.Struct):
    """The facts in the file. Those that have their default may be left out, as files of version 0.1.0 do."""

    sizes: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=2, max_length=16)]
    space: LatentSpace
    regressor: RegressorName = "mlp"
    activation: Activation = "relu"
    seed: int = 0
    pairs: str = ""
    reach: float | None = None
    preprocessing: PreprocessingName = "standard"
    norm: Norm = "keep"
    classes: Annotated[int, msgspec.Meta(ge=0)] = 0
    neighbours: Annotated[int, msgspec.Meta(ge=1)] = 3
    power: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    kernel: Kernel = "gaussian"
    width: Annotated[float, msgspec.Meta(gt=0)] = 1.0


OPTIONAL = {"weight": floats(None, None)}  # of a sum of kernels


def required(facts: Facts) -> dict[str, Expected]:
    """The arrays of a mapping with these facts."""
    inputs, outputs = facts.sizes[0], facts.sizes[-1]
    if facts.preprocessing == "standard":
        shapes = {"scaler.mean": floats(inputs), "scaler.deviation": floats(inputs)}
    else:
        shapes = {"scaler.mean": floats(None), "scaler.deviation": floats(None)}
        shapes |= {"preprocessing.centre": floats(None), "preprocessing.matrix": floats(inputs, None)}
    match facts.regressor:
        case "mlp":
            for j, (wide_in, wide_out) in enumerate(pairwise(facts.sizes)):
                shapes |= {f"layer{j}.weight": floats(wide_out, wide_in), f"layer{j}.bias": floats(wide_out)}
        case "nearest":
            shapes |= {"inputs": floats(None, inputs), "targets": floats(None, outputs)}
        case "rbf" | "gaussian_process":
            shapes |= {"centres": floats(None, inputs), "coefficients": floats(None, outputs), "bias": floats(outputs)}
        case "ridge" | "linear":
            shapes |= {"weight": floats(outputs, inputs), "bias": floats(outputs)}
    return shapes


def regressor_facts(regressor: Regressor) -> dict[str, object]:
    """The facts of a regressor beside its arrays."""
    facts: dict[str, object] = {"sizes": list(regressor.sizes)}
    if not isinstance(regressor, MLPRegressor):
        facts["regressor"] = regressor.name
    match regressor:
        case MLPRegressor(activation=activation):
            facts["activation"] = activation
        case NearestRegressor(neighbours=neighbours, power=power):
            facts |= {"neighbours": neighbours, "power": power}
        case KernelRegressor(kernel=kernel, width=width):
            facts |= {"kernel": kernel, "width": width}
    return facts


def regressor(facts: Facts, arrays: Arrays) -> Regressor:
    """The regressor in a file. Raises PresetError if its parts do not fit together."""
    doubles = {name: array.astype(np.float64, copy=False) for name, array in arrays.items()}
    match facts.regressor:
        case "mlp":
            layers = range(len(facts.sizes) - 1)
            weights, biases = (
                tuple(arrays[f"layer{j}.{part}"].astype(np.float32, copy=False) for j in layers)
                for part in ("weight", "bias")
            )
            return MLPRegressor(weights, biases, facts.activation)
        case "nearest":
            inputs, targets = doubles["inputs"], arrays["targets"].astype(np.float32, copy=False)
            _check_rows(len(inputs), len(targets))
            return NearestRegressor(inputs, targets, facts.neighbours, facts.power)
        case "rbf" | "gaussian_process" as kind:
            centres, coefficients, weight = doubles["centres"], doubles["coefficients"], doubles.get("weight")
            _check_rows(len(centres), len(coefficients))
            if weight is not None and weight.shape != (facts.sizes[-1], facts.sizes[0]):
                raise PresetError(f"'weight' is of shape {weight.shape}; train again")
            return KernelRegressor(centres, coefficients, doubles["bias"], weight, facts.kernel, facts.width, kind)
        case "ridge" | "linear" as kind:
            return LinearRegressor(doubles["weight"], doubles["bias"], kind)


def preprocessing(facts: Facts, arrays: Arrays) -> Preprocessing | None:
    """The preprocessing in a file. Raises PresetError if its parts do not fit together."""
    if facts.preprocessing == "standard":
        return None
    centre, matrix = (arrays[f"preprocessing.{name}"].astype(np.float64, copy=False) for name in ("centre", "matrix"))
    if matrix.shape[1] != len(centre):
        raise PresetError(f"'preprocessing.matrix' is of shape {matrix.shape} for {len(centre)} inputs; train again")
    return Preprocessing(facts.preprocessing, centre, matrix)


def _check_rows(inputs: int, outputs: int) -> None:
    if inputs != outputs or not inputs:
        raise PresetError(f"it holds {inputs} inputs and {outputs} outputs of pairs; train again")
