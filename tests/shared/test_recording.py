"""A recording reproduces the ticks of the show at its rate; truncated and damaged recordings."""

import json
import os
import shutil
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors import safe_open

from shared.controls import ControlChange
from shared.errors import PresetError, SoundError, UserError
from shared.mapping.decimation import ticks_within
from shared.mapping.preprocessing import Preprocessing
from shared.mapping.regression import Training
from shared.mapping.scaling import Standardizer
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import Steer, UseMapping, UseScaler
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.recording import writer as writing
from shared.recording.reader import Recording, is_recording
from shared.recording.wav import GrowingWav
from shared.recording.writer import RecordingWriter
from tests.shared.test_preset import rewritten
from tests.small import make_preset, sound, write_generator

pytestmark = pytest.mark.slow

SAMPLES = sound(3.0)[:, 0]
LATENT = np.linspace(-1, 1, 16, dtype=np.float32)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    toml = "version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n[controls]\ncrossfade = 0.4\nrotate = 40\n"
    return Preset.load(make_preset(tmp_path_factory.mktemp("other") / "o", toml=toml, inputs=3, seed=5))


def learned(preset):
    """One more pair, and a mapping trained on it."""
    old = preset.pairs
    pairs = Pairs(
        (*old.names, "live 1"),
        np.vstack([old.descriptors, np.linspace(-1, 1, 23)]),
        np.vstack([old.latents, LATENT]),
        np.vstack([old.positions, [np.nan, np.nan]]),
    )
    return UseMapping(LearnedMapping.learn(preset.mapping.scaler, pairs, Training(epochs=20)), pairs)


def other_regressor(preset):
    preprocessing = Preprocessing.fit("whitened", np.random.default_rng(0).standard_normal((99, 23)))
    training = Training(regressor="rbf", norm="sphere")
    return LearnedMapping.learn(preset.mapping.scaler, preset.pairs, training, preprocessing=preprocessing)


def happenings(preset, other):
    """The changes, and the sample of the show at which each is requested."""
    return [
        (2000, ControlChange(2100, "gain", 6)),
        (5000, ControlChange(5000, "latent_smoothing", 0.5)),
        (9000, other),
        (12000, ControlChange(12000, "weight/pitch", 2.0)),
        (13000, ControlChange(13000, "translate", (0.25, -0.5))),
        (15000, preset),
        (36000, UseScaler(Standardizer(np.linspace(9, 99, 23), np.full(23, 77.0)))),
        (40000, Steer(LATENT)),
        (44000, ControlChange(44000, "freeze", 1)),
        (47000, ControlChange(60000, "blackout", True)),
        (52000, Steer(None)),
        (55000, learned(preset)),
        (61000, ControlChange(61000, "freeze", 0)),
        (66000, ControlChange(66000, "blackout", 0)),
        (70000, UseScaler(None)),
        (75000, UseMapping(other_regressor(preset), preset.pairs, crossfades=True)),
        (80000, ControlChange(80000, "range", "hold")),
    ]


def play(preset, other, folder, begin, samples=SAMPLES, end=True, cuts=(), between=lambda writer, place: None):
    """A show that is recorded from a sample on; its ticks."""
    pipeline, writer, ticks = Pipeline(preset), None, []
    things = happenings(preset, other)
    places = sorted({begin, *(at for at, _ in things), *cuts} - {0})
    for place, part in zip([0, *places], np.split(samples, places), strict=True):
        if place == begin:
            writer = RecordingWriter(folder)
            writer.begin(pipeline.state(), "samples", {"input": "a test"})
        for at, what in things:
            if at == place:
                acted_on = pipeline.schedule(what) if isinstance(what, ControlChange) else pipeline.exchange(at, what)
                if writer:
                    writer.change(acted_on, what)
        if writer:
            writer.sound(part)
        ticks += pipeline.process(part)
        if writer:
            between(writer, place)
    if end:
        writer.end(pipeline.samples)
    return ticks


