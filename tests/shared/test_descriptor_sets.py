"""Presets that hear other descriptor sets: the same pipeline, shows, recordings and corpora."""

import re
from fractions import Fraction

import numpy as np
import pytest

from live.show.preset_library import PresetLibrary
from offline.corpus.corpus import make_corpus
from offline.new import new
from offline.rendering.render import Job
from shared.audio.descriptors import DESCRIPTORS, SETS, WIDE
from shared.controls import ControlChange
from shared.errors import PresetError, SettingError
from shared.mapping.scaling import Standardizer
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import UseScaler
from shared.preset import Preset
from shared.recording.reader import Recording
from tests.live.osc_client import until
from tests.live.shows import digest, show
from tests.small import make_preset, sound, write_generator, write_sound

pytestmark = pytest.mark.slow


def preset_of(folder, name, seed=0):
    toml = f'version = 1\ndescriptors = "{name}"\n'
    return Preset.load(make_preset(folder, toml=toml, inputs=len(SETS[name]), seed=seed))


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return {name: preset_of(folder / name.replace("+", "-"), name) for name in SETS}


def run(pipeline, samples, cuts=()):
    return [tick for block in np.split(samples, cuts) for tick in pipeline.process(block)]


def same(a, b):
    assert len(a) == len(b) > 0
    for one, other in zip(a, b, strict=True):
        assert one.picture.latent.tobytes() == other.picture.latent.tobytes()
        assert one.descriptors.tobytes() == other.descriptors.tobytes()
        assert one.picture.level == other.picture.level


@pytest.mark.parametrize("name", SETS)
def test_ticks_do_not_depend_on_how_the_sound_is_cut(presets, name):
    samples, preset = sound(1.2)[:, 0], presets[name]
    whole = run(Pipeline(preset), samples)
    assert preset.settings.inputs == SETS[name]
    assert whole[-1].descriptors.shape == (len(SETS[name]),)
    same(run(Pipeline(preset), samples, [1, 2, 700, 5000, 5001, 30000]), whole)


@pytest.mark.parametrize("name", ["mel", "combined"])
def test_a_pipeline_goes_on_from_its_state(presets, name):
    samples = sound(1.0)[:, 0]
    whole = Pipeline(presets[name])
    expected = run(whole, samples)
    first = Pipeline(presets[name])
    ticks = run(first, samples[:20_001])
    state = first.state()
    assert state.sounding.shape == (76,)
    ticks += run(Pipeline.restored(state), samples[20_001:])
    same(ticks, expected)


@pytest.mark.parametrize("name", ["mel", "onsets+chroma"])
def test_the_loudness_of_the_23_opens_the_gate(presets, name):
    """Half a second of sound, then the same 80 dB softer: frames hold, whatever the set."""
    loud = sound(0.4)[:, 0]
    soft = loud[:8000] * np.float32(1e-4)
    pipeline = Pipeline(presets[name])
    run(pipeline, loud)
    assert pipeline.gate_open
    run(pipeline, soft)
    assert not pipeline.gate_open
    held = pipeline.sounding.copy()
    assert held.shape == (len(SETS[name]),)
    run(pipeline, soft)
    assert np.array_equal(pipeline.sounding, held)
    run(pipeline, loud)
    assert not np.array_equal(pipeline.sounding, held)


def test_weights_are_called_by_the_names_of_the_set(presets):
    pipeline = Pipeline(presets["onsets+chroma"])
    pipeline.schedule(ControlChange(100, "weight/onset", 2.0))
    run(pipeline, sound(0.1)[:, 0])
    assert pipeline.values["weight/onset"] == 2.0
    with pytest.raises(SettingError, match="no descriptor 'pitch'"):
        pipeline.schedule(ControlChange(100, "weight/pitch", 2.0))


def test_presets_of_two_sets_fade_into_each_other_where_both_are_heard(presets):
    samples = sound(1.5)[:, 0]
    narrow = Pipeline(presets["flucoma"])
    with pytest.raises(PresetError, match="mel hears the descriptor set mel, for which the sound is not analysed"):
        narrow.exchange(20_000, presets["mel"])
    wide = Pipeline(presets["flucoma"], heard=WIDE)
    same(run(wide, samples[:20_000]), run(narrow, samples[:20_000]))
    assert wide.sounding.shape == (23,)
    wide.exchange(20_000, presets["mel"])
    ticks = run(wide, samples[20_000:])
    assert ticks[-1].descriptors.shape == (40,)
    assert wide.sounding.shape == (40,)
    assert any(tick.picture.under is not None for tick in ticks)


