"""The rows of the window's panels: defaults, ranges, and which settings act."""

import msgspec
import pytest

from offline.pairing.setting_rows import (
    KERNEL_SETTINGS,
    MOTIONS,
    OWN,
    REGRESSOR_HELP,
    REGRESSOR_SETTINGS,
    TRAINING,
    acting,
    motion_of,
    motion_sections,
    motion_values,
)
from offline.train import changed
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import CONTROLS, KERNELS, defaults
from shared.mapping.regression import REGRESSORS, Training

VALUES = defaults(DESCRIPTORS)
SECTIONS = motion_sections({name: CONTROLS[name.partition("/")[0]] for name in VALUES})
ROWS = {row.name: row for _, rows in SECTIONS for row in rows}


def test_defaults_are_the_papers():
    training = msgspec.to_builtins(Training())
    for row in TRAINING:
        assert row.default == training[row.name.partition("/")[2]]


@pytest.mark.parametrize("row", TRAINING, ids=lambda row: row.name)
def test_the_training_takes_all_that_a_row_allows(row):
    values = row.choices if row.kind == "choice" else (row.low, row.high) if row.kind == "number" else ()
    for value in values:
        changed(Training(), {row.name.partition("/")[2]: int(value) if row.is_whole else value})


def test_the_slider_of_a_number_is_within_its_limits():
    for row in ROWS.values():
        if row.span is not None:
            assert row.low <= row.span[0] < row.span[1] <= row.high


def test_the_decimals_of_a_number_show_its_limits_and_default():
    for row in ROWS.values():
        if row.kind == "number":
            for value in (row.low, row.high, row.default, *(row.span or ())):
                assert round(value, row.decimals) == value, row.name


def test_every_regressor_and_kernel_has_its_settings():
    assert tuple(REGRESSOR_SETTINGS) == tuple(REGRESSOR_HELP) == REGRESSORS
    assert tuple(KERNEL_SETTINGS) == KERNELS
    for name in REGRESSORS:
        assert acting(VALUES, Training(regressor=name)) <= set(ROWS)
    for kernel in KERNELS:
        assert acting(VALUES | {"kernel": kernel, "latent_kernel": kernel}, Training()) <= set(ROWS)


def test_only_settings_that_act_are_shown():
    shown = acting(VALUES, Training())
    assert {"training/layers", "smoothing", "latent_smoothing", "pace"} <= shown
    assert not {"training/width", "window", "cutoff", "settle"} & shown
    assert "training/width" in acting(VALUES, Training(regressor="rbf"))
    assert "training/width" not in acting(VALUES, Training(regressor="rbf", kernel="thin_plate"))
    shown = acting(VALUES | {"kernel": "one-euro", "pace": 8.0}, Training())
    assert {"cutoff", "beta", "settle"} <= shown
    assert "smoothing" not in shown


def test_motions_are_those_of_the_laboratory():
    assert motion_of(VALUES, DESCRIPTORS) == "as published"
    assert motion_of(VALUES | motion_values("calm", DESCRIPTORS), DESCRIPTORS) == "calm"
    assert motion_of(VALUES | {"pace": 3.0}, DESCRIPTORS) == OWN
    for name in MOTIONS:
        for control, value in motion_values(name, DESCRIPTORS).items():
            assert CONTROLS[control.partition("/")[0]].checked(value) == value