def everything(picture):
    if picture is None:
        return None
    return {**vars(picture), "latent": picture.latent.tobytes(), "under": everything(picture.under)}


def same(ticks, expected):
    assert [t.number for t in ticks] == [t.number for t in expected]
    for a, b in zip(ticks, expected, strict=True):
        assert a.descriptors.tobytes() == b.descriptors.tobytes(), a.number
        assert everything(a.picture) == everything(b.picture), a.number
        assert (a.nearest, a.distance) == (b.nearest, b.distance)


@pytest.mark.parametrize("begin", [0, 700, 2050, 9300, 16000, 45000, 56000, 79999, 90000])
def test_a_recording_from_any_moment_on_can_be_played(preset, other, tmp_path, begin):
    ticks = play(preset, other, tmp_path / "r", begin, cuts=[1000, 30001])
    recording = Recording(tmp_path / "r", preset)
    again = list(recording.ticks(Fraction(30)))
    assert [t.number for t in again] == list(recording.numbers(Fraction(30)))
    same(again, [t for t in ticks if t.number >= again[0].number])
    assert again[0].number == ticks_within(begin // 512 * 512, Fraction(30))
    assert again[-1].number == ticks[-1].number == 88
    assert recording.samples == len(SAMPLES) - begin
    assert not recording.remarks
    heard = np.concatenate(list(recording.sound(0, len(SAMPLES))))[:, 0]
    assert np.array_equal(heard[begin:], SAMPLES[begin:])
    assert not heard[:begin].any()


def test_at_another_rate_the_same_performance(preset, other, tmp_path):
    play(preset, other, tmp_path / "r", 0)
    recording = Recording(tmp_path / "r", preset)
    pipeline, things = Pipeline(preset, 60), happenings(preset, other)
    expected = []
    for at, what in things:
        expected += pipeline.process(SAMPLES[pipeline.samples : at])
        pipeline.schedule(what) if isinstance(what, ControlChange) else pipeline.exchange(at, what)
    expected += pipeline.process(SAMPLES[pipeline.samples :])
    again = list(recording.ticks(Fraction(60)))
    same(again, expected)
    assert [t.number for t in again] == list(recording.numbers(Fraction(60)))
    play(preset, other, tmp_path / "middle", 9300)  # in the midst of a cross-fade
    middle = Recording(tmp_path / "middle", preset)
    numbers = [t.number for t in middle.ticks(Fraction(24))]
    assert numbers == list(middle.numbers(Fraction(24)))
    assert numbers[0] == ticks_within(9300 // 512 * 512, Fraction(24))


def test_frames_that_came_from_outside(preset, tmp_path):
    frames = np.random.default_rng(0).standard_normal((200, 23)) * 300
    frames[:, 22] = np.linspace(-80, 0, 200)
    pipeline = Pipeline(preset)
    pipeline.process_frames(frames[:17])
    writer = RecordingWriter(tmp_path / "r")
    writer.begin(pipeline.state(), "frames", {})
    ticks = []
    for n, row in enumerate(frames[17:]):
        if n == 50:
            change = ControlChange(pipeline.samples + 5, "rotate", 30)
            writer.change(pipeline.schedule(change), change)
        writer.frames(row[None])
        ticks += pipeline.process_frames(row[None])
    writer.end(pipeline.samples)
    recording = Recording(tmp_path / "r", preset)
    same(list(recording.ticks(Fraction(30))), ticks)
    assert recording.gives == "frames"
    assert {t.picture.rotate for t in ticks} == {0, 30}


def test_a_new_file_every_ten_minutes(preset, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "FILE_ROWS", {"samples": 10000, "frames": 7})
    monkeypatch.setattr("shared.recording.reader.FILE_ROWS", {"samples": 10000, "frames": 7})
    ticks = play(preset, preset, tmp_path / "r", 700)
    lengths = [soundfile.info(path).frames for path in sorted((tmp_path / "r").glob("sound-*.wav"))]
    assert lengths == [10000] * 13 + [len(SAMPLES) - 700 - 130000]
    recording = Recording(tmp_path / "r", preset)
    same(list(recording.ticks(Fraction(30))), ticks)
    with (tmp_path / "r" / "sound-003.wav").open("r+b") as file:
        file.truncate(20000)
    recording = Recording(tmp_path / "r", preset)
    assert recording.samples == 20000 + (20000 - 58) // 4
    assert "sound-003.wav is cut off; the files after it are ignored" in recording.remarks[0]
    cut = list(recording.ticks(Fraction(30)))
    same(cut, ticks[: len(cut)])
    assert [t.number for t in cut] == list(recording.numbers(Fraction(30)))
    (tmp_path / "r" / "sound-002.wav").unlink()
    with pytest.raises(SoundError, match=r"sound-002.wav is missing; restore it"):
        Recording(tmp_path / "r", preset)


def test_cut_off_at_any_moment_it_is_good_up_to_its_last_sync(preset, other, tmp_path):
    """The disk as it is after every sync, as a failing power leaves it."""
    kept = []

    def sync_and_copy(writer, place):
        writer.sync()
        kept.append({p.relative_to(writer.folder): p.read_bytes() for p in writer.folder.rglob("*") if p.is_file()})

    ticks = play(preset, other, tmp_path / "r", 2050, between=sync_and_copy)
    for n, files in enumerate(kept[::3]):
        folder = tmp_path / f"cut {n}"
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            torn = content + content[-5:] if path.suffix == ".wav" else content  # more sound than its header knows of
            (folder / path).write_bytes(torn + b'{"line": "contr' if path.suffix == ".jsonl" else torn)
        recording = Recording(folder, preset)
        again = list(recording.ticks(Fraction(30)))
        assert len(again) >= ((recording.samples + 2050) // 512 * 512) // 1470 - 3
        same(again, [t for t in ticks if again and again[0].number <= t.number <= again[-1].number])
        seconds = f"{recording.samples / 44100:.1f} s"
        assert f"{folder} was interrupted while recording; all of its {seconds} are used" in recording.remarks[-1]


def test_a_preset_that_changes_after_the_show_does_not_change_the_recording(tmp_path):
    folder = make_preset(tmp_path / "p")
    preset = Preset.load(folder)
    ticks = play(preset, preset, tmp_path / "r", 0)
    make_preset(tmp_path / "q", seed=9)
    for name in ("mapping.safetensors", "pairs.safetensors"):
        (folder / name).write_bytes((tmp_path / "q" / name).read_bytes())
    (folder / "preset.toml").write_text("version = 1\n[controls]\nrotate = 77\n")
    changed = Preset.load(folder)
    assert not np.array_equal(changed.pairs.latents, preset.pairs.latents)
    recording = Recording(tmp_path / "r", changed)
    same(list(recording.ticks(Fraction(30))), ticks)
    assert not recording.remarks


def test_another_generator_is_used_where_it_is_asked_for(preset, other, tmp_path):
    play(preset, other, tmp_path / "r", 0)
    larger = make_preset(tmp_path / "larger")
    write_generator(larger / "generator.safetensors", resolution=32, seed=3)
    recording = Recording(tmp_path / "r", Preset.load(larger))
    assert "was played with another generator than that of larger" in recording.remarks[0]
    used = {t.picture.generator for t in recording.ticks(Fraction(30))}
    assert used == {Preset.load(larger).generator_sha256, other.generator_sha256}
    assert {p.generator_sha256 for p in recording.presets} == used


def test_the_generator_may_have_moved_and_that_of_another_preset_may_not(tmp_path):
    first, second = make_preset(tmp_path / "a"), make_preset(tmp_path / "b", seed=4)
    preset = Preset.load(first)
    ticks = play(preset, Preset.load(second), tmp_path / "r", 0)
    first.rename(tmp_path / "moved")
    moved = Preset.load(tmp_path / "moved")
    again = list(Recording(tmp_path / "r", moved).ticks(Fraction(30)))
    assert [t.picture.latent.tobytes() for t in again] == [t.picture.latent.tobytes() for t in ticks]
    assert again[0].picture.generator == moved.generator_sha256
    second.rename(tmp_path / "gone")
    with pytest.raises(PresetError, match=r"there is no file .*b/generator.safetensors"):
        list(Recording(tmp_path / "r", moved).ticks(Fraction(30)))


def test_a_preset_that_plays_often_is_stored_once(preset, other, tmp_path):
    pipeline = Pipeline(preset)
    writer = RecordingWriter(tmp_path / "r")
    writer.begin(pipeline.state(), "samples", {})
    for n in range(20):
        writer.change(n, other if n % 2 else replace(preset, controls={**preset.controls}))
    writer.change(30, replace(other, controls={**other.controls, "crossfade": 5.0}))
    writer.end(0)
    assert len(list((tmp_path / "r" / "presets").iterdir())) == 3
    assert Recording(tmp_path / "r", preset).presets[-1].controls["crossfade"] == 5.0


def cut_off(folder):
    """Without its last line, as if the power had failed."""
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "log.jsonl").write_bytes(b"".join(lines[:-1]))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 58])
def test_a_file_that_was_only_just_begun_is_left_out(preset, tmp_path, monkeypatch, content):
    monkeypatch.setattr(writing, "FILE_ROWS", {"samples": 10000, "frames": 7})
    monkeypatch.setattr("shared.recording.reader.FILE_ROWS", {"samples": 10000, "frames": 7})
    ticks = play(preset, preset, tmp_path / "r", 700)
    (tmp_path / "r" / "sound-014.wav").write_bytes(content)
    with pytest.raises(SoundError, match=r"sound-014.wav cannot be read"):
        Recording(tmp_path / "r", preset)
    cut_off(tmp_path / "r")
    recording = Recording(tmp_path / "r", preset)
    assert "sound-014.wav holds nothing that can be read; it is ignored" in recording.remarks[0]
    again = list(recording.ticks(Fraction(30)))
    assert len(again) > 80
    same(again, ticks[: len(again)])


