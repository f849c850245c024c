"""A studio that is killed in the middle of the work."""

import signal
import subprocess
import sys

import pytest

from shared.preset import Preset
from tests.studio.parts import make_studio_preset

pytestmark = pytest.mark.slow

PROGRAM = """
import sys, time
import shared
from offline.pairing.studio import Studio

studio = Studio()
studio.open(sys.argv[1])
for i in range(6):
    studio.project.place(f"seed{i}", i / 6, 0.5)
    print("placed", flush=True)
studio.project.set("truncation", 0.5)
set_at = time.monotonic()
while time.monotonic() - set_at < 2:
    studio.poll()
    time.sleep(0.01)
print("two seconds later", flush=True)
for i in range(10_000):
    studio.project.place(f"seed{i % 12}", i * 0.618 % 1, i * 0.382 % 1)
    studio.project.star([f"seed{i % 12}"], i % 24 < 12)
    studio.poll()
"""


def test_kill_loses_nothing_that_is_older_than_two_seconds(tmp_path):
    folder = make_studio_preset(tmp_path / "p")
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=None) as process:
        for line in process.stdout:
            if line == "two seconds later\n":
                break
        before = Preset.load(folder)
        assert set(before.pairs.names) == {f"seed{i}" for i in range(6)}
        assert before.controls["truncation"] == 0.5
        for _ in range(3):  # in the middle of a change
            process.poll()
        process.send_signal(signal.SIGKILL)
    after = Preset.load(folder)
    assert set(after.pairs.names) >= {f"seed{i}" for i in range(6)}
    assert len(after.candidates) == 12
    assert len(after.corpus)
    assert after.controls["truncation"] == 0.5
    assert not list(folder.glob("*.tmp"))
