"""Shows without a window: the pictures equal those of a render, steered or not, and nothing stops a show."""

import json
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from live import hall
from live.display.keys import KEYS, DisplayEvent
from live.show.preset_library import PresetLibrary
from live.sound.open_input import open_input
from offline.rendering.render import Job
from shared.controls import ACTIONS, STREAMS
from shared.painter import Painter
from shared.picture import Picture
from shared.pipeline.exchanges import Steer, UseMapping
from shared.preset import Preset, places
from tests.live.osc_client import until
from tests.live.shows import Show, digest, replayed, show
from tests.small import LATENT, make_preset, write_generator, write_sound

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show")
    make_preset(folder / "a")
    make_preset(
        folder / "b",
        seed=1,
        inputs=3,
        toml="version = 1\ninputs = ['loudness', 'pitch', 'mfcc3']\n[controls]\ncrossfade = 0.2\nrotate = 40\n",
    )
    write_sound(folder / "s.wav", 1.5)
    return folder


@pytest.fixture
def a(folder):
    return folder / "a"


@pytest.fixture
def sound(folder):
    return folder / "s.wav"


def test_every_picture_made_is_the_one_that_a_render_makes(a, sound, tmp_path):
    stats = tmp_path / "stats.json"
    with show([a], sound, tmp_path, stats=stats) as playing:
        playing.until_tick(50)
    painter = Painter()
    painter.load(Preset.load(a))
    job = Job(Preset.load(a), sound)
    rendered = {
        tick.number: digest(painter.paint(tick.picture).numpy()) for tick in job.ticks(job.material, Fraction(1))
    }
    made = playing.hashes
    assert len(rendered) == 45
    assert len(made.keys() & rendered.keys()) > 3
    assert {number: made[number] for number in made if number in rendered}.items() <= rendered.items()
    rows = (tmp_path / "hashes.csv").read_text("utf-8").splitlines()
    assert rows[0] == "tick,sha256"
    assert rows[1:] == [f"{number},{sha}" for number, sha in sorted(made.items())]
    numbers = json.loads(stats.read_text("utf-8"))
    assert numbers == playing.numbers
    assert numbers["pictures"] + numbers["dropped"] == numbers["ticks"] == playing.ticks
    assert numbers["pictures"] == len(made)
    assert numbers["frames"] >= numbers["ticks"] * 44100 / 30 / 512 - 1
    for key in ("seconds", "overflows", "osc_messages", "errors"):
        assert numbers[key] >= 0
    assert numbers["latency_ms"].keys() == {"p50", "p95", "max"}
    assert numbers["excess_ms"]["p95"] >= numbers["generator_ms"]["p50"] > 0


def test_steered_by_osc_it_equals_a_pipeline_with_the_same_changes(a, sound, tmp_path):
    with show([a], sound, tmp_path) as playing:
        for step, (name, *values) in enumerate(
            [
                ("rotate", 20),
                ("smoothing", 0.3),
                ("weight/pitch", 2),
                ("translate", 0.1, -0.2),
                ("fade", 0.6),
                ("gain", -6),
                ("in/latent", *np.linspace(-1, 1, LATENT).tolist()),
                ("in/latent",),
                ("blackout", 1),
                ("blackout", 0),
                ("show", "image 2"),
                ("show",),
                ("freeze", 1),
                ("freeze", 0),
                ("truncation", 0.7),
            ]
        ):
            playing.until_tick(3 * step)
            playing.client.send(name, *values)
        playing.until_tick(50)
        assert playing.ask("smoothing") == pytest.approx(0.3)
        assert playing.ask("translate") == pytest.approx([0.1, -0.2])
    assert len(playing.asked) == 15
    samples = [sample for sample, _ in playing.asked]
    assert samples == sorted(samples)
    assert len(playing.hashes) > 3
    assert playing.hashes.items() <= replayed(playing, sound).items()


