"""Candidates: made once, continued, chosen, proposed."""

import itertools
import shlex
import threading

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from offline.candidates import command as studio
from offline.candidates import drawing
from offline.candidates.appearance import appearance
from offline.candidates.command import parse_seeds
from offline.candidates.drawing import draw_candidates
from offline.candidates.files import image_file
from shared.errors import PresetError, SettingError, UserError
from shared.image.generator import load_generator
from shared.image.latents import latents_from_seeds
from shared.mapping.sampling import farthest_point_sampling
from shared.preset import Preset, places
from shared.preset.candidates import Candidates, Draw
from shared.preset.lock import preset_lock
from tests.shared.test_preset import rewritten
from tests.small import LATENT, make_preset, write_candidates, write_generator

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(studio.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path):
    folder = make_preset(tmp_path / "p", toml="version = 1\n[controls]\ntruncation = 0.7\n")
    (folder / "pairs.safetensors").unlink()  # as it is before anything is paired
    (folder / "mapping.safetensors").unlink()
    return folder


def found(folder):
    return Preset.load(folder).candidates


def test_an_image_is_the_generators_for_its_seed(folder, capsys):
    run(folder, "-n", 5, "--seed", 3)
    made = found(folder)
    assert made.names == ("seed3", "seed4", "seed5", "seed6", "seed7")
    assert np.array_equal(made.latents, latents_from_seeds(range(3, 8), LATENT))
    generator = load_generator(folder / "generator.safetensors")
    for i, seed in enumerate(made.seeds):
        expected = generator.synthesize(generator.map(torch.from_numpy(made.latents[i : i + 1]), psi=0.7)).numpy()
        with Image.open(folder / "images" / f"seed{seed}.png") as image:
            assert np.abs(np.asarray(image).astype(int) - expected).max() <= 1
            assert np.array_equal(np.asarray(image), made.thumbnails[i])  # these are 16 pixels a side
    with Image.open(folder / "candidates.png") as sheet:
        assert sheet.size[0] > sheet.size[1] > 300
    assert capsys.readouterr().out == f"{folder / 'candidates.png'}: 5 images, 0 of them chosen\n"


def test_in_w_the_latent_is_what_the_mapping_network_gives(folder):
    run(folder, "-n", 2, "--space", "w")
    generator = load_generator(folder / "generator.safetensors")
    w = generator.map(torch.from_numpy(latents_from_seeds([0, 1], LATENT)))[:, 0].numpy()
    assert found(folder).space == "w"
    assert found(folder).latents == pytest.approx(w, abs=1e-5)
    run(folder, "-n", 3)
    assert found(folder).space == "w"


def test_repeating_paints_only_missing_images(folder, monkeypatch, capsys):
    run(folder, "-n", 6)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    run(folder)  # as they are
    assert "holds these 6 images already; nothing to do" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == before
    image_file(Preset.load(folder), 2).write_bytes(image_file(Preset.load(folder), 2).read_bytes()[:60])
    image_file(Preset.load(folder), 4).unlink()
    painted = []
    real = drawing.write_png
    monkeypatch.setattr(drawing, "write_png", lambda path, *rest: (painted.append(path.name), real(path, *rest)))
    run(folder)
    assert sorted(painted) == ["seed2.png", "seed4.png"]
    run(folder, "-n", 8)
    assert sorted(painted[2:]) == ["seed6.png", "seed7.png"]


def test_a_broken_off_draw_goes_on_where_it_was(folder, monkeypatch):
    real, count = drawing.write_png, itertools.count()

    def stopping(path, *rest):
        if next(count) == 3:
            raise KeyboardInterrupt
        real(path, *rest)

    monkeypatch.setattr(drawing, "write_png", stopping)
    with pytest.raises(KeyboardInterrupt):
        draw_candidates(Preset.load(folder), Draw(count=8))
    there = list((folder / "images").iterdir())
    assert 0 < len(there) < 8
    assert all(path.name.startswith("seed") for path in there)
    assert 0 < len(found(folder)) <= len(there)  # they can be used
    kept = {path: path.stat().st_mtime_ns for path in there}
    monkeypatch.setattr(drawing, "write_png", real)
    assert len(draw_candidates(Preset.load(folder), Draw(count=8))) == 8
    assert {path: path.stat().st_mtime_ns for path in there} == kept


