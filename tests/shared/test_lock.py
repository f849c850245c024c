"""Two programs change one preset: one waits for the other, and nothing is lost."""

import subprocess
import sys
import threading

import pytest

from shared.errors import PresetError, UserError
from shared.preset import Preset
from shared.preset.lock import LOCK, OWNER, preset_lock, program
from tests.small import make_preset

pytestmark = pytest.mark.slow

HOLD = """
import sys
from pathlib import Path
from shared.preset.lock import preset_lock
folder = Path(sys.argv[1])
sys.argv = ["ponticello", "pair"]
with preset_lock(folder):
    print("held", flush=True)
    sys.stdin.readline()
"""
SAVE = """
import sys
from shared.preset import Preset
folder, first = sys.argv[1:]
for k in range(int(first), 23, 2):
    name = Preset.load(folder).settings.inputs[k]
    Preset.load(folder).save_controls({f"weight/{name}": 0.5})
"""


@pytest.fixture
def other(tmp_path):
    """Another program that holds the lock of `tmp_path`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_other_program_is_named(tmp_path, other):
    with (
        pytest.raises(PresetError, match=rf"is in use by ponticello pair \({other.pid}\); try again"),
        preset_lock(tmp_path, 0.2),
    ):
        pass


def test_it_waits_until_the_other_has_finished(tmp_path, other):
    threading.Timer(0.3, lambda: (other.stdin.write("\n"), other.stdin.flush())).start()
    with preset_lock(tmp_path):
        assert other.wait(10) == 0


def test_a_killed_program_holds_nothing(tmp_path, other):
    other.kill()
    other.wait(10)
    with preset_lock(tmp_path, 0.2):
        assert (tmp_path / OWNER).is_file()
    assert not (tmp_path / OWNER).exists()


def test_a_thread_may_take_it_again_and_another_waits(tmp_path):
    refused = []

    def take():
        try:
            with preset_lock(tmp_path, 0.1):
                pass
        except PresetError as error:
            refused.append(str(error))

    with preset_lock(tmp_path), preset_lock(tmp_path):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert refused == [f"{tmp_path} is in use by this program; try again"]
    take()
    assert len(refused) == 1


def test_a_link_of_that_name_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / LOCK).symlink_to(victim)
    with pytest.raises(UserError, match="cannot write in"), preset_lock(tmp_path, 0.1):
        pass
    assert victim.read_text() == "precious"


def test_settings_saved_by_two_programs_at_the_same_time_are_all_kept(tmp_path):
    folder = make_preset(tmp_path / "p")
    programs = [subprocess.Popen([sys.executable, "-c", SAVE, folder, str(first)]) for first in (0, 1)]
    assert [program.wait(60) for program in programs] == [0, 0]
    preset = Preset.load(folder)
    assert {preset.controls[f"weight/{name}"] for name in preset.settings.inputs} == {0.5}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/usr/bin/ponticello", "pair", "place"], "ponticello pair"),
        (["ponticello.py", "train"], "ponticello train"),
        (["ponticello"], "ponticello"),
        (["/opt/studio.py", "secret"], "studio"),
        (["-c", "secret"], "-c"),
        ([""], "python"),
    ],
)
def test_a_program_is_named_with_its_command(monkeypatch, arguments, name):
    monkeypatch.setattr("sys.argv", arguments)
    assert program() == name


def test_an_owner_that_cannot_be_read_is_another_program(tmp_path, other):
    for content in (b"", b"x" * 300, b"\x1b[31m\xff"):
        (tmp_path / OWNER).write_bytes(content)
        with pytest.raises(PresetError) as caught, preset_lock(tmp_path, 0.1):
            pass
        shown = str(caught.value).split(" is in use by ")[1].removesuffix("; try again")
        assert shown == {b"": "another program", b"x" * 300: "x" * 200}.get(content, "\\x1b[31m\ufffd")
    (tmp_path / OWNER).unlink()
    with pytest.raises(PresetError, match="in use by another program"), preset_lock(tmp_path, 0.1):
        pass