def test_a_preset_loads_in_the_background_and_swaps_with_its_cross_fade(folder, a, sound, tmp_path):
    with show([a, folder / "b"], sound, tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("preset", 2)
        assert until(lambda: playing.ask("preset") == "b", 5)
        assert playing.ask("rotate") == 40
        playing.client.send("weight/centroid", 2)
        assert "no such address" in playing.hear("error")[2]
        playing.until_tick(playing.ticks + 10)
        playing.client.send("preset", "a")
        assert until(lambda: playing.values["rotate"] == 0, 5)
        playing.until_tick(playing.ticks + 3)
        ticks = playing.ticks
        playing.client.send("preset", "nowhere")
        assert "no preset 'nowhere'" in playing.hear("error")[2]
        playing.client.send("preset", 3)
        assert "the command line names 2" in playing.hear("error")[2]
        assert playing.ask("preset") == "a"
        playing.until_tick(ticks + 5)
    assert playing.numbers["preset_changes"] == 2
    assert playing.numbers["errors"] >= 2


def test_a_preset_change_equals_that_of_a_pipeline(folder, a, sound, tmp_path):
    with show([a, folder / "b"], sound, tmp_path) as playing:
        playing.until_tick(5)
        playing.client.send("preset", "b")
        assert until(lambda: playing.values["rotate"] == 40, 5)
        playing.until_tick(playing.ticks + 12)
    assert len([what for _, what in playing.asked if isinstance(what, Preset)]) == 1
    assert len(playing.hashes) > 3
    assert playing.hashes.items() <= replayed(playing, sound).items()


def test_a_preset_with_a_broken_file_changes_nothing(folder, a, sound, tmp_path, own):
    broken = make_preset(own / "broken", seed=3)
    (broken / "generator.safetensors").write_bytes(b"nothing of the kind")
    other = make_preset(own / "other", seed=4)
    write_generator(other / "generator.safetensors", resolution=32)
    with show([a], sound, tmp_path) as playing:
        playing.client.send("notify", 1)
        playing.client.send("preset", "broken")
        assert playing.hear("error")[1] == "/ponticello/preset"
        assert playing.ask("preset") == "a"
        playing.client.send("preset", "other")  # of another size: pictures are cross-faded
        assert until(lambda: playing.display.picture is not None and playing.display.picture.shape == (32, 32, 3), 5)


def test_presets_called_one_after_the_other_keep_their_generators_until_they_have_played(a, own):
    painter = Painter()
    first = Preset.load(a)
    library = PresetLibrary([first], painter)
    called = [library.load(make_preset(own / f"p{n}", seed=10 + n).name, [first]) for n in range(3)]
    for preset in (first, *called):  # none of the three has come to the stage when the last is there
        painter.paint(Picture(preset.generator_sha256, preset.pairs.latents[0], "z", 1.0, 0.0, (0.0, 0.0), 1.0))
    for n in range(9):
        library.load(make_preset(own / f"q{n}", seed=20 + n).name, [first])
    with pytest.raises(KeyError):
        painter.paint(Picture(called[0].generator_sha256, called[0].pairs.latents[0], "z", 1.0, 0.0, (0.0, 0.0), 1.0))


def test_a_generator_whose_file_was_replaced_is_loaded_again(tmp_path):
    painter, folder = Painter(), make_preset(tmp_path / "p")
    library = PresetLibrary([Preset.load(folder)], painter)
    write_generator(folder / "generator.safetensors", seed=7)
    again = library.load(folder.name)
    fresh = Painter()
    fresh.load(again)
    picture = Picture(again.generator_sha256, again.pairs.latents[0], "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    assert np.array_equal(painter.paint(picture), fresh.paint(picture))


class Failing(Painter):
    """Fails while it is set to."""

    fails = False

    def paint(self, picture):
        if self.fails:
            raise MemoryError("out of memory, say")
        return super().paint(picture)


def test_when_the_generator_fails_the_last_picture_stays_until_it_recovers(a, sound, tmp_path, capsys):
    painter = Failing()
    with show([a], sound, tmp_path, painter=painter, loop=True) as playing:
        assert until(lambda: playing.display.picture is not None and playing.display.picture.any())
        playing.client.send("notify", 1)
        playing.hear("tick")
        painter.fails = True
        assert "out of memory, say" in playing.hear("error")[2]
        last, ticks = playing.display.picture, playing.ticks
        playing.until_tick(ticks + 10)
        assert playing.display.picture is last
        assert last.any()
        painter.fails = False
        assert until(lambda: playing.display.picture is not last)
    assert playing.numbers["dropped"] >= 10
    assert playing.numbers["pictures"] + playing.numbers["dropped"] == playing.numbers["ticks"]
    assert capsys.readouterr().err.count("out of memory, say") == 1


def test_a_slow_generator_gets_the_newest_tick_and_all_ticks_are_reported(a, sound, tmp_path):
    class Slow(Painter):
        def paint(self, picture):
            time.sleep(0.15)
            return super().paint(picture)

    with show([a], sound, tmp_path, painter=Slow(), loop=True) as playing:
        playing.client.send("notify", 1)
        heard = [playing.hear("tick") for _ in range(30)]
        playing.until_tick(40)
    numbers = [message[1] for message in heard]
    assert numbers == list(range(numbers[0], numbers[0] + 30))
    assert playing.numbers["dropped"] > playing.numbers["pictures"] > 3
    assert playing.numbers["pictures"] + playing.numbers["dropped"] == playing.numbers["ticks"]
    seconds, distance, speed, nearest = heard[10][2:]
    assert seconds == pytest.approx((numbers[10] + 1) / 30)
    assert distance > 0
    assert speed >= 0
    assert nearest.startswith("image ")


def test_pairs_are_made_learned_and_saved_while_it_plays(sound, tmp_path):
    folder = make_preset(tmp_path / "own")
    before = Preset.load(folder).pairs
    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(10)
        playing.client.send("unpair")
        assert "no pair was made" in playing.hear("error")[2]
        playing.client.send("pair", "nobody")
        assert "no pair 'nobody'; there are: image 0" in playing.hear("error")[2]
        playing.client.send("pair", "image 3")
        playing.client.send("pair")
        playing.client.send("pair")
        playing.client.send("unpair")
        playing.client.send("train")
        playing.client.send("rotate", 15)
        playing.client.send("save")
        assert until(lambda: any(isinstance(what, UseMapping) for _, what in playing.asked), 60)
        assert until(lambda: Preset.load(folder).controls["rotate"] == 15, 20)
        assert until(lambda: len(Preset.load(folder).pairs) == 8, 20)
        playing.until_tick(playing.ticks + 10)
        playing.client.send("show", "live 1")
        assert until(lambda: playing.ask("show") == "live 1")
    after = Preset.load(folder)
    assert after.pairs.names == (*before.names, "image 3, live 1", "live 1")
    assert np.array_equal(after.pairs.latents[6], before.latents[3])
    assert after.mapping.pairs_digest == after.pairs.digest
    (used,) = [what for _, what in playing.asked if isinstance(what, UseMapping)]
    assert used.mapping.pairs_digest == after.pairs.digest


def test_a_shipped_preset_that_was_saved_is_called_as_ones_own(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(places, "OWN", tmp_path / "own")
    folder = make_preset(tmp_path / "shipped" / "glassy")
    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(3)
        playing.client.send("rotate", 15)
        playing.client.send("save")
        assert until((tmp_path / "own" / "glassy" / "preset.toml").is_file, 10)
        assert until(lambda: Preset.load(tmp_path / "own" / "glassy").controls["rotate"] == 15, 10)
        playing.client.send("rotate", 30)
        playing.client.send("preset", 1)
        assert until(lambda: playing.performance.controller.preset.folder == tmp_path / "own" / "glassy", 5)
        assert playing.values["rotate"] == 15
    assert Preset.load(folder).controls["rotate"] == 0


def test_a_file_is_paused_sought_and_asked(a, sound, tmp_path):
    with show([a], sound, tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("pause")
        assert until(lambda: not playing.source.playing)
        playing.client.send("seek", 1.0)
        playing.performance.controller.press(DisplayEvent("play_pause"))
        assert until(lambda: playing.ask("seek") > 1.0)
        playing.client.send("in/time", 0.2)
        assert until(lambda: playing.ask("seek") < 0.9)
        playing.client.send("notify", 1)
        playing.client.send("in/descriptors", *([0.0] * 23))
        assert "--input osc" in playing.hear("error")[2]


def test_descriptors_that_come_by_osc_are_the_input(a, tmp_path):
    playing = Show([a], open_input("osc"), tmp_path / "hashes.csv")
    try:
        assert until(lambda: playing.ticks > 3 and playing.display.picture is not None, 5)
        assert not playing.display.picture.any()
        frame = [1000.0, *([0.0] * 18), 440.0, 0.9, 0.0, -20.0]
        playing.client.send("in/descriptors", *frame)
        assert until(lambda: playing.display.picture.max() > 0)
        playing.client.send("notify", 1)
        assert until(lambda: playing.hear("descriptors")[1:] == pytest.approx(frame, rel=1e-6), 5)
        playing.client.send("play")
        assert "not a sound file" in playing.hear("error")[2]
    finally:
        playing.end()
    assert playing.numbers["frames"] > 10


def test_after_its_end_a_file_leaves_its_last_picture_and_osc_alive(a, tmp_path):
    with show([a], write_sound(tmp_path / "short.wav", 0.4), tmp_path) as playing:
        assert until(lambda: playing.source.ended, 5)
        playing.until_tick(playing.ticks + 10)
        assert playing.display.picture.any()
        playing.client.send("ping")
        assert playing.hear("pong")
        playing.client.send("blackout", 1)
        assert until(lambda: not playing.display.picture.any())


def test_the_hall_is_saved_and_its_file_keeps_comments(a, sound, tmp_path):
    file = tmp_path / "hall.toml"
    file.write_text("# the cellar\ninput = 'Scarlett'\ngain = 3.0  # dB\n", "utf-8")
    with show([a], sound, tmp_path, hall=hall.read(file), controls={"gain": 3.0, "sync": "natural"}) as playing:
        assert playing.ask("gain") == 3
        assert playing.ask("sync") == "natural"
        playing.client.send("gate", -45)
        playing.client.send("hall/save")
        assert until(lambda: "gate = -45" in file.read_text("utf-8"))
    text = file.read_text("utf-8")
    assert "# the cellar" in text
    assert "# dB" in text
    assert 'sync = "natural"' in text


def test_everything_in_the_tables_can_be_done(a, sound, tmp_path):
    with show([a], sound, tmp_path) as playing:
        controller = playing.performance.controller
        assert controller.actions.keys() | {"notify", "ping"} == ACTIONS.keys()
        assert controller.queries.keys() | {"notify"} == {row.name for row in ACTIONS.values() if row.answer}
        assert controller.streams.keys() == STREAMS.keys()
        assert controller.keys.keys() - {"ignored"} == {key.action for key in KEYS if not key.by_window}
        for name in controller.values:
            assert playing.ask(name) is not None
        assert not any(isinstance(what, Steer) for _, what in playing.asked)


def test_no_thread_is_left(a, sound, tmp_path):
    before = set(threading.enumerate())
    with show([a], sound, tmp_path) as playing:
        playing.until_tick(2)
    assert until(lambda: set(threading.enumerate()) <= before)
