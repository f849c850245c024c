"""The laboratory: grids, measures against known answers, the film and the page, stopping and continuing, keeping."""

import csv
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from offline.laboratory import memory_fit
from offline.laboratory import side_by_side as comparison_module
from offline.laboratory.contact_film import Layout, shown_tick
from offline.laboratory.grid import GRID, Variant, default_grid, find_variant, read_grid
from offline.laboratory.lab import keep, results_table, write_page
from offline.laboratory.lab_plots import front
from offline.laboratory.measures import correspondence, jitter, picture_change, speed, spread, step_delays
from offline.laboratory.memory_fit import Path, learn_memory, pairs_on_path, remembered
from offline.laboratory.side_by_side import Comparison
from shared.audio.descriptors import DESCRIPTORS
from shared.errors import SettingError, Stopped
from shared.mapping.memory import Memory
from shared.pipeline.dynamics import DYNAMICS, published
from shared.preset import Preset
from tests.small import make_preset, write_sound


@pytest.fixture
def preset(tmp_path):
    return Preset.load(make_preset(tmp_path / "p"))


def some(preset, *names):
    grid = default_grid(preset)
    return [grid[0], *(find_variant(grid, name) for name in names)]


def test_every_built_in_variant_is_a_setting_that_the_preset_takes(preset):
    grid = default_grid(preset)
    assert [variant.number for variant in grid] == list(range(len(GRID) + 1))
    assert grid[1].values == published(preset.settings.inputs)
    assert len(grid[1].values) == len(DYNAMICS) + 23
    assert len({(str(sorted(v.values.items())), v.fps, v.relax, v.change_limit) for v in grid[1:]}) == len(GRID)
    assert set(DYNAMICS) <= set(preset.controls)


def test_a_grid_of_ones_own(preset, tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text(
        "[[variant]]\nname = 'slow'\nsmoothing = 0.99\nfps = '30000/1001'\ntruncation = 0.5\n"
        "[product]\nkernel = ['mean', 'hann']\nwindow = [50, 100, 200]\n"
    )
    grid = read_grid(file, preset)
    assert len(grid) == 8
    assert (grid[1].name, grid[1].fps, grid[1].values["truncation"]) == ("slow", Fraction(30000, 1001), 0.5)
    assert grid[7].values["kernel"] == "hann"
    assert grid[7].values["window"] == 200.0
    assert grid[7].summary == "kernel = hann, window = 200.0"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[variant]]\nsmothing = 1", "no control 'smothing'"),
        ("[[variant]]\nsmoothing = 2", "allowed is a number from 0"),
        ("[[variant]]\ngain = 2", "belongs to the hall"),
        ("[variants]\n", "allowed are"),
        ("", "makes 0 variants"),
        ("[product]\nsmoothing = [0.5]\nwindow = []", "makes 0 variants"),
        ("[[variant]]\nfps = 9000", "allowed are 1 to 240"),
        ("[[variant]]\nrelax = 1000", "from 0 to 100"),
        ("x = ", "cannot be read"),
    ],
)
def test_a_bad_grid_is_refused(preset, tmp_path, text, reason):
    (tmp_path / "grid.toml").write_text(text)
    with pytest.raises(SettingError, match=reason):
        read_grid(tmp_path / "grid.toml", preset)


