"""A cross-fade from one regressor to another: on the sample, in w, whatever the blocks, and through recordings' states."""

import numpy as np
import pytest

from shared.controls import ControlChange
from shared.mapping.regression import Training
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import Steer, UseMapping
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from tests.small import make_preset, sound

SAMPLES = sound(1.5)[:, 0]
FADE = "version = 1\n[controls]\ncrossfade = 0.4\n"  # 12 ticks


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p", toml=FADE))


def mapping(preset, name):
    return LearnedMapping.learn(preset.mapping.scaler, preset.pairs, Training(regressor=name, epochs=5))


def changed(preset, things, cuts=()):
    """The ticks of a sound; `things`: (sample, change), scheduled before the block that holds the sample."""
    pipeline, ticks = Pipeline(preset), []
    edges = sorted({*cuts, *(sample for sample, _ in things)})
    for start, block in zip([0, *edges], np.split(SAMPLES, edges), strict=True):
        for sample, thing in things:
            if sample == start:
                pipeline.schedule(thing) if isinstance(thing, ControlChange) else pipeline.exchange(sample, thing)
        ticks += pipeline.process(block)
    return ticks


def layers(picture):
    """Latents and mixes, the uppermost first."""
    found = []
    while picture is not None:
        found.append((picture.latent.tobytes(), picture.mix))
        picture = picture.under
    return found


def test_both_regressors_are_heard_during_the_fade_and_the_new_one_alone_after_it(preset):
    rbf = mapping(preset, "rbf")
    ticks = changed(preset, [(14700, UseMapping(rbf, preset.pairs, crossfades=True))])
    before, after = changed(preset, []), changed(preset, [(1, UseMapping(rbf, preset.pairs))])
    fading = [tick for tick in ticks if tick.picture.under is not None]
    assert [tick.picture.mix for tick in fading] == [i / 12 for i in range(12)]
    assert fading[0].number == 10
    for tick in fading:
        assert tick.picture.under.latent.tobytes() == before[tick.number].picture.latent.tobytes()
        assert tick.picture.latent.tobytes() == after[tick.number].picture.latent.tobytes()
    for tick in ticks[22:]:
        assert tick.picture.latent.tobytes() == after[tick.number].picture.latent.tobytes()
    assert len({tick.picture.generator for tick in ticks}) == 1


def test_fades_and_trainings_that_follow_each_other_do_not_depend_on_blocks(preset):
    things = [
        (8000, ControlChange(8000, "latent_smoothing", 0.5)),
        (9000, UseMapping(mapping(preset, "linear"), preset.pairs)),
        (9001, UseMapping(mapping(preset, "rbf"), preset.pairs, crossfades=True)),
        (12000, UseMapping(mapping(preset, "nearest"), preset.pairs, crossfades=True)),
        (12100, ControlChange(12100, "truncation", 0.5)),
        (30000, UseMapping(mapping(preset, "ridge"), preset.pairs)),
    ]
    whole = changed(preset, things)
    for n in (1, 40):
        cuts = np.random.default_rng(n).integers(1, len(SAMPLES), n).tolist()
        assert [layers(t.picture) for t in changed(preset, things, cuts)] == [layers(t.picture) for t in whole]
    assert max(len(layers(tick.picture)) for tick in whole) == 3
    ridge = mapping(preset, "ridge").predict(whole[-1].descriptors)
    assert np.abs(whole[-1].picture.latent - ridge).max() < 1
    assert whole[-1].picture.truncation == 0.5


def test_a_training_requested_before_a_fade_never_replaces_what_fades_in(preset):
    rbf = mapping(preset, "rbf")
    pipeline = Pipeline(preset)
    pipeline.process(SAMPLES[:20000])
    pipeline.exchange(20001, UseMapping(mapping(preset, "linear"), preset.pairs))
    pipeline.exchange(20002, UseMapping(rbf, preset.pairs, crossfades=True))
    ticks = pipeline.process(SAMPLES[20000:])
    assert ticks[-1].picture.latent.tobytes() == rbf.predict(ticks[-1].descriptors).tobytes()
    linear = mapping(preset, "linear").predict(ticks[2].descriptors)
    assert ticks[2].picture.under.latent.tobytes() == linear.tobytes()


def test_a_pipeline_goes_on_in_the_middle_of_a_fade(preset):
    first = Pipeline(preset)
    first.process(SAMPLES[:20000])
    first.exchange(20001, UseMapping(mapping(preset, "rbf"), preset.pairs, crossfades=True))
    first.process(SAMPLES[20000:26000])
    state = first.state()
    expected = [layers(tick.picture) for tick in first.process(SAMPLES[26000:])]
    assert len(expected[0]) == 2
    again = Pipeline.restored(state)
    assert [layers(tick.picture) for tick in again.process(SAMPLES[26000:])] == expected


def test_a_latent_from_outside_stays_while_the_regressor_changes(preset):
    latent = np.linspace(-1, 1, 16, dtype=np.float32)
    things = [(10000, Steer(latent)), (15000, UseMapping(mapping(preset, "rbf"), preset.pairs, crossfades=True))]
    ticks = changed(preset, things)
    assert all(layers(tick.picture) == [(latent.tobytes(), 1.0)] for tick in ticks[8:])


def test_layers_are_counted_with_those_that_are_scheduled(preset):
    pipeline = Pipeline(preset)
    pipeline.process(SAMPLES[:20000])
    assert pipeline.layers == 1
    pipeline.exchange(20001, UseMapping(mapping(preset, "linear"), preset.pairs))
    pipeline.exchange(20002, UseMapping(mapping(preset, "rbf"), preset.pairs, crossfades=True))
    pipeline.exchange(30000, UseMapping(mapping(preset, "ridge"), preset.pairs, crossfades=True))
    assert pipeline.layers == 3
    pipeline.process(SAMPLES[20000:26000])
    assert pipeline.layers == 3
    pipeline.process(SAMPLES[26000:])
    assert pipeline.layers == 1
