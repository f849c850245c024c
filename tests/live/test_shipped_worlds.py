"""A show of the shipped worlds: glass becomes ink by a cross-fade, and the recording gives the same pictures."""

import json

import pytest
import soundfile

from offline.rendering.hashes import Hashes
from offline.rendering.render import Job, render
from shared.preset import Preset
from shared.preset.places import SHIPPED
from tests.live.osc_client import until
from tests.live.shows import show

pytestmark = pytest.mark.slow


def test_glass_fades_into_ink_and_the_recording_is_the_same_pictures(tmp_path):
    samples, rate = soundfile.read(SHIPPED / "glass" / "sounds" / "glass.flac", start=44100 * 3, stop=44100 * 7)
    soundfile.write(tmp_path / "s.wav", samples, rate)
    worlds = [SHIPPED / "glass", SHIPPED / "ink"]
    with show(worlds, tmp_path / "s.wav", tmp_path, record=tmp_path / "r") as playing:
        playing.until_tick(10)
        playing.client.send("preset", "ink")
        assert until(lambda: playing.ask("preset") == "ink", 10)
        begun = playing.ticks
        playing.until_tick(begun + 35)  # the cross-fade takes a second
        assert until(lambda: sum(number > begun for number in playing.hashes) > 3, 30)  # pictures of ink are made
    hashes = Hashes()
    render(Job(Preset.load("glass"), tmp_path / "r"), tmp_path / "film.mkv", log=hashes)
    rendered = dict(hashes.rows)
    assert playing.hashes.items() <= rendered.items()
    lines = [json.loads(line) for line in (tmp_path / "r" / "log.jsonl").read_text().splitlines()]
    assert sum(line["line"] == "preset" for line in lines) == 1