def test_a_memory_is_learned_from_pairs_and_smoothness(preset, monkeypatch):
    """A descriptor that trembles between pairs is remembered for longer than one that leads to them."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(memory_fit, "MOST_STEPS", 4)
    rows = np.repeat(preset.pairs.descriptors, 12, axis=0)
    rows[:, 5] += rng.standard_normal(len(rows)) * 2
    path = pairs_on_path(preset, rows)
    assert len(path.pairs) == len(preset.pairs)
    assert np.array_equal(remembered(rows, np.full(23, 0.3), 30), Memory(30, np.full(23, 0.3)).process(rows))
    path = Path(rows, np.arange(6), np.arange(6) * 12 + 11)
    steps = []
    learned = learn_memory(preset, path, 30, 0.05, steps.append)
    assert steps
    assert ((learned >= 0.01) & (learned <= 2.0)).all()
    assert learned[5] > 1.5 * np.median(np.delete(learned, 5))


@pytest.mark.slow
def test_a_step_takes_as_long_as_the_formula_says(preset):
    """A leaky integrator on the latents at 30 a second: c^(n+1) of the way is left after n ticks."""
    off = {"smoothing": 0.0}
    half, most = step_delays(Variant(1, "", off).applied(preset), Fraction(30))
    assert 0 < half < 50
    assert half <= most < 80
    slow, slower = step_delays(Variant(1, "", {**off, "latent_smoothing": 0.9}).applied(preset), Fraction(30))
    expected = [np.ceil(np.log(share) / np.log(0.9)) - 1 for share in (0.5, 0.1)]
    assert slow - half == pytest.approx(expected[0] * 1000 / 30, abs=35)
    assert slower - half == pytest.approx(expected[1] * 1000 / 30, abs=35)


def test_movement_is_measured():
    straight = np.outer(np.arange(10.0), [3, 4]).astype(np.float32)
    assert jitter(straight) == 0
    assert speed(straight, Fraction(30), 10.0).tolist() == [0] + [15.0] * 9
    to_and_fro = np.resize([[0, 0], [3, 4]], (10, 2)).astype(np.float32)
    assert jitter(to_and_fro) == 2
    assert jitter(straight[:1].repeat(5, axis=0)) == 0
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 200, np.uint8)
    assert picture_change(black, grey) == picture_change(grey, black) == 200
    assert spread([black, grey]) == 200


def test_correspondence_finds_the_lag():
    rng = np.random.default_rng(0)
    descriptors = rng.standard_normal((400, 3)).cumsum(axis=0)
    moved = np.concatenate([[0.0], np.linalg.norm(np.diff(descriptors, axis=0), axis=1)])
    assert correspondence(descriptors, np.exp(moved), Fraction(30)) == (pytest.approx(1), pytest.approx(1), 0)
    at_once, best, lag = correspondence(descriptors, np.roll(moved, 3), Fraction(30))
    assert best == pytest.approx(1)
    assert lag == 100
    assert abs(at_once) < 0.3
    assert correspondence(descriptors, np.zeros(400), Fraction(30))[0] == 0


def test_the_front_is_what_nothing_beats():
    assert front([(10, 0.5), (5, 0.5), (20, 0.9), (21, 0.8), (5, 0.2)]) == [1, 2]


def test_pictures_stay_on_one_clock():
    assert [shown_tick(n, Fraction(60), Fraction(15)) for n in (0, 3, 4, 7, 8)] == [0, 0, 1, 1, 2]
    layout = Layout(tuple("abcdefg"), 64)
    x, y, width, height = layout.places[-1]
    assert x + width <= layout.size[0]
    assert y + height <= layout.size[1]
    assert len({place[:2] for place in layout.places}) == 7


def lab(preset, sound, folder, *names, **options):
    return Comparison(preset, sound, some(preset, *names), folder, **options)


@pytest.mark.slow
def test_the_film_shows_every_variant_with_the_sound_and_the_page_is_one_file(preset, tmp_path):
    sound = write_sound(tmp_path / "s.wav", 0.5)
    made = lab(preset, sound, tmp_path / "out", "latents 0.8", "60 a second", side=64)
    measured = made.run()
    with av.open(str(made.film)) as film:
        assert film.streams.audio
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) == 30
    x, y, side, _ = made.layout.places[1]
    assert np.std(pictures[-1][y : y + side, x : x + side]) > 1
    assert [len(one.changes) for one in measured] == [15, 15, 30]
    assert measured[1].change < measured[0].change
    assert measured[1].half_ms > measured[0].half_ms
    assert not (tmp_path / "out" / "lab.measures").exists()
    page = write_page(tmp_path / "out", made, measured, "title", "ponticello lab p --keep NUMBER").read_text("utf-8")
    assert "http" not in page
    assert page.count("data:video/mp4") == 1
    assert page.count("data:image/png") == 2
    with (tmp_path / "out" / "lab.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[1] for row in rows[1:]] == ["as the preset is", "latents 0.8", "60 a second"]
    assert len(results_table(measured).rows) == 3


@pytest.mark.slow
def test_a_stopped_lab_continues_and_measures_the_same(preset, tmp_path, monkeypatch):
    sound = write_sound(tmp_path / "s.wav", 1.5)
    whole = lab(preset, sound, tmp_path / "whole", "latents 0.8", "15 a second", side=64).run()
    real, count = comparison_module.thumbnail, 0

    def interrupted(image, side):
        nonlocal count
        count += 1
        if count == 100:
            raise KeyboardInterrupt
        return real(image, side)

    monkeypatch.setattr(comparison_module, "thumbnail", interrupted)
    with pytest.raises(Stopped, match="the same command continues"):
        lab(preset, sound, tmp_path / "out", "latents 0.8", "15 a second", side=64, segment_pictures=10).run()
    monkeypatch.undo()
    again = lab(preset, sound, tmp_path / "out", "latents 0.8", "15 a second", side=64, segment_pictures=10)
    rest = again.run()
    for one, other in zip(whole, rest, strict=True):
        assert one.changes.tolist() == other.changes.tolist()
        assert one.spread == other.spread
    with av.open(str(again.film)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 45


@pytest.mark.slow
def test_a_limit_of_the_picture_becomes_a_speed_limit(preset, tmp_path):
    sound = write_sound(tmp_path / "s.wav", 0.7)
    variants = [Variant(0, "limited", published(DESCRIPTORS), change_limit=6.0)]
    (resolved,) = Comparison(preset, sound, variants, tmp_path / "out").resolved()
    assert resolved.values["speed_limit"] > 0
    free, limited = Comparison(
        preset, sound, [Variant(0, "free", published(DESCRIPTORS)), resolved], tmp_path / "out", side=64
    ).run()
    assert limited.speeds.max() <= float(str(resolved.values["speed_limit"])) * 1.001
    assert free.speeds.max() > 2 * limited.speeds.max()
    assert limited.changes.mean() < 0.7 * free.changes.mean()


def test_keeping_writes_the_settings_and_nothing_else(preset):
    grid = default_grid(preset)
    file = preset.folder / "preset.toml"
    file.write_text("# mine\nversion = 1\n[controls]\ntruncation = 0.7 # dark\nlatent_smoothing = 0.5\n")
    line = keep(str(preset.folder), find_variant(grid, "calm"))
    assert "pace" in line
    text = file.read_text()
    assert text.startswith("# mine\nversion = 1\n[controls]\ntruncation = 0.7 # dark\n")
    kept = Preset.load(preset.folder)
    assert {name: kept.controls[name] for name in published(DESCRIPTORS)} == find_variant(grid, "calm").values
    assert "--fps 60" in keep(str(preset.folder), find_variant(grid, "60 a second"))
    with pytest.raises(SettingError, match="there are: 0"):
        find_variant(grid, "nothing")


def test_a_variant_keeps_the_other_settings_of_the_preset(preset):
    darker = replace(preset, controls={**preset.controls, "truncation": 0.3})
    assert find_variant(default_grid(darker), "calm").applied(darker).controls["truncation"] == 0.3
