"""Sound to ticks to pictures: counting, cutting, and control changes on the sample."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from shared.controls import KERNELS, ORDERS, ControlChange
from shared.errors import PresetError, SettingError
from shared.mapping.decimation import ticks_within
from shared.mapping.regression import Training
from shared.mapping.scaling import Standardizer
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import Steer, UseMapping, UseScaler
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from tests.small import make_preset, sound, write_generator


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
    ControlChange(14500, "kernel", "hann"),
    ControlChange(15000, "latent_kernel", "critical"),
    ControlChange(15500, "order", "infer-smooth-decimate"),
    ControlChange(16000, "pace", 3.0),
    ControlChange(16001, "memory/pitch", 0.2),
    ControlChange(16500, "speed_limit", 4.0),
    ControlChange(18000, "kernel", "one-euro"),
    ControlChange(21000, "order", "decimate-smooth-infer"),
    ControlChange(24000, "order", "smooth-infer-decimate"),
    ControlChange(27000, "kernel", "median"),
    ControlChange(29000, "order", "decimate-infer-smooth"),
    ControlChange(33000, "order", "infer-decimate-smooth"),
    ControlChange(17000, "truncation", 0.5),
    ControlChange(19001, "rotate", 30),
    ControlChange(19001, "translate", (0.1, 0.0)),
    ControlChange(22000, "freeze", 1),
    ControlChange(26000, "blackout", 1),
    ControlChange(31000, "freeze", 0),
    ControlChange(36000, "fade", 0.5),
    ControlChange(38000, "drift", (0.05, -0.02)),
    ControlChange(39000, "spin", 12),
    ControlChange(40000, "shape", "16:9"),
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


@pytest.mark.slow
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


def test_a_sound_that_begins_with_the_next_tick_does_not_light_this_one(preset):
    samples = sound(1.0)[:, 0]
    samples[:1024] = 0  # frame 2, whose centre is sample 1024, is the first that sounds; tick 0 ends there
    ticks = run(preset, samples, fps=Fraction(44100, 1024))
    assert [tick.picture.level for tick in ticks[:3]] == [0.0, 1.0, 1.0]


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


def motion(order="smooth-decimate-infer", kernel="leaky"):
    pace = (
        {"memory/loudness": 0.1, "pace": 4.0, "speed_limit": 9.0, "latent_kernel": "one-euro"}
        if kernel == "hann"
        else {}
    )
    values = {"order": order, "kernel": kernel} | pace
    return [ControlChange(0, name, value) for name, value in values.items()]


@pytest.mark.parametrize("fps", [30, 120])
@pytest.mark.parametrize("order", ORDERS)
def test_orders_depend_on_nothing_but_the_sound_and_continue_from_a_state(preset, order, fps):
    samples = sound(0.7)[:, 0]
    kernel = KERNELS[ORDERS.index(order) + 1]
    whole = run(preset, samples, changes=motion(order, kernel), fps=fps)
    same(run(preset, samples, [1, 700, 701, 9000, 20000], motion(order, kernel), fps), whole)
    pipeline = Pipeline(preset, fps)
    for change in motion(order, kernel):
        pipeline.schedule(change)
    ticks = pipeline.process(samples[:17777])
    pipeline = Pipeline.restored(pipeline.state())
    same(ticks + pipeline.process(samples[17777:]) + pipeline.finish(len(whole)), whole)


def test_the_order_is_that_of_its_name(preset):
    """With a linear mapping all orders with a linear kernel that ends in the same place are equal, else they differ."""
    samples = sound(0.7)[:, 0]
    latents = {
        order: np.stack([tick.picture.latent for tick in run(preset, samples, changes=motion(order))])
        for order in ORDERS
    }
    for one, other in combinations(ORDERS, 2):
        assert not np.array_equal(latents[one], latents[other])
    regressor = preset.mapping.regressor
    weights = (np.linspace(-1, 1, 23 * 16, dtype=np.float32).reshape(16, 23),)
    linear = replace(preset.mapping, regressor=replace(regressor, weights=weights, biases=regressor.biases[-1:]))

    def played(order):
        pipeline = Pipeline(preset)
        pipeline.exchange(0, UseMapping(linear, preset.pairs))
        for change in motion(order):
            pipeline.schedule(change)
        return np.stack([tick.picture.latent for tick in pipeline.process(samples)])

    paper = played(ORDERS[0])
    for order in ("smooth-infer-decimate", "infer-smooth-decimate"):
        np.testing.assert_allclose(played(order), paper, rtol=1e-3, atol=1e-4)
    other = played("decimate-smooth-infer")
    for order in ("decimate-infer-smooth", "infer-decimate-smooth"):
        np.testing.assert_allclose(played(order), other, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
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
    painter = Painter()
    painter.load(preset)
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


def test_a_mapping_for_another_generator_is_refused(tmp_path):
    folder = make_preset(tmp_path / "p")
    scaler = Standardizer(np.zeros(23), np.ones(23))
    pairs = Pairs(("a",), np.zeros((1, 23)), np.zeros((1, 512), np.float32), np.zeros((1, 2)))
    LearnedMapping.learn(scaler, pairs, Training(epochs=1)).save(folder / "mapping.safetensors")
    with pytest.raises(PresetError, match="the mapping gives 512 numbers, the generator takes 16 in z"):
        Painter().load(Preset.load(folder))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    toml = "version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n[controls]\ncrossfade = 0.2\nrotate = 40\n"
    return Preset.load(make_preset(tmp_path_factory.mktemp("other") / "o", toml=toml, inputs=3, seed=5))


def exchanged(preset, samples, cuts, things):
    pipeline = Pipeline(preset)
    for sample, thing in things:
        if isinstance(thing, ControlChange):
            pipeline.schedule(thing)
        else:
            pipeline.exchange(sample, thing)
    ticks = []
    for block in np.split(samples, cuts):
        ticks += pipeline.process(block)
    return ticks


@pytest.mark.slow
def test_exchanges_do_not_depend_on_how_the_sound_is_cut(preset, other):
    samples = sound(1.5)[:, 0]
    latent = np.linspace(-1, 1, 16, dtype=np.float32)
    things = [
        (8000, other),
        (11000, preset),  # while the first fade is going on
        (30000, UseScaler(Standardizer(np.full(23, 9.0), np.full(23, 77.0)))),
        (40000, Steer(latent)),
        (45000, Steer(None)),
        (50000, UseMapping(preset.mapping, preset.pairs)),
        (55000, UseScaler(None)),
    ]
    whole = exchanged(preset, samples, [], things)
    rng = np.random.default_rng(0)
    for n in (3, 200):
        cut = exchanged(preset, samples, np.sort(rng.integers(0, len(samples), n)), things)
        assert len(cut) == len(whole)
        for a, b in zip(whole, cut, strict=True):
            assert a.descriptors.tobytes() == b.descriptors.tobytes()
            p, q = a.picture, b.picture
            while p is not None:
                assert p.latent.tobytes() == q.latent.tobytes()
                assert (p.mix, p.level, p.generator) == (q.mix, q.level, q.generator)
                p, q = p.under, q.under
            assert q is None
    steered = [t for t in whole if np.array_equal(t.picture.latent, latent)]
    assert [t.number for t in steered] == list(range(27, 30))  # their intervals end from 40000 to before 45000


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 1, 7999, 9000, 20000, 41000, 52000, 60001])
def test_a_pipeline_goes_on_from_the_state_of_another(preset, other, cut):
    samples = sound(1.5)[:, 0]
    things = [
        (5000, ControlChange(5000, "range", "hold")),
        (6000, ControlChange(6000, "latent_smoothing", 0.5)),
        (8000, other),
        (9000, ControlChange(9000, "weight/pitch", 2.0)),
        (11000, preset),
        (30000, UseScaler(Standardizer(np.full(23, 9.0), np.full(23, 77.0)))),
        (40000, Steer(np.linspace(-1, 1, 16, dtype=np.float32))),
        (43000, ControlChange(43000, "freeze", 1)),
        (45000, ControlChange(45000, "blackout", 1)),
        (50000, UseMapping(other_mapping(preset), preset.pairs)),
        (55000, ControlChange(55000, "freeze", 0)),
    ]
    first = Pipeline(preset)
    for sample, thing in things:
        first.schedule(thing) if isinstance(thing, ControlChange) else first.exchange(sample, thing)
    first.process(samples[:cut])
    state = first.state()
    expected = first.process(samples[cut:])
    for again in (Pipeline.restored(state), Pipeline.restored(Pipeline.restored(state).state())):
        ticks = again.process(samples[cut:])
        assert [t.number for t in ticks] == [t.number for t in expected]
        for a, b in zip(ticks, expected, strict=True):
            assert a.descriptors.tobytes() == b.descriptors.tobytes()
            assert everything(a.picture) == everything(b.picture)
        assert again.values == first.values


def everything(picture):
    if picture is None:
        return None
    return {**vars(picture), "latent": picture.latent.tobytes(), "under": everything(picture.under)}


def other_mapping(preset):
    return LearnedMapping.learn(preset.mapping.scaler, preset.pairs, Training(epochs=3))


def test_a_pipeline_goes_on_at_another_tick_rate(preset):
    samples = sound(2.0)[:, 0]
    at_30 = Pipeline(preset)
    at_30.process(samples[:30000])
    ticks = Pipeline.restored(at_30.state(), Fraction(60)).process(samples[30000:])
    plain = run(preset, samples, fps=60)
    assert ticks[0].number == 40  # the first that ends behind the last frame heard
    for tick in ticks[1:]:  # of the first one a frame had been counted already
        assert tick.descriptors.tobytes() == plain[tick.number].descriptors.tobytes()
    assert len(ticks) + 40 == 119


def test_a_preset_fades_over_the_one_before_while_both_listen(preset, other):
    samples = sound(1.5)[:, 0]
    ticks = exchanged(preset, samples, [], [(14700, other)])
    plain = exchanged(preset, samples, [], [])
    fading = [t for t in ticks if t.picture.under is not None]
    assert 5 <= len(fading) <= 6  # crossfade = 0.2 s
    assert [t.picture.mix for t in fading] == sorted(t.picture.mix for t in fading)
    assert all(0 <= t.picture.mix < 1 for t in fading)
    for t in fading:
        assert t.picture.under.latent.tobytes() == plain[t.number].picture.latent.tobytes()
    assert ticks[-1].picture.generator == other.generator_sha256
    assert ticks[-1].picture.rotate == 40
    painter = Painter()
    painter.load(preset)
    painter.load(other)
    first, middle = fading[0].picture, fading[len(fading) // 2].picture
    assert np.array_equal(painter.paint(replace(first, mix=0.0)), painter.paint(first.under))
    over, under = (painter.paint(replace(middle, under=None)).numpy(), painter.paint(middle.under).numpy())
    blend = under + middle.mix * (over.astype(float) - under)
    assert np.abs(painter.paint(middle).numpy() - blend).max() <= 0.51


def test_a_fade_over_the_same_generator_goes_through_w(preset, tmp_path):
    ticks = exchanged(preset, sound(0.5)[:, 0], [], [])
    a, b = ticks[5].picture, ticks[12].picture
    painter = Painter()
    generator = painter.load(preset)
    w = [generator.map(p.latent[None], psi=p.truncation) for p in (a, b)]
    expected = generator.synthesize(w[0] + 0.25 * (w[1] - w[0]))
    assert np.array_equal(painter.paint(replace(b, under=a, mix=0.25)), expected)


@pytest.mark.slow
def test_changes_around_a_preset_change_act_on_the_right_preset(preset, other):
    """Controls wait for a tick, presets for a frame: a tick of 1470 samples may lie between, either way."""
    samples = sound(1.0)[:, 0]
    learned = UseMapping(other_mapping(preset), preset.pairs)
    for at in range(9000, 10470, 97):
        before = [(at, ControlChange(at, "rotate", -77)), (at, learned), (at, other)]
        ticks = exchanged(preset, samples, [], before)
        assert {t.picture.rotate for t in ticks if t.picture.generator == other.generator_sha256} == {40.0}
        pipeline = Pipeline(preset)
        for sample, what in before:
            pipeline.schedule(what) if isinstance(what, ControlChange) else pipeline.exchange(sample, what)
        pipeline.process(samples)
        assert pipeline.state().playing[-1].mapping is other.mapping
        after = exchanged(preset, samples, [], [(at, other), (at, ControlChange(at, "rotate", 12))])
        shown = {t.picture.rotate for t in after if t.picture.generator == other.generator_sha256}
        assert shown == {12.0}
        under = [t.picture.under.rotate for t in after if t.picture.under is not None]
        assert set(under) == {0.0}
        both = [(at, ControlChange(at, "freeze", 1)), (at, other), (at, ControlChange(at, "fade", 0.5))]
        for t in exchanged(preset, samples, [], both):
            assert t.picture.level == (0.5 if (t.number + 1) * 1470 >= at else 1.0)


def test_drift_and_spin_move_the_content_by_the_tick(preset):
    changes = [
        ControlChange(0, "drift", (0.3, -0.6)),
        ControlChange(22050, "spin", 90),
        ControlChange(33075, "drift", (0, 0)),
    ]
    ticks = run(preset, sound(1.0)[:, 0], changes=changes)
    x = [tick.picture.translate[0] for tick in ticks]
    assert x[:3] == pytest.approx([0, 0.01, 0.02])
    assert x[22] == pytest.approx(0.22)
    assert x[23:] == pytest.approx([x[23]] * 7)
    assert ticks[20].picture.translate[1] == pytest.approx(-0.4)
    assert [tick.picture.rotate for tick in ticks[12:20]] == pytest.approx([0, 0, 0, 3, 6, 9, 12, 15])


def test_motion_is_part_of_the_state(preset):
    changes = [
        ControlChange(0, "drift", (0.3, -0.6)),
        ControlChange(0, "spin", 90),
        ControlChange(9000, "shape", "9:16"),
    ]
    samples = sound(1.0)[:, 0]
    whole = run(preset, samples, changes=changes)
    pipeline = Pipeline(preset)
    for change in changes:
        pipeline.schedule(change)
    first = pipeline.process(samples[:20000])
    rest = Pipeline.restored(pipeline.state())
    ticks = first + rest.process(samples[20000:]) + rest.finish(30)
    assert [t.picture.translate for t in ticks] == [t.picture.translate for t in whole]
    assert [t.picture.rotate for t in ticks] == [t.picture.rotate for t in whole]
    assert [t.picture.aspect for t in ticks] == [t.picture.aspect for t in whole]
    faster = Pipeline.restored(pipeline.state(), Fraction(60))
    assert faster.process(samples[20000:])[0].picture.translate == pytest.approx(
        whole[len(first)].picture.translate, abs=0.01
    )


def test_shape_acts_on_its_tick_also_on_a_frozen_picture(preset):
    changes = [
        ControlChange(0, "freeze", 1),
        ControlChange(14700, "shape", "16:9"),
        ControlChange(29400, "shape", "square"),
    ]
    aspects = [tick.picture.aspect for tick in run(preset, sound(1.0)[:, 0], changes=changes)]
    assert aspects == [1] * 9 + [Fraction(16, 9)] * 10 + [1] * 11


def test_pictures_of_other_shapes_hold_the_square(preset, tmp_path):
    painter = Painter()
    painter.load(preset)
    square, wide = (
        run(preset, sound(0.2)[:, 0], changes=[ControlChange(0, "shape", shape)])[3].picture for shape in ("1:1", "2:1")
    )
    images = [painter.paint(picture).numpy().astype(int) for picture in (square, wide)]
    assert [image.shape for image in images] == [(16, 16, 3), (16, 32, 3)]
    assert np.abs(images[0][4:-4, 4:-4] - images[1][4:-4, 12:-12]).max() <= 2


@pytest.mark.slow
def test_cross_fade_between_generators_of_two_sizes_has_one_shape(preset, tmp_path):
    other = Preset.load(make_preset(tmp_path / "other", seed=3))
    write_generator(other.generator_path, resolution=32, seed=4)
    other = Preset.load(other.folder)
    painter = Painter()
    for each in (preset, other):
        painter.load(each)
    pipeline = Pipeline(preset)
    pipeline.schedule(ControlChange(0, "shape", "2:1"))
    pipeline.exchange(9000, other)
    ticks = pipeline.process(sound(0.5)[:, 0])
    fading = [tick.picture for tick in ticks if tick.picture.under is not None]
    assert fading
    assert {tuple(painter.paint(picture).shape) for picture in fading} == {(32, 64, 3)}


@pytest.mark.parametrize("gain_db", [-12.0, 6.0, 0.0])
def test_gain_multiplies_the_samples(preset, gain_db):
    samples = sound(0.3)[:, 0]
    amplified = samples * np.float32(10 ** (gain_db / 20))
    same(run(preset, samples, changes=[ControlChange(0, "gain", gain_db)]), run(preset, amplified))


def test_the_gate_holds_what_is_quieter_than_its_control_says(preset):
    frames = np.random.default_rng(0).standard_normal((40, 23))
    frames[:, 22] = np.where(np.arange(40) < 20, -30.0, -50.0)

    def last_gated(changes):
        pipeline, found = Pipeline(preset), []
        for change in changes:
            pipeline.schedule(change)
        for frame in frames:
            pipeline.process_frames(frame[None])
            found.append(pipeline.sounding.copy())
        return np.array(found)

    assert np.array_equal(last_gated([]), frames)
    closed = last_gated([ControlChange(0, "gate", -40.0)])
    assert np.array_equal(closed[:20], frames[:20])
    assert np.array_equal(closed[20:], np.tile(frames[19], (20, 1)))
    later = last_gated([ControlChange(30 * 512, "gate", -40.0)])
    assert np.array_equal(later[:30], frames[:30])
    assert np.array_equal(later[30:], np.tile(frames[29], (10, 1)))


@pytest.mark.parametrize("fps", [30, 120, 240])
def test_the_end_of_a_sound_gives_as_many_pictures_as_are_asked_for(preset, fps):
    for more in range(9):
        pipeline = Pipeline(preset, fps)
        before = pipeline.process(sound(0.2)[:, 0])
        after = pipeline.finish(len(before) + more)
        assert [tick.number for tick in after] == list(range(len(before), len(before) + more))


def test_only_the_preset_that_plays_is_steered(preset, other):
    latent = np.linspace(-1, 1, 16, dtype=np.float32)
    things = [(8000, other), (8001, Steer(latent))]
    steered = exchanged(preset, sound(0.4)[:, 0], [], things)
    free = exchanged(preset, sound(0.4)[:, 0], [], things[:1])
    fading = [(s, f) for s, f in zip(steered, free, strict=True) if f.picture.under is not None]
    assert len(fading) > 3
    for s, f in fading[1:]:
        assert np.array_equal(s.picture.latent, latent)
        assert np.array_equal(s.picture.under.latent, f.picture.under.latent)
        assert not np.array_equal(f.picture.latent, latent)


def test_a_change_asked_before_a_preset_change_acts_on_the_preset_that_fades_out(preset, other):
    things = [(8000, ControlChange(8000, "rotate", 25.0)), (8000, other)]
    ticks = exchanged(preset, sound(0.4)[:, 0], [], things)
    fading = [tick for tick in ticks if tick.picture.under is not None]
    assert {tick.picture.under.rotate for tick in fading} == {25.0}
    assert {tick.picture.rotate for tick in fading} == {40.0}


def test_a_mapping_asked_after_a_preset_is_for_that_preset(preset, other):
    pairs = replace(other.pairs, latents=other.pairs.latents + 1)
    new = LearnedMapping.learn(other.mapping.scaler, pairs, Training(epochs=3))
    samples = sound(0.6)[:, 0]
    ticks = exchanged(preset, samples, [], [(9000, other), (100, UseMapping(new, pairs))])
    plain = exchanged(preset, samples, [], [(9000, other)])
    first = next(tick.number for tick in plain if tick.picture.generator == other.generator_sha256)
    for tick, before in zip(ticks[:first], plain[:first], strict=True):
        assert np.array_equal(tick.picture.latent, before.picture.latent)  # the mapping does not fit it
    expected = exchanged(preset, samples, [], [(9000, other), (9001, UseMapping(new, pairs))])
    assert not np.array_equal(ticks[-1].picture.latent, plain[-1].picture.latent)
    assert np.array_equal(ticks[-1].picture.latent, expected[-1].picture.latent)


def arrays_of(state):
    """All arrays of a state that are its own: not those of presets and pictures."""
    yield from (*state.analyzer.values(), *state.gate.values(), state.sounding)
    for playing in state.playing:
        yield from playing.voice.values()


@pytest.mark.parametrize("cut", [3000, 9000, 20000])
def test_a_state_is_a_copy(preset, other, cut):
    samples = sound(0.8)[:, 0]

    def started():
        pipeline = Pipeline(preset)
        pipeline.schedule(ControlChange(0, "range", "hold"))
        pipeline.schedule(ControlChange(0, "latent_smoothing", 0.5))
        pipeline.exchange(0, UseMapping(replace(preset.mapping, reach=0.0), preset.pairs))  # the first latent is held
        pipeline.exchange(8000, other)
        pipeline.process(samples[:cut])
        return pipeline

    expected = started().process(samples[cut:])
    taken_from = started()
    state = taken_from.state()
    restored = Pipeline.restored(started().state())
    source = started().state()
    from_written = Pipeline.restored(source)
    for array in (*arrays_of(state), *arrays_of(source)):
        array.fill(77)
    for pipeline in (taken_from, restored, from_written):
        assert not (pipeline.sounding == 77).any()
        ticks = pipeline.process(samples[cut:])
        assert [everything(tick.picture) for tick in ticks] == [everything(tick.picture) for tick in expected]
        assert [tick.descriptors.tobytes() for tick in ticks] == [tick.descriptors.tobytes() for tick in expected]


def test_a_scheduled_change_of_an_earlier_sample_comes_first(preset):
    things = [ControlChange(sample, "rotate", value) for sample, value in ((9000, 3.0), (3000, 1.0), (6000, 2.0))]
    ticks = run(preset, sound(0.4)[:, 0], changes=things)
    values = [tick.picture.rotate for tick in ticks]
    assert values == sorted(values)
    assert set(values) == {0.0, 1.0, 2.0, 3.0}
    twice = [ControlChange(3000, "rotate", 1.0), ControlChange(5000, "fade", 0.5), ControlChange(3000, "rotate", 2.0)]
    assert run(preset, sound(0.4)[:, 0], changes=twice)[-1].picture.rotate == 2.0
