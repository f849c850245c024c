"""The renderer of the preset `glass`, and the training on it: arithmetic, and runs that can be continued."""

import colorsys
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from offline.training.generator import TrainableGenerator
from presets.glass.make.painting.layout import LAYOUT, TURN, WAVES
from presets.glass.make.painting.optics import Glass, palette
from presets.glass.make.recipes import RECIPES as GLASS
from presets.ink.make.painting.layout import LAYOUT as INK_LAYOUT
from presets.ink.make.painting.liquid import Ink
from presets.ink.make.recipes import RECIPES as INK
from presets.making.fields import Fields
from presets.making.training.keeping import load_run, save_run
from presets.making.training.lesson import lesson
from presets.making.training.losses import TextureLoss, difference
from presets.making.training.muon import Muon, orthogonal
from presets.making.training.recipe import Recipe, Stage
from presets.making.training.start import fit_mapping, prepare, projection
from presets.making.training.trainer import MAPPING_LR_MULTIPLIER, Trainer
from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.checkpoint import read_architecture
from shared.image.generator import Generator, load_generator
from shared.image.latents import transform_matrix
from shared.preset.places import SHIPPED

pytestmark = pytest.mark.slow

PARAMETERS = LAYOUT.parameters

SMALL = Recipe(
    Glass(),
    channel_base=1024,
    channel_max=48,
    batch=1,
    mapping_steps=20,
    stages=(Stage(1, "buffers"), Stage(1, "preview"), Stage(2, "picture")),
)


def glass(seed: int) -> Fields:
    """Fields of the world of glass."""
    return Fields(LAYOUT, seed)


def parameters(z: torch.Tensor, to_p: torch.Tensor) -> torch.Tensor:
    """The scene of a z."""
    return z * z.square().mean(dim=1, keepdim=True).rsqrt() @ to_p.T


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(5)
    yield
    torch.set_num_threads(before)


def test_network_is_the_generator() -> None:
    network = TrainableGenerator(SMALL.architecture, MAPPING_LR_MULTIPLIER)
    prepare(network, glass(1), projection(1, PARAMETERS, 512))
    z = torch.randn(2, 512)
    transform = torch.from_numpy(transform_matrix(30.0, (0.1, -0.2)))
    with torch.no_grad():
        network.synthesize(network.map(z), torch.eye(3), beta=0.5)
        given = network.synthesize(network.map(z), transform)
    generator = Generator(SMALL.architecture, network.arrays(), torch.device("cpu"), "full")
    wanted = generator.synthesize_float(generator.map(z.numpy()), transform)
    torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)
    assert wanted.std() > 0.01


def test_start_gives_the_fields() -> None:
    """Before training, a linear function of the first layer's output equals the renderer's fields."""
    network, fields, to_p = (
        TrainableGenerator(SMALL.architecture, MAPPING_LR_MULTIPLIER),
        glass(1),
        projection(1, PARAMETERS, 512),
    )
    prepare(network, fields, to_p)
    z = torch.randn(6, 512)
    with torch.no_grad():
        x = network.synthesize(network.map(z), torch.eye(3), depth=1)[:, :, 10:-10, 10:-10]
    wanted = Glass().render(fields, fields.steer(parameters(z, to_p)), x.shape[2]).fields
    for k, name in enumerate(LAYOUT.names):
        given = x[:, 2 * k] - x[:, 2 * k + 1]
        assert np.corrcoef(given.flatten(), wanted[:, k].flatten())[0, 1] > 0.95, name


def test_mapping_learns_to_steer() -> None:
    network, fields, to_p = (
        TrainableGenerator(SMALL.architecture, MAPPING_LR_MULTIPLIER),
        glass(1),
        projection(1, PARAMETERS, 512),
    )
    prepare(network, fields, to_p)
    errors = [fit_mapping(network, fields, to_p, steps, seed=3) for steps in (1, 60)]
    assert errors[1] < errors[0] < 0.1


def test_scene_turns_and_shifts_with_the_transform() -> None:
    fields = glass(3)
    p = fields.steer(torch.randn(1, PARAMETERS))
    quarter = torch.from_numpy(transform_matrix(90.0))[None]
    straight, turned = Glass().render(fields, p, 64).picture, Glass().render(fields, p, 64, quarter).picture
    torch.testing.assert_close(turned, straight.rot90(1, (2, 3)), rtol=0, atol=2e-3)
    eighth = torch.from_numpy(transform_matrix(0.0, (0.125, 0.0)))[None]
    shifted = Glass().render(fields, p, 64, eighth).picture
    torch.testing.assert_close(shifted[..., 8:], straight[..., :-8], rtol=0, atol=2e-3)


