"""Pairs of images and moments of sound: by hand, by the baselines, and undone."""

import itertools
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import typer
from PIL import Image

from offline.candidates.appearance import appearance
from offline.corpus.corpus import remember_sources
from offline.corpus.map_picture import COLOURS
from offline.pairing import command
from offline.pairing.automatic import METHODS, assigned, images_for, typical_frames
from offline.pairing.session import Pairing
from shared.errors import PresetError, SettingError
from shared.mapping.scaling import Standardizer
from shared.preset import Preset, history
from shared.preset.candidates import Candidates
from shared.preset.pairs import Pairs
from tests.small import make_preset, make_unpaired, write_candidates, write_corpus, write_generator

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(command.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path):
    return make_unpaired(tmp_path / "p")


def pairs(folder):
    return Pairs.load(folder / "pairs.safetensors")


def test_an_image_is_paired_with_the_nearest_frame_on_the_map(folder, capsys):
    run("place", folder, "seed4", 0.3, 0.9)
    corpus, candidates = Preset.load(folder).corpus, Preset.load(folder).candidates
    distance = np.hypot(*(corpus.positions - (0.3, 0.9)).T)
    made = pairs(folder)
    assert made.names == ("seed4",)
    assert np.array_equal(made.descriptors[0], corpus.standardised[distance.argmin()])
    assert np.array_equal(made.latents[0], candidates.latents[4])
    assert made.positions.tolist() == [[0.3, 0.9]]
    assert capsys.readouterr().out.startswith("seed4            0.300 0.900   ")
    run("place", folder, "5", 0, 1)
    run("place", folder, "4", 1, 0)  # moved
    assert pairs(folder).names == ("seed4", "seed5")
    assert pairs(folder).positions.tolist() == [[1, 0], [0, 1]]
    assert (folder / "map.png").is_file()


def test_an_image_is_paired_with_a_moment_of_a_sound(folder, capsys):
    run("at", folder, "3", 10 * 512 / 44100, "--sound", "b")
    corpus = Preset.load(folder).corpus
    row = int(np.flatnonzero((corpus.sound == 1) & (corpus.frame == 10))[0])
    assert np.array_equal(pairs(folder).descriptors[0], corpus.standardised[row])
    assert np.array_equal(pairs(folder).positions[0], corpus.positions[row])
    assert capsys.readouterr().out.endswith("b 0.12 s\n")
    run("at", folder, "6", 12 * 512 / 44100, "--sound", "b")  # silent: the last one that sounds is 11
    row = int(np.flatnonzero((corpus.sound == 1) & (corpus.frame == 11))[0])
    assert np.array_equal(pairs(folder).descriptors[1], corpus.standardised[row])
    for seconds, sound, words in [
        (9, "a", "time 9 s given; a has 0 to 0.68 s"),
        ("1:00", "a", "time 60 s given; a has 0 to 0.68 s"),
        (-1, "a", "time -1 given; allowed are seconds"),
        ("nan", "a", "time nan given"),
        (0, "c", "no sound 'c'; the corpus has 1 a, 2 b; give a name or a number"),
    ]:
        with pytest.raises(SettingError, match=words):
            run("at", folder, "1", seconds, "--sound", sound)


def test_a_place_reports_its_moment_and_warns_in_empty_space(folder, capsys):
    corpus = write_corpus(folder)
    x, y = corpus.positions[7] + (0.003, 0.004)
    run("place", folder, "4", x, y)
    output = capsys.readouterr().err
    assert f"seed4: paired with a {corpus.frame[7] * 512 / 44100:.2f} s, 0.005 away on the map\n" in output
    assert "no sound within" not in output
    replace(corpus, positions=corpus.positions * 0.5).save(folder / "corpus.safetensors")
    run("place", folder, "5", 1, 1)
    assert "no sound within 0.05 of 1 1" in capsys.readouterr().err


def test_times_are_taken_as_minutes_and_seconds(folder, capsys):
    run("at", folder, "3", "0:00.2", "--sound", "b")
    made = pairs(folder)
    run("at", folder, "3", "0.2", "--sound", "2")
    assert history.same(pairs(folder), made)


