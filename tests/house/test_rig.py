"""Each program of the rig starts, works and ends."""

import socket
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from tests import rig

pytestmark = pytest.mark.slow


@pytest.fixture
def receiver():
    """A UDP socket on a free port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(10)
        yield udp


def test_xvfb_has_the_size_asked_for(monkeypatch):
    rig.require("xdotool")
    with rig.xvfb("640x480") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        output = subprocess.run(["xdotool", "getdisplaygeometry"], capture_output=True, text=True, check=True).stdout
        assert output.split() == ["640", "480"]
    assert subprocess.run(["xdotool", "getdisplaygeometry"], capture_output=True, check=False).returncode != 0


def test_jack_carries_every_sample(tmp_path):
    rng = np.random.default_rng(1)
    played = rng.uniform(-0.9, 0.9, 22050).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", played, 44100, subtype="FLOAT")
    taken = tmp_path / "taken.wav"
    with rig.jack() as variables, rig.jack_mic(tmp_path / "noise.wav", variables, lead=0.1) as player:
        with rig.Program(["jack_rec", "-f", str(taken), "-d", "1", "-b", "32", "violin:out_1"], variables) as recorder:
            assert recorder.wait() == 0, recorder.output()
        if player.expect("xruns") != "xruns 0" or "overruns" in recorder.output():
            pytest.skip("the machine was too busy for sound in real time")
    heard, rate = soundfile.read(taken, dtype="float32")
    assert rate == 44100
    first = np.flatnonzero(heard)[0]
    # the recorder writes 32 bit integers; a lost or shifted sample would be off by tenths
    np.testing.assert_allclose(heard[first : first + len(played)], played, rtol=0, atol=2**-30)


def test_sclang_sends_osc(tmp_path, receiver):
    script = tmp_path / "hello.scd"
    port = receiver.getsockname()[1]
    script.write_text(f'NetAddr("127.0.0.1", {port}).sendMsg("/hello", 1, 0.5); "sent".postln; 0.exit;')
    with rig.sclang(script) as program:
        program.expect("sent")
        assert receiver.recv(100) == b"/hello\0\0,if\0" + struct.pack(">if", 1, 0.5)
        assert program.wait() == 0


def test_pd_sends_osc(tmp_path, receiver):
    patch = tmp_path / "hello.pd"
    patch.write_text(
        "#N canvas 0 0 400 300 10;\n#X obj 9 9 loadbang;\n"
        f"#X msg 9 29 connect 127.0.0.1 {receiver.getsockname()[1]};\n#X msg 9 49 0.5;\n"
        "#X obj 9 69 oscformat /hello;\n#X obj 9 89 list prepend send;\n#X obj 9 109 list trim;\n"
        "#X obj 9 129 netsend -u -b;\n#X obj 99 9 t b b;\n"
        "#X connect 0 0 7 0;\n#X connect 7 1 1 0;\n#X connect 1 0 6 0;\n#X connect 7 0 2 0;\n"
        "#X connect 2 0 3 0;\n#X connect 3 0 4 0;\n#X connect 4 0 5 0;\n#X connect 5 0 6 0;\n"
    )
    with rig.pd(patch):
        assert receiver.recv(100) == b"/hello\0\0,f\0\0" + struct.pack(">f", 0.5)


def test_a_missing_program_skips_with_the_package_or_fails_under_ci(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert rig.missing("sclang", "pd") == "not installed: sclang, pd (Debian: puredata-core, supercollider-language)"
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="jackd2"), rig.jack():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="xvfb"), rig.xvfb():
        pass


def test_expect_reports_the_output_it_got_instead():
    with rig.Program(["sh", "-c", "echo one; echo two; exit 3"]) as program:
        assert program.expect("one") == "one"
        with pytest.raises(EOFError, match=r"status 3[^$]*one\ntwo"):
            program.expect("three")
    with rig.Program(["sh", "-c", "echo one; exec sleep 60"]) as program, pytest.raises(TimeoutError, match="one"):
        program.expect("three", seconds=0.2)
    assert program.process.returncode == -15
