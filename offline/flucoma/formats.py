"""The FluCoMa Toolkit's JSON files, as SuperCollider and Max write and read them.

Keys and layouts are those of flucoma-core 1.0.9 (docs/flucoma.md). The toolkit ignores other keys; the key `ponticello` holds
further facts of a preset.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray

from shared.atomic import written_atomically
from shared.errors import UserError
from shared.regular_file import read_bytes

MOST_BYTES = 2**30
OWN_KEY = "ponticello"
Count = Annotated[int, msgspec.Meta(ge=1)]
Facts = Mapping[str, Any]

T = TypeVar("T", bound=msgspec.Struct)


class BadFile(UserError):
    """A file whose content does not match its keys."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """FluidDataSet: rows (n, d) of numbers, each with an identifier. The toolkit sorts identifiers as text."""

    identifiers: tuple[str, ...]
    rows: Float64[np.ndarray, "n d"]
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        data = dict(zip(self.identifiers, self.rows.tolist(), strict=True))
        return {"cols": self.rows.shape[1], "data": data}


@dataclass(frozen=True, eq=False)
class LabelSet:
    """FluidLabelSet: a text for each identifier."""

    labels: Mapping[str, str]
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        return {"cols": 1, "data": {identifier: [label] for identifier, label in self.labels.items()}}


@dataclass(frozen=True, eq=False)
class Standardize:
    """FluidStandardize: (x - mean) / std, each (d,)."""

    mean: Float64[np.ndarray, "d"]
    std: Float64[np.ndarray, "d"]
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        return {"cols": len(self.mean), "mean": self.mean.tolist(), "std": self.std.tolist()}


@dataclass(frozen=True, eq=False)
class PCA:
    """FluidPCA: scores are (x - mean) bases.

    bases (d, components), a component a column; values (components,): singular values of the centred data, so that
    values² / (points - 1) is the variance of each component. mean (d,).
    """

    bases: Float64[np.ndarray, "d components"]
    values: Float64[np.ndarray, "components"]
    mean: Float64[np.ndarray, "d"]
    points: int
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        rows, cols = self.bases.shape
        arrays = {"bases": self.bases.tolist(), "values": self.values.tolist(), "mean": self.mean.tolist()}
        return {"rows": rows, "cols": cols, "numpoints": self.points, **arrays}

    def scores(self, rows: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n components"]:
        """The components of rows."""
        return np.asarray((rows - self.mean) @ self.bases)


@dataclass(frozen=True, eq=False)
class UMAP:
    """FluidUMAP: places embedding (n, 2) of the points (n, d) that it was fitted on.

    a, b: the curve that follows from the minimum distance. neighbours: their number. To place further points, the toolkit
    searches a k-d tree of the points.
    """

    embedding: Float64[np.ndarray, "n places"]
    points: Float64[np.ndarray, "n d"]
    a: float
    b: float
    neighbours: int
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        rows, cols = self.embedding.shape
        return {
            "rows": rows,
            "cols": cols,
            "embedding": self.embedding.tolist(),
            "tree": kd_tree(self.points),
            "a": self.a,
            "b": self.b,
            "k": self.neighbours,
        }


@dataclass(frozen=True, eq=False)
class MLP:
    """FluidMLPRegressor: layers of weights (outputs, inputs) and biases (outputs,), each with the number of its activation.

    activations: 0 identity, 1 sigmoid, 2 ReLU, 3 tanh.
    """

    weights: tuple[Float32[np.ndarray, "_ _"], ...]
    biases: tuple[Float32[np.ndarray, "_"], ...]
    activations: tuple[int, ...]
    facts: Facts = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As in the file, where weights are (inputs, outputs)."""
        layers = [
            {
                "rows": weight.shape[1],
                "cols": weight.shape[0],
                "weights": weight.T.tolist(),
                "biases": bias.tolist(),
                "activation": activation,
            }
            for weight, bias, activation in zip(self.weights, self.biases, self.activations, strict=True)
        ]
        return {"layers": layers}


FluComaFile = DataSet | LabelSet | Standardize | PCA | UMAP | MLP


class _DataSet(msgspec.Struct):
    cols: Count
    data: dict[str, list[float]]
    ponticello: dict[str, Any] = {}


class _LabelSet(msgspec.Struct):
    data: dict[str, Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]]
    ponticello: dict[str, Any] = {}


