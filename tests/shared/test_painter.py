"""Pictures to images: cross-fades, brightness, and which generators are kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.errors import PresetError
from shared.image.latents import transform_matrix
from shared.painter import Painter, resized
from shared.picture import Picture
from shared.preset import Preset
from tests.small import LATENT, make_preset, write_generator


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A preset with another generator, of the same size."""
    folder = make_preset(tmp_path_factory.mktemp("other") / "q", seed=3)
    write_generator(folder / "generator.safetensors", seed=4)
    return Preset.load(folder)


@pytest.fixture(scope="module")
def painter(preset, other):
    painter = Painter()
    painter.load(preset)
    painter.load(other)
    return painter


def picture(preset, seed, **options):
    latent = np.random.default_rng(seed).standard_normal(LATENT).astype(np.float32)
    plain = Picture(preset.generator_sha256, latent, "z", 0.7, 0.0, (0.0, 0.0), 1.0)
    return replace(plain, **options)


def w_of(generator, drawn):
    return generator.map(torch.from_numpy(drawn.latent)[None], psi=drawn.truncation)


def test_a_cross_fade_of_one_generator_mixes_w_rotation_and_translation(preset, painter):
    generator = painter.load(preset)
    lowest = picture(preset, 1, rotate=10.0, translate=(0.1, 0.0))
    middle = picture(preset, 2, rotate=50.0, translate=(0.3, -0.2), under=lowest, mix=0.25)
    upper = picture(preset, 3, rotate=-40.0, translate=(0.0, 0.2), under=middle, mix=0.5)
    a, b, c = (w_of(generator, each) for each in (lowest, middle, upper))
    w = a + 0.25 * (b - a)
    assert torch.equal(painter.paint(middle), generator.synthesize(w, transform_matrix(20, (0.15, -0.05))))
    w = w + 0.5 * (c - w)
    whole = generator.synthesize(w, transform_matrix(-10.0, (0.075, 0.075)))
    assert torch.equal(painter.paint(upper), whole)
    assert not torch.equal(whole, generator.synthesize(w))  # here the motion can be seen


def test_a_cross_fade_between_generators_mixes_images_each_with_its_own_motion(preset, other, painter):
    lower = picture(preset, 1, rotate=10.0)
    upper = picture(other, 2, translate=(0.2, 0.0), under=lower, mix=0.25)
    parts = [painter.paint(lower), painter.paint(replace(upper, under=None))]
    low, high = (image.to(torch.float32) for image in parts)
    assert torch.equal(painter.paint(upper), (low + 0.25 * (high - low) + 0.5).to(torch.uint8))
    still = painter.paint(replace(upper, under=None, translate=(0.0, 0.0)))
    assert not torch.equal(parts[1], still)


def test_without_motion_the_image_is_the_generators(preset, painter):
    generator = painter.load(preset)
    drawn = picture(preset, 5)
    assert torch.equal(painter.paint(drawn), generator.synthesize(w_of(generator, drawn)))
    for motion in ({"rotate": 90.0}, {"translate": (0.25, 0.0)}, {"translate": (0.0, 0.25)}):
        assert not torch.equal(painter.paint(replace(drawn, **motion)), painter.paint(drawn))


def test_a_latent_in_w_is_truncated_like_one_in_z(preset, painter):
    generator = painter.load(preset)
    drawn = picture(preset, 6, space="w", truncation=0.5)
    w = generator.w_avg + 0.5 * (torch.from_numpy(drawn.latent) - generator.w_avg)
    assert torch.equal(painter.paint(drawn), generator.synthesize(generator.broadcast(w[None])))


def test_brightness_scales_the_image_and_rounds(preset, painter):
    full = painter.paint(picture(preset, 7)).numpy().astype(float)
    for level in (0.5, 0.999):
        image = painter.paint(picture(preset, 7, level=level)).numpy()
        assert np.array_equal(image, np.floor(full * np.float32(level) + 0.5))
    assert not painter.paint(picture(preset, 7, level=0.0)).any()
    assert np.array_equal(painter.paint(picture(preset, 7, level=2.0)).numpy(), full)


def test_only_the_generators_that_are_needed_stay(preset, other):
    painter = Painter()
    first = painter.load(preset)
    assert painter.load(preset) is first  # read once
    painter.load(other)
    painter.keep([preset])
    assert painter.load(preset) is first
    with pytest.raises(KeyError):
        painter.paint(picture(other, 1))


def test_a_mapping_must_fit_its_generator(preset, tmp_path):
    folder = make_preset(tmp_path / "p")
    learned = Preset.load(folder).mapping
    *hidden, (weight, bias) = zip(learned.regressor.weights, learned.regressor.biases, strict=True)
    weights, biases = zip(*hidden, (weight[: LATENT // 2], bias[: LATENT // 2]), strict=True)
    narrow = replace(learned.regressor, weights=weights, biases=biases)
    replace(learned, regressor=narrow).save(folder / "mapping.safetensors")
    with pytest.raises(PresetError, match=f"{LATENT // 2} numbers.* {LATENT} in z"):
        Painter().load(Preset.load(folder))
    assert Painter().load_untrained(Preset.load(folder)).z_dim == LATENT


def test_resizing_keeps_a_constant_level_and_an_image_of_the_same_size():
    image = torch.full((4, 4, 3), 7.0)
    assert resized(image, (4, 4)) is image
    assert torch.allclose(resized(image, (8, 6)), torch.full((8, 6, 3), 7.0))