def test_the_map_shows_each_sound_in_its_colour_and_the_pairs(folder):
    corpus = write_corpus(folder, frames=(300, 200))
    run("place", folder, "4", 0.5, 0.5)
    with Image.open(folder / "map.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    row = int(corpus.descriptors[:, -1].argmax())  # the loudest, in its full colour
    x, y = 60 + round(1000 * corpus.positions[row, 0]), 60 + round(1000 * (1 - corpus.positions[row, 1]))
    assert tuple(pixels[y, x]) in {tuple(c) for c in COLOURS[:2]} | {(255, 255, 255)}
    for number in (0, 1):  # the legend
        assert tuple(pixels[60 + 24 * number + 6, 1120 + 6]) == tuple(COLOURS[number])
    assert (pixels[60 + 500 - 24, 60 + 500 - 20 : 60 + 500 + 20] == 255).all()  # the image's frame


def test_changes_are_taken_back_one_by_one(folder):
    states = []
    for action, *change in (["place", 1, 0.1, 0.1], ["auto", "kmeans", "--count", 4], ["remove", 2], ["remove", "all"]):
        run(action, folder, *([pairs(folder).names[0]] if change == [2] else change))
        states.append(pairs(folder))
    run("auto", folder, "pca")  # what is undone can be done again
    for state in reversed(states):
        run("undo", folder)
        assert history.same(pairs(folder), state)
    run("undo", folder)
    assert len(pairs(folder)) == 0
    with pytest.raises(SettingError, match="nothing to undo"):
        run("undo", folder)


def test_a_change_without_effect_is_not_a_step(folder):
    for _ in range(3):
        run("auto", folder, "assignment", "--count", 5)
    run("list", folder)
    assert len(list((folder / "history").iterdir())) == 1
    for _ in range(2):
        run("place", folder, 1, 0.5, 0.5)
    assert len(list((folder / "history").iterdir())) == 2


def test_undone_steps_can_be_redone_until_another_change(folder):
    for image in (1, 2, 3):
        run("place", folder, image, 0.1 * image, 0.5)
    made = pairs(folder)
    run("undo", folder)
    run("undo", folder)
    assert pairs(folder).names == ("seed1",)
    run("redo", folder)
    assert pairs(folder).names == ("seed1", "seed2")
    run("redo", folder)
    assert history.same(pairs(folder), made)
    with pytest.raises(SettingError, match="nothing to redo"):
        run("redo", folder)
    run("undo", folder)
    run("place", folder, 4, 0.9, 0.9)
    with pytest.raises(SettingError, match="nothing to redo"):
        run("redo", folder)
    run("undo", folder)
    assert pairs(folder).names == ("seed1", "seed2")


def test_pairs_are_carried_over_to_other_inputs(folder, capsys):
    run("auto", folder, "kmeans", "--count", 4)
    made = pairs(folder)
    old = Preset.load(folder).corpus
    rows = [old.row_of(source) for source in made.sources]
    assert np.array_equal(old.standardised[rows], made.descriptors)
    capsys.readouterr()
    run("list", folder)
    listed = capsys.readouterr().out
    (folder / "preset.toml").write_text("version = 1\ninputs = ['pitch', 'loudness']\n")
    new = write_corpus(folder, inputs=("pitch", "loudness"))
    run("list", folder)
    assert capsys.readouterr().out == listed  # the same sounds and seconds
    run("remove", folder, made.names[0])
    assert np.array_equal(pairs(folder).descriptors, new.standardised[rows[1:]])
    assert pairs(folder).inputs == ("pitch", "loudness")
    run("undo", folder)
    assert history.same(pairs(folder), made)
    (folder / "preset.toml").write_text("version = 1\ninputs = ['flatness', 'loudness']\n")  # as many, but others
    other = write_corpus(folder, inputs=("flatness", "loudness"))
    assert np.array_equal(Pairing(Preset.load(folder)).pairs.descriptors, other.standardised[rows])


def test_pairs_without_a_source_are_named_where_they_cannot_follow(folder):
    run("place", folder, "4", 0.3, 0.9)
    made = pairs(folder)
    replace(made, sources=(), names=("live 1",)).save(folder / "pairs.safetensors")
    (folder / "preset.toml").write_text("version = 1\ninputs = ['pitch', 'loudness']\n")
    write_corpus(folder, inputs=("pitch", "loudness"))
    with pytest.raises(PresetError, match=r"^live 1: paired with other inputs than preset\.toml names"):
        run("list", folder)
    run("remove", folder, "all")
    assert len(pairs(folder)) == 0


def test_pairs_of_an_older_file_learn_their_source_before_their_map_is_replaced(folder):
    run("auto", folder, "kmeans", "--count", 5)
    made = pairs(folder)
    older = replace(made, sources=(), inputs=())
    older.save(folder / "pairs.safetensors")
    assert pairs(folder).sources == (None,) * 5
    remember_sources(folder)
    assert history.same(pairs(folder), made)


def test_pairs_are_listed_without_the_sounds(folder, capsys):
    run("at", folder, "3", 0.2, "--sound", "b")
    (folder / "corpus.safetensors").unlink()
    capsys.readouterr()
    run("list", folder)
    assert capsys.readouterr().out.startswith("seed3 ")
    run("undo", folder)
    assert len(pairs(folder)) == 0
    with pytest.raises(PresetError, match="no sounds yet"):
        run("at", folder, "3", 0.2)


def test_two_sounds_of_one_name_are_told_apart_by_their_numbers(folder):
    corpus = Preset.load(folder).corpus
    sounds = tuple(msgspec.structs.replace(sound, file=f"/{i}/a.wav") for i, sound in enumerate(corpus.facts.sounds))
    corpus = replace(corpus, facts=msgspec.structs.replace(corpus.facts, sounds=sounds))
    with pytest.raises(SettingError, match="2 sounds are 'a'; the corpus has 1 a, 2 a; give a name or a number"):
        corpus.sound_named("a")
    assert (corpus.sound_named("2"), corpus.sound_named("/0/a.wav")) == (1, 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("count", "kept", "expected"), [(5, (), 5), (17, (), 12), (17, (1, 2, 7), 3), (1, (), 1), (2, (), 2)]
)
def test_baselines_use_each_image_and_frame_once(folder, method, count, kept, expected, capsys):
    write_candidates(folder, 12, kept=kept)
    run("auto", folder, method, "--count", count)
    made = pairs(folder)
    assert len(made) == len(set(made.names)) == expected
    assert len(np.unique(made.descriptors, axis=0)) == expected
    if kept:
        assert set(made.names) == {f"seed{i}" for i in kept}
    corpus, candidates = Preset.load(folder).corpus, Preset.load(folder).candidates
    for name, place, row, latent in zip(made.names, made.positions, made.descriptors, made.latents, strict=True):
        at = corpus.most_like(row)
        assert np.array_equal(corpus.standardised[at], row)
        assert np.array_equal(corpus.positions[at], place)
        assert np.array_equal(candidates.latents[candidates.number(name)], latent)
    output = capsys.readouterr().err
    assert ("given; images and different sounds are enough for" in output) == (count > expected)
    assert ("3 images are chosen: --keep more" in output) == bool(kept)
    run("auto", folder, method, "--count", count)
    assert history.same(pairs(folder), made)


def test_assignment_is_the_best_of_all():
    for seed in range(5):
        cost = np.random.default_rng(seed).random((6, 6))
        best = min(itertools.permutations(range(6)), key=lambda order: sum(cost[i, j] for i, j in enumerate(order)))
        assert assigned(cost).tolist() == list(best)


def clusters(folder, sizes):
    """A corpus of far-apart clusters of frames, placed on the map in a row."""
    corpus = write_corpus(folder)
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    rows = len(owner)
    descriptors = rng.standard_normal((rows, 23)) * 0.01 + rng.standard_normal((len(sizes), 23))[owner] * 50
    positions = np.stack([owner / (len(sizes) - 1), np.full(rows, 0.5)], axis=1)
    made = replace(
        corpus,
        descriptors=descriptors,
        positions=positions,
        sound=np.zeros(rows, np.int64),
        frame=np.arange(rows),
        stands_for=np.concatenate([np.arange(rows), np.full(100 - rows, rows - 1)]),
    )
    made.save(folder / "corpus.safetensors")
    return made, owner


def test_kmeans_takes_one_frame_of_each_cluster_the_largest_first(folder):
    corpus, owner = clusters(folder, [10, 30, 20])
    rows = typical_frames(corpus, 3, 0)
    assert owner[rows].tolist() == [1, 2, 0]
    for row in rows:  # the most usual of its cluster
        members = corpus.standardised[owner == owner[row]]
        centre = members.mean(axis=0)
        distances = np.linalg.norm(members - centre, axis=1)
        assert np.linalg.norm(corpus.standardised[row] - centre) == pytest.approx(distances.min())


def test_assignment_keeps_the_order_that_images_and_sounds_have(folder):
    corpus, owner = clusters(folder, [10, 30, 20, 15])
    candidates = write_candidates(folder, 4)
    grey = np.array([200, 10, 140, 70], np.uint8)  # so on a line, as the clusters are
    thumbnails = np.broadcast_to(grey[:, None, None, None], candidates.thumbnails.shape).copy()
    found = METHODS["assignment"](corpus, replace(candidates, thumbnails=thumbnails), 4, 0)
    order = [grey[image] for image, row in sorted(found, key=lambda entry: owner[entry[1]])]
    assert order in (sorted(order), sorted(order, reverse=True))


def test_components_meet_components(folder):
    rng = np.random.default_rng(1)
    corpus = write_corpus(folder)
    descriptors = rng.standard_normal(corpus.descriptors.shape) * 0.01
    line = rng.permutation(np.linspace(-2, 2, len(descriptors)))
    descriptors += line[:, None] * 5  # all descriptors rise together: one component
    corpus = replace(corpus, descriptors=descriptors)
    candidates = write_candidates(folder, 3)
    grey = np.array([10, 240, 120], np.uint8)
    thumbnails = np.broadcast_to(grey[:, None, None, None], candidates.thumbnails.shape).copy()
    found = METHODS["pca"](corpus, replace(candidates, thumbnails=thumbnails), 3, 0)
    by_line = sorted(found, key=lambda entry: line[entry[1]])
    assert [image for image, _ in by_line] in ([0, 2, 1], [1, 2, 0])
    deviation = line.std()
    for (_, row), steps in zip(by_line, (-1.5, 0, 1.5), strict=True):
        assert line[row] / deviation == pytest.approx(steps, abs=0.1)


def test_of_too_many_images_different_looking_ones_are_taken(folder):
    corpus, candidates = Preset.load(folder).corpus, Preset.load(folder).candidates
    images = images_for(candidates, corpus, 4)
    points = appearance(candidates.thumbnails)
    assert images[0] == np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
    assert images[1] == np.linalg.norm(points - points[images[0]], axis=1).argmax()
    with pytest.raises(SettingError, match="--count 0 given; at least 1"):
        images_for(candidates, corpus, 0)


def test_pairs_keep_their_moments_when_the_sounds_are_analysed_again(folder):
    run("auto", folder, "kmeans", "--count", 6)
    old, corpus = pairs(folder), Preset.load(folder).corpus
    rows = [corpus.most_like(row) for row in old.descriptors]
    raw = corpus.descriptors[rows]
    new = replace(  # another sound has come: other means, other map
        corpus,
        descriptors=np.concatenate([corpus.descriptors, np.random.default_rng(3).standard_normal((20, 23)) * 30]),
        positions=np.random.default_rng(4).random((95, 2)),
        sound=np.concatenate([corpus.sound, np.ones(20, np.int64)]),
        frame=np.concatenate([corpus.frame, np.arange(100, 120)]),
    )
    new.save(folder / "corpus.safetensors")
    moved = Pairing(Preset.load(folder)).pairs
    assert np.array_equal(moved.positions, new.positions[rows])
    assert moved.descriptors == pytest.approx(new.scaler.process(raw), abs=1e-9)
    assert history.same(pairs(folder), old)  # looking changes nothing
    run("remove", folder, old.names[0])
    assert pairs(folder).positions == pytest.approx(new.positions[rows[1:]])
    run("undo", folder)
    assert Pairing(Preset.load(folder)).pairs.descriptors == pytest.approx(new.scaler.process(raw), abs=1e-9)


def test_pairs_made_while_playing_have_a_moment_but_no_place(folder, capsys):
    corpus = Preset.load(folder).corpus
    live = Pairs(("live 1",), corpus.standardised[[7]] + 0.01, np.ones((1, 16), np.float32), np.full((1, 2), np.nan))
    live.save(folder / "pairs.safetensors")
    run("place", folder, 3, 0.5, 0.5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"live 1             nan   nan   a {corpus.frame[7] * 512 / 44100:.2f} s"
    run("place", folder, "live 1", 0.25, 0.5)  # an image that no candidate has
    assert pairs(folder).names == ("live 1", "seed3")
    assert np.array_equal(pairs(folder).latents[0], np.ones(16))


def test_pairs_from_before_they_kept_their_scale_are_in_the_mappings(tmp_path):
    folder = make_preset(tmp_path / "p")
    write_corpus(folder)
    write_candidates(folder)
    before = Preset.load(folder)
    assert pairs(folder).scaler is None
    raw = before.mapping.scaler.undone(before.pairs.descriptors)
    run("place", folder, "1", 0.5, 0.5)
    after = pairs(folder)
    assert after.scaler.equals(before.corpus.scaler)
    assert before.corpus.scaler.undone(after.descriptors[:6]) == pytest.approx(raw)
    assert Preset.load(folder).pairs.descriptors[:6] == pytest.approx(
        before.pairs.descriptors
    )  # in the mapping's scale


def test_scales_by_hand():
    one = Standardizer(np.array([10.0, 0.0]), np.array([2.0, 0.0]))
    other = Standardizer(np.array([20.0, 1.0]), np.array([5.0, 1.0]))
    made = Pairs(("a",), np.array([[1.0, 3.0]]), np.zeros((1, 2), np.float32), np.zeros((1, 2)), scaler=one)
    assert made.standardised_by(other).descriptors.tolist() == [[(12 - 20) / 5, 2.0]]
    assert made.standardised_by(Standardizer(one.mean.copy(), one.deviation.copy())) is made
    assert replace(made, scaler=None).standardised_by(other).descriptors.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["auto", "magic"], "magic given; allowed are: kmeans, assignment, pca"),
        (["place", "99", 0, 0], "no image '99'; there are: seed0, seed1, .* and 4 more"),
        (["place", "1", 0, 1.5], r"position 0 1.5 given; the map goes from 0 to 1 in x and in y"),
        (["place", "1", -0.5, 1], r"position -0.5 1 given; the map goes from 0 to 1 in x and in y"),
        (["place", "1", "nan", 0], "the map goes from 0 to 1"),
        (["remove", "5"], "no pair '5'; there are: none"),
        (["at", "1", 0], "which sound\\? the corpus has 1 a, 2 b"),
    ],
)
def test_mistakes(folder, arguments, words):
    action, *rest = arguments
    with pytest.raises(SettingError, match=words):
        run(action, folder, *rest)
    assert not (folder / "pairs.safetensors").exists()