def test_the_choice_is_added_to_taken_from_and_outlives_another_draw(folder, capsys):
    run(folder, "-n", 10)
    run(folder, "--keep", "3,5-7")
    run(folder, "--keep", "seed9")
    run(folder, "--keep", "3", "--drop", "6")
    assert found(folder).kept == {3, 5, 7, 9}
    assert capsys.readouterr().out.endswith("4 of 10 chosen: 3,5,7,9\n")
    latents = found(folder).latents[[3, 5, 7, 9]]
    (folder / "images" / "seedling.png").write_bytes(b"an artist's own")
    run(folder, "-n", 4, "--seed", 100)
    assert found(folder).seeds == (3, 5, 7, 9, 100, 101, 102, 103)
    assert found(folder).kept == {3, 5, 7, 9}
    assert np.array_equal(found(folder).latents[:4], latents)
    assert sorted(path.name for path in (folder / "images").iterdir()) == sorted(
        ["seedling.png", *(f"{name}.png" for name in found(folder).names)]
    )
    run(folder, "--drop", "all")
    assert found(folder).kept == frozenset()
    assert found(folder).chosen == list(range(8))


def test_another_generator_makes_other_images(folder, capsys):
    run(folder, "-n", 3, "--keep", "1")
    old = found(folder)
    write_generator(folder / "generator.safetensors", seed=5)
    run(folder)
    assert "the preset has another generator now" in capsys.readouterr().err
    assert found(folder).kept == frozenset()
    assert found(folder).origin != old.origin
    assert not np.array_equal(found(folder).thumbnails, old.thumbnails)


def test_farthest_points_by_hand():
    points = np.array([[0.0], [1.0], [10.0], [4.0], [5.5]])
    # the mean is 4.1, so the first is 4; then 10 (6 away); 0 (4 away); 5.5 (1.5 from 4), 1
    assert farthest_point_sampling(points, 5).tolist() == [3, 2, 0, 4, 1]
    assert farthest_point_sampling(points, 9).tolist() == [3, 2, 0, 4, 1]
    assert farthest_point_sampling(points, 2, np.array([2, 3])).tolist() == [0, 4]
    assert farthest_point_sampling(points, 3, np.arange(5)).tolist() == []


