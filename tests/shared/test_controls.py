"""The tables of controls, actions and outputs."""

import math
import tomllib
from fractions import Fraction

import pytest

from shared import controls
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import ACTIONS, CONTROLS, OUTPUTS, STREAMS, aspect_ratio
from shared.errors import SettingError
from shared.preset import Preset
from tests.small import make_preset


def test_every_name_stands_for_one_thing_and_outputs_stand_apart():
    names = controls.incoming_names(DESCRIPTORS)
    assert len(set(names)) == len(names) == 3 * 23 + len(CONTROLS) - 3 + len(STREAMS) + len(ACTIONS)
    assert not {f"out/{name}" for name in OUTPUTS} & set(names)
    assert not [name for name in names if name.startswith("out/")]
    assert all(name == name.lower() for name in (*names, *OUTPUTS))


@pytest.mark.parametrize("row", CONTROLS.values(), ids=lambda row: row.name)
def test_default_is_allowed_and_nothing_outside_the_range_is(row):
    assert row.checked(row.default) == row.default
    for wrong in (row.high + 1, math.nan, math.inf, "loud", None, [], [1, 2, 3], b"1", {}):
        with pytest.raises(SettingError, match=f"^{row.name} = .* given; allowed"):
            row.checked(wrong)


def test_choices():
    assert CONTROLS["range"].checked("hold") == "hold"
    assert CONTROLS["range"].allowed == "free or hold"
    assert CONTROLS["sync"].checked("natural") == "natural"
    assert CONTROLS["sync"].checked(-120) == -120.0
    assert CONTROLS["sync"].allowed == "ahead or natural or a number from -1000 to 1000 ms"
    for name, wrong in (
        ("range", 1),
        ("range", "Hold"),
        ("sync", 1001),
        ("sync", True),
        ("sync", "120"),
        ("start", ""),
    ):
        with pytest.raises(SettingError):
            CONTROLS[name].checked(wrong)


def test_descriptors_are_those_of_the_analysis():
    assert STREAMS["in/descriptors"].numbers == len(DESCRIPTORS)
    assert OUTPUTS["descriptors"].types == "f*"  # as many as the preset's descriptor set has


def test_outputs_are_of_the_types_that_every_program_reads():
    for row in OUTPUTS.values():
        assert set(row.types) <= set("ifs*")
        assert "*" not in row.types[:-1]


def test_find():
    assert controls.find_control("weight/pitch", DESCRIPTORS) == (CONTROLS["weight"], "pitch")
    assert controls.find_control("fade", DESCRIPTORS) == (CONTROLS["fade"], None)
    for name in ("weight", "fade/pitch", "weight/lowness", "weights", "", "in/time", "train"):
        with pytest.raises(SettingError, match="there are: "):
            controls.find_control(name, DESCRIPTORS)


def test_choices_live_in_a_preset_and_come_back(tmp_path):
    folder = make_preset(tmp_path / "p", toml='version = 1\n[controls]\nrange = "hold"\ncrossfade = 3\n')
    preset = Preset.load(folder)
    assert preset.controls["range"] == "hold"
    assert preset.controls["crossfade"] == 3.0
    saved = preset.save_controls({**preset.controls, "start": "mean", "sync": "natural", "advance": 30.0})
    assert saved.controls["start"] == "mean"
    table = tomllib.loads((folder / "preset.toml").read_text())["controls"]
    assert table == {"range": "hold", "crossfade": 3, "start": "mean"}  # what belongs to the hall is not in a preset


@pytest.mark.parametrize(
    ("given", "kept", "aspect"),
    [
        ("16:9", "16:9", Fraction(16, 9)),
        ("1920x1080", "16:9", Fraction(16, 9)),
        ("2:32", "1:16", Fraction(1, 16)),
        ("7:7", "square", 1),
        ("square", "square", 1),
        ("window", "window", 1),
    ],
)
def test_shapes_are_kept_as_ratios(given, kept, aspect):
    value = CONTROLS["shape"].checked(given)
    assert value == kept
    assert aspect_ratio(value) == aspect


@pytest.mark.parametrize(
    "given", ["0:9", "17:1", "1:17", "16:9:4", "16/9", "16:", "wide", 1.5, "1e9:1", "-16:9", "²:1"]
)
def test_other_shapes_are_refused(given):
    with pytest.raises(SettingError, match=r"allowed are square, window, auto or a ratio from 1:16 to 16:1"):
        CONTROLS["shape"].checked(given)