def test_a_new_wav_has_a_header(tmp_path):
    wav = GrowingWav(tmp_path / "x.wav", 44100, 1, 4)
    assert soundfile.info(tmp_path / "x.wav").frames == 0
    wav.close()


def test_a_change_cut_off_by_a_power_failure_ends_the_recording(preset, other, tmp_path):
    ticks = play(preset, other, tmp_path / "r", 0)
    files = (tmp_path / "r" / "learned").glob("*/mapping.safetensors")
    next(file for file in files if LearnedMapping.load(file).regressor.name == "mlp").write_bytes(b"")
    with pytest.raises(PresetError, match=r"mapping.safetensors is not a safetensors file"):
        Recording(tmp_path / "r", preset)
    cut_off(tmp_path / "r")
    recording = Recording(tmp_path / "r", preset)
    assert "everything after that is ignored" in " ".join(recording.remarks)
    again = list(recording.ticks(Fraction(30)))
    assert [t.number for t in again] == list(range(55000 // 1470))  # it was learned at sample 55000
    same(again, ticks[: len(again)])


def test_a_last_line_of_rubbish_is_left_out(preset, tmp_path):
    play(preset, preset, tmp_path / "r", 0)
    cut_off(tmp_path / "r")
    with (tmp_path / "r" / "log.jsonl").open("ab") as log:
        log.write(b"\0" * 40 + b"\n")
    assert Recording(tmp_path / "r", preset).samples == len(SAMPLES)


@pytest.mark.parametrize("begin", [8000, 9300, 14000, 16000])
def test_at_a_low_rate_from_the_midst_of_a_fade(preset, other, tmp_path, begin):
    play(preset, other, tmp_path / "r", begin)
    recording = Recording(tmp_path / "r", preset)
    for fps in (Fraction(1), Fraction(4)):
        assert [t.number for t in recording.ticks(fps)] == list(recording.numbers(fps))


def test_copies_of_a_generator_fade_alike_in_the_show_and_in_its_recording(preset, tmp_path):
    shutil.copytree(preset.folder, tmp_path / "copy")
    copy = Preset.load(tmp_path / "copy")
    ticks = play(preset, copy, tmp_path / "r", 0)
    same(list(Recording(tmp_path / "r", preset).ticks(Fraction(30))), ticks)
    assert any(t.picture.under is not None for t in ticks)
    assert {t.picture.generator for t in ticks} == {preset.generator_sha256}


def test_a_folder_is_recorded_into_only_once(preset, tmp_path):
    play(preset, preset, tmp_path / "r", 0, samples=SAMPLES[:90000])
    with pytest.raises(UserError, match=r"r is not empty; a recording needs a new folder"):
        RecordingWriter(tmp_path / "r")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot record in .*file: .*; choose a folder that you can write to"):
        RecordingWriter(tmp_path / "file")
    assert is_recording(tmp_path / "r")
    assert not is_recording(tmp_path)
    assert not is_recording(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: (r / "log.jsonl").write_bytes(b""), "log.jsonl has no first line"),
        (lambda r: (r / "log.jsonl").write_bytes(b"\xff\n"), "log.jsonl, line 1, is damaged"),
        (lambda r: edit_line(r, 0, version=99), "log.jsonl was written by a newer Ponticello"),
        (lambda r: edit_line(r, 1, sample="x"), r"log.jsonl, line 2, is damaged \(Expected `int`, got `str`"),
        (lambda r: edit_line(r, 8, latent="???"), "damaged latent vector"),
        (lambda r: (r / "state.safetensors").unlink(), "no file .*state.safetensors"),
        (lambda r: (r / "state.safetensors").write_bytes(b"12345678"), "state.safetensors is not a safetensors file"),
        (lambda r: [p.unlink() for p in r.glob("presets/*/mapping.safetensors")], "no mapping.safetensors"),
        (lambda r: (r / "sound-001.wav").write_bytes(b"RIFF"), "sound-001.wav cannot be read"),
    ],
)
def test_a_damaged_recording_is_refused_in_one_line(preset, other, tmp_path, change, why):
    play(preset, other, tmp_path / "r", 0)
    change(tmp_path / "r")
    with pytest.raises((PresetError, SoundError), match=why) as caught:
        list(Recording(tmp_path / "r", preset).ticks(Fraction(30)))
    assert "\n" not in str(caught.value)