class _Standardize(msgspec.Struct):
    cols: Count
    mean: list[float]
    std: list[float]
    ponticello: dict[str, Any] = {}


class _Normalize(msgspec.Struct):
    cols: Count
    data_min: list[float]
    data_max: list[float]
    min: float
    max: float


class _RobustScale(msgspec.Struct):
    cols: Count
    median: list[float]
    range: list[float]


class _PCA(msgspec.Struct):
    rows: Count
    cols: Count
    bases: list[list[float]]
    values: list[float]
    mean: list[float]
    numpoints: Annotated[int, msgspec.Meta(ge=2)] = 2  # older versions of the toolkit leave it out
    ponticello: dict[str, Any] = {}


class _Tree(msgspec.Struct):
    rows: Count
    cols: Count
    data: list[list[float]]
    ids: list[str]


class _UMAP(msgspec.Struct):
    rows: Count
    cols: Count
    embedding: list[list[float]]
    tree: _Tree
    a: float
    b: float
    k: Count
    ponticello: dict[str, Any] = {}


class _Layer(msgspec.Struct):
    rows: Count
    cols: Count
    weights: list[list[float]]
    biases: list[float]
    activation: Annotated[int, msgspec.Meta(ge=0, le=3)]


class _MLP(msgspec.Struct):
    layers: Annotated[list[_Layer], msgspec.Meta(min_length=1, max_length=16)]
    ponticello: dict[str, Any] = {}


def write(path: Path, content: FluComaFile) -> None:
    """Write a file, completely or not at all. Numbers keep every bit."""
    plain = content.plain() | ({OWN_KEY: dict(content.facts)} if content.facts else {})
    with written_atomically(path) as temporary:
        temporary.write_bytes(msgspec.json.encode(plain, order="deterministic") + b"\n")


def read(path: Path) -> FluComaFile | None:
    """The object in a file; None for other JSON. Raises BadFile if its parts do not fit together."""
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    try:
        keys = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFile(f"{path} is not one JSON object: {error}") from error
    reader = next((reader for names, reader in READERS if names <= keys.keys()), None)
    if reader is None:
        return None
    try:
        return reader(content)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadFile(f"{path}: {error}; write it again with the toolkit") from error


