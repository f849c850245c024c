"""The sound-check: findings for sounds of known levels, and refusals, in a show and as a command."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ponticello
from live import hall
from live.display.hud_page import HudPage
from live.display.hud_state import HudState
from live.show import performance
from live.sound.channels import Channels
from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.source import Block, FrameBlock
from live.sound.tape import Tape
from live.soundcheck import listening as soundcheck
from live.soundcheck.listening import SoundCheck
from shared.audio.descriptors import DESCRIPTORS, describe
from shared.controls import ControlChange
from shared.errors import SettingError, SoundError, UserError
from shared.mapping.scaling import Standardizer
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import UseScaler
from shared.preset import Preset
from tests.live.osc_client import until
from tests.live.shows import Show, replayed
from tests.small import make_preset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RATE = 44100
NOTES_HZ = (196.0, 293.7, 349.2, 440.0, 659.3, 880.0, 1318.5)


def noise(seconds, deviation=1e-3, seed=0):
    return deviation * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def violin(seconds=30.0, softest=0.02, loudest=0.3):
    """Bowed notes: vibrato, eight overtones, soft and loud, high and low, with short rests."""
    t = np.arange(RATE // 2) / RATE
    notes = []
    for k in range(round(2 * seconds)):
        hz = NOTES_HZ[k % len(NOTES_HZ)] * (1 + 0.005 * np.sin(2 * np.pi * 5.5 * t))
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        bow = np.clip(np.minimum(t / 0.05, (0.45 - t) / 0.08), 0, 1)
        loud = softest * (loudest / softest) ** ((k * 7 % 10) / 9)
        notes.append(loud * bow * sum(np.sin(h * phase) / h for h in range(1, 9)))
    return np.concatenate(notes)


def checkable(silence=1e-3):
    """5 s of noise, then 30 s of playing over the same noise."""
    playing = violin()
    whole = noise(35.0, silence)
    whole[5 * RATE :] += playing
    return whole.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soundcheck")
    make_preset(folder / "a")
    toml = "version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n[controls]\nstart = 'mean'\n"
    make_preset(folder / "b", seed=1, inputs=3, toml=toml)
    soundfile.write(folder / "good.wav", np.concatenate([checkable(), noise(0.5)]), RATE, subtype="FLOAT")
    return folder


def heard(samples, *, microphone=True, cuts=()):
    check = SoundCheck(OscFrames(), microphone)
    position = 0
    for piece in np.split(np.asarray(samples, np.float32), cuts or range(RATE, len(samples), RATE)):
        check.take(Block(position, piece))
        check.progress()
        position += len(piece)
    return check


def found(samples, preset, **how):
    check = heard(samples, **how)
    assert check.complete
    return check.judge(preset)


def frames_within(rows, begin, end):
    """Those of the frames x[512 k - 512 .. 512 k + 511] that lie between two samples."""
    return np.array([row for k, row in enumerate(rows) if begin <= 512 * k - 512 and 512 * k + 512 <= end])


def expected(samples):
    """Gain, gate and scaler by the definition, from the descriptors of the whole sound."""
    rows = describe(samples, RATE)
    ceiling = np.sort(frames_within(rows, RATE / 2, 5 * RATE)[:, 22])
    ceiling = np.interp(0.95 * (len(ceiling) - 1), np.arange(len(ceiling)), ceiling)
    playing = frames_within(rows, 5 * RATE, 35 * RATE)[:, 22]
    power = 10 ** (playing[playing >= ceiling + 6] / 10)
    gain = np.round(-23 - 10 * np.log10(power[power >= power.mean() / 10].mean()), 1)
    louder = describe((samples * np.float32(10 ** (gain / 20))).astype(np.float32), RATE)
    gate = max(np.round(ceiling + gain + 6, 1), -60.0)
    sounding = frames_within(louder, 5 * RATE, 35 * RATE)
    sounding = sounding[sounding[:, 22] >= gate]
    return gain, gate, sounding.mean(axis=0), np.sqrt(((sounding - sounding.mean(axis=0)) ** 2).mean(axis=0))


@pytest.mark.parametrize("level_db", [0, -20])
def test_gain_gate_and_scaler_are_those_of_the_definition(folder, level_db):
    samples = checkable() * np.float32(10 ** (level_db / 20))
    gain, gate, mean, deviation = expected(samples)
    findings = found(samples, Preset.load(folder / "a"))
    assert findings.gain_db == pytest.approx(gain, abs=1e-9)
    assert findings.gate_db == pytest.approx(gate, abs=0.1001)  # rounded to 0.1 dB, from a level that is 1e-9 off
    assert np.allclose(findings.scaler.mean, mean, rtol=2e-3, atol=1e-3)
    assert np.allclose(findings.scaler.deviation, deviation, rtol=2e-2, atol=1e-3)
    if findings.gate_db == gate:
        assert np.allclose(findings.scaler.mean, mean, rtol=1e-9)
        assert np.allclose(findings.scaler.deviation, deviation, rtol=1e-9)
    assert findings.silence_db < findings.gate_db - findings.gain_db < findings.playing_db - 10
    assert findings.sounding_s > 20
    assert findings.distance > 0


def test_what_it_finds_is_what_a_show_then_hears(folder):
    """The pipeline with this gain, gate and scaler: the playing has mean 0 and deviation 1, the silence is held back."""
    samples = checkable()
    preset = Preset.load(folder / "a")
    findings = found(samples, preset)
    values = {**preset.controls, "gain": findings.gain_db, "gate": findings.gate_db, "smoothing": 0.0}
    pipeline = Pipeline(replace(preset, controls=values), 86, findings.scaler)
    ticks = pipeline.process(samples[: 5 * RATE])
    assert not any(tick.descriptors.any() for tick in ticks)
    assert not pipeline.gate_open
    rows = np.array([tick.descriptors for tick in pipeline.process(samples[5 * RATE :])])
    rows = rows[(np.diff(rows, axis=0, prepend=0) != 0).any(axis=1)]  # without those that the gate holds
    assert np.abs(rows.mean(axis=0)).max() < 0.05
    assert np.abs(rows.std(axis=0) - 1).max() < 0.05


def test_it_does_not_matter_how_the_sound_is_cut(folder, monkeypatch):
    monkeypatch.setattr(soundcheck, "ALL", 15 * RATE)
    samples, preset = checkable()[: 15 * RATE], Preset.load(folder / "a")
    whole = found(samples, preset, cuts=[len(samples)])
    cut = found(np.concatenate([samples, np.ones(5000)]), preset, cuts=[1, 700, 700, 5 * RATE - 3, 9 * RATE])
    assert (cut.gain_db, cut.gate_db, cut.lines) == (whole.gain_db, whole.gate_db, whole.lines)
    assert cut.scaler.mean.tobytes() == whole.scaler.mean.tobytes()
    assert cut.scaler.deviation.tobytes() == whole.scaler.deviation.tobytes()


def test_a_file_may_begin_with_zeros_and_its_gate_is_no_lower_than_the_papers(folder):
    samples = np.concatenate([np.zeros(5 * RATE), violin()])
    with pytest.raises(SoundError, match="nothing but zeros"):
        heard(samples)
    assert found(samples, Preset.load(folder / "b"), microphone=False).gate_db == -60


def test_frames_from_elsewhere_are_taken_as_they_are(folder):
    rows = describe(checkable(), RATE)
    check = SoundCheck(OscFrames(), False)
    for at in range(0, len(rows), 100):
        check.take(FrameBlock(512 * at, rows[at : at + 100]))
    findings = check.judge(Preset.load(folder / "b"))
    assert findings.gain_db is None
    assert "gain" not in findings.lines[0]
    ceiling = np.percentile(frames_within(rows, RATE / 2, 5 * RATE)[:, 22], 95)
    assert findings.gate_db == pytest.approx(ceiling + 6, abs=0.051)
    check = SoundCheck(OscFrames(), False)
    check.take(FrameBlock(0, np.tile(rows[:1], (3100, 1))))
    with pytest.raises(SoundError, match="the descriptors never changed"):
        check.judge(Preset.load(folder / "b"))


def with_talk():
    samples = checkable()
    samples[: 5 * RATE] += violin(5.0, 0.3).astype(np.float32)
    return samples


REFUSED = {
    "the silence was not silent": with_talk,
    "is too close to the playing": lambda: checkable(0.03),
    "no playing was heard": lambda: noise(35.0),
    "nothing but zeros": lambda: np.zeros(35 * RATE),
    "the input clips": lambda: np.clip(checkable() * 6, -1, 1),
    "of the playing sounded": lambda: np.concatenate([checkable()[: 9 * RATE], noise(26.0)]),
    "only one unchanging sound": lambda: (
        noise(35.0, 1e-4) + 0.2 * np.sin(0.06 * np.arange(35 * RATE)) * (np.arange(35 * RATE) > 5 * RATE)
    ),
    "is too soft or too loud": lambda: checkable(1e-8) * 1e-4,
}


@pytest.mark.parametrize("message", REFUSED)
def test_unusable_input_is_refused_in_one_line(folder, message, monkeypatch):
    monkeypatch.setattr(soundcheck, "ALL", 15 * RATE)  # 10 s of playing say as much as 30
    with pytest.raises(SoundError) as error:
        found(REFUSED[message](), Preset.load(folder / "a"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert ";" in str(error.value)  # what to do


def test_sound_that_got_lost_is_refused(folder):
    source = OscFrames()
    check = SoundCheck(source, True)
    check.take(Block(0, checkable()))
    source.counters.gap_samples += 100
    with pytest.raises(SoundError, match="lost"):
        check.judge(Preset.load(folder / "a"))


def test_instructions_appear_every_second():
    check = SoundCheck(OscFrames(), False)
    reports = []
    for at in range(0, 36 * RATE, RATE // 4):
        reports.append(check.progress())
        check.take(Block(at, np.full(RATE // 4, 1e-3, np.float32)))
    reports = [progress for progress in reports if progress is not None]
    assert [progress.seconds for progress in reports] == [*range(5, 0, -1), *range(30, 0, -1), 0]
    assert reports[0].line == "silence for 5 s, please"
    assert reports[5].line == "now play for 30 s: loud, soft, high, low"
    assert [progress.phase for progress in (reports[4], reports[5], reports[-1])] == ["silence", "playing", "analysis"]


def test_the_scaler_goes_into_the_hall_file_and_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    scaler = Standardizer(rng.standard_normal(23) * 1000, np.append(rng.random(22), 0.0))
    file = tmp_path / "hall.toml"
    file.write_text("# the cellar\ninput = 'Scarlett'\nsync = 120.0  # ms\n", "utf-8")
    hall.save(file, {"gain": 4.5, "gate": -48.0}, scaler)
    text = file.read_text("utf-8").replace("pitch = ", "# the violin's\npitch = ")
    file.write_text(text, "utf-8")
    room = hall.read(file)
    assert room.controls == {"gain": 4.5, "gate": -48.0, "sync": 120.0}
    assert room.options == {"input": "Scarlett"}
    for given, read in ((scaler.mean, room.scaler.mean), (scaler.deviation, room.scaler.deviation)):
        assert given.tobytes() == read.tobytes()
    hall.save(file, {"advance": 10.0})
    other = Standardizer(scaler.mean + 1, scaler.deviation)
    assert hall.read(file).scaler.mean.tobytes() == scaler.mean.tobytes()
    hall.save(file, {}, other)
    assert hall.read(file).scaler.mean.tobytes() == other.mean.tobytes()
    text = file.read_text("utf-8")
    for comment in ("# the cellar", "# ms", "# the violin's"):
        assert comment in text
    assert hall.read(file).controls["advance"] == 10


@pytest.mark.parametrize("row", ["[1.0]", "[1.0, -1.0]", "[nan, 1.0]", "['1', '2']", "'12'", "3", "[true, 1]"])
def test_a_wrong_scaler_is_reported(tmp_path, row):
    file = tmp_path / "hall.toml"
    rows = [f"{name} = [1.0, 2.0]" for name in DESCRIPTORS]
    file.write_text("\n".join(["[scaler]", *rows]), "utf-8")
    assert hall.read(file).scaler.deviation[0] == 2
    for lines in ([*rows[:-1], f"loudness = {row}"], rows[:-1], [*rows, "brightness = [1.0, 2.0]"]):
        file.write_text("\n".join(["[scaler]", *lines]), "utf-8")
        with pytest.raises(SettingError, match=r"hall\.toml: \[scaler\] (loudness|brightness) = "):
            hall.read(file)
    file.write_text("scaler = 3", "utf-8")
    with pytest.raises(SettingError, match="run one again"):
        hall.read(file)


def test_the_halls_scaler_is_used_from_the_first_frame(folder):
    """Like an exchange at that sample; and before any sound, the picture is that of the mean."""
    preset = Preset.load(folder / "b")
    scaler = Standardizer(np.arange(23.0), np.append(np.full(22, 7.0), 0.0))
    samples = checkable()[4 * RATE : 7 * RATE]
    begun, exchanged = Pipeline(preset, scaler=scaler), Pipeline(preset)
    exchanged.exchange(0, UseScaler(scaler))
    sounding = [pipeline.process(samples)[40:] for pipeline in (begun, exchanged)]
    for a, b in zip(*sounding, strict=True):  # what the smoothing remembers of the time before any sound is 1e-6 by now
        assert a.descriptors == pytest.approx(b.descriptors, abs=1e-4)
        assert a.picture.latent == pytest.approx(b.picture.latent, abs=1e-3)
    (tick,) = Pipeline(preset, scaler=scaler).process(np.zeros(3000, np.float32))[:1]
    assert not tick.descriptors.any()
    ones = Pipeline(replace(preset, controls={**preset.controls, "gate": -160.0}), scaler=scaler)
    assert ones.process(np.zeros(3000, np.float32))[0].descriptors[0] < -170  # loudness: a deviation of 0 counts as 1


def test_live_takes_the_scaler_from_the_hall_file(folder, tmp_path, monkeypatch):
    halls = []

    class Recorded:
        def __init__(self, *_, hall, **__):
            halls.append(hall)

        def run(self, _):
            pass

    monkeypatch.setattr(performance, "Performance", Recorded)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    scaler = Standardizer(np.arange(23.0), np.ones(23))
    hall.save(tmp_path / "hall.toml", {}, scaler)
    options = ["--input", "osc", "--offscreen", "--osc-port", "0"]
    ponticello.run(["live", str(folder / "a"), *options, "--hall", str(tmp_path / "hall.toml")])
    assert halls[0].scaler.mean.tobytes() == scaler.mean.tobytes()
    ponticello.run(["live", str(folder / "a"), *options])
    assert halls[1].scaler is None


class Hurry(FileInput):
    """A file that plays as fast as it can be processed: its clock advances by a tenth of a second at each reading."""

    def __init__(self, path):
        self.seconds = 0.0
        super().__init__(Tape(path), Channels(), now=lambda: self.seconds, background=False)

    def read(self, timeout=0.0):
        time.sleep(0.01)
        self.seconds += 0.1
        return super().read()


def fast_show(folder, tmp_path, sound, **options):
    values = {"sync": "natural"}
    return Show([folder / "a", folder / "b"], Hurry(sound), tmp_path / "hashes.csv", values, **options)


def hear_all(playing, last, seconds=20):
    """The reports of a sound-check until it is over."""
    reports = []
    while not reports or reports[-1][1] != last:
        reports.append(playing.hear("soundcheck", seconds))
    return reports


@pytest.fixture
def short(tmp_path, monkeypatch):
    """A sound-check of 2 s of silence and 6 s of playing, and a sound for it."""
    monkeypatch.setattr(soundcheck, "SILENCE", 2 * RATE)
    monkeypatch.setattr(soundcheck, "ALL", 8 * RATE)
    samples = np.concatenate([checkable()[3 * RATE : 11 * RATE], checkable()[5 * RATE : 7 * RATE]])
    soundfile.write(tmp_path / "short.wav", samples, RATE, subtype="FLOAT")
    return tmp_path / "short.wav"


def test_a_show_uses_the_findings(folder, tmp_path, short):
    """The exchange at a sample alone decides the following pictures: a recording of it reproduces them."""
    file = tmp_path / "hall.toml"
    file.write_text("# the cellar\n", "utf-8")
    playing = fast_show(folder, tmp_path, short, hall=hall.read(file))
    try:
        playing.client.send("notify", 1)
        assert playing.ask("soundcheck") == "off"
        playing.client.send("soundcheck", 1)
        reports = [playing.hear("soundcheck")]
        assert playing.ask("soundcheck") in ("silence", "playing")
        reports += hear_all(playing, "done")
        assert until(lambda: playing.ask("gain") != 0)
        found = {"gain": playing.ask("gain"), "gate": playing.ask("gate")}
        assert playing.ask("soundcheck") == "off"
        playing.client.send("hall/save")
        assert until(lambda: "[scaler]" in file.read_text("utf-8"))
        playing.until_tick(playing.ticks + 20)
        playing.client.send("preset", 2)  # of three inputs
        assert until(lambda: playing.ask("preset") == "b", 5)
        playing.until_tick(playing.ticks + 20)
    finally:
        playing.end()
    phases = [message[1] for message in reports]
    assert list(dict.fromkeys(phases)) == ["silence", "playing", "analysis", "done"]
    assert [message[2] for message in reports if message[1] == "playing"][-1] == 1
    assert "gain" in reports[-1][3]
    assert file.read_text("utf-8").startswith("# the cellar")
    room = hall.read(file)
    assert {name: room.controls[name] for name in found} == pytest.approx(found)
    (sample, used), *none = [(sample, what) for sample, what in playing.asked if isinstance(what, UseScaler)]
    assert not none
    assert used.scaler.mean.tobytes() == room.scaler.mean.tobytes()
    controls = {what.name: at for at, what in playing.asked if isinstance(what, ControlChange)}
    assert controls == {"gain": sample, "gate": sample}
    assert max(playing.hashes) > sample * 30 / RATE
    assert playing.hashes.items() <= replayed(playing, short).items()


def test_broken_off_or_refused_it_changes_nothing(folder, tmp_path, short):
    soundfile.write(short, noise(60.0), RATE, subtype="FLOAT")
    playing = fast_show(folder, tmp_path, short)
    try:
        playing.client.send("notify", 1)
        playing.client.send("soundcheck", 0)
        assert "no sound-check is running" in playing.hear("error")[2]
        playing.client.send("soundcheck", 1)
        assert playing.hear("soundcheck")[1] == "silence"
        playing.client.send("soundcheck", 1)
        assert "running already" in playing.hear("error")[2]
        playing.client.send("soundcheck", 0)
        assert hear_all(playing, "off")[-1][3] == "sound-check cancelled; nothing has changed"
        assert playing.ask("soundcheck") == "off"
        playing.client.send("soundcheck", 1)
        assert "no playing was heard" in hear_all(playing, "refused")[-1][3]
        error = playing.hear("error")
        assert error[1] == "/ponticello/soundcheck"
        assert error[2].endswith("nothing has changed")
        playing.client.send("soundcheck", 1)
        assert until(lambda: playing.ask("soundcheck") == "silence")
        assert playing.ask("gain") == 0
        assert playing.asked == []
    finally:
        playing.end()


def test_the_head_up_display_asks_the_player():
    state = HudState(names=DESCRIPTORS)
    for area in ((960, 540), (320, 200), (1920, 1080)):
        page = HudPage(area, 1.0, DESCRIPTORS)
        panel, prompt, errors = page.draw(
            replace(state, prompt="now play for 30 s: loud, soft, high, low"), ("an error",)
        )
        assert len(page.draw(state, ())) == 1
        assert prompt.left >= panel.left + panel.image.shape[1]
        assert prompt.left + prompt.image.shape[1] <= max(area[0], prompt.left + 40)
        assert prompt.top + prompt.image.shape[0] <= errors.top
        assert len(np.unique(prompt.image[..., 0])) > 10  # there are letters


def run(*options):
    command = [sys.executable, str(ROOT / "ponticello.py"), "soundcheck", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr.splitlines()


def test_the_command_writes_the_hall_file(folder, tmp_path):
    file = tmp_path / "hall.toml"
    file.write_text(f"# the cellar\ninput = '{folder / 'good.wav'}'\n", "utf-8")
    status, lines = run(folder / "a", "--no-play", "--hall", file)
    assert status == 0, lines
    assert lines[1:4] == [f"silence for {left} s, please" for left in (5, 4, 3)]
    assert "now play for 30 s: loud, soft, high, low" in lines
    assert lines[-1].startswith(f"saved: {file}")
    gain, gate, mean, _ = expected(checkable())
    assert lines[-1] == f"saved: {file}; use it with: ponticello live {folder / 'a'} --hall {file}"
    room = hall.read(file)
    assert room.controls == pytest.approx({"gain": gain, "gate": gate}, abs=0.11)
    assert room.options == {"input": str(folder / "good.wav"), "channel": "1"}
    assert np.allclose(room.scaler.mean, mean, rtol=2e-3, atol=1e-3)
    assert "# the cellar" in file.read_text("utf-8")


def test_the_command_refuses_and_writes_nothing(tmp_path, folder):
    soundfile.write(tmp_path / "silent.wav", noise(40.0), RATE, subtype="FLOAT")
    status, lines = run(folder / "b", "--input", tmp_path / "silent.wav", "--no-play", "--hall", tmp_path / "h.toml")
    assert status == 2
    assert "no playing was heard" in lines[-1]
    assert not (tmp_path / "h.toml").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input", "osc"], "run this sound-check in the show"),
        (["--input", "nothing.wav"], "nothing.wav"),
        (["--input", "good.wav", "--no-play", "--channel", "2"], "has 1 channel"),
        (["--hall", "hall.txt"], "must end in .toml"),
        (["--hall", "nowhere/hall.toml"], "no folder"),
    ],
)
def test_mistakes_are_reported_before_anyone_plays(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as error:
        ponticello.run(["soundcheck", str(folder / "a"), *options])
    assert message in str(error.value)