def edit_line(folder, number, **new):
    lines = (folder / "log.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | new)
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")


def test_a_growing_wav_is_whole_after_every_sync(tmp_path):
    rows = np.random.default_rng(0).standard_normal((50, 23))
    wav = GrowingWav(tmp_path / "x.wav", 86, 23, 8)
    for n in range(0, 50, 10):
        wav.write(rows[n : n + 10])
        wav.sync()
        read, rate = soundfile.read(tmp_path / "x.wav", dtype="float64")
        assert rate == 86
        assert np.array_equal(read, rows[: n + 10])
    wav.close()
    data = (tmp_path / "x.wav").read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def log_lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def facts_of(folder):
    with safe_open(folder / "state.safetensors", "numpy") as file:
        return json.loads(file.metadata()["facts"])


def test_what_other_programs_read_in_a_recording(preset, other, tmp_path):
    play(preset, other, tmp_path / "r", 10000)
    head, *changes, end = log_lines(tmp_path / "r")
    assert (head["version"], head["sample"], head["gives"], head["fps"]) == (1, 10000, "samples", "30")
    assert head["settings"] == {"input": "a test"}
    assert [change["line"] for change in changes] == [
        *("control", "control", "preset", "scaler", "latent", "control", "control", "latent", "learned"),
        *("control", "control", "scaler", "learned", "control"),
    ]
    assert [(line["at"], line["sample"]) for line in changes if line["line"] == "control"][2:4] == [(44000, 44001), (47000, 60000)]  # fmt: skip
    scalers = [line for line in changes if line["line"] == "scaler"]
    assert [(line["at"], line["sample"]) for line in scalers] == [(36000, 36001), (70000, 70001)]
    assert scalers[1]["mean"] is None
    assert end == {"line": "end", "sample": len(SAMPLES)}
    facts = facts_of(tmp_path / "r")
    assert {"waiting", "values", "black"} <= set(facts)
    playing = facts["layers"]
    assert [set(each) >= {"preset", "values", "began", "fade", "motion"} for each in playing] == [True] * len(playing)
    assert [each["fade"] for each in playing] == [0, 12]  # 0.4 s of `other`
    assert playing[1]["began"] == 6  # its first frame is 18, in the tick that ends after sample 9000


def test_a_change_is_written_before_the_sound_that_it_acts_on(preset, other, tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda number: (synced.append(os.readlink(f"/proc/self/fd/{number}")), real(number))
    )
    writer = RecordingWriter(tmp_path / "r")
    writer.begin(Pipeline(preset).state(), "samples", {})
    writer.change(0, ControlChange(0, "rotate", 3.0))
    writer.sound(SAMPLES[:1000])
    synced.clear()
    writer.sync()
    assert [Path(name).name for name in synced] == ["log.jsonl", "sound-001.wav"]
    assert log_lines(tmp_path / "r")[-1]["value"] == 3.0
    writer.close()


def test_files_hold_ten_minutes():
    assert writing.FILE_ROWS == {"samples": 10 * 60 * 44100, "frames": 10 * 60 * 86}
    assert writing.FORMS == {"samples": (1, 44100), "frames": (23, 86)}


@pytest.mark.parametrize("samples", [4410, 66150])
def test_an_interrupted_recording_says_how_long_it_is(preset, other, tmp_path, samples):
    play(preset, other, tmp_path / "r", 0, samples=SAMPLES[:samples])
    cut_off(tmp_path / "r")
    recording = Recording(tmp_path / "r", preset)
    assert recording.samples == samples
    assert recording.remarks[0].endswith(f"all of its {samples / 44100:.1f} s are used")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(preset, other, tmp_path):
    play(preset, other, tmp_path / "r", 0)
    (tmp_path / "r" / "sound-001.wav").unlink()
    os.mkfifo(tmp_path / "r" / "sound-001.wav")
    with pytest.raises(SoundError, match=r"sound-001\.wav cannot be read"):
        Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 9000), (0, 12000), (9000, 10001), (10000, 10001), (11000, 20000), (0, 1), (5, 5), (200000, 200010)],
)
def test_its_sound_stands_at_its_place_in_the_show(preset, other, tmp_path, start, stop):
    play(preset, other, tmp_path / "r", 10000)
    found = np.concatenate(list(Recording(tmp_path / "r", preset).sound(start, stop)))[:, 0]
    whole = np.concatenate([np.zeros(10000, np.float32), SAMPLES[10000:]])[start:stop]
    assert np.array_equal(found, whole)