def test_turn_is_a_rotation() -> None:
    fields = glass(3)
    p = torch.zeros(1, PARAMETERS)
    q = p.clone()
    q[0, TURN] = 0.7
    still, turned = fields.steer(p), fields.steer(q)
    cos, sin = turned[0, 2 * len(WAVES) : 2 * len(WAVES) + 2]
    degrees = float(torch.rad2deg(torch.atan2(sin, cos)))
    assert degrees > 30
    by_transform = Glass().render(fields, still, 64, torch.from_numpy(transform_matrix(degrees))[None]).fields
    torch.testing.assert_close(Glass().render(fields, turned, 64).fields, by_transform, rtol=0, atol=1e-4)


def test_slopes_are_the_fields_derivatives() -> None:
    fields, size = glass(2), 256
    field = fields(fields.steer(torch.randn(1, PARAMETERS)), size)["crack1"][0]
    along_x = (field[0, :, 2:] - field[0, :, :-2]) * size / 2
    along_y = (field[0, 2:] - field[0, :-2]) * size / 2
    torch.testing.assert_close(along_x, field[1, :, 1:-1], rtol=0, atol=5e-3)
    torch.testing.assert_close(along_y, field[2, 1:-1], rtol=0, atol=5e-3)


def test_pictures_are_glass_on_black() -> None:
    fields = glass(2025)
    steering = fields.steer(torch.randn(12, PARAMETERS))
    picture = Glass().render(fields, steering, 128).picture
    assert picture.isfinite().all()
    assert picture.min() < -0.995
    assert picture.max() <= 1
    assert 0.05 < (picture.amax(dim=1) < -0.9).float().mean() < 0.7
    assert (picture.amin(dim=1) > 0.95).float().mean() < 0.05  # hardly ever bare white
    torch.testing.assert_close(picture, Glass().render(glass(2025), steering, 128).picture, rtol=0, atol=0)


def test_pictures_are_ink_on_paper() -> None:
    fields = Fields(INK_LAYOUT, 2026)
    steering = fields.steer(torch.randn(12, INK_LAYOUT.parameters))
    drawn = Ink().render(fields, steering, 128)
    assert drawn.picture.isfinite().all()
    assert drawn.picture.min() >= -1
    assert drawn.picture.max() <= 1
    assert drawn.buffers.abs().max() < 3
    paper = (drawn.picture.amin(dim=1) > 0.5).float().mean(dim=(1, 2))
    assert 0.1 < paper.mean() < 0.8
    quarter = torch.from_numpy(transform_matrix(90.0))[None].repeat(12, 1, 1)
    turned = Ink().render(fields, steering, 128, quarter).picture
    torch.testing.assert_close(turned, drawn.picture.rot90(1, (2, 3)), rtol=0, atol=2e-3)


def test_palette_never_is_olive() -> None:
    colours = palette(torch.linspace(-0.2, 1.2, 200)[None, None])[0, :, 0].T
    for r, g, b in colours.tolist():
        hue, saturation, _ = colorsys.rgb_to_hsv(r, g, b)
        assert saturation > 0.5
        assert not 50 / 360 < hue < 150 / 360


def test_black_may_be_blacker() -> None:
    wanted = torch.tensor([-1.0, -1.0, 1.0, 1.0, 0.0])
    given = torch.tensor([-1.5, -0.5, 1.5, 0.5, -1.5])
    assert difference(given, wanted).tolist() == [0.0, 0.5, 0.0, -0.5, -1.5]


def test_texture_sees_softness() -> None:
    texture = TextureLoss(1)
    sharp = torch.rand(1, 3, 64, 64) * 2 - 1
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    assert texture(sharp, sharp) == 0
    assert texture(soft, sharp) > texture(sharp.roll(1, 3), sharp) > 0


def test_directions_are_orthogonal() -> None:
    singular = torch.linalg.svdvals(orthogonal(torch.randn(24, 90)))
    assert singular.min() > 0.5
    assert singular.max() < 1.3


def test_muon_descends() -> None:
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3))
    direction = torch.randn(4, 3, 3, 3)
    muon = Muon({"w": weight})
    values = []
    for _ in range(30):
        loss = (weight * direction).mean()
        values.append(float(loss.detach()))
        weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        muon.step(0.05)
    assert values[-1] < values[0] - 0.3
    torch.testing.assert_close(weight.square().mean(dim=(1, 2, 3)), torch.ones(4))


