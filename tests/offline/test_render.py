"""Rendering a sound to a film: all pictures, the same ones every time, with the sound."""

import csv
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import ponticello as front_door
from offline.rendering.hashes import Hashes
from offline.rendering.render import Job, parse_fps, render
from offline.video.film_format import FormatRequest
from offline.video.writer import segment_length
from shared.errors import SettingError, SoundError, Stopped
from shared.mapping.decimation import ticks_within
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.times import format_time, parse_time
from tests.small import make_preset, sound, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


def pictures_of(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def rendered(job, output, **options):
    hashes = Hashes()
    count = render(job, output, log=hashes, **options)
    assert count == len(hashes.rows)
    return hashes


@pytest.mark.parametrize(
    ("rate", "channels", "fps"), [(44100, 1, "30"), (48000, 2, "30"), (48000, 2, "30000/1001"), (8000, 1, "25")]
)
def test_every_tick_is_a_picture_and_the_sound_is_all_there(tmp_path, preset, rate, channels, fps):
    path = write_sound(tmp_path / "in.wav", 1.7, rate, channels)
    job = Job(preset, path, parse_fps(fps))
    hashes = rendered(job, tmp_path / "out.mp4")
    frames = soundfile.info(path).frames
    assert len(hashes.rows) == int(Fraction(frames) * Fraction(fps) / rate)
    with av.open(str(tmp_path / "out.mp4")) as film:
        times = [frame.pts * frame.time_base for frame in film.decode(video=0)]
    assert times == [i / Fraction(fps) for i in range(len(hashes.rows))]
    with av.open(str(tmp_path / "out.mp4")) as film:
        track = film.streams.audio[0]
        assert (track.rate, track.channels) == (rate, channels)


def test_the_pictures_are_those_of_the_pipeline(tmp_path, preset):
    path = write_sound(tmp_path / "in.wav", 0.5, subtype="FLOAT")
    hashes = rendered(Job(preset, path), tmp_path / "out.mkv")
    pipeline = Pipeline(preset)
    painter = Painter()
    painter.load(preset)
    samples = sound(0.5)[:, 0]
    ticks = pipeline.process(samples)
    ticks += pipeline.finish(ticks_within(len(samples), Fraction(30)))
    expected = [painter.paint(tick.picture).numpy() for tick in ticks]
    assert [digest for _, digest in hashes.rows] == [hashlib.sha256(image.tobytes()).hexdigest() for image in expected]
    assert hashes.whole.hexdigest() == hashlib.sha256(b"".join(image.tobytes() for image in expected)).hexdigest()
    for decoded, image in zip(pictures_of(tmp_path / "out.mkv"), expected, strict=True):  # ffv1 loses nothing
        assert np.array_equal(decoded, image)


def test_an_excerpt_equals_that_part_of_the_whole(tmp_path, preset):
    path = write_sound(tmp_path / "in.wav", 1.5)
    job = Job(preset, path)
    whole = rendered(job, tmp_path / "whole.mkv").rows
    part = rendered(replace(job, start=parse_time("0.41"), end=parse_time("0:01.1")), tmp_path / "part.mkv").rows
    assert part == whole[13:33]  # 0.41 <= i/30 < 1.1
    last = rendered(replace(job, start=Fraction(1, 2)), tmp_path / "last.mkv").rows
    assert last == whole[15:]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(pictures_of(tmp_path / "last.mkv"), pictures_of(tmp_path / "whole.mkv")[15:], strict=True)
    )


def test_size_codec_and_folder(tmp_path, preset):
    path = write_sound(tmp_path / "in.wav", 0.3)
    render(Job(preset, path, format=FormatRequest(64)), tmp_path / "large.mp4")
    assert pictures_of(tmp_path / "large.mp4")[0].shape == (64, 64, 3)
    render(Job(preset, path, start=Fraction(1, 10)), tmp_path / "pictures")
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == [f"{i:06d}.png" for i in range(3, 9)]


def test_sounds_shorter_than_a_picture(tmp_path, preset):
    soundfile.write(tmp_path / "short.wav", np.zeros(10, np.float32), 44100)
    with pytest.raises(SoundError, match=r"short.wav is shorter than one picture: 10 samples at 44100 Hz"):
        render(Job(preset, tmp_path / "short.wav"), tmp_path / "out.mp4")
    path = write_sound(tmp_path / "in.wav", 0.5)
    with pytest.raises(SettingError, match=r"no picture between --start 3 and the end; the sound is 0.500 s long"):
        render(Job(preset, path, start=Fraction(3)), tmp_path / "out.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav", "short.wav"]


