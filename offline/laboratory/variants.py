"""The settings of the training that a comparison puts side by side."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from shared.mapping.regression import Training

PAPER = Training()
REGRESSORS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("MLP 40, as in the paper", {}),
    ("MLP 10", {"layers": (10,)}),
    ("MLP 40-40", {"layers": (40, 40)}),
    ("MLP 40, tanh", {"activation": "tanh"}),
    ("MLP 40, SiLU", {"activation": "silu"}),
    ("MLP 40, weight decay 0.01", {"weight_decay": 0.01}),
    ("MLP 40, input dropout 0.2", {"dropout": 0.2}),
    ("MLP 40, stopped early", {"early_stop": True}),
    ("nearest pair", {"regressor": "nearest", "neighbours": 1}),
    ("3 nearest pairs", {"regressor": "nearest", "neighbours": 3}),
    ("all pairs, by distance", {"regressor": "nearest", "neighbours": 1000}),
    ("RBF, Gaussian", {"regressor": "rbf"}),
    ("RBF, thin plate", {"regressor": "rbf", "kernel": "thin_plate"}),
    ("Gaussian process", {"regressor": "gaussian_process"}),
    ("ridge", {"regressor": "ridge"}),
    ("linear", {"regressor": "linear"}),
)
COUNTS = (5, 9, 17)
PREPROCESSING = ("standard", "robust", "whitened")


class Variant(NamedTuple):
    """A row of the comparison."""

    group: str
    title: str
    training: Training


def variants(own: Training, pairs: int) -> list[Variant]:
    """Regressors from the paper's settings; numbers of pairs and preprocessing from the preset's own.

    The preset's own settings come first if they are not the paper's.
    """
    found = [] if own == PAPER else [Variant("Regressor", "the preset's own settings", own)]
    found += [Variant("Regressor", title, _with(PAPER, changes)) for title, changes in REGRESSORS]
    counts = [*(count for count in COUNTS if count < pairs), 0]
    found += [
        Variant("Number of pairs", str(count or f"all {pairs}"), _with(own, {"pairs": count})) for count in counts
    ]
    found += [Variant("Preprocessing", name, _with(own, {"preprocessing": name})) for name in PREPROCESSING]
    return found


def _with(training: Training, changes: Mapping[str, object]) -> Training:
    return msgspec.convert(msgspec.to_builtins(training) | changes, Training)