def test_lessons_repeat() -> None:
    to_p = projection(1, PARAMETERS, 512)
    recipe = dataclasses.replace(SMALL, batch=64)
    one, again, other = (
        lesson(recipe, 7, 0.5),
        lesson(recipe, 7, 0.5),
        lesson(recipe, 8, 0.5),
    )
    assert torch.equal(one.z, again.z)
    assert not torch.equal(one.z, other.z)
    assert one.between.count_nonzero() < 32
    turned = one.transforms[:, 0, 0] != 1
    assert 0 < turned.sum() < 40
    assert one.transforms[~turned][:, :2, 2].abs().max() <= 0.25  # windows lie within the picture
    torch.testing.assert_close(to_p @ to_p.T, torch.eye(PARAMETERS), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The CUDA driver")
def test_a_run_is_taken_up_where_it_was_left(tmp_path: Path) -> None:
    straight = Trainer(SMALL)
    for _ in range(straight.steps):
        parts = straight.step()
    assert all(np.isfinite(value) for value in parts.values())
    first = Trainer(SMALL)
    for _ in range(2):
        first.step()
    save_run(first, tmp_path / "training.safetensors")
    second = Trainer(SMALL)
    load_run(second, tmp_path / "training.safetensors")
    assert second.step_number == 2
    with pytest.raises(ValueError, match="belongs to another recipe"):
        load_run(Trainer(dataclasses.replace(SMALL, texture=0.4)), tmp_path / "training.safetensors")
    while second.step_number < second.steps:
        second.step()
    for name, weight in straight.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name
    straight.export(tmp_path / "generator.safetensors")
    generator = load_generator(tmp_path / "generator.safetensors")
    w = generator.map(np.zeros((1, 512), np.float32) + 1)
    wanted = straight.average.synthesize(w[:, 0], torch.eye(3))
    assert float((generator.synthesize_float(w) - wanted).abs().max()) < 0.02  # float16 in the file
    assert "synthesis.input.freqs" in load_file(tmp_path / "generator.safetensors")


def test_recipes_fit_in_the_repository() -> None:
    for recipe in (*GLASS.values(), *INK.values()):
        architecture: Architecture = recipe.architecture
        numbers = sum(int(np.prod(tensor.shape)) for tensor in geometry.tensors(architecture).values())
        assert 2 * numbers < 10_000_000
        assert architecture.z_dim == architecture.w_dim == 512


@pytest.mark.parametrize(("world", "recipe"), [("glass", GLASS["glass"]), ("ink", INK["ink"])])
def test_shipped_generators_are_those_of_their_recipes(world: str, recipe: Recipe) -> None:
    """A shipped generator has the recipe's architecture, and draws the scenes that the renderer draws from the same z."""
    path = SHIPPED / world / "generator.safetensors"
    assert path.stat().st_size < 6_000_000
    assert read_architecture(path) == recipe.architecture
    generator, fields = load_generator(path), Fields(recipe.world.layout, recipe.seed)
    to_p = projection(recipe.seed, recipe.world.layout.parameters, 512)
    z = torch.randn(4, 512)
    w = generator.map(z.numpy())
    drawn = recipe.world.render(fields, fields.steer(parameters(z, to_p)), recipe.resolution).picture
    given = torch.cat([generator.synthesize_float(row[None]) for row in w]).clamp(-1, 1)
    differences = torch.stack([(one - drawn).abs().mean(dim=(1, 2, 3)) for one in given])
    assert differences.diagonal().max() < 0.3
    assert differences.argmin(dim=1).tolist() == [0, 1, 2, 3]


def test_a_window_is_a_part_of_the_picture() -> None:
    network, fields, to_p = (
        TrainableGenerator(SMALL.architecture, MAPPING_LR_MULTIPLIER),
        glass(1),
        projection(1, PARAMETERS, 512),
    )
    prepare(network, fields, to_p)
    z = torch.randn(1, 512)
    shift = torch.from_numpy(transform_matrix(0.0, (-0.125, 0.0625)))[None]  # shows what is right and above
    size = SMALL.resolution
    left, top, half = size // 4 + size // 8, size // 4 - size // 16, size // 2
    with torch.no_grad():
        w = network.map(z)
        network.synthesize(w, torch.eye(3), beta=0.0)
        whole, part = network.synthesize(w, torch.eye(3)), network.synthesize(w, shift, window=0.5)
    inner = whole[:, :, top : top + half, left : left + half]
    assert part.shape == inner.shape
    assert (part - inner).abs().max() < 0.02 * whole.std()  # margins are finite
    steering = fields.steer(parameters(z, to_p))
    drawn = Glass().render(fields, steering, size).picture[:, :, top : top + half, left : left + half]
    torch.testing.assert_close(
        Glass().render(fields, steering, half, shift, window=0.5).picture, drawn, rtol=0, atol=1e-3
    )


def test_upper_layers_begin_by_passing_the_small_picture_on() -> None:
    trainer = Trainer(SMALL)
    trainer.begin()
    trainer.extend()
    seen: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        w = trainer.network.map(trainer.shown_z[:2])
        picture = trainer.network.synthesize(w, torch.eye(3), visit=seen.__setitem__)
        small = trainer.read("preview", seen[trainer.layer_of["preview"]])
    halved = torch.nn.functional.avg_pool2d(picture, 2)
    assert (halved - small).abs().mean() < 0.05 * small.std()
    assert picture.std() == pytest.approx(float(small.std()), rel=0.05)
