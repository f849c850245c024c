"""The studio without its window, from an empty folder to a trained instrument, and its film against a render."""

import csv
import hashlib
import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from PIL import Image

from offline.pairing.ticks import FPS
from offline.rendering import render
from shared.errors import SettingError
from shared.image.canvas import covering_shape
from shared.painter import Painter
from shared.picture import Picture
from shared.preset import Preset
from shared.stage import SAMPLE_RATE
from tests.small import make_preset, write_candidates, write_decoder, write_generator, write_sound
from tests.studio.parts import make_studio_preset, opened, until

pytestmark = pytest.mark.slow


def place_all(studio, rows=(5, 40, 80, 120)):
    for i, row in enumerate(rows):
        studio.project.place_on(f"seed{i}", row)


def hashes_of(folder, tmp_path, *options):
    """Those of `ponticello render`, by tick."""
    output, hashes = str(tmp_path / "out.mkv"), str(tmp_path / "hashes.csv")
    render.app(
        [str(folder), str(folder / "sounds" / "a.wav"), "-o", output, "--hashes", hashes, *options],
        standalone_mode=False,
    )
    with open(hashes) as file:
        return {int(row["tick"]): row["sha256"] for row in csv.DictReader(file)}


def generated_at(studio, tick):
    """The hash of the generator's picture with the playhead at a tick."""
    studio.transport.seek(0, (tick + 0.5) / float(FPS))
    found = []

    def is_there():
        shown = studio.film.generated()
        found.append(shown)
        return shown is not None and not shown.stands_in and shown.tick == tick and not studio.film.is_waiting

    studio.film.generating = True
    until(studio, is_there)
    return hashlib.sha256(np.ascontiguousarray(found[-1].image).tobytes()).hexdigest()


@pytest.mark.parametrize(
    "toml",
    [
        "version = 1\n",
        "version = 1\n[controls]\nlatent_smoothing = 0.9\nsmoothing = 0.5\ntruncation = 0.7\n",
        'version = 1\n[controls]\nrange = "hold"\nrotate = 20.0\n[controls.weight]\npitch = 2.0\n',
        'version = 1\n[controls]\nstart = "mean"\ndrift = [0.1, -0.2]\nspin = 7.0\n',
    ],
)
def test_the_generators_pictures_are_those_of_a_render(tmp_path, monkeypatch, toml):
    folder = make_studio_preset(tmp_path / "p", toml=toml, quiet=9000)
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        studio.project.flush()
        rendered = hashes_of(folder, tmp_path)
        ticks = [0, 1, 7, 8, 30, 29, 55, 12, len(rendered) - 1]
        assert {tick: generated_at(studio, tick) for tick in ticks} == {tick: rendered[tick] for tick in ticks}
        (tmp_path / "out.mkv").unlink()
        late = hashes_of(folder, tmp_path, "--start", "1")
        assert min(late) == 30
        assert generated_at(studio, 33) == late[33]
        assert not sent["error"]


def test_the_pictures_of_a_preset_that_draws_directly_are_those_of_a_render(tmp_path, monkeypatch):
    toml = 'version = 1\npicture = "direct"\n[controls]\nspin = 7.0\nlatent_smoothing = 0.5\n'
    folder = make_studio_preset(tmp_path / "p", toml=toml)
    write_decoder(folder)
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)  # pairs go on with the generator's images
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        assert studio.project.is_trained
        rendered = hashes_of(folder, tmp_path)
        assert {tick: generated_at(studio, tick) for tick in (1, 30, 8)} == {
            tick: rendered[tick] for tick in (1, 30, 8)
        }
        write_decoder(folder, seed=5)  # trained again by the command
        (tmp_path / "out.mkv").unlink()
        again = hashes_of(folder, tmp_path)
        assert again[12] != rendered[12]
        until(studio, lambda: studio.project.preset.for_playing.direct.digest == Preset.load(folder).direct.digest)
        assert generated_at(studio, 12) == again[12]
        assert not sent["error"]


