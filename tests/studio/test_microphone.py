"""A live input on the map."""

import numpy as np
import pytest
import soundfile

from offline.pairing.microphone import NearestFrame
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset
from tests import rig
from tests.studio.parts import make_studio_preset, opened, until

pytestmark = pytest.mark.slow


def test_frames_are_gated_standardised_and_smoothed_as_in_the_pipeline(tmp_path):
    corpus = Preset.load(make_studio_preset(tmp_path / "p")).corpus
    finder = NearestFrame(corpus)
    silent = np.zeros((3, 23))
    silent[:, -1] = -90.0
    assert finder.row_of(silent, 0.8) is None
    heard = corpus.descriptors[20:60]
    scaler = corpus.scaler
    frames = np.concatenate([np.repeat(scaler.mean[None], 3, axis=0), heard])
    smooth = LeakyIntegrator(0.8).process(scaler.process(frames))[-1]
    expected = np.square(corpus.standardised - smooth).sum(axis=1).argmin()
    assert finder.row_of(heard, 0.8) == expected
    assert finder.row_of(silent, 0.8) is not None  # the last that sounded is held


def test_an_instrument_is_a_dot_on_the_map(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p", seconds=4.0)
    steady = 0.3 * np.sin(2 * np.pi * 700 * np.arange(8 * 44100) / 44100)
    soundfile.write(tmp_path / "steady.wav", steady, 44100, subtype="FLOAT")
    with rig.jack() as variables, rig.jack_mic(tmp_path / "steady.wav", variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with opened(folder, monkeypatch, tmp_path) as (studio, sent):
            assert any(device.name == "violin" for device in studio.inputs())
            studio.listen("violin")
            until(studio, lambda: studio.microphone.place is not None)
            until(studio, lambda: studio.microphone.level_db > -15)
            board, corpus = studio.board, studio.project.corpus
            until(studio, lambda: corpus.descriptors[studio.microphone.row, 0] > 300)
            assert studio.microphone.place == board.place_of(studio.microphone.row)
            studio.stop_listening()
            assert studio.microphone is None
            assert not sent["error"]


def test_no_such_input_is_one_line(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        studio.listen("no such microphone")
        until(studio, lambda: sent["error"])
        assert sent["error"][0].startswith("no live input: ")