def test_several_pairs_are_removed_in_one_step(folder, capsys):
    for image in (1, 2, 3):
        run("place", folder, image, 0.1 * image, 0.5)
    capsys.readouterr()
    run("remove", folder, "1", "seed3")
    assert pairs(folder).names == ("seed2",)
    assert capsys.readouterr().err == f"1 pair; next: ponticello train {folder}\n"
    with pytest.raises(SettingError, match="no pair '9'; there are: seed2"):
        run("remove", folder, "2", "9")
    run("undo", folder)
    assert len(pairs(folder)) == 3


def test_parts_that_do_not_belong_together_are_refused(folder):
    run("place", folder, "1", 0.5, 0.5)
    write_candidates(folder, space="w")
    with pytest.raises(
        PresetError, match="the candidates are in w of 16 numbers, the pairs in z of 16; remove the pairs"
    ):
        run("place", folder, "2", 0.5, 0.5)
    write_generator(folder / "generator.safetensors", seed=8)
    with pytest.raises(PresetError, match="the candidates are another generator's; make them again"):
        run("auto", folder, "kmeans")
    (folder / "candidates.safetensors").unlink()
    with pytest.raises(PresetError, match="p has no candidates yet; make them: ponticello candidates"):
        run("auto", folder, "kmeans")
    run("list", folder)
    (folder / "corpus.safetensors").unlink()
    with pytest.raises(PresetError, match=r"p has no sounds yet; analyse some: ponticello analyse .* SOUND"):
        run("place", folder, "1", 0, 0)


def test_looking_at_a_shipped_preset_copies_nothing(folder, monkeypatch, tmp_path):
    from shared.preset import places

    run("place", folder, "1", 0.5, 0.5)
    monkeypatch.setattr(places, "SHIPPED", folder.parent)
    monkeypatch.setattr(places, "OWN", tmp_path / "own")
    run("list", "p")
    assert not (tmp_path / "own").exists()
    run("remove", "p", "1")
    assert len(pairs(folder)) == 1
    assert len(pairs(tmp_path / "own" / "p")) == 0


def test_candidates_by_name_and_number(folder):
    made = Candidates.load(folder / "candidates.safetensors")
    assert [made.number(name) for name in ("seed11", "11", "0")] == [11, 11, 0]
    assert not made.has("12")
    assert not made.has("seed")
