"""Pictures of other shapes are the square, continued on both sides."""

import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SettingError
from shared.image import memory
from shared.image.canvas import Canvas, covering_shape, fitting_shape, map_bytes
from shared.image.generator import load_generator
from shared.image.latents import transform_matrix
from tests.image import reference

pytestmark = pytest.mark.slow

GLASS = Path(__file__).parents[2] / "presets" / "glass" / "generator.safetensors"
BOUNDS = {"t64": (2e-2, 5e-4), "t64_cond5": (1e-2, 2e-4), "r64": (5e-4, 1e-6), "edge_t32": (5e-3, 2e-6)}
"""Largest difference from the square, relative to its peak: at the border, and a quarter of its side away from it.

Outside the margins of its maps the square has zeros, the wider canvas more waves. How far that reaches into the picture
depends on the number of layers at each rate: least in the networks that are really used, such as glass.
"""


def generators():
    for name in reference.CASES:
        yield name, reference.load(name).generator(), *BOUNDS[name]
    yield "glass", load_generator(GLASS), 1e-4, 4.4e-6


CASES = list(generators())


def w_of(generator, seed=1):
    c = torch.eye(generator.c_dim)[:1] if generator.c_dim else None
    return generator.map(torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed)), c)


def difference(one, other, margin):
    d = (one - other).abs().amax(dim=(0, 1))
    return float(d.max()), float(d[margin:-margin, margin:-margin].max())


@pytest.mark.parametrize(("name", "generator", "border", "inside"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16, 4.0])
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "as-made"])
def test_the_square_lies_in_the_middle(name, generator, border, inside, aspect, plain):
    side = generator.img_resolution
    shape = covering_shape(generator.config, aspect)
    w = w_of(generator)
    make = generator.judge if plain else generator.synthesize_float
    square, picture = make(w), make(w, None, shape)
    assert picture.shape[2:] == shape
    above, left = ((length - side) // 2 for length in shape)
    centre = picture[:, :, above : above + side, left : left + side]
    peak = max(1.0, float(square.abs().max()))
    at_border, within = difference(centre, square, side // 4)
    assert at_border <= border * peak
    assert within <= inside * peak
    assert difference(centre.flip(3), square, side // 4)[1] > 50 * inside * peak  # a mirrored one is not the square
    stretched = torch.nn.functional.interpolate(square, shape, mode="bilinear")
    assert difference(picture, stretched, side // 4)[1] > 50 * inside * peak


@pytest.mark.parametrize(("name", "generator", "border", "inside"), CASES, ids=[case[0] for case in CASES])
def test_the_rest_is_the_square_of_a_shifted_input(name, generator, border, inside):
    """A window of the wide picture is the square whose content is translated, by whole and by fractions of samples."""
    side = generator.img_resolution
    shape = covering_shape(generator.config, 2.0)
    w = w_of(generator, 2)
    wide = generator.synthesize_float(w, None, shape)
    peak = max(1.0, float(wide.abs().max()))
    start = (shape[1] - side) // 2
    for pixels in (-side // 2, side // 4):
        square = generator.synthesize_float(w, transform_matrix(0.0, (-pixels / side, 0.0)))
        window = wide[..., start + pixels : start + pixels + side]
        assert difference(window, square, side // 4)[1] <= 20 * inside * peak
        assert difference(window, square.flip(3), side // 4)[1] > 50 * inside * peak


def test_translation_by_a_fraction_of_a_sample_moves_the_wide_picture():
    """R is equivariant to translation: shifting by 3 of 4 pixels of a sample moves every pixel."""
    generator = reference.load("r64").generator()
    side, shape = generator.img_resolution, covering_shape(generator.config, 2.0)
    w = w_of(generator, 3)
    wide = generator.synthesize_float(w, None, shape)
    moved = generator.synthesize_float(w, transform_matrix(0.0, (3 / side, 0.0)), shape)
    inside = slice(side // 4, -side // 4)
    peak = float(wide.std())
    assert float((moved[..., inside, 3:][..., inside] - wide[..., inside, :-3][..., inside]).abs().max()) < 0.1 * peak
    assert float((moved[..., inside, inside] - wide[..., inside, inside]).abs().max()) > 0.3 * peak


@settings(max_examples=12)
@given(st.integers(1, 90), st.integers(1, 110), st.sampled_from(["t64", "r64"]))
def test_fused_path_is_the_plain_one_in_odd_shapes(half_rows, half_columns, name):
    generator = {case[0]: case[1] for case in CASES}[name]
    shape = (2 * half_rows, 2 * half_columns)
    w = w_of(generator, 4)
    fused, plain = generator.synthesize_float(w, None, shape), generator.judge(w, None, shape)
    assert fused.shape == plain.shape == (1, 3, *shape)
    assert reference.psnr(fused, plain) > 84


def test_bits_do_not_depend_on_threads():
    generator = load_generator(GLASS, precision="half")
    w, shape = w_of(generator), covering_shape(generator.config, 16 / 9)
    before, made = torch.get_num_threads(), []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        made.append(generator.synthesize(w, None, shape))
    torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in itertools.pairwise(made))


def test_the_square_is_the_same_however_it_is_asked_for():
    generator = load_generator(GLASS, precision="half")
    w = w_of(generator)
    assert torch.equal(generator.synthesize(w), generator.synthesize(w, None, (256, 256)))


def test_a_batch_gives_the_pictures_of_its_rows():
    generator = reference.load("t64").generator()
    w = torch.cat([w_of(generator, 1), w_of(generator, 2)])
    batch = generator.synthesize_float(w, None, (64, 96))
    for row, picture in zip(w, batch, strict=True):
        assert torch.equal(generator.synthesize_float(row[None], None, (64, 96))[0], picture)


def test_shapes():
    a = load_generator(GLASS).config
    assert covering_shape(a, 16 / 9) == (256, 456)
    assert covering_shape(a, 9 / 16) == (456, 256)
    assert covering_shape(a, 4.0) == (256, 1024)
    assert covering_shape(a, 1.0) == (256, 256)
    assert fitting_shape(a, (255, 301)) == (256, 302)
    assert Canvas.of(a, (256, 456)) == Canvas((256, 456), (0, 14), (0, 12))
    assert Canvas.of(a, (100, 256)) == Canvas((100, 256), (0, 0), (78, 0))


@pytest.mark.parametrize("shape", [(256, 455), (255, 256)])
def test_an_odd_side_is_refused_with_the_next_even_one(shape):
    generator = load_generator(GLASS)
    with pytest.raises(SettingError, match=r"take 256 x (456|256)$"):
        generator.synthesize(w_of(generator), None, shape)


@pytest.mark.parametrize("shape", [(0, 256), (256, -2)])
def test_an_empty_shape_is_refused(shape):
    generator = load_generator(GLASS)
    with pytest.raises(SettingError, match="above 0"):
        generator.synthesize(w_of(generator), None, shape)


def test_a_shape_that_does_not_fit_into_memory_is_refused_before_it_is_drawn():
    generator = load_generator(GLASS)
    with pytest.raises(
        SettingError, match=r"a picture of 65536 x 65536 pixels needs about \d+\.\d GB of memory, .* smaller shape"
    ):
        generator.synthesize(w_of(generator), None, (65536, 65536))


def test_memory_grows_with_the_area():
    a = load_generator(GLASS).config
    one, four = (map_bytes(a, Canvas.of(a, shape)) for shape in ((256, 512), (512, 1024)))
    assert 2.5 < four / one < 4


def test_available_memory_is_read_on_systems_that_report_it(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.available_bytes() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    assert memory.available_bytes() == 2048 * 1024