def changed_facts(folder, change):
    def edit(_, header):
        facts = json.loads(header["facts"])
        change(facts)
        header["facts"] = json.dumps(facts)

    rewritten(folder / "state.safetensors", edit)


def counters(**new):
    """Change counters of the decimator of the first preset: frames, done, count."""

    def change(arrays, _):
        found = arrays["layer0:decimator.counters"].copy()
        for name, value in new.items():
            found[["frames", "done", "count"].index(name)] = value
        arrays["layer0:decimator.counters"] = found

    return change


@pytest.mark.parametrize(
    "change",
    [
        counters(frames=18),
        counters(done=9),
        counters(count=-1),
        counters(count=99999),
        counters(frames=20),
        counters(done=0),
    ],
)
def test_counters_of_ticks_that_disagree_are_refused(preset, other, tmp_path, change):
    play(preset, other, tmp_path / "r", 10000)
    Recording(tmp_path / "r", preset)
    rewritten(tmp_path / "r" / "state.safetensors", change)
    with pytest.raises(PresetError, match=r"state\.safetensors"):
        Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(("black", "good"), [("0", True), ("1", True), ("3/2", False), ("2", False), ("1/2", True)])
def test_a_blackout_is_between_0_and_1(preset, other, tmp_path, black, good):
    play(preset, other, tmp_path / "r", 10000)
    changed_facts(tmp_path / "r", lambda facts: facts.update(black=black))
    if good:
        Recording(tmp_path / "r", preset)
    else:
        with pytest.raises(PresetError, match="counters disagree"):
            Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(
    "scaler",
    [
        {"mean": [0.0] * 22},
        {"deviation": [1.0] * 24},
        {"deviation": [1.0] * 22 + [-1.0]},
        {"mean": [0.0] * 22, "deviation": [1.0] * 22},
    ],
)
def test_a_damaged_scaler_is_refused(preset, other, tmp_path, scaler):
    play(preset, other, tmp_path / "r", 0)
    number = next(i for i, line in enumerate(log_lines(tmp_path / "r")) if line["line"] == "scaler")
    edit_line(tmp_path / "r", number, **scaler)
    with pytest.raises(PresetError, match="damaged scaler"):
        Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(("channels", "rate", "width"), [(1, 44100, 4), (23, 86, 8), (2, 48000, 4)])