def test_a_proposal_differs_from_the_choice_and_does_not_change_it(folder, capsys):
    run(folder, "-n", 20)
    run(folder, "--keep", "2,4", "--spread", "5")
    output = capsys.readouterr().out
    proposed = parse_seeds(output.rsplit("--keep ", 1)[1].strip())
    assert len(set(proposed)) == 5
    assert not {2, 4} & set(proposed)
    assert found(folder).kept == {2, 4}
    points = appearance(found(folder).thumbnails)
    gap = min(np.linalg.norm(points[a] - points[b]) for a, b in itertools.combinations([2, 4, *proposed], 2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        others = [2, 4, *rng.choice([i for i in range(20) if i not in (2, 4)], 5, replace=False)]
        assert gap >= min(np.linalg.norm(points[a] - points[b]) for a, b in itertools.combinations(others, 2))
    assert (folder / "proposal.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["-n", 0], SettingError, "-n 0 given; allowed are 1 to 10000"),
        (["-n", 3, "--seed", 2**32], SettingError, "allowed are 0 to 4294967293"),
        (["--space", "x"], SettingError, "--space x given; allowed are z and w"),
        (["--class", "red"], SettingError, "--class red given; allowed are a number from 0 and `all`"),
        (["--class", 1, "--space", "w"], SettingError, "--class 1 given; generator.safetensors has no classes"),
        (["--keep", "1"], PresetError, "p has no candidates yet; make them: ponticello candidates "),
        (["-n", 4, "--keep", "9"], SettingError, "no candidate 9; there are 4: 0-3"),
        (
            ["-n", 4, "--keep", "red"],
            SettingError,
            "'red' given; allowed are numbers of candidates, such as 3,17,20-22",
        ),
        (["-n", 4, "--drop", "3-1"], SettingError, "a span goes from a lower number to a higher"),
        (["-n", 4, "--keep", ""], None, "0 of 4 chosen: none"),
    ],
)
def test_mistakes(folder, arguments, error, words, capsys):
    if error is None:
        run(folder, *arguments)
        assert words in capsys.readouterr().out
    else:
        with pytest.raises(error, match=words):
            run(folder, *arguments)


def test_a_choice_in_another_space_is_not_lost(folder):
    run(folder, "-n", 3, "--keep", "1")
    with pytest.raises(UserError, match=r"the chosen candidates are in z, --space w given; .*--drop all"):
        run(folder, "--space", "w")
    run(folder, "--drop", "all")
    run(folder, "--space", "w")
    assert found(folder).space == "w"


def test_a_shipped_preset_is_never_written_to(tmp_path, monkeypatch, capsys):
    make_preset(tmp_path / "shipped" / "glassy")
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(places, "OWN", tmp_path / "documents" / "own")
    before = sorted((tmp_path / "shipped").rglob("*"))
    run("glassy", "-n", 2)
    own = tmp_path / "documents" / "own" / "glassy"
    assert f"glassy is a shipped preset; this went into your own copy of it: {own}" in capsys.readouterr().err
    assert sorted((tmp_path / "shipped").rglob("*")) == before
    assert len(Preset.load(own).candidates) == 2
    run("glassy", "-n", 2)  # the name means one's own by now
    assert "shipped preset" not in capsys.readouterr().err
    assert list(own.parent.iterdir()) == [own]


def test_a_failed_change_of_a_shipped_preset_leaves_no_copy_and_names_the_preset(tmp_path, monkeypatch, capsys):
    make_preset(tmp_path / "shipped" / "glassy")
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(places, "OWN", tmp_path / "documents" / "own")
    with pytest.raises(PresetError, match=r"glassy has no candidates yet; make them: ponticello candidates glassy$"):
        run("glassy", "--keep", "1")
    assert not (tmp_path / "documents" / "own" / "glassy").exists()
    assert "own copy" not in capsys.readouterr().err


def test_removed_images_are_reported(folder, capsys):
    run(folder, "-n", 5, "--seed", 10, "--keep", "11")
    capsys.readouterr()
    run(folder, "-n", 2, "--seed", 0)
    assert "4 images not chosen, removed; -n 5 --seed 10 brings them back" in capsys.readouterr().err
    with pytest.raises(SettingError, match=r"no candidate 9; there are 3: 0-1,11$"):
        run(folder, "--keep", "9")


def test_suggested_commands_can_be_pasted(tmp_path, capsys):
    folder = make_preset(tmp_path / "il mio violino")
    run(folder, "-n", 3)
    run(folder, "--spread", 2)
    proposed = capsys.readouterr().out.splitlines()[-1].partition(": ponticello ")[2]
    command, path, *_ = shlex.split(proposed)
    assert (command, path) == ("candidates", str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, header: arrays.update(latents=arrays["latents"][:-1]), "do not fit together"),
        (lambda arrays, header: arrays.update(latents=arrays["latents"] * np.nan), "'latents' holds NaN or infinity"),
        (lambda arrays, header: header.update(facts=header["facts"].replace("[0, 1,", "[1, 1,")), "do not fit"),
        (lambda arrays, header: header.update(facts=header["facts"].replace('"kept": [', '"kept": [99')), "do not fit"),
        (lambda arrays, header: header.update(facts=header["facts"].replace('"z"', '"q"')), "Invalid enum value 'q'"),
        (lambda arrays, header: arrays.update(thumbnails=arrays["thumbnails"][:, :4]), "of shape"),
    ],
)
def test_damaged_candidates_are_named(tmp_path, change, message):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder)
    rewritten(folder / "candidates.safetensors", change)
    with pytest.raises(PresetError, match=message):
        Candidates.load(folder / "candidates.safetensors")


def test_images_chosen_or_paired_while_others_are_drawn_stay(folder, monkeypatch):
    run(folder, "-n", 5)
    before = found(folder)
    run(folder, "--keep", 4)
    write = drawing.write_png
    free = []

    def meanwhile(*arguments):
        if not free:
            free.append(True)
            thread = threading.Thread(target=lambda: run(folder, "--keep", 2, "--drop", 4))
            thread.start()
            thread.join(10)
            assert not thread.is_alive()
        write(*arguments)

    monkeypatch.setattr(drawing, "write_png", meanwhile)
    run(folder, "-n", 3, "--seed", 10)
    after = found(folder)
    assert after.seeds == (2, 4, 10, 11, 12)  # 4 was chosen when the drawing began
    assert after.kept == {2}
    assert np.array_equal(after.latents[:2], before.latents[[2, 4]])
    assert np.array_equal(after.thumbnails[:2], before.thumbnails[[2, 4]])
    assert sorted(file.name for file in (folder / "images").iterdir()) == [f"seed{n}.png" for n in (10, 11, 12, 2, 4)]


def test_one_program_draws_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(drawing, "preset_lock", lambda folder: preset_lock(folder, 0.1))
    (folder / "images").mkdir()
    refused = []

    def draw():
        try:
            draw_candidates(Preset.load(folder), Draw(count=2))
        except PresetError as error:
            refused.append(str(error))

    with preset_lock(folder / "images"):
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join(30)
    assert refused == [f"{folder / 'images'} is in use by this program; try again"]
    draw()
    assert found(folder).seeds == (0, 1)