def _decoded(content: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(content, type=kind)


def _data_set(content: bytes) -> DataSet | LabelSet:
    try:
        labels = _decoded(content, _LabelSet)
    except msgspec.ValidationError:
        plain = _decoded(content, _DataSet)
        rows = _array(list(plain.data.values()), "data", len(plain.data), plain.cols)
        return DataSet(tuple(plain.data), rows, plain.ponticello)
    if not labels.data:
        return DataSet((), np.empty((0, _decoded(content, _DataSet).cols)), labels.ponticello)
    return LabelSet({identifier: label for identifier, (label,) in labels.data.items()}, labels.ponticello)


def _standardize(content: bytes) -> Standardize:
    plain = _decoded(content, _Standardize)
    mean, std = (_array(values, name, plain.cols) for name, values in (("mean", plain.mean), ("std", plain.std)))
    if (std < 0).any():
        raise ValueError("std holds numbers below 0")
    return Standardize(mean, std, plain.ponticello)


def _normalize(content: bytes) -> Standardize:
    """FluidNormalize, expressed by mean and deviation."""
    plain = _decoded(content, _Normalize)
    low, high = (_array(values, "data_min and data_max", plain.cols) for values in (plain.data_min, plain.data_max))
    if not plain.min < plain.max or (low > high).any():
        raise ValueError("min is not below max")
    std = (high - low) / (plain.max - plain.min)
    return Standardize(low - plain.min * std, std)


def _robust_scale(content: bytes) -> Standardize:
    """FluidRobustScale: (x - median) / range."""
    plain = _decoded(content, _RobustScale)
    span = _array(plain.range, "range", plain.cols)
    if (span < 0).any():
        raise ValueError("range holds numbers below 0")
    return Standardize(_array(plain.median, "median", plain.cols), span)


def _pca(content: bytes) -> PCA:
    plain = _decoded(content, _PCA)
    bases = _array(plain.bases, "bases", plain.rows, plain.cols)
    values, mean = _array(plain.values, "values", plain.cols), _array(plain.mean, "mean", plain.rows)
    return PCA(bases, values, mean, plain.numpoints, plain.ponticello)


def _umap(content: bytes) -> UMAP:
    plain = _decoded(content, _UMAP)
    embedding = _array(plain.embedding, "embedding", plain.rows, plain.cols)
    points = _array(plain.tree.data, "tree.data", plain.rows, plain.tree.cols)
    numbers: NDArray[np.int64] = np.array([int(number) for number in plain.tree.ids], np.int64)
    if not np.array_equal(np.sort(numbers), np.arange(plain.rows)):
        raise ValueError(f"tree.ids holds other numbers than 0 to {plain.rows - 1}, each once")
    ordered = np.empty_like(points)
    ordered[numbers] = points
    return UMAP(embedding, ordered, plain.a, plain.b, plain.k, plain.ponticello)


def _mlp(content: bytes) -> MLP:
    plain = _decoded(content, _MLP)
    for number, (one, following) in enumerate(zip(plain.layers, plain.layers[1:], strict=False), 1):
        if one.cols != following.rows:
            raise ValueError(f"layer {number} has {one.cols} outputs, layer {number + 1} takes {following.rows}")
    weights = [_array(layer.weights, "weights", layer.rows, layer.cols).T for layer in plain.layers]
    biases = [_array(layer.biases, "biases", layer.cols) for layer in plain.layers]
    return MLP(
        tuple(np.ascontiguousarray(weight, np.float32) for weight in weights),
        tuple(bias.astype(np.float32) for bias in biases),
        tuple(layer.activation for layer in plain.layers),
        plain.ponticello,
    )


READERS: tuple[tuple[frozenset[str], Callable[[bytes], FluComaFile]], ...] = (
    (frozenset({"layers"}), _mlp),
    (frozenset({"embedding", "tree"}), _umap),
    (frozenset({"bases", "mean"}), _pca),
    (frozenset({"mean", "std"}), _standardize),
    (frozenset({"data_min", "data_max", "min", "max"}), _normalize),
    (frozenset({"median", "range"}), _robust_scale),
    (frozenset({"cols", "data"}), _data_set),
)


def _array(values: Sequence[Any], name: str, *shape: int) -> NDArray[np.float64]:
    """Numbers of a shape. ValueError for another shape and for numbers that are not finite."""
    try:
        array = np.array(values, np.float64).reshape((0, *shape[1:]) if not len(values) else np.shape(values))
    except ValueError:  # rows of different lengths
        array = np.empty(0)
    if array.shape != shape:
        raise ValueError(f"{name} is not {' x '.join(map(str, shape))} numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array


def kd_tree(points: Float64[np.ndarray, "n d"]) -> dict[str, Any]:
    """The k-d tree (Bentley 1975) of points as the toolkit stores it, with the numbers of the points as identifiers.

    Split at the median, along one dimension after the other. Nodes are in pre-order; `tree` holds the left and right child
    of each, -1 for none.
    """
    n, d = points.shape
    order: NDArray[np.int64] = np.empty(n, np.int64)
    children: NDArray[np.int64] = np.full((n, 2), -1)
    # number of the node, the points below and including it, depth; in pre-order a left child follows its parent
    waiting: list[tuple[int, Int64[np.ndarray, "k"], int]] = [(0, np.arange(n), 0)]
    while waiting:
        node, below, depth = waiting.pop()
        below = below[np.argsort(points[below, depth % d], kind="stable")]
        middle = len(below) // 2
        order[node] = below[middle]
        if middle > 0:
            children[node, 0] = node + 1
            waiting.append((node + 1, below[:middle], depth + 1))
        if middle + 1 < len(below):
            children[node, 1] = node + 1 + middle
            waiting.append((node + 1 + middle, below[middle + 1 :], depth + 1))
    return {
        "rows": n,
        "cols": d,
        "data": points[order].tolist(),
        "ids": [str(number) for number in order.tolist()],
        "tree": children.tolist(),
    }


def identifiers(prefix: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """Identifiers whose order as text is that of the numbers."""
    width = len(str(max(numbers, default=0)))
    return tuple(f"{prefix}-{number:0{width}d}" for number in numbers)


def numbered(identifier: str) -> int | None:
    """The number at the end of an identifier; None if there is none."""
    found = re.search(r"(\d{1,15})$", identifier)
    return int(found[1]) if found else None
