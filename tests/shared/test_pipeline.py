"""Sound to ticks to pictures: counting, cutting, and control changes on the sample."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from shared.controls import ControlChange
from shared.errors import PresetError, SettingError
from shared.image.generator import load_generator
from shared.mapping.decimation import ticks_within
from shared.pipeline import Painter, Pipeline
from shared.preset import Preset
from tests.small import make_preset, sound


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


CHANGES = [
    ControlChange(3000, "gain", -12),
    ControlChange(5001, "smoothing", 0.3),
    ControlChange(9000, "gate", -20),
    ControlChange(9000, "weight/pitch", 0.5),
    ControlChange(12345, "offset/centroid", 1),
    ControlChange(14000, "latent_smoothing", 0.7),
    ControlChange(17000, "truncation", 0.5),
    ControlChange(19001, "rotate", 30),
    ControlChange(19001, "translate", (0.1, 0.0)),
    ControlChange(22000, "freeze", 1),
    ControlChange(26000, "blackout", 1),
    ControlChange(31000, "freeze", 0),
    ControlChange(36000, "fade", 0.5),
]


def run(preset, samples, cuts=(), changes=(), fps=30):
    pipeline = Pipeline(preset, fps)
    for change in changes:
        pipeline.schedule(change)
    ticks = []
    for block in np.split(samples, cuts):
        ticks += pipeline.process(block)
    return ticks + pipeline.finish(ticks_within(len(samples), Fraction(fps)))


def same(a, b):
    assert [t.number for t in a] == list(range(len(a)))
    assert len(a) == len(b)
    for s, t in zip(a, b, strict=True):
        assert s.descriptors.tobytes() == t.descriptors.tobytes()
        assert s.picture.latent.tobytes() == t.picture.latent.tobytes()
        assert replace(s.picture, latent=t.picture.latent).__dict__ == t.picture.__dict__


@pytest.mark.parametrize("fps", [24, Fraction(30000, 1001), 30, 120])
def test_ticks_do_not_depend_on_how_the_sound_is_cut(preset, fps):
    samples = sound(1.1)[:, 0]
    samples[:2500] = 0
    whole = run(preset, samples, changes=CHANGES, fps=fps)
    assert whole[0].picture.level == 0
    assert whole[int(fps / 5)].picture.level == 1
    assert len(whole) == len(samples) * fps // 44100
    rng = np.random.default_rng(0)
    for n in (1, 20, 300):
        cuts = np.sort(rng.integers(0, len(samples), n))
        same(run(preset, samples, cuts, CHANGES, fps), whole)


def test_a_change_acts_on_every_item_from_its_sample_on_and_on_none_before(preset):
    samples = sound(1.0)[:, 0]
    plain = run(preset, samples)
    for name, value, field in [("truncation", 0.25, "truncation"), ("rotate", 90.0, "rotate"), ("fade", 0.5, "level")]:
        changed = run(preset, samples, changes=[ControlChange(1470 * 7 + 1, name, value)])
        before = [getattr(t.picture, field) for t in changed[:7]]
        assert before == [getattr(t.picture, field) for t in plain[:7]]
        assert all(getattr(t.picture, field) == value for t in changed[7:])
        on_the_border = run(preset, samples, changes=[ControlChange(1470 * 7, name, value)])
        assert getattr(on_the_border[6].picture, field) == value


def test_a_change_for_the_past_acts_from_now_on(preset):
    pipeline = Pipeline(preset)
    samples = sound(0.5)[:, 0]
    first = pipeline.process(samples[:10000])
    pipeline.schedule(ControlChange(5, "rotate", 10))
    rest = pipeline.process(samples[10000:])
    assert {t.picture.rotate for t in first} == {0.0}
    assert {t.picture.rotate for t in rest} == {10.0}


def test_freeze_holds_the_picture_and_blackout_fades_within_half_a_second(preset):
    ticks = run(
        preset, sound(2.0)[:, 0], changes=[ControlChange(14700, "freeze", 1), ControlChange(29400, "blackout", 1)]
    )
    held = [t.picture.latent for t in ticks[10:]]
    assert all(np.array_equal(latent, held[0]) for latent in held)
    levels = [t.picture.level for t in ticks]
    assert levels[18] == 1
    assert 0 < levels[26] < 1
    assert levels[19 + 15 :] == [0] * (60 - 34)


def test_black_until_the_first_sound_or_change(tmp_path):
    samples = sound(1.0)[:, 0]
    samples[:14700] = 0  # ten ticks
    for start, levels in (
        ("black", [0.0] * 9),
        ("mean", [1.0] * 9),
    ):  # the last window with silence in its middle hears the sound
        preset = Preset.load(make_preset(tmp_path / start, toml=f"version = 1\n[controls]\nstart = '{start}'\n"))
        ticks = run(preset, samples, cuts=[20000])
        assert [t.picture.level for t in ticks] == levels + [1.0] * 21
    preset = Preset.load(tmp_path / "black")
    ticks = run(preset, samples, changes=[ControlChange(1470 * 4, "truncation", 0.5)])
    assert [t.picture.level for t in ticks] == [0.0] * 3 + [1.0] * 27


def test_out_of_reach_the_last_latent_within_holds(tmp_path):
    folder = make_preset(tmp_path / "p", toml="version = 1\n[controls]\nrange = 'hold'\n")
    free = run(preset := Preset.load(folder), sound(1.0)[:, 0])
    assert [t.picture.latent.tobytes() for t in free] == [
        t.picture.latent.tobytes() for t in run(preset, sound(1.0)[:, 0], changes=[ControlChange(0, "range", "free")])
    ]  # without a reach nothing is out of it
    reach = float(np.median([t.distance for t in free]))
    replace(preset.mapping, reach=reach).save(folder / "mapping.safetensors")
    held = run(Preset.load(folder), sound(1.0)[:, 0])
    last = free[0].picture.latent
    for before, after in zip(free, held, strict=True):
        last = before.picture.latent if before.distance <= reach else last
        assert np.array_equal(after.picture.latent, last)
    assert any(t.distance > reach for t in free[1:])
    names = [
        preset.pairs.names[np.linalg.norm(preset.pairs.descriptors - t.descriptors, axis=1).argmin()] for t in free
    ]
    assert [t.nearest for t in free] == names


def test_unknown_and_impossible_changes_are_refused_and_change_nothing(preset):
    pipeline = Pipeline(preset)
    values = pipeline.values
    for name, value in [("speed", 1), ("weight", 1), ("weight/tempo", 1), ("fade", 2), ("fade", "x"), ("freeze", 3)]:
        with pytest.raises(SettingError, match=r"there are|allowed"):
            pipeline.schedule(ControlChange(0, name, value))
    assert pipeline.values == values


def test_the_pipeline_has_the_latency_it_declares(preset):
    pipeline = Pipeline(preset)
    samples = np.zeros(1470 * 256, np.float32)  # the period of frames and ticks
    worst = 0
    for i in range(0, len(samples), 512):  # a frame, and so a tick, comes with a multiple of 512 samples
        for tick in pipeline.process(samples[i : i + 512]):
            worst = max(worst, i + 512 - (tick.number + 1) * 1470)
    assert worst == pipeline.latency


def test_chosen_inputs_in_another_order(tmp_path):
    folder = make_preset(tmp_path / "p", toml="version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n", inputs=3)
    ticks = run(Preset.load(folder), sound(0.5)[:, 0])
    assert ticks[0].descriptors.shape == (3,)


@pytest.mark.parametrize("space", ["z", "w"])
def test_painting(tmp_path, space):
    preset = Preset.load(make_preset(tmp_path / "p", space=space))
    painter = Painter(load_generator(preset.generator_path), preset.mapping)
    picture = run(preset, sound(0.3)[:, 0])[-1].picture
    image = painter.paint(picture)
    assert tuple(image.shape) == (16, 16, 3)
    assert image.float().std() > 1
    assert np.array_equal(painter.paint(picture), image)
    half = painter.paint(replace(picture, level=0.5)).numpy().astype(float)
    assert np.abs(half - image.numpy() / 2).max() <= 0.5
    assert painter.paint(replace(picture, level=0.0)).max() == 0
    for field in ({"truncation": 0.3}, {"rotate": 45.0}, {"translate": (0.2, 0.0)}):
        assert not np.array_equal(painter.paint(replace(picture, **field)), image)


def test_a_mapping_for_another_generator_is_refused(tmp_path, preset):
    generator = load_generator(preset.generator_path)
    generator.z_dim = 512
    with pytest.raises(PresetError, match="the mapping gives 16 numbers, the generator takes 512 in z"):
        Painter(generator, preset.mapping)
