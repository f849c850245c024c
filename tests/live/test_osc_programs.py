"""SuperCollider and Pure Data talk to the port with the scripts of examples/."""

from pathlib import Path

import pytest

from live.osc.messages import Change, Query
from live.osc.port import OscPort
from shared import controls
from shared.audio.descriptors import DESCRIPTORS
from tests import rig
from tests.live.osc_client import until

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


class Show:
    """A stand-in for the show: it keeps values, answers questions about them, and reports a sound at -35 dB."""

    def __init__(self, port):
        self.port = port
        self.values = controls.defaults(DESCRIPTORS)
        self.changes = []

    def step(self):
        for event in self.port.take():
            if isinstance(event, Change):
                self.changes.append(event)
                self.values[event.name] = event.value
            elif isinstance(event, Query):
                self.port.answer(event, self.values[event.name])
        self.port.send("descriptors", 1000.0, *range(1, 20), 440.0, 0.9, -35.0)

    def until(self, true, seconds):
        def stepped():
            self.step()
            return true()

        return until(stepped, seconds, 1 / 30)


@pytest.fixture
def show():
    with OscPort(DESCRIPTORS, port=0, targets=()) as port:
        yield Show(port)


def test_supercollider_plays_hears_and_steers(show, tmp_path):
    script = tmp_path / "script.scd"
    script.write_text(
        (EXAMPLES / "supercollider.scd").read_text("utf-8").replace("57140", str(show.port.port)), "utf-8"
    )
    with rig.jack() as variables, rig.sclang(script, variables) as sclang:
        assert show.until(lambda: sclang.process.poll() is not None, 40), sclang.output()
        assert sclang.wait() == 0
        output = sclang.output()
    assert "Ponticello answers" in output
    assert "/ponticello/smoothing is 0.7" in output or "/ponticello/smoothing is 0.69" in output
    assert output.count("heard 440.0 Hz, centroid 1000.0 Hz, -35.0 dB") == 4
    assert "ERROR" not in output
    assert "WARNING" not in output
    assert show.values["smoothing"] == pytest.approx(0.7)
    assert show.values["weight/pitch"] == 1.5
    assert show.values["truncation"] == pytest.approx(0.4 + 0.8 * 25 / 45)
    assert -5 <= show.values["rotate"] <= 5
    assert show.port.counters.bad == show.port.counters.subscribers == 0


def test_pure_data_hears_and_steers(show, tmp_path):
    patch = tmp_path / "patch.pd"
    patch.write_text((EXAMPLES / "puredata.pd").read_text("utf-8").replace("57140", str(show.port.port)), "utf-8")
    with rig.pd(patch) as pd:
        assert show.until(lambda: "value: /ponticello/truncation 0.9" in pd.output(), 10), pd.output()
        show.port.error("/ponticello/fade", "too bright")
        show.port.send("status", 30, 12.5, 1, 2, 3)
        pd.expect("status: 30 12.5 1 2 3")
        output = pd.output()
    assert "error: /ponticello/fade too\\ bright" in output
    assert "no such object" not in output
    assert "couldn't create" not in output
    assert {change.name for change in show.changes} == {"truncation"}
    assert show.port.counters.bad == 0
    assert show.port.counters.subscribers == 1
