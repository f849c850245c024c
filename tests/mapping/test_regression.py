"""Training on pairs: the paper's recipe, seeds, settings, and the mapping's file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.errors import PresetError, SettingError
from shared.mapping.regression import MLPRegressor, Training
from shared.mapping.scaling import Standardizer
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs, SoundFrame


def pairs(n=17, seed=0, space="z"):
    rng = np.random.default_rng(seed)
    latents = rng.standard_normal((n, 512)).astype(np.float32)
    return Pairs(
        tuple(f"image {i}" for i in range(n)), rng.standard_normal((n, 23)), latents, np.full((n, 2), np.nan), space
    )


def scaler():
    return Standardizer(np.arange(23.0), np.ones(23))


def test_the_papers_recipe_overfits_by_five_orders_of_magnitude():
    fitted = MLPRegressor.fit(pairs().descriptors, pairs().latents)
    assert fitted.sizes == (23, 40, 512)
    assert len(fitted.losses) == 501
    assert fitted.losses[-1] < fitted.losses[0] * 1e-5
    assert np.abs(fitted.process(pairs().descriptors) - pairs().latents).max() < 0.01


def test_the_same_pairs_give_the_same_weights_and_another_seed_others():
    short = Training(epochs=30)
    a, b = (MLPRegressor.fit(pairs().descriptors, pairs().latents, short) for _ in range(2))
    other = MLPRegressor.fit(pairs().descriptors, pairs().latents, Training(epochs=30, seed=1))
    assert all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))
    assert not np.array_equal(a.weights[0], other.weights[0])


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
def test_prediction_equals_torch(activation):
    fitted = MLPRegressor.fit(
        pairs().descriptors, pairs().latents, Training(layers=(40, 20), activation=activation, epochs=5)
    )
    layers = []
    for weight, bias in zip(fitted.weights, fitted.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [
            linear,
            {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "identity": torch.nn.Identity}[
                activation
            ](),
        ]
    with torch.no_grad():
        expected = torch.nn.Sequential(*layers[:-1])(torch.from_numpy(pairs().descriptors.astype(np.float32))).numpy()
    np.testing.assert_allclose(fitted.process(pairs().descriptors), expected, atol=1e-5)


def test_weight_decay_shrinks_the_weights():
    free, held = (
        MLPRegressor.fit(pairs().descriptors, pairs().latents, Training(epochs=200, weight_decay=decay))
        for decay in (0, 0.1)
    )
    assert np.square(held.weights[1]).sum() < 0.5 * np.square(free.weights[1]).sum()


@pytest.mark.parametrize(
    "setting",
    [{"layers": ()}, {"layers": (0,)}, {"epochs": 0}, {"learning_rate": 0.0}, {"weight_decay": -1.0}, {"seed": -1}],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(SettingError, match=f"{next(iter(setting))} = .* allowed"):
        Training(**setting)


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_mapping_comes_back_from_its_file_bit_for_bit(tmp_path, space):
    made = pairs(space=space)
    made.save(tmp_path / "pairs.safetensors")
    read = Pairs.load(tmp_path / "pairs.safetensors")
    assert read.names == made.names
    assert read.digest == made.digest
    learned = LearnedMapping.learn(scaler(), read, Training(epochs=10, seed=3))
    learned.save(tmp_path / "mapping.safetensors")
    again = LearnedMapping.load(tmp_path / "mapping.safetensors")
    x = np.random.default_rng(2).standard_normal((4, 23))
    assert np.array_equal(again.regressor.process(x), learned.regressor.process(x))
    assert (again.space, again.seed, again.pairs_digest) == (space, 3, made.digest)
    assert np.array_equal(again.scaler.mean, np.arange(23.0))


def test_no_pairs_are_an_error():
    with pytest.raises(PresetError, match="no pairs"):
        LearnedMapping.learn(scaler(), pairs(0), Training())


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "mapping.safetensors"
    with pytest.raises(PresetError, match="no file"):
        LearnedMapping.load(path)
    path.write_bytes(b"not a tensor file at all")
    with pytest.raises(PresetError, match="is not a safetensors file"):
        LearnedMapping.load(path)
    pairs().save(path)
    with pytest.raises(PresetError, match="holds pairs, not mapping"):
        LearnedMapping.load(path)
    nan = pairs().latents.copy()
    nan[0, 0] = np.nan
    with pytest.raises(PresetError, match="NaN or infinity"):
        Pairs(("a",) * 17, pairs().descriptors, nan, pairs().positions)
    with pytest.raises(PresetError, match="disagree"):
        Pairs(("a",), pairs().descriptors, pairs().latents, pairs().positions)


def test_some_of_the_pairs_keep_their_order_and_their_parts():
    sources = tuple(SoundFrame("0" * 64, frame) for frame in range(4))
    whole = replace(pairs(4), positions=np.arange(8.0).reshape(4, 2), sources=sources)
    some = whole.at([2, 0])
    assert some.names == ("image 2", "image 0")
    assert some.sources == (sources[2], sources[0])
    for name in ("descriptors", "latents", "positions"):
        assert np.array_equal(getattr(some, name), getattr(whole, name)[[2, 0]])