@pytest.mark.parametrize("text", ["fast", "1/0", "", "1e99999999", "9" * 5000])
def test_wrong_rates(text):
    with pytest.raises(SettingError, match="allowed are numbers and fractions"):
        parse_fps(text)
    assert parse_fps("29.97") == parse_fps("29.97003") == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [("3.5", 3.5, "3.50 s"), ("83.5", 83.5, "1:23.50"), ("1:23.5", 83.5, "1:23.50"), ("1:00:05", 3605, "1:00:05.00")],
)
def test_times(text, seconds, written):
    assert parse_time(text) == Fraction(seconds)
    assert format_time(seconds) == written
    for wrong in ("-1", "1:-2", "now", "1:2:3:4", "1/2", "1e9", "nan", ""):
        with pytest.raises(SettingError, match="allowed are seconds"):
            parse_time(wrong)


def ponticello(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "ponticello.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_stopped_and_resumed_gives_the_same_film(tmp_path, preset, monkeypatch):
    path = write_sound(tmp_path / "in.wav", 4)
    job = Job(preset, path)
    render(job, tmp_path / "whole.mkv")

    paint = Painter.paint
    painted, numbers = [], itertools.count(1)

    def counting(self, picture):
        if next(numbers) == 81:  # two threads paint
            os.kill(os.getpid(), signal.SIGINT)
        return paint(self, picture)

    monkeypatch.setattr(Painter, "paint", counting)
    with pytest.raises(Stopped, match=r"stopped after \d+ of 120 pictures; .*partial.mkv plays") as stopped:
        render(job, tmp_path / "film.mkv")
    finished = int(str(stopped.value).split()[2])
    assert 70 <= finished <= 80  # pictures in progress are lost
    assert not (tmp_path / "film.mkv").exists()
    assert len(pictures_of(tmp_path / "film.partial.mkv")) == finished
    monkeypatch.setattr(Painter, "paint", lambda self, picture: painted.append(picture) or paint(self, picture))
    render(job, tmp_path / "film.mkv", resume=True)
    assert not (tmp_path / "film.partial.mkv").exists()
    segment = segment_length(120)
    assert len(painted) == 120 - finished // segment * segment  # whole segments were finished
    assert all(
        np.array_equal(a, b)
        for a, b in zip(pictures_of(tmp_path / "film.mkv"), pictures_of(tmp_path / "whole.mkv"), strict=True)
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.mkv", "in.wav", "whole.mkv"]


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command line in this process; returns exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ponticello", *map(str, arguments)])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        try:
            front_door.main()
            status = 0
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


def test_the_same_render_has_the_same_hashes(tmp_path, preset, run):
    path = write_sound(tmp_path / "in.wav", 0.5)
    status, out, err = run(
        "render", preset.folder, path, "-o", tmp_path / "a.mp4", "--frames-hash", "--hashes", tmp_path / "a.csv"
    )
    assert status == 0, err
    digest = out.splitlines()[-1]
    assert len(digest) == 64
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["tick", "sha256"]
    assert [int(n) for n, _ in rows[1:]] == list(range(15))
    assert run("render", preset.folder, path, "-o", tmp_path / "b.mp4", "--frames-hash")[1].splitlines()[-1] == digest


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_same_render_is_the_same_file(tmp_path, preset, ending):
    path = write_sound(tmp_path / "in.wav", 0.3)
    for name in "ab":
        render(Job(preset, path), tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_every_mistake_is_answered_in_one_line(tmp_path, preset, run):
    path = write_sound(tmp_path / "in.wav", 0.5)
    (tmp_path / "text.wav").write_text("this is not a sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    out = ("-o", tmp_path / "x.mp4")
    for arguments, message in [
        (("nowhere", path, *out), "no preset nowhere"),
        ((preset.folder, tmp_path / "none.wav", *out), "no file"),
        ((preset.folder, tmp_path / "text.wav", *out), "is not a sound file that can be read"),
        ((preset.folder, tmp_path / "empty.wav", *out), "is empty"),
        ((preset.folder, path, *out, "--channel", "2"), "--channel 2 asked for"),
        ((preset.folder, path, *out, "--fps", "1000"), "allowed are 1 to 240"),
        ((preset.folder, path, *out, "--size", "33"), "33"),
        ((preset.folder, path, *out, "--size", "1920x"), "allowed are WIDTHxHEIGHT"),
        ((preset.folder, path, *out, "--codec", "divx"), "h264"),
        ((preset.folder, path, *out, "--device", "cuda:9"), "this machine has"),
        ((preset.folder, path, *out, "--precision", "double"), "allowed are: auto, full, half"),
        ((preset.folder, path, "-o", tmp_path / "no" / "x.mp4"), "no"),
        ((preset.folder, path, *out, "--hashes", tmp_path / "no" / "h.csv"), "no folder"),
        ((preset.folder, path, *out, "--hashes", tmp_path / "x.mp4"), "-o and --hashes are the same file"),
        ((preset.folder, path, "-o", path), "the sound and -o are the same file"),
        ((preset.folder, path), "Missing option"),
        ((preset.folder, path, *out, "--fsp", "3"), "No such option"),
    ]:
        status, _, err = run("render", *arguments)
        assert status == 2, (arguments, err)
        assert len(err.splitlines()) == 1, err
        assert err.startswith("ponticello: ")
        assert message in err
        assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_finished_part(tmp_path, preset, ending):
    path = write_sound(tmp_path / "in.wav", 60)
    command = [sys.executable, ROOT / "ponticello.py", "render", preset.folder, path, "-o", tmp_path / "x.mp4"]
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any(tmp_path.glob("*x.mp4*")):
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(ending)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    *before, last = errors.splitlines()
    expected = ("the fused path", "the plain path", "compiling the picture filters")
    assert all(any(text in line for text in expected) for line in before), errors
    assert "stopped after" in last
    assert not (tmp_path / "x.mp4").exists()


def test_a_finished_film_is_kept_without_force(tmp_path, preset, run):
    path = write_sound(tmp_path / "in.wav", 0.2)
    command = ("render", preset.folder, path, "-o", tmp_path / "x.mkv")
    (tmp_path / "x.mkv").write_text("an artist's work")
    (tmp_path / "x.partial.mkv").write_text("of an older stop")
    status, _, err = run(*command)
    assert (status, err) == (
        2,
        f"ponticello: {tmp_path / 'x.mkv'} exists; --force replaces it, or choose another name\n",
    )
    assert run(*command, "--resume")[0] == 2  # nothing to resume
    assert (tmp_path / "x.mkv").read_text() == "an artist's work"
    assert run(*command, "--force")[0] == 0
    assert len(pictures_of(tmp_path / "x.mkv")) == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav", "x.mkv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "no/x.mp4"], "no folder no; make it first"),
        (["-o", "x.mp4", "--size", "31"], "h264 takes even numbers only"),
        (["-o", "x.mp4", "--size", "big"], "--size big given; allowed are WIDTHxHEIGHT"),
        (["-o", "x.mkv", "--codec", "prores"], "prores needs a file that ends in .mov"),
        (["-o", "x.avi"], "a film ends in"),
        (["-o", "here.mp4", "--codec", "h264"], "here.mp4 is a folder and h264 makes a file"),
    ],
)
def test_the_output_is_checked_before_anything_is_loaded(tmp_path, preset, run, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.mp4").mkdir()
    monkeypatch.setattr(Painter, "load", lambda *_: pytest.fail("the generator was loaded"))
    status, _, err = run("render", preset.folder, "none.wav", *arguments)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_silence_is_reported(tmp_path, preset, run):
    tone = sound(0.3)[:, 0]
    for name, channels in {"none": [0 * tone, 0 * tone], "left": [tone, 1e-4 * tone], "both": [tone, tone]}.items():
        soundfile.write(tmp_path / f"{name}.wav", np.stack(channels, axis=1), 44100, "FLOAT")
    for name, options, line in [
        ("none", (), "none.wav is silent: no sample above -60 dBFS"),
        ("left", (), "silent channel 2 (no sample above -60 dBFS) in the average; --channel 1 leaves the silence out"),
        ("left", ("--channel", 2), "channel 2 of {} is silent: no sample above -60 dBFS; --channel 1 is not"),
        ("left", ("--channel", 1), None),
        ("both", (), None),
    ]:
        path = tmp_path / f"{name}.wav"
        for command in (
            ["render", preset.folder, path, "--force", "-o", tmp_path / "x.mkv"],
            ["analyse", path, "-o", tmp_path / "x.csv"],
        ):
            status, _, err = run(*command, *options)
            assert status == 0
            if line is None:
                assert "silent" not in err
            else:
                assert err.count(line.format(path)) == 1


def test_pairs_that_changed_since_training_are_reported(tmp_path, run):
    folder = make_preset(tmp_path / "p")
    path = write_sound(tmp_path / "in.wav", 0.2)
    line = f"p: pairs changed since training; run `ponticello train {folder}`"
    assert line not in run("render", folder, path, "-o", tmp_path / "a.mkv")[2]
    pairs = Preset.load(folder).pairs
    pairs.at(range(len(pairs) - 1)).save(folder / "pairs.safetensors")
    assert not Preset.load(folder).is_trained
    assert line in run("render", folder, path, "-o", tmp_path / "b.mkv")[2].splitlines()