def test_a_preset_without_a_generator_plays(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p", toml='version = 1\npicture = "direct"\n')
    (folder / "generator.safetensors").unlink()
    (folder / "candidates.safetensors").unlink()
    write_decoder(folder)
    started = []

    def command(*arguments):
        started.append(arguments)
        return [sys.executable, "-c", ""]

    monkeypatch.setattr("offline.pairing.jobs.live_command", command)
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        assert studio.missing == []
        rendered = hashes_of(folder, tmp_path)
        assert generated_at(studio, 30) == rendered[30]
        studio.jobs.play_live()
        until(studio, lambda: not studio.jobs.running)
        assert started == [(folder, "window")]
        assert not sent["error"]
    (folder / "preset.toml").write_text(
        'version = 1\npicture = "direct"\n[generator]\nfile = "g.safetensors"\nsha256 = "00"\n'
    )
    with opened(folder, monkeypatch, tmp_path) as (studio, _):
        assert [missing.kind for missing in studio.missing] == ["generator"]  # images to pair need it


def played(studio, start=0.0):
    """The hashes of all pictures that the generator shows while the sound plays at its own speed to the end, by tick."""
    shown = {}

    def is_over():
        picture = studio.film.generated()
        if picture is not None and not picture.stands_in:
            shown[picture.tick] = hashlib.sha256(np.ascontiguousarray(picture.image).tobytes()).hexdigest()
        return studio.transport.state == "stopped"

    studio.film.generating = True
    studio.transport.seek(0, start)
    studio.transport.play()
    until(studio, is_over)
    return shown


@pytest.mark.parametrize("shape", ["square", "16:9", "1:2"])
def test_the_pictures_while_playing_are_those_of_a_render(tmp_path, monkeypatch, shape):
    folder = make_studio_preset(tmp_path / "p", 3.0, toml="version = 1\n[controls]\nlatent_smoothing = 0.5\n")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        studio.film.shape = shape
        generated_at(studio, 0)  # the generator is loaded
        shown = played(studio)
        rendered = hashes_of(folder, tmp_path, "--shape", shape)
        assert len(shown) > 15  # of 90: the machine may be busy with other tests
        assert shown.items() <= rendered.items()
        (tmp_path / "out.mkv").unlink()
        late = played(studio, 1.5)
        assert late
        assert late.items() <= hashes_of(folder, tmp_path, "--shape", shape, "--start", "1").items()


def test_a_placed_image_is_drawn_in_the_films_shape(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, _):
        place_all(studio)
        studio.poll()
        painter = Painter()
        generator = painter.load_untrained(studio.project.preset)
        for shape, aspect in (("16:9", Fraction(16, 9)), ("9:16", Fraction(9, 16)), ("4:1", Fraction(4))):
            studio.film.shape = shape
            size = covering_shape(generator.config, float(aspect))
            until(studio, lambda size=size: studio.film.mockup().image.shape == (*size, 3))
            shown = studio.film.mockup()
            candidates = studio.project.candidates
            latent = candidates.latents[candidates.number(shown.name)]
            look = candidates.origin.truncation, candidates.origin.rotate, candidates.origin.translate
            picture = Picture(candidates.origin.generator, latent, candidates.space, *look, 1.0, aspect=aspect)
            assert np.array_equal(shown.image, painter.paint(picture).numpy())
            until(studio, lambda: not studio.film.is_waiting)  # the other placed images are ready, too
        until(studio, lambda: studio.film.image_in_shape("seed9").shape == (*size, 3))  # one that is not placed
        studio.film.shape = "square"
        assert studio.film.mockup().image.shape[0] == studio.film.mockup().image.shape[1]
        with pytest.raises(SettingError, match="such as 16:9"):
            studio.film.shape = "17:1"


def test_a_region_is_rendered_in_the_films_shape(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        studio.jobs.render(0, 0.5, 1.0, tmp_path / "film", "9:16")
        until(studio, lambda: not studio.jobs.running)
        assert not sent["error"]
        films = sorted((tmp_path / "film").glob("*.png"))
        assert len(films) == 15
        with Image.open(films[0]) as image:
            assert image.size[1] > image.size[0]


def test_sliders_act_at_once_on_the_generators_picture(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        before = generated_at(studio, 20)
        studio.project.set("truncation", 0.25)
        assert generated_at(studio, 20) != before
        studio.project.flush()
        assert generated_at(studio, 20) == hashes_of(folder, tmp_path)[20]


def test_regressor_and_motion_play_as_in_a_render_and_undo_brings_the_mapping_back(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        project = studio.project
        paper = tensors(folder)
        project.set_training("regressor", "rbf")
        project.set_all({"order": "decimate-smooth-infer", "kernel": "one-euro", "pace": 4.0}, "motion mine")
        until(studio, lambda: project.preset.mapping.regressor.name == "rbf" and not studio.jobs.running)
        assert len(sent["trained"]) == 2
        before = generated_at(studio, 20)
        project.flush()
        assert before == hashes_of(folder, tmp_path)[20]
        assert project.can_undo == "set kernel, order, pace"
        project.undo()
        assert project.can_undo == "set training/regressor"
        project.undo()
        until(studio, lambda: project.preset.mapping.regressor.name == "mlp" and not studio.jobs.running)
        assert tensors(folder) == paper


def test_the_first_change_of_a_shipped_preset_is_learned(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.preset.places.OWN", tmp_path / "own")
    with opened("glass", monkeypatch, tmp_path) as (studio, sent):
        studio.project.set_training("regressor", "linear")
        until(studio, lambda: studio.project.preset.mapping.regressor.name == "linear" and not studio.jobs.running)
        assert len(sent["trained"]) == 1
        assert Preset.load(tmp_path / "own" / "glass").settings.training.regressor == "linear"
        assert Preset.load("glass").folder == tmp_path / "own" / "glass"


def tensors(folder):
    return {name: array.tobytes() for name, array in Preset.load(folder).mapping.arrays.items()}


def test_the_mockup_shows_the_nearest_placed_image(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, _):
        assert studio.film.mockup() is None
        place_all(studio)
        studio.poll()
        corpus = studio.project.corpus
        places = np.array([(pair.x, pair.y) for pair in studio.project.pairs])
        for tick in (0, 11, 25, 50):
            studio.transport.seek(0, tick / 30)
            row = studio.board.row_of(0, tick / 30)
            nearest = np.linalg.norm(places - corpus.positions[row], axis=1).argmin()
            shown = studio.film.mockup()
            assert shown.name == f"seed{nearest}"
            assert shown is studio.film.mockup()


def test_a_drop_trains_and_losses_and_undo_follow(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        fit = sent["trained"][-1]
        assert fit.pairs == 4
        assert fit.orders > 3
        assert all(pair.loss is not None and pair.loss < 1e-2 for pair in studio.project.pairs)
        assert Preset.load(folder).mapping.pairs_digest == studio.project.learned_from.digest
        studio.project.undo()
        assert all(pair.loss is None for pair in studio.project.pairs)
        until(studio, lambda: studio.project.is_trained)
        assert Preset.load(folder).mapping.pairs_digest == studio.project.learned_from.digest


def test_of_many_drops_the_newest_is_learned(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        for row in range(30):
            studio.project.place_on("seed1", row)
            studio.poll()
        until(studio, lambda: studio.project.is_trained and not studio.jobs.running)
        assert len(sent["trained"]) < 30
        assert not sent["error"]
        states = [progress.state for progress in sent["progress"] if progress.kind == "training"]
        assert states[-1] == "done"


def test_from_an_empty_folder_to_a_trained_instrument(tmp_path, monkeypatch):
    write_generator(tmp_path / "generator.safetensors")
    first = write_sound(tmp_path / "first.wav", 1.5)
    second = write_sound(tmp_path / "second.wav", 1.0, rate=48000, channels=2)
    with opened(None, monkeypatch, tmp_path) as (studio, sent):
        studio.jobs.new(tmp_path / "piece", tmp_path / "generator.safetensors")
        until(studio, lambda: studio.project is not None and not studio.jobs.running)
        studio.jobs.add_sounds([first])
        until(studio, lambda: studio.board is not None and not studio.jobs.running, 120)
        studio.jobs.add_sounds([second])
        until(studio, lambda: len(studio.board.sounds) == 2 and not studio.jobs.running, 120)
        until(studio, lambda: studio.transport.envelope(1, 0.0, 1.0, 10) is not None)
        studio.jobs.make_candidates(8)
        until(studio, lambda: len(studio.project.tray("all")) == 8 and not studio.jobs.running)
        studio.jobs.make_candidates(4)
        until(studio, lambda: len(studio.project.tray("all")) == 12 and not studio.jobs.running)
        studio.project.place("seed1", 0.3, 0.3)
        studio.project.place_at("seed9", 1, 0.5)
        until(studio, lambda: studio.project.is_trained and not studio.jobs.running)
        studio.jobs.remove_sound(0)
        until(studio, lambda: len(studio.board.sounds) == 1 and not studio.jobs.running, 120)
        assert not sent["error"]
    preset = Preset.load(tmp_path / "piece")
    assert [sound.name for sound in preset.corpus.facts.sounds] == ["second"]
    assert preset.pairs.names == ("seed1", "seed9")


def test_stars_given_while_images_are_made_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("offline.candidates.drawing.SAVE_INTERVAL_S", 0.0)
    folder = make_studio_preset(tmp_path / "p")
    (folder / "candidates.safetensors").unlink()
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        studio.jobs.make_candidates(60)
        until(studio, lambda: len(studio.project.tray("all")) >= 3)
        studio.project.star(["seed1"], True)
        until(studio, lambda: not studio.jobs.running)
        assert len(studio.project.tray("all")) == 60
        assert studio.project.tray("chosen") == ["seed1"]
        assert not sent["error"]


def test_making_images_can_be_cancelled_and_what_is_made_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("offline.candidates.drawing.SAVE_INTERVAL_S", 0.0)
    folder = make_studio_preset(tmp_path / "p")
    (folder / "candidates.safetensors").unlink()
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        studio.jobs.make_candidates(2000)
        until(studio, lambda: len(studio.project.tray("all")) >= 3)
        studio.jobs.cancel("candidates")
        until(studio, lambda: not studio.jobs.running)
        assert sent["progress"][-1].state == "cancelled"
        assert 3 <= len(studio.project.tray("all")) < 2000


def test_impossible_requests_are_one_line(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        studio.jobs.add_sounds([tmp_path / "none.wav"])
        until(studio, lambda: sent["error"])
        assert f"no file {tmp_path / 'none.wav'}" in sent["error"][0]
        studio.attempt(studio.jobs.remove_sound, 0)
        studio.attempt(studio.project.place, "seed99", 0.5, 0.5)
        studio.attempt(studio.jobs.play_live)
        studio.poll()
        assert "the only sound" in sent["error"][1]
        assert "no image 'seed99'" in sent["error"][2]
        assert "not trained" in sent["error"][3]
        assert not any("--" in line or "\n" in line for line in sent["error"])


def test_missing_files_are_named_and_pointed_to(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p")
    shutil.move(folder / "sounds" / "a.wav", tmp_path / "moved.wav")
    shutil.move(folder / "generator.safetensors", tmp_path / "g.safetensors")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        gone = {missing.kind: missing for missing in studio.missing}
        assert set(gone) == {"generator", "sound", "images"}
        assert gone["images"].number == 12
        other = write_sound(tmp_path / "other.wav", 0.5)
        studio.attempt(studio.relocate, gone["sound"], other)
        studio.poll()
        assert "is not the sound" in sent["error"][0]
        assert studio.transport.envelope(0, 0.0, 1.0, 10) is None
        studio.relocate(gone["sound"], tmp_path / "moved.wav")
        studio.relocate(gone["generator"], tmp_path / "g.safetensors")
        assert {missing.kind for missing in studio.missing} == {"images"}
        until(studio, lambda: studio.transport.envelope(0, 0.0, 1.0, 10) is not None)
    assert Preset.load(folder).generator_path == tmp_path / "g.safetensors"


def test_the_envelope_is_that_of_the_samples_at_any_zoom(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p", seconds=3.0)
    samples, _ = soundfile.read(folder / "sounds" / "a.wav", dtype="float32")
    with opened(folder, monkeypatch, tmp_path) as (studio, _):
        until(studio, lambda: studio.transport.envelope(0, 0.0, 1.0, 10) is not None)
        close = studio.transport.envelope(0, 0.5, 0.6, 90)  # 49 samples a column
        edges = np.linspace(0.5 * SAMPLE_RATE, 0.6 * SAMPLE_RATE, 91)
        for i, (low, high) in enumerate(close):
            piece = samples[int(edges[i]) : int(np.ceil(edges[i + 1]))]
            assert (low, high) == (piece.min(), piece.max())
        far = studio.transport.envelope(0, 0.0, 3.0, 60)
        for i, (low, high) in enumerate(far):  # of whole peaks: a little more than the column
            first, last = i * 2205 // 256 * 256, -(-(i + 1) * 2205 // 256) * 256
            assert (low, high) == (samples[first:last].min(), samples[first:last].max())
        assert not studio.transport.envelope(0, 5.0, 6.0, 10).any()
        assert studio.transport.envelope(0, -1.0, 4.0, 5)[0].tolist() == [0, 0]


def test_without_a_sound_card_the_studio_goes_on_silently(tmp_path, monkeypatch):
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("ALSA_CONFIG_PATH", "/dev/null")
    folder = make_studio_preset(tmp_path / "p")
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        until(studio, lambda: studio.transport.silent != "opening the sound card")
        assert studio.transport.silent.startswith("silent: ")
        studio.transport.play()
        until(studio, lambda: studio.transport.seconds > 0.2)
        studio.transport.loop = (0.5, 0.7)
        studio.transport.play()
        until(studio, lambda: 0.5 <= studio.transport.seconds < 0.7)
        studio.transport.stop()
        at = studio.transport.seconds
        studio.poll()
        assert studio.transport.seconds == at
        assert studio.row == studio.board.row_of(0, at)
        assert sent["note"]


def test_a_preset_of_its_own_pairs_is_not_trained_by_opening_it(tmp_path, monkeypatch):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder, 12)
    (folder / "mapping.safetensors").unlink()
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        studio.poll()
        assert not studio.jobs.running
        assert not sent["error"]
    assert not (folder / "mapping.safetensors").exists()


def test_a_region_is_rendered_by_the_command_with_progress(tmp_path, monkeypatch):
    folder = make_studio_preset(tmp_path / "p", seconds=4.0)
    with opened(folder, monkeypatch, tmp_path) as (studio, sent):
        place_all(studio)
        until(studio, lambda: sent["trained"] and not studio.jobs.running)
        studio.jobs.render(0, 1.0, 3.0, tmp_path / "region")
        until(studio, lambda: not studio.jobs.running, 120)
        assert not sent["error"]
        assert len(list((tmp_path / "region").glob("*.png"))) == 60
        states = [progress.state for progress in sent["progress"] if progress.kind == "render"]
        assert states[0] == "running"
        assert states[-1] == "done"
        studio.jobs.render(0, 1.0, 3.0, tmp_path / "region.mp3")
        until(studio, lambda: sent["error"], 120)
        assert "region.mp3" in sent["error"][0]