def test_the_header_of_a_growing_wav(tmp_path, channels, rate, width):
    """As Microsoft's "Multiple channel audio data and WAVE files" lays it out."""
    wav = GrowingWav(tmp_path / "x.wav", rate, channels, width)
    wav.write(np.zeros((7, channels)))
    wav.close()
    content = (tmp_path / "x.wav").read_bytes()
    assert (content[:4], content[8:12]) == (b"RIFF", b"WAVE")
    chunks, place = {}, 12
    while place < len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        chunks[name] = content[place + 8 : place + 8 + size]
        assert len(chunks[name]) == size
        place += 8 + size
    assert place == len(content)
    assert list(chunks) == [b"fmt ", b"fact", b"data"]
    assert struct.unpack("<HHIIHHH", chunks[b"fmt "]) == (3, channels, rate, rate * channels * width, channels * width, 8 * width, 0)  # fmt: skip
    assert chunks[b"fact"] == struct.pack("<I", 7)
    assert len(chunks[b"data"]) == 7 * channels * width
    with pytest.raises(ValueError, match="closed"):
        wav.write(np.zeros((1, channels)))


def change_array(name, change):
    def edit(arrays, _):
        arrays[name] = change(arrays[name].copy())

    return edit


def replaced(index, value):
    def change(array):
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "good"),
    [
        (change_array("gate:counters", replaced(1, -1)), True),
        (change_array("gate:counters", replaced(1, 0)), True),
        (change_array("gate:counters", replaced(1, 18)), True),  # 10000 samples: frames 0 to 18
        (change_array("gate:counters", replaced(1, 19)), False),
        (change_array("gate:counters", replaced(1, -2)), False),
        (change_array("gate:counters", replaced(0, 18)), False),
        (change_array("analyzer:held", lambda array: array[:511]), False),
        (change_array("analyzer:held", lambda array: np.resize(array, 512)), True),
        (change_array("analyzer:held", lambda array: np.resize(array, 1023)), True),
        (change_array("analyzer:held", lambda array: np.resize(array, 1024)), False),
        (change_array("layer0:smoothing.last", lambda array: array[:22]), False),
        (change_array("layer0:decimator.last", lambda array: array[:22]), False),
        (change_array("layer0:latent_smoothing.last", lambda array: array[:15]), False),
        (lambda arrays, _: arrays.pop("layer0:smoothing.last"), False),
        (lambda arrays, _: arrays.update({"layer0:nothing": np.zeros(3)}), False),
        (lambda arrays, _: arrays.pop("sounding"), False),
    ],
)
def test_a_state_whose_parts_disagree_is_refused(preset, other, tmp_path, change, good):
    play(preset, other, tmp_path / "r", 10000)
    rewritten(tmp_path / "r" / "state.safetensors", change)
    if good:
        Recording(tmp_path / "r", preset)
    else:
        with pytest.raises(PresetError, match=r"state\.safetensors"):
            Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"samples": 10000 + 511 - 272}, True),  # frame 19 ends at 10240
        ({"samples": 10240}, False),
        ({"frames": 18}, False),
        ({"ticks": 5}, False),
        ({"ticks": 7}, False),
        ({"fps": "31"}, True),  # 6 ticks, too
        ({"fps": "40"}, False),
        ({"fps": "0"}, False),
        ({"fps": "1e9"}, False),
        ({"fps": "30000/1001"}, True),
    ],
)
def test_counters_of_a_state_that_disagree_are_refused(preset, other, tmp_path, change, good):
    play(preset, other, tmp_path / "r", 10000)
    changed_facts(tmp_path / "r", lambda facts: facts.update(change))
    if good:
        Recording(tmp_path / "r", preset)
    else:
        with pytest.raises(PresetError, match=r"state\.safetensors"):
            Recording(tmp_path / "r", preset)


