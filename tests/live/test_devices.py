"""Finding devices, and `ponticello devices`. A stand-in for the sounddevice library gives the process what to list."""

import subprocess
import sys
from pathlib import Path

import pytest

from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.open_input import names_a_file, open_input
from shared.errors import Failure, UserError
from shared.sound_card.client import Device, NoPortAudio, list_devices
from shared.sound_card.devices import find_device, listing
from tests.live.sound_fakes import noise, write

pytestmark = pytest.mark.slow

THERE = [
    Device(0, "HDA Intel PCH: ALC295 Analog (hw:0,0)", "ALSA", 2, 2, 44100),
    Device(1, "HDA Intel PCH: HDMI 0 (hw:0,3)", "ALSA", 0, 8, 44100),
    Device(2, "Scarlett 2i2 USB", "ALSA", 2, 2, 48000, default_input=True),
    Device(3, "Scarlett 2i2 USB", "JACK", 2, 2, 48000),
    Device(4, "pulse", "ALSA", 32, 32, 44100, default_output=True),
    Device(5, "pulse monitor", "ALSA", 2, 0, 44100),
]


@pytest.mark.parametrize(
    ("given", "direction", "number"),
    [
        ("0", "input", 0),
        ("4", "output", 4),
        ("pulse", "input", 4),  # a whole name wins
        ("PULSE MON", "input", 5),
        ("scarlett jack", "input", 3),
        ("2i2 alsa", "input", 2),
        ("hdmi", "output", 1),
        (None, "input", 2),
        (None, "output", 4),
    ],
)
def test_a_device_is_found_by_number_or_part_of_its_name(given, direction, number):
    assert find_device(given, direction, THERE).number == number


@pytest.mark.parametrize(
    ("given", "direction", "message"),
    [
        ("scarlett", "input", "2 inputs match 'scarlett': 2 Scarlett 2i2 USB (ALSA), 3 Scarlett 2i2 USB (JACK)"),
        ("focusrite", "input", "no input matching 'focusrite'; there are: 0 HDA Intel PCH"),
        ("hdmi", "input", "no input matching 'hdmi'"),
        ("1", "input", "no input has number 1; there are: 0 HDA"),
        ("99", "output", "no output has number 99"),
        ("", "input", "5 inputs match ''"),
    ],
)
def test_unknown_and_ambiguous_names_list_the_candidates(given, direction, message):
    with pytest.raises(UserError) as error:
        find_device(given, direction, THERE)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_machine_without_devices():
    with pytest.raises(UserError, match="has no sound input; plug one in, or name a sound file"):
        find_device(None, "input", [THERE[1]])
    assert find_device(None, "input", [THERE[0]]).number == 0  # the only one, default or not
    assert listing(THERE[4:]) == "4 pulse (ALSA), 5 pulse monitor (ALSA)"


STAND_IN = """
from types import SimpleNamespace
class default: device = (1, 0)
def query_hostapis(): return [{"name": "Core Audio"}]
def query_devices():
    row = dict(hostapi=0, default_samplerate=48000.0)
    return [dict(row, name="Speakers", max_input_channels=0, max_output_channels=2),
            dict(row, name="Box", max_input_channels=18, max_output_channels=1)]
def InputStream(**_): raise RuntimeError("Error opening InputStream: Device unavailable")
OutputStream = InputStream
def _terminate(): print("noise that a sound system makes")
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The folder of a module `sounddevice` that stands before the real one."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "sounddevice.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder / "sounddevice.py"


@pytest.fixture
def no_portaudio(library):
    library.write_text("raise OSError('PortAudio library not found')")


def test_what_the_process_lists(library):
    assert list_devices() == [
        Device(0, "Speakers", "Core Audio", 0, 2, 48000, default_output=True),
        Device(1, "Box", "Core Audio", 18, 1, 48000, default_input=True),
    ]


def test_a_device_that_is_in_use(library):
    source = open_input("box", channel="17+18")
    with pytest.raises(Failure) as error:
        source.start()
    assert "input 1 Box (Core Audio) cannot be opened: Error opening InputStream: Device unavailable" in str(
        error.value
    )
    source = open_input("box", rate=44100)
    with pytest.raises(Failure, match="it runs at 48000 Hz: omit --rate"):
        source.start()


def test_impossible_choices(library):
    for arguments, message in (
        ({"channel": "19"}, "input 1 Box (Core Audio) has 18 channels, --channel 19 given; allowed is 1 to 18"),
        ({"channel": "left"}, "--channel left given"),
        ({"rate": 0}, "--rate 0 given"),
    ):
        with pytest.raises(UserError) as error:
            open_input(None, **arguments)
        assert message in str(error.value)
    with pytest.raises(UserError, match="no input matching 'violin'; there are: 1 Box"):
        open_input("violin")


def test_without_portaudio_a_device_is_an_error_and_a_file_is_not(no_portaudio, tmp_path):
    with pytest.raises(NoPortAudio, match="apt install libportaudio2"):
        open_input(None)
    path = str(write(tmp_path / "a.wav", noise(1000)))
    source = open_input(path)
    assert isinstance(source, FileInput)
    assert "paced by the clock: no sound card without the library PortAudio" in source.errors()[0]
    source.start()
    assert len(source.read(0.5)) == 1
    source.close()
    assert open_input(path, play=False).errors() == []
    with pytest.raises(NoPortAudio):
        open_input(path, output="speakers")


def test_a_file_goes_to_the_default_output_or_the_one_named(library, tmp_path):
    path = str(write(tmp_path / "a.wav", noise(1000)))
    for output in (None, "speakers", "0"):
        source = open_input(path, output=output)
        source.start()  # the stand-in cannot open it
        assert "output 0 Speakers (Core Audio) cannot be opened" in source.errors()[0]
        source.close()
    with pytest.raises(UserError, match="no output matching 'hdmi'; there are: 0 Speakers"):
        open_input(path, output="hdmi")


def test_a_sound_system_that_crashes_or_hangs(library):
    library.write_text("import os; os.abort()")
    with pytest.raises(Failure, match="the sound system does not answer"):
        list_devices()


def test_files_and_devices_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tape.wav", noise(10))
    (tmp_path / "tape").write_text("")
    (tmp_path / "3").write_text("")
    (tmp_path / "violin").mkdir()
    files = ["tape.wav", "tape", "missing.wav", "missing.AIFF", "a/b.flac", str(tmp_path / "x")]
    assert all(names_a_file(name) for name in files)
    assert not any(names_a_file(name) for name in ("3", "violin", "Scarlett 2i2", "hw:0,0", "Box v1.5"))
    assert isinstance(open_input("osc"), OscFrames)


def run_command(monkeypatch, capsys):
    from live.devices import app

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    app([], standalone_mode=False)
    return capsys.readouterr().out


def test_the_command_lists_everything(library, monkeypatch, capsys):
    output = run_command(monkeypatch, capsys)
    assert "  1 Box (Core Audio), 18 channels, 48000 Hz, the default" in output
    assert "  1 Box (Core Audio), 1 channel, 48000 Hz\n" in output
    assert "  0 Speakers (Core Audio), 2 channels, 48000 Hz, the default" in output
    assert "\nmonitors (--display)\n" in output
    assert "\n  cpu, " in output


def test_the_command_without_portaudio(no_portaudio, monkeypatch, capsys):
    output = run_command(monkeypatch, capsys)
    assert output.count("apt install libportaudio2") == 2
    assert "\n  cpu, " in output


def test_nothing_loads_portaudio_or_torch_into_the_program():
    code = "import sys, live.sound.open_input, live.devices; print(sorted({'sounddevice', 'torch'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    output = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