def test_a_scaler_of_the_hall_leaves_the_other_columns_alone(presets):
    preset = presets["combined"]
    hall = Standardizer(np.arange(23.0), np.full(23, 7.0))
    pipeline = Pipeline(preset, scaler=hall)
    run(pipeline, sound(0.3)[:, 0])
    own = Pipeline(preset)
    own.exchange(0, UseScaler(hall))
    ticks = run(own, sound(0.3)[:, 0])
    scaler = own.state().scaler
    assert scaler.equals(hall)
    mixed = hall.for_columns(list(range(76)), preset.mapping.scaler)
    assert np.array_equal(mixed.mean, np.concatenate([hall.mean, preset.mapping.scaler.mean[23:]]))
    assert np.array_equal(mixed.deviation, np.concatenate([hall.deviation, preset.mapping.scaler.deviation[23:]]))
    assert np.isfinite(ticks[-1].descriptors).all()


def test_a_show_makes_the_pictures_of_a_render(presets, tmp_path):
    preset, file = presets["combined"], write_sound(tmp_path / "s.wav", 1.0)
    with show([preset.folder], file, tmp_path, record=tmp_path / "takes") as playing:
        playing.until_tick(25)
    painter = Painter()
    painter.load(preset)
    job = Job(preset, file)
    rendered = {
        tick.number: digest(painter.paint(tick.picture).numpy()) for tick in job.ticks(job.material, Fraction(1))
    }
    common = playing.hashes.keys() & rendered.keys()
    assert len(common) > 2
    assert {number: playing.hashes[number] for number in common} == {number: rendered[number] for number in common}


@pytest.mark.parametrize("first", ["mel", "flucoma"])
def test_a_recorded_show_of_two_sets_is_rendered_picture_for_picture(presets, tmp_path, first):
    sets, file = [presets[first].folder, presets["onsets+chroma"].folder], write_sound(tmp_path / "s.wav", 2.0)
    with show(sets, file, tmp_path, loop=True, record=tmp_path / "r") as playing:
        playing.until_tick(8)
        playing.client.send("record", 0)
        assert until(lambda: playing.ask("record") == 0)
        playing.client.send("record", 1)  # in the middle of the show, with what the analysis remembers
        assert until(lambda: playing.ask("record") == 1)
        playing.client.send("notify", 1)
        assert len(playing.hear("descriptors")) == 1 + len(SETS[first])
        playing.client.send("preset", 2)
        assert until(lambda: len(playing.hear("descriptors")) == 1 + 13, 10)
        playing.client.send("weight/onset", 0.5)
        playing.until_tick(playing.ticks + 10)
    recording = Recording(tmp_path / "r-2", presets[first])
    painter = Painter()
    for preset in recording.presets:
        painter.load(preset)
    job = Job(presets[first], tmp_path / "r-2")
    again = {tick.number: digest(painter.paint(tick.picture).numpy()) for tick in job.ticks(job.material, Fraction(1))}
    common = {number: sha for number, sha in playing.hashes.items() if number in again}
    assert len(common) > 2
    assert common.items() <= again.items()


def test_a_library_hears_what_its_presets_need(presets):
    painter = Painter()
    assert PresetLibrary([presets["flucoma"]], painter).heard == DESCRIPTORS
    assert PresetLibrary([presets["flucoma"], presets["mel"]], painter).heard == WIDE


def test_a_corpus_of_another_set(tmp_path):
    write_generator(tmp_path / "g.safetensors")
    new(tmp_path / "p", tmp_path / "g.safetensors", descriptors="onsets+chroma")
    preset = Preset.load(tmp_path / "p")
    assert preset.settings.inputs == SETS["onsets+chroma"]
    file = write_sound(tmp_path / "s.wav", 1.0)
    corpus = make_corpus(preset, [file])
    assert corpus.facts.descriptors == WIDE
    assert corpus.standardised.shape == (len(corpus), 13)
    assert make_corpus(preset, [file]).digest == corpus.digest
    assert Preset.load(preset.folder).corpus.facts.inputs == SETS["onsets+chroma"]


def test_settings_that_do_not_fit_the_set(tmp_path):
    make_preset(tmp_path / "p", toml='version = 1\ndescriptors = "mel"\ninputs = ["mel1", "pitch"]\n')
    with pytest.raises(
        PresetError, match=re.escape("inputs holds 'pitch'; allowed is each of these at most once: mel1, mel2")
    ):
        Preset.load(tmp_path / "p")
    make_preset(tmp_path / "q", toml='version = 1\ndescriptors = "melody"\n')
    with pytest.raises(PresetError, match=r"Invalid enum value 'melody' - at `\$\.descriptors`"):
        Preset.load(tmp_path / "q")
