"""Shows that are recorded, and rendered again picture for picture."""

import json
import random
import socket
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from live.display.keys import DisplayEvent
from live.show.notices import Notices
from live.show.recorder import Recorder
from live.sound.open_input import open_input
from live.sound.source import Block
from offline.rendering.hashes import Hashes
from offline.rendering.render import Job, render
from shared.errors import SettingError, SoundError
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset
from shared.recording.reader import Recording
from shared.recording.writer import RecordingWriter
from tests import rig
from tests.live.osc_client import Client, until
from tests.live.shows import Show, show
from tests.small import LATENT, make_direct_preset, make_preset, write_decoder, write_generator, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show")
    make_preset(folder / "a")
    toml = "version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n[controls]\ncrossfade = 0.2\nrotate = 40\n"
    make_preset(folder / "b", seed=1, inputs=3, toml=toml)
    write_generator(folder / "b" / "generator.safetensors", resolution=32, seed=1)
    write_sound(folder / "s.wav", 2.5)
    return folder


def rendered(preset, recording, output, **options):
    hashes = Hashes()
    render(Job(Preset.load(preset), recording, **options), output, log=hashes)
    return dict(hashes.rows)


def is_part_of(live, again):
    assert len(live) > 3
    assert live.items() <= again.items()


def steer(playing, n, seed=0):
    """n messages of many kinds."""
    rng = random.Random(seed)
    values = {
        "smoothing": lambda: rng.uniform(0, 0.99),
        "latent_smoothing": lambda: rng.uniform(0, 0.9),
        "truncation": lambda: rng.uniform(0.3, 1.2),
        "rotate": lambda: rng.uniform(-90, 90),
        "gain": lambda: rng.uniform(-6, 6),
        "gate": lambda: rng.uniform(-70, -20),
        "offset/loudness": lambda: rng.uniform(-1, 1),
        "weight/pitch": lambda: rng.uniform(-2, 2),
        "fade": lambda: rng.uniform(0.5, 1),
    }
    for i in range(n):
        name = rng.choice(list(values))
        playing.client.send(name, values[name]())
        if i % 30 == 9:
            playing.client.send("freeze", i // 30 % 2)
        if i % 40 == 7:
            playing.client.send("blackout", i // 40 % 2)
        if i % 50 == 20:
            playing.client.send("preset", 1 + i // 50 % 2)
        if i % 25 == 3:
            playing.client.send("in/latent", *[rng.gauss(0, 1) for _ in range(LATENT)])
        if i % 25 == 11:
            playing.client.send("in/latent")
        time.sleep(0.015)


def test_a_performance_steered_by_osc_is_rendered_picture_for_picture(folder, tmp_path, capsys):
    with show([folder / "a", folder / "b"], folder / "s.wav", tmp_path, loop=True, record=tmp_path / "r") as playing:
        playing.until_tick(3)
        steer(playing, 150)
        playing.client.send("pair")
        playing.client.send("train")
        assert until(lambda: any(isinstance(what, UseMapping) for _, what in playing.asked), 10)
        playing.until_tick(playing.ticks + 5)
        playing.client.send("crossfade", 0.3)
        playing.client.send("regressor", "rbf")
        assert until(lambda: any(isinstance(what, UseMapping) and what.crossfades for _, what in playing.asked), 10)
        assert playing.ask("regressor") == "rbf"
        playing.until_tick(playing.ticks + 15)
        assert playing.ask("record") == 1
    assert f"recorded: {tmp_path / 'r'}" in capsys.readouterr().err
    again = rendered(folder / "a", tmp_path / "r", tmp_path / "film.mkv")
    is_part_of(playing.hashes, again)
    assert list(again) == list(range(playing.numbers["ticks"]))
    with av.open(str(tmp_path / "film.mkv")) as film:
        assert film.streams.video[0].width == 32  # the largest of the generators'
        assert film.streams.audio[0].rate == 44100
    log = [json.loads(line) for line in (tmp_path / "r" / "log.jsonl").read_text().splitlines()]
    kinds = [line["line"] for line in log]
    assert {"recording", "control", "preset", "learned", "latent", "end"} == set(kinds)
    assert kinds.count("control") > 100
    heard, rate = soundfile.read(tmp_path / "r" / "sound-001.wav", dtype="float32")
    source, _ = soundfile.read(folder / "s.wav", dtype="float32")
    assert rate == 44100
    assert (heard[: len(source)] == source[: len(heard)]).all()


def test_takes_begin_and_end_in_the_midst_of_a_show(folder, tmp_path):
    playing = Show([folder / "a"], _sound(folder), tmp_path / "hashes.csv", record=tmp_path / "take")
    playing.until_tick(5)
    playing.client.send("record", 1)  # it does already
    playing.client.send("record", 0)
    assert until(lambda: playing.ask("record") == 0)
    playing.client.send("rotate", 25)
    playing.until_tick(playing.ticks + 3)
    playing.performance.controller.press(DisplayEvent("record"))
    assert until(lambda: playing.ask("record") == 1)
    playing.client.send("truncation", 0.6)
    playing.until_tick(playing.ticks + 20)
    assert until(lambda: playing.performance.takes.seconds > 0.3)
    playing.performance.controller.press(DisplayEvent("record"))
    assert until(lambda: playing.ask("record") == 0)
    playing.end()
    first, second = (rendered(folder / "a", tmp_path / name, tmp_path / f"{name}.mkv") for name in ("take", "take-2"))
    assert min(first) == 0
    assert min(second) > max(first)
    for again in (first, second):
        part = {number: sha for number, sha in playing.hashes.items() if min(again) <= number <= max(again)}
        assert part
        assert part.items() <= again.items()
    at_60 = Job(Preset.load(folder / "a"), tmp_path / "take-2", fps=Fraction(60))
    assert render(at_60, tmp_path / "60.mkv") in range(2 * len(second) - 1, 2 * len(second) + 3)
    part = rendered(folder / "a", tmp_path / "take-2", tmp_path / "part.mkv", start=Fraction(1, 10), end=Fraction(1, 3))
    assert part == {number: second[number] for number in list(second)[3:10]}


def _sound(folder):
    return open_input(str(folder / "s.wav"), play=False, loop=True)


def test_the_latest_wish_to_record_counts_and_a_flood_leaves_few_recordings(folder, tmp_path):
    playing = Show([folder / "a"], _sound(folder), tmp_path / "hashes.csv", record=tmp_path / "take")
    try:
        for number in (0, 1, 0, 1, 1, 0):
            playing.client.send("record", number)
        assert until(lambda: playing.ask("record") == 0, 10)
        start = time.monotonic()
        for number in range(3001):
            playing.client.send("record", number % 2)
            if number % 100 == 0:
                time.sleep(0.02)
        flood_s = time.monotonic() - start

        def is_recording():
            """None while the sender's queue is full: then nothing of it is accepted, questions included."""
            try:
                return playing.ask("record", 1)
            except AssertionError:
                return None

        assert until(lambda: is_recording() is not None, 20)
        playing.client.send("record", 1)
        assert until(lambda: is_recording() == 1, 20)
    finally:
        playing.end()
    takes = list(tmp_path.glob("take*"))
    assert 2 <= len(takes) <= 3 + flood_s / 2  # one may begin every two seconds
    for take in takes:
        assert '"line":"end"' in (take / "log.jsonl").read_text().splitlines()[-1]


def test_a_show_that_cannot_begin_leaves_no_recording(folder, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        command = [
            sys.executable,
            str(ROOT / "ponticello.py"),
            "live",
            str(folder / "a"),
            "--input",
            str(folder / "s.wav"),
        ]
        options = [
            "--no-play",
            "--offscreen",
            "--osc-port",
            str(taken.getsockname()[1]),
            "--record",
            str(tmp_path / "r"),
        ]
        with rig.Program([*command, *options], {}) as program:
            assert program.wait(60) == 2
            assert "OSC" in program.output()
    assert not (tmp_path / "r").exists()
    (tmp_path / "file").write_text("x")
    mistake = ["--input", str(folder / "s.wav"), "--no-play", "--offscreen", "--osc-port", "0"]
    live = [sys.executable, str(ROOT / "ponticello.py"), "live", str(folder / "a")]
    with rig.Program([*live, *mistake, "--record", str(tmp_path / "file")], {}) as program:  # it sets signal handlers
        assert program.wait(60) == 2
        assert "file is a file; a recording is a folder: give a new name" in program.output()


def test_descriptors_from_outside_are_recorded(folder, tmp_path):
    playing = Show([folder / "a"], open_input("osc"), tmp_path / "hashes.csv", record=tmp_path / "r")
    for n in range(20):
        playing.client.send("in/descriptors", *[100.0 * n + k for k in range(22)], -20.0)
        time.sleep(0.03)
    playing.end()
    again = rendered(folder / "a", tmp_path / "r", tmp_path / "film.mp4")
    is_part_of(playing.hashes, again)
    assert len(set(again.values())) > 5


def test_a_killed_program_leaves_a_recording(folder, tmp_path):
    command = [sys.executable, str(ROOT / "ponticello.py"), "live", str(folder / "a"), "--input", str(folder / "s.wav")]
    options = ["--no-play", "--loop", "--offscreen", "--osc-port", "0", "--record", str(tmp_path / "r")]
    with rig.Program([*command, *options], {}) as program:
        port = int(program.expect("plays:", 90).split("OSC port ")[1].split(";")[0])
        with Client(port) as client:
            client.send("rotate", 15)
            time.sleep(2.5)
            program.process.kill()
    recording = Recording(tmp_path / "r", Preset.load(folder / "a"))
    assert recording.samples > 44100
    again = rendered(folder / "a", tmp_path / "r", tmp_path / "film.mkv")
    assert len(again) == recording.samples // 512 * 512 // 1470
    assert recording.remarks == [
        f"{tmp_path / 'r'} was interrupted while recording; all of its {recording.samples / 44100:.1f} s are used"
    ]


def test_a_disk_that_refuses_ends_the_recording_not_the_show(folder, tmp_path, monkeypatch, capsys):
    def refuse(self, samples):
        raise OSError(28, "No space left on device")

    with show([folder / "a"], folder / "s.wav", tmp_path, loop=True, record=tmp_path / "r") as playing:
        playing.until_tick(3)
        monkeypatch.setattr(RecordingWriter, "sound", refuse)
        assert until(lambda: playing.ask("record") == 0)
        playing.until_tick(playing.ticks + 10)
        monkeypatch.undo()
        playing.client.send("record", 1)  # there is room again
        assert until(lambda: playing.ask("record") == 1)
        playing.until_tick(playing.ticks + 40)
    lines = capsys.readouterr().err.splitlines()
    assert sum(
        "stopped after 0 s: the disk is full, free some space and record again; what was recorded is kept" in x
        for x in lines
    )
    again = rendered(folder / "a", tmp_path / "r-2", tmp_path / "film.mkv")
    is_part_of({n: sha for n, sha in playing.hashes.items() if min(again) <= n <= max(again)}, again)


def test_a_recorder_whose_disk_failed_collects_nothing(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "r", {}, Notices())
    monkeypatch.setattr(recorder, "failed", True)
    for n in range(100):
        recorder.block(Block(512 * n, np.zeros(512, np.float32)))
    assert recorder.pending == 0
    recorder.wait()


def test_a_recording_is_refused_with_a_channel_and_where_nothing_was_recorded(folder, tmp_path):
    preset = Preset.load(folder / "a")
    recorder = Recorder(tmp_path / "r", {}, Notices())
    recorder.begin(Pipeline(preset).state(), "samples")
    recorder.end(0)
    recorder.wait()
    with pytest.raises(SoundError, match=r"r is shorter than one picture: 0 samples at 44100 Hz"):
        render(Job(preset, tmp_path / "r"), tmp_path / "x.mp4")
    with pytest.raises(SettingError, match=r"--channel 2 given; .* is a recording, which has a single channel"):
        render(Job(preset, tmp_path / "r", channel=2), tmp_path / "x.mp4")


def test_a_preset_that_draws_directly_is_rendered_picture_for_picture(folder, tmp_path):
    make_direct_preset(tmp_path / "d", toml="[controls]\ncrossfade = 0.2\nspin = 20.0\n")
    with show([tmp_path / "d", folder / "a"], folder / "s.wav", tmp_path, record=tmp_path / "r") as playing:
        playing.until_tick(10)
        playing.client.send("preset", 2)
        playing.until_tick(25)
        playing.client.send("preset", 1)
        playing.until_tick(40)
        playing.client.send("in/latent", *[0.5] * 23)
        playing.client.send("show", "image 3")
        playing.client.send("truncation", 0.7)
        playing.until_tick(50)
        assert playing.ask("show") == "image 3"
        assert playing.ask("regressor") == "direct"
        for name in ("pair", "unpair", "train", "regressor"):
            playing.client.send(name, *(["rbf"] if name == "regressor" else []))
            assert "draws directly from the sound" in playing.hear("error")[-1]
        playing.until_tick(60)
    write_decoder(tmp_path / "d", seed=7)  # the recording has its own
    is_part_of(playing.hashes, rendered(tmp_path / "d", tmp_path / "r", tmp_path / "f"))


def test_a_save_keeps_the_pairs_of_a_preset_that_draws_directly(tmp_path):
    folder = make_preset(tmp_path / "d", toml='version = 1\npicture = "direct"\n')
    write_decoder(folder)
    write_sound(tmp_path / "s.wav")
    pairs, mapping = ((folder / f"{name}.safetensors").read_bytes() for name in ("pairs", "mapping"))
    with show([folder], tmp_path / "s.wav", tmp_path) as playing:
        playing.until_tick(5)
        playing.client.send("truncation", 0.5)
        playing.client.send("save")
        assert until(lambda: "truncation" in (folder / "preset.toml").read_text(), 10)
    assert (pairs, mapping) == tuple((folder / f"{name}.safetensors").read_bytes() for name in ("pairs", "mapping"))
    assert Preset.load(folder).is_direct
