"""Training on pairs: the paper's recipe, seeds, settings, and the mapping's file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from shared import safetensors_format
from shared.audio.descriptors import DESCRIPTORS
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
    [
        *({"layers": layers} for layers in ((), (0,), (40, 0), (4097,), (1,) * 9)),
        *({"epochs": epochs} for epochs in (0, 1_000_001)),
        *({"learning_rate": rate} for rate in (0.0, -0.1, 1.001)),
        *({"weight_decay": decay} for decay in (-1e-9, 1.001)),
        *({"seed": seed} for seed in (-1, 2**63)),
    ],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(SettingError, match=f"{next(iter(setting))} = .* allowed"):
        Training(**setting)


@pytest.mark.parametrize(
    "setting",
    [
        *({"layers": layers} for layers in ((1,), (4096,), (1,) * 8)),
        *({"epochs": epochs} for epochs in (1, 1_000_000)),
        *({"learning_rate": rate} for rate in (1e-9, 1)),
        *({"weight_decay": decay} for decay in (0, 1)),
        *({"seed": seed} for seed in (0, 2**63 - 1)),
    ],
)
def test_the_ends_of_each_range_are_allowed(setting):
    ((name, value),) = setting.items()
    assert getattr(Training(**setting), name) == value


def test_every_epoch_and_its_loss_are_reported_before_its_step():
    heard = []
    fitted = MLPRegressor.fit(
        pairs().descriptors, pairs().latents, Training(epochs=7), lambda *report: heard.append(report)
    )
    assert heard == list(enumerate(fitted.losses[:-1]))
    assert len(fitted.losses) == 8
    expected = np.square(fitted.process(pairs().descriptors) - pairs().latents).mean()
    assert fitted.losses[-1] == pytest.approx(expected, rel=1e-5)
    untrained = MLPRegressor.fit(pairs().descriptors, pairs().latents, Training(epochs=1), None)
    assert untrained.losses[0] == fitted.losses[0]


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
    for numbers in ([2, 0], (2, 0), range(2, -1, -2)):
        some = whole.at(numbers)
        assert some.names == ("image 2", "image 0")
        assert some.sources == (sources[2], sources[0])
        for name in ("descriptors", "latents", "positions"):
            assert np.array_equal(getattr(some, name), getattr(whole, name)[[2, 0]])


def test_pairs_come_back_from_their_file_with_all_their_parts(tmp_path):
    sources = (SoundFrame("0" * 64, 7), None, SoundFrame("1" * 64, 0))
    made = replace(
        pairs(3, space="w"),
        positions=np.array([[0.0, 1.0], [np.nan, np.nan], [0.25, 0.5]]),
        scaler=scaler(),
        map="digest",
        sources=sources,
        inputs=DESCRIPTORS,
    )
    made.save(tmp_path / "pairs.safetensors")
    read = Pairs.load(tmp_path / "pairs.safetensors")
    assert (read.names, read.digest, read.space) == (made.names, made.digest, "w")
    assert (read.map, read.sources, read.inputs) == ("digest", sources, DESCRIPTORS)
    assert np.array_equal(read.positions, made.positions, equal_nan=True)
    assert np.array_equal(read.scaler.mean, scaler().mean)
    assert np.array_equal(read.scaler.deviation, scaler().deviation)


def test_files_say_which_version_of_the_format_they_are(tmp_path):
    pairs().save(tmp_path / "pairs.safetensors")
    with safe_open(tmp_path / "pairs.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert (metadata["version"], metadata["ponticello"]) == ("1", "pairs")


@pytest.mark.parametrize(
    ("version", "message"),
    [("2", "written by a newer Ponticello"), ("", "format '' given"), ("-1", "given"), ("1.0", "given"), ("1", "")],
)
def test_files_of_other_versions_are_refused(tmp_path, version, message):
    path = tmp_path / "pairs.safetensors"
    pairs().save(path)
    with safe_open(path, "numpy") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(arrays, path, {**metadata, "version": version})
    if message:
        with pytest.raises(PresetError, match=message):
            Pairs.load(path)
    else:
        assert len(Pairs.load(path)) == 17


def test_a_folder_of_that_name_is_refused_in_one_line(tmp_path):
    (tmp_path / "pairs.safetensors").mkdir()
    with pytest.raises(PresetError, match=r"pairs\.safetensors cannot be read: "):
        Pairs.load(tmp_path / "pairs.safetensors")


@pytest.mark.parametrize(("times", "count"), [(1, 5), (3, 7), (99, None)])
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path, monkeypatch, times, count):
    path = tmp_path / "pairs.safetensors"
    pairs(17).save(path)
    read_tensors = safetensors_format.read_tensors
    replaced = []

    def replaced_before(*arguments):
        if len(replaced) < times:
            replaced.append(True)
            pairs(4 + len(replaced)).save(path)  # another header, other places
        return read_tensors(*arguments)

    monkeypatch.setattr(safetensors_format, "read_tensors", replaced_before)
    if count:
        assert len(Pairs.load(path)) == count
    else:
        with pytest.raises(PresetError, match=r"pairs\.safetensors is replaced all the time by another program"):
            Pairs.load(path)


def test_the_defaults_are_those_of_the_paper():
    default = Training()
    assert (default.layers, default.activation, default.epochs, default.learning_rate) == ((40,), "relu", 500, 0.01)
    assert (default.weight_decay, default.seed) == (0.0, 0)
    assert MLPRegressor.fit(pairs().descriptors, pairs().latents, Training(epochs=1)).sizes == (23, 40, 512)


@pytest.mark.parametrize("size", [0, 1])
def test_a_file_of_the_most_bytes_is_read_and_none_above(tmp_path, monkeypatch, size):
    path = tmp_path / "pairs.safetensors"
    pairs(4).save(path)
    data = 4 * (23 * 8 + 512 * 4 + 2 * 8)
    monkeypatch.setattr("shared.preset.tensorfile.MAX_BYTES", data - size)
    if size:
        with pytest.raises(PresetError, match=f"holds {data:,} bytes; up to {data - 1:,} are read"):
            Pairs.load(path)
    else:
        assert len(Pairs.load(path)) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": np.zeros(3)}, "holds 'extra', which does not belong there"),
        ({"positions": np.zeros((4, 3))}, r"'positions' is F64 of shape \(4, 3\), must be floating-point numbers of shape \(any, 2\)"),
        ({"positions": np.zeros((4, 2), np.int64)}, "'positions' is I64"),
        ({"positions": np.full((4, 2), np.inf)}, "positions that are not finite"),
        ({"positions": np.zeros((3, 2))}, "parts do not fit together"),
        ({"descriptors": np.full((4, 23), np.nan)}, "'descriptors' holds NaN or infinity"),
        ({"latents": np.zeros(4, np.float32)}, "'latents' is F32"),
        ({"scaler.mean": np.zeros(23)}, "its scaler must be 23 means and deviations"),
        ({"scaler.mean": np.zeros(22), "scaler.deviation": np.ones(22)}, "its scaler must be 23"),
        ({"scaler.mean": np.zeros(23), "scaler.deviation": -np.ones(23)}, "its scaler must be 23"),
    ],
)  # fmt: skip
def test_pairs_with_wrong_parts_are_named(tmp_path, change, message):
    path = tmp_path / "pairs.safetensors"
    pairs(4).save(path)
    with safe_open(path, "numpy") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file({**arrays, **change}, path, metadata)
    with pytest.raises(PresetError, match=message):
        Pairs.load(path)


def test_positions_may_be_unknown(tmp_path):
    replace(pairs(4), positions=np.full((4, 2), np.nan)).save(tmp_path / "pairs.safetensors")
    assert np.isnan(Pairs.load(tmp_path / "pairs.safetensors").positions).all()


def test_the_nearest_pair_and_its_distance():
    made = pairs(9)
    for row in range(9):
        assert made.nearest(made.descriptors[row]) == (row, 0.0)
    frame = made.descriptors[4] + 0.01
    number, distance = made.nearest(frame)
    assert number == 4
    assert distance == pytest.approx(np.linalg.norm(np.full(23, 0.01)))


def test_another_scaler_keeps_the_moments():
    old, new = scaler(), Standardizer(np.full(23, 3.0), np.linspace(0, 2, 23))
    made = replace(pairs(3), scaler=old)
    moved = made.standardised_by(new)
    assert np.allclose(new.undone(moved.descriptors), old.undone(made.descriptors))
    assert moved.scaler is new
    assert made.standardised_by(scaler()) is made
    assert pairs(3).standardised_by(new).scaler is new
    assert np.array_equal(pairs(3).standardised_by(new).descriptors, pairs(3).descriptors)
    half = Standardizer(old.mean, old.deviation * 2)
    assert not old.equals(half)
    assert not old.equals(Standardizer(old.mean + 1, old.deviation))
    assert old.equals(scaler())