@pytest.mark.parametrize(
    ("at", "sample", "good"),
    [
        (1000, 1000, True),
        (1000, 1000 + 60 * 44100, True),
        (1000, 1001 + 60 * 44100, False),
        (0, 0, True),
        (2**53 + 1, 0, False),
        (-1, 0, False),
        (1000, -1, False),
    ],
)
def test_changes_that_no_show_can_have_recorded_are_refused(preset, other, tmp_path, at, sample, good):
    play(preset, other, tmp_path / "r", 0)
    edit_line(tmp_path / "r", 1, at=at, sample=sample)
    if good:
        Recording(tmp_path / "r", preset)
    else:
        with pytest.raises(PresetError, match=r"log\.jsonl"):
            Recording(tmp_path / "r", preset)


@pytest.mark.parametrize("name", ["", ".", "..", "../p", "a/b", "/etc", "a\0b", "nothing"])
def test_names_of_folders_stay_in_the_recording(preset, other, tmp_path, name):
    play(preset, other, tmp_path / "r", 0)
    number = next(i for i, line in enumerate(log_lines(tmp_path / "r")) if line["line"] == "preset")
    edit_line(tmp_path / "r", number, preset=name)
    with pytest.raises(PresetError, match=r"names the folder|no folder .*nothing"):
        Recording(tmp_path / "r", preset)


def test_the_shape_at_a_sample(preset, tmp_path):
    pipeline, writer = Pipeline(preset), RecordingWriter(tmp_path / "r")
    writer.begin(pipeline.state(), "samples", {})
    for sample, shape in ((1000, "16:9"), (2000, "1:2")):
        writer.change(pipeline.schedule(ControlChange(sample, "shape", shape)), ControlChange(sample, "shape", shape))
    writer.sound(SAMPLES[:4410])
    writer.end(4410)
    recording = Recording(tmp_path / "r", preset)
    assert [recording.aspect_at(sample) for sample in (0, 999, 1000, 1999, 2000, 9999)] == [
        Fraction(ratio) for ratio in ("1", "1", "16/9", "16/9", "1/2", "1/2")
    ]
