"""`ponticello bench live`: the delay that it subtracts is the pipeline's own, and it prints figures."""

import math

import numpy as np
import pytest

from benchmarks import live
from benchmarks.live import Click, Paced
from shared.pipeline import Pipeline
from shared.preset import Preset
from tests.small import make_preset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("bench") / "a"))


@pytest.mark.parametrize("sample", [44100, 45000, 50176, 50687, 50688, 51111])
def test_a_click_is_complete_with_the_sample_that_gives_its_first_tick(preset, sample):
    samples = np.zeros(sample + 4000, np.float32)
    samples[sample : sample + 32] = 0.5
    pipeline = Pipeline(preset)
    complete = None
    still = pipeline.process(samples[: sample - 3000])[-1].descriptors
    for at in range(sample - 3000, len(samples)):
        ticks = pipeline.process(samples[at : at + 1])
        if complete is None and any(not np.array_equal(tick.descriptors, still) for tick in ticks):
            complete = at + 1
    assert complete == Click(sample).complete


def test_a_paced_sound_comes_in_whole_blocks_and_over_and_over():
    source = Paced(np.arange(1000, dtype=np.float32), 300)
    source.start()
    heard = []
    while len(heard) < 2400:
        heard += [sample for block in source.read(0.05) for sample in block.samples]
    assert heard[:2400] == [float(n % 1000) for n in range(2400)]
    assert source.position % 300 == 0
    assert source.sample_at(source.time_of(1234.0)) == pytest.approx(1234.0)


def test_figures_are_given(preset, monkeypatch, capsys):
    monkeypatch.setattr(live, "EVERY", 0.31)
    sound = np.random.default_rng(0).standard_normal(44100).astype(np.float32) * 0.1
    for paced in (False, True):
        assert 0 < live.cpu_percent(preset, sound, 512, 1, paced) < math.inf
    show = live.play(preset, Paced(sound), live.OffscreenDisplay(), 1.0)
    assert show["pictures"] + show["dropped"] == show["ticks"] > 10
    live.print_show(show)
    assert "generator" in capsys.readouterr().out
    click = live.clicks(preset, 2.5)
    assert click["clicks"] >= 1
    assert 0 < click["excess_ms"]["p50"] < click["through_ms"]["p50"]
