"""Every regressor, evaluated in numpy, equals the library that fitted it; mappings come back from their files."""

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import RobustScaler

from shared.errors import PresetError, SettingError
from shared.mapping.preprocessing import Preprocessing
from shared.mapping.regression import REGRESSORS, MLPRegressor, Training, fit
from shared.mapping.regression.kernels import median_distance
from shared.mapping.scaling import Standardizer
from shared.preset.learned import LearnedMapping, class_weights, learned_pairs, on_sphere
from shared.preset.pairs import Pairs
from tests.contract import check_stage

D, LATENT = 23, 32


def data(n=17, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((n, LATENT)).astype(np.float32)


def places(d=D, seed=1):
    return np.random.default_rng(seed).standard_normal((50, d))


def made(x, y, **settings):
    return fit(x, y, Training(epochs=20, **settings))


def test_nearest_equals_scikit_learn():
    x, y = data()
    for k, power in ((1, 2.0), (3, 2.0), (5, 1.5), (99, 3.0)):
        model = KNeighborsRegressor(min(k, len(x)), weights=lambda d, p=power: d**-p).fit(x, y)
        ours = made(x, y, regressor="nearest", neighbours=k, power=power)
        np.testing.assert_allclose(ours.process(places()), model.predict(places()), atol=1e-5)
    assert np.array_equal(ours.process(x), y)


def test_nearest_meets_equal_sounds_in_their_mean():
    x, y = data()
    x[1] = x[0]
    found = made(x, y, regressor="nearest").process(x[:1])[0]
    np.testing.assert_allclose(found, (y[0] + y[1]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "kernel", "degree"), [(17, "gaussian", 0), (17, "thin_plate", -1), (40, "thin_plate", 1)]
)
@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_rbf_equals_scipy(n, kernel, degree, penalty):
    x, y = data(n)
    names = {"gaussian": "gaussian", "thin_plate": "thin_plate_spline"}
    epsilon = 1 / median_distance(x) if kernel == "gaussian" else 1.0
    model = RBFInterpolator(x, y, kernel=names[kernel], epsilon=epsilon, degree=degree, smoothing=penalty)
    ours = made(x, y, regressor="rbf", kernel=kernel, penalty=penalty)
    np.testing.assert_allclose(ours.process(places()), model(places()), atol=1e-5)
    if not penalty:
        np.testing.assert_allclose(ours.process(x), y, atol=1e-5)


def test_thin_plates_take_a_constant_input():
    x, y = data(40)
    x[:, 3] = 1.0
    np.testing.assert_allclose(made(x, y, regressor="rbf", kernel="thin_plate").process(x), y, atol=1e-5)


def test_rbf_refuses_two_images_for_one_sound_unless_it_may_miss_them():
    x, y = data()
    x[1] = x[0]
    with pytest.raises(SettingError, match="two pairs with the same sound"):
        made(x, y, regressor="rbf")
    found = made(x, y, regressor="rbf", penalty=1e-6).process(x[:1])[0]
    np.testing.assert_allclose(found, (y[0] + y[1]) / 2, atol=1e-3)


def test_a_gaussian_process_equals_scikit_learn():
    x, y = data(30, 4)
    y = np.sin(x @ np.random.default_rng(5).standard_normal((4, LATENT))).astype(np.float32)
    length = median_distance(x)
    mean, spread = y.mean(axis=0), (y - y.mean(axis=0)).std()
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(length, (length / 30, length * 30)) + WhiteKernel(1e-4, (1e-8, 1.0))
    model = GaussianProcessRegressor(kernel, n_restarts_optimizer=2, random_state=0).fit(x, (y - mean) / spread)
    ours = made(x, y, regressor="gaussian_process")
    np.testing.assert_allclose(ours.process(places(4)), model.predict(places(4)) * spread + mean, atol=1e-3)


def test_linear_and_ridge_equal_scikit_learn():
    for n in (17, 60):
        x, y = data(n)
        for name, model in (("linear", LinearRegression()), ("ridge", Ridge(alpha=1.0))):
            expected = model.fit(x, y.astype(np.float64)).predict(places())
            np.testing.assert_allclose(made(x, y, regressor=name).process(places()), expected, atol=1e-5)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_are_stages_and_one_pair_is_enough(name):
    x, y = data()
    regressor = made(x, y, regressor=name)
    check_stage(lambda: regressor, np.random.default_rng(0).standard_normal((200, D)))
    assert (regressor.name, regressor.sizes[0], regressor.sizes[-1]) == (name, D, LATENT)
    assert np.isfinite(made(x[:1], y[:1], regressor=name).process(places())).all()


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("preprocessing", ["standard", "robust", "whitened"])
def test_mappings_come_back_from_their_files_bit_for_bit(name, preprocessing, tmp_path):
    x, y = data(30)
    pairs = Pairs(tuple(map(str, range(30))), x, y, np.full((30, 2), np.nan))
    fitted = Preprocessing.fit(preprocessing, np.random.default_rng(3).standard_normal((100, D)))
    training = Training(regressor=name, epochs=3, kernel="thin_plate", norm="sphere", pairs=28)
    learned = LearnedMapping.learn(Standardizer(np.zeros(D), np.ones(D)), pairs, training, preprocessing=fitted)
    learned.save(tmp_path / "mapping.safetensors")
    again = LearnedMapping.load(tmp_path / "mapping.safetensors")
    for row in places():
        assert again.predict(row).tobytes() == learned.predict(row).tobytes()
    assert again.facts == learned.facts
    assert np.linalg.norm(again.predict(x[0])) == pytest.approx(LATENT**0.5, rel=1e-6)


def test_files_whose_parts_do_not_fit_are_refused(tmp_path):
    x, y = data()
    path = tmp_path / "mapping.safetensors"
    scaler = Standardizer(np.zeros(D), np.ones(D))
    pairs = Pairs(tuple(map(str, range(17))), x, y, np.full((17, 2), np.nan))
    learned = LearnedMapping.learn(scaler, pairs, Training(regressor="nearest"))
    object.__setattr__(learned.regressor, "targets", y[:5])
    learned.save(path)
    with pytest.raises(PresetError, match=r"mapping.safetensors: it holds 17 inputs and 5 outputs"):
        LearnedMapping.load(path)


def test_robust_and_whitened_equal_scikit_learn():
    corpus = np.random.default_rng(0).standard_normal((300, 6)) @ np.diag([1, 2, 3, 4, 5, 0.01])
    robust, whitened = (Preprocessing.fit(name, corpus) for name in ("robust", "whitened"))
    expected = RobustScaler(unit_variance=True).fit_transform(corpus)
    np.testing.assert_allclose(robust.process(corpus), expected, atol=1e-12)
    white = whitened.process(corpus)
    expected = PCA(0.99, whiten=True, svd_solver="full").fit_transform(corpus)
    np.testing.assert_allclose(np.abs(white), np.abs(expected), atol=1e-9)
    check_stage(lambda: whitened, np.random.default_rng(1).standard_normal((200, 6)))


def test_a_constant_input_is_no_obstacle():
    corpus = np.random.default_rng(0).standard_normal((300, 4))
    corpus[:, 2] = 0.5
    for name in ("robust", "whitened"):
        assert np.isfinite(Preprocessing.fit(name, corpus).process(corpus)).all()


def test_the_most_distant_pairs_are_learned_and_the_mapping_knows_all():
    x, y = data()
    x[:4] = 0.01 * x[:4]
    pairs = Pairs(tuple(map(str, range(17))), x, y, np.full((17, 2), np.nan))
    chosen = learned_pairs(pairs, 9)
    assert len(chosen) == 9
    assert len(set(chosen) & set(range(4))) == 1
    assert learned_pairs(pairs, 0) == learned_pairs(pairs, 20) == list(range(17))
    learned = LearnedMapping.learn(Standardizer(np.zeros(D), np.ones(D)), pairs, Training(regressor="rbf", pairs=9))
    assert learned.pairs_digest == pairs.digest
    losses = learned.losses(pairs)
    assert losses[chosen].max() < 1e-9
    assert np.delete(losses, chosen).min() > 0.01


def test_early_stop_ends_before_a_network_overfits():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 5))
    y = (x @ rng.standard_normal((5, 3)) + 2 * rng.standard_normal((12, 3))).astype(np.float32)
    training = Training(epochs=150, early_stop=True, layers=(20,))
    seen = []
    stopped = MLPRegressor.fit(x, y, training, lambda epoch, loss: seen.append(epoch))
    whole = MLPRegressor.fit(x, y, Training(epochs=150, layers=(20,)))
    assert 1 < len(stopped.losses) < len(whole.losses)
    assert stopped.losses == whole.losses[: len(stopped.losses) - 1] + stopped.losses[-1:]
    assert seen == list(range(12 * 150 + len(stopped.losses) - 1))


