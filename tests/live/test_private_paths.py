"""Where files lie on this computer is shown to the player, and never sent by OSC."""

from pathlib import Path

import pytest

from live.show.private_paths import without_paths
from shared.preset import places
from shared.preset.preset import sha256_of
from tests.live.osc_client import until
from tests.live.shows import show
from tests.small import make_preset, write_sound

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("/srv/shows/mine/preset.toml: no key 'x'", "preset.toml: no key 'x'"),
        ("cannot write /srv/a.wav: the disk is full", "cannot write a.wav: the disk is full"),
        ("no preset '/etc/passwd'; give a name", "no preset 'passwd'; give a name"),
        ("no preset '/home/a b/c d'; give a name", "no preset 'c d'; give a name"),
        ("ponticello train '/home/a b/my preset'", "ponticello train 'my preset'"),
        ("names ../secret/g.safetensors, but there is no file /x/g.safetensors", "names g.safetensors, but there is no file g.safetensors"),
        ("in ~/Music/p and ~ann/p", "in p and p"),
        (r"C:\Users\ann\p\preset.toml is damaged", "preset.toml is damaged"),
        (r"\\server\share\preset.toml is damaged", "preset.toml is damaged"),
        ("S or /ponticello/save saves them", "S or /ponticello/save saves them"),
        ("weight/pitch 3 given; allowed are 0 to 2", "weight/pitch 3 given; allowed are 0 to 2"),
        ("-60 dB/s, 3/4, and/or, 1 / 2", "-60 dB/s, 3/4, and/or, 1 / 2"),
        ("(/a/b) [/a/c] /a/d/ \"/a/e f\"", "(b) [c] d \"e f\""),
    ],
)  # fmt: skip
def test_only_the_last_name_of_a_path_is_left(text, public):
    assert without_paths(text) == public


def test_folders_of_the_show_may_have_spaces():
    text = "/srv/my shows/old ones/preset.toml is damaged; see /srv/my shows"
    assert without_paths(text, [Path("/srv/my shows")]) == "old ones/preset.toml is damaged; see my shows"
    assert without_paths(text, [Path("/srv/my shows/old ones")]).startswith("preset.toml is damaged")
    for name in (".hidden", "#1.wav", "-x.wav"):
        assert without_paths(f"/srv/my shows/{name} is damaged", [Path("/srv/my shows")]) == f"{name} is damaged"
    assert without_paths("no preset '../x y'; see /a/b", known="../x y") == "no preset '../x y'; see b"
    for known in ("/", "'", "/srv", ""):  # does not shield a path
        assert without_paths("/srv/a/preset.toml is damaged", known=known) == "preset.toml is damaged"
    assert str(places.OWN) not in without_paths(f"{places.OWN}/x/preset.toml is damaged")


@pytest.mark.parametrize(
    "content",
    [
        "version = 1\nunknown = 2\n",
        "version = [",
        "version = 9\n",
        "version = 1\n[generator]\nfile = '../other/g.safetensors'\n",
    ],
)
def test_a_broken_preset_on_the_command_line_does_not_say_where_it_is(tmp_path, content):
    sound, first = write_sound(tmp_path / "s.wav", 1.0), make_preset(tmp_path / "my shows" / "first one")
    second = make_preset(tmp_path / "my shows" / "second one")
    with show([first, second], sound, tmp_path, loop=True) as playing:
        playing.until_tick(2)
        playing.client.send("notify", 1)
        (second / "preset.toml").write_text(content, "utf-8")
        playing.client.send("preset", 2)
        heard = playing.hear("error", 10)
        assert heard[1] == "/ponticello/preset"
        assert "preset.toml" in heard[2] or "safetensors" in heard[2]
        playing.client.send("preset", "second one")
        texts = [heard[2], playing.hear("error", 10)[2]]
    for text in texts:
        for part in (str(tmp_path), tmp_path.name, "my shows", "../", "other/"):
            assert part not in text


def test_neither_the_sound_file_nor_a_generator_elsewhere_says_where_it_is(tmp_path):
    disk = tmp_path / "My Disk" / "on tour"
    disk.mkdir(parents=True)
    first, second = make_preset(tmp_path / "a"), make_preset(tmp_path / "b", seed=1)
    sha256 = sha256_of(second / "generator.safetensors")
    generator = (second / "generator.safetensors").rename(disk / "g.safetensors")
    for file in (str(generator), "../My Disk/on tour/g.safetensors"):
        toml = f"version = 1\n[generator]\nfile = '{file}'\nsha256 = '{sha256}'\n"
        (second / "preset.toml").write_text(toml, "utf-8")
        with show([first, second], write_sound(disk / "s.wav", 1.0), tmp_path, loop=True) as playing:
            playing.until_tick(2)
            playing.client.send("notify", 1)
            playing.source.tell(f"{disk / 's.wav'} is damaged")
            assert playing.hear("error", 10)[2] == "s.wav is damaged"
            hidden = generator.rename(disk / "gone")
            playing.client.send("preset", 2)
            text = playing.hear("error", 10)[2]
            hidden.rename(generator)
        assert text == "preset.toml names the generator g.safetensors, but there is no file g.safetensors"


def test_the_player_is_shown_the_path(tmp_path, capsys):
    sound, first, second = (
        write_sound(tmp_path / "s.wav", 1.0),
        make_preset(tmp_path / "a"),
        make_preset(tmp_path / "b"),
    )
    with show([first, second], sound, tmp_path, loop=True) as playing:
        (second / "preset.toml").write_text("version = [", "utf-8")
        playing.client.send("preset", 2)
        playing.hear("error", 10)
        playing.until_tick(playing.ticks + 20)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("/ponticello/preset")]
    assert len(lines) == 1
    assert str(second / "preset.toml") in lines[0]


def test_what_goes_wrong_with_a_recording_does_not_say_where_it_is(tmp_path, monkeypatch):
    sound, folder = write_sound(tmp_path / "s.wav", 1.0), make_preset(tmp_path / "a")
    with show([folder], sound, tmp_path, loop=True, record=tmp_path / "takes" / "one") as playing:
        playing.until_tick(2)
        playing.client.send("notify", 1)
        assert until(lambda: playing.performance.takes.running)
        monkeypatch.setattr("shared.recording.writer.RecordingWriter.sound", _refuse)
        text = playing.hear("error", 10)[2]
    assert text.startswith("recording one stopped after")
    assert str(tmp_path) not in text


def _refuse(*_):
    raise OSError(28, "No space left on device", "/dev/shm/take/one.wav")