def test_dropout_and_activations_change_the_fit_and_nothing_else():
    x, y = data()
    plain, one, two = (MLPRegressor.fit(x, y, Training(epochs=50, dropout=p)) for p in (0, 0.3, 0.3))
    assert plain.losses[-1] < one.losses[-1]
    assert one.losses == two.losses
    for activation in ("silu", "elu", "sigmoid", "tanh", "identity"):
        fitted = MLPRegressor.fit(x, y, Training(epochs=200, activation=activation))
        loss = np.square(fitted.process(x) - y).mean()
        assert loss == pytest.approx(fitted.losses[-1], rel=1e-3)
        assert loss < 0.2 * fitted.losses[0]


def test_the_sphere_is_for_z():
    x, y = data()
    pairs = Pairs(tuple(map(str, range(17))), x, y, np.full((17, 2), np.nan), "w")
    with pytest.raises(SettingError, match="norm = sphere given; it is for pairs in z"):
        LearnedMapping.learn(Standardizer(np.zeros(D), np.ones(D)), pairs, Training(norm="sphere"))
    assert np.array_equal(on_sphere(np.zeros((1, 5), np.float32), "sphere", 2), np.zeros((1, 5)))


def test_class_weights_are_a_mixture():
    assert class_weights(np.array([-1, 1, 3], np.float32)).tolist() == [0, 0.25, 0.75]
    assert class_weights(np.array([-1, -2], np.float32)).tolist() == [0.5, 0.5]


def test_too_many_pairs_for_kernels_are_refused():
    x, y = np.zeros((2001, 2)), np.zeros((2001, 1), np.float32)
    for name in ("rbf", "gaussian_process"):
        with pytest.raises(SettingError, match=f"2001 pairs given; {name} learns up to 2000"):
            made(x, y, regressor=name)
