"""Files of the FluCoMa Toolkit: a preset to them and back, files made elsewhere, and what sclang makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.neighbors import NearestNeighbors
from typer.testing import CliRunner

from offline.flucoma import exporting, importing
from offline.flucoma.exporting import export, principal_components
from offline.flucoma.formats import MLP, UMAP, BadFile, DataSet, LabelSet, Standardize, kd_tree, read, write
from offline.flucoma.importing import import_into
from shared.audio.descriptors import DESCRIPTORS
from shared.errors import PresetError, UserError
from shared.mapping.regression import MLPRegressor, Training
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from tests import rig
from tests.small import LATENT, make_preset, write_corpus, write_generator, write_sound

EXAMPLE = Path(__file__).parents[2] / "examples" / "flucoma_preset.scd"
FILES = ["analysis", "map", "mlp", "pairs-in", "pairs-names", "pairs-out", "pca", "sounds", "standardize", "umap"]


@pytest.fixture
def preset(tmp_path):
    """A trained preset with a corpus."""
    write_corpus(make_preset(tmp_path / "made"))
    return Preset.load(tmp_path / "made")


@pytest.fixture
def empty(tmp_path):
    """A preset with a generator only."""
    return empty_preset(tmp_path / "empty")


def empty_preset(folder):
    folder.mkdir()
    (folder / "preset.toml").write_text("version = 1\n", "utf-8")
    write_generator(folder / "generator.safetensors")
    return Preset.load(folder)


def again(preset):
    return Preset.load(preset.folder)


def arrays(preset, name):
    from safetensors.numpy import load_file

    return load_file(preset.folder / f"{name}.safetensors")


def json_file(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")


def test_a_preset_comes_back_bit_for_bit(preset, empty, tmp_path):
    files = export(preset, tmp_path / "json")
    assert sorted(path.stem for path in files) == FILES
    import_into(empty, tmp_path / "json")
    there, back = preset, again(empty)
    for name in ("mapping", "pairs", "corpus"):
        before, after = arrays(there, name), arrays(back, name)
        assert before.keys() <= after.keys()
        assert all(np.array_equal(before[key], after[key], equal_nan=True) for key in before), name
    assert back.is_trained
    assert back.pairs.names == there.pairs.names
    assert (back.mapping.space, back.mapping.seed, back.mapping.reach) == ("z", 0, there.mapping.reach)
    facts = back.corpus.facts
    assert facts.sounds[1].file == str(preset.folder / "sounds" / "b.wav")
    assert (facts.components, facts.kept_variance, facts.seed) == (19, 0.991, 0)
    # and once more, through a mapping that FluCoMa has written, in another order and without our key
    for path in files:
        content = json.loads(path.read_text("utf-8"))
        content.pop("ponticello", None)
        path.write_text(json.dumps(content, indent=2, sort_keys=True), "utf-8")
    other = empty_preset(tmp_path / "other")
    import_into(other, tmp_path / "json")
    assert np.array_equal(again(other).mapping.regressor.weights[1], there.mapping.regressor.weights[1])
    assert np.array_equal(again(other).corpus.descriptors, there.corpus.descriptors)
    assert np.array_equal(again(other).corpus.positions, there.corpus.positions)


def test_weights_are_transposed_and_numbers_keep_their_bits(preset, tmp_path):
    export(preset, tmp_path / "json")
    layers = json.loads((tmp_path / "json" / "mlp.json").read_text("utf-8"))["layers"]
    regressor = preset.mapping.regressor
    assert [(layer["rows"], layer["cols"], layer["activation"]) for layer in layers] == [(23, 40, 2), (40, LATENT, 0)]
    for layer, weight, bias in zip(layers, regressor.weights, regressor.biases, strict=True):
        assert np.array_equal(np.array(layer["weights"], np.float32).T, weight)
        assert np.array_equal(np.array(layer["biases"], np.float32), bias)
    # as flucoma-core computes it: activation(weights^T x + biases), in double precision
    x = preset.pairs.descriptors
    hidden = np.maximum(x @ np.array(layers[0]["weights"]) + layers[0]["biases"], 0)
    predicted = hidden @ np.array(layers[1]["weights"]) + layers[1]["biases"]
    assert np.abs(predicted - regressor.process(x)).max() < 1e-6
    data = json.loads((tmp_path / "json" / "analysis.json").read_text("utf-8"))
    assert data["cols"] == 23
    assert next(iter(data["data"])) == "1-a-01"
    assert data["data"]["2-b-39"] == preset.corpus.descriptors[-1].tolist()
    names = json.loads((tmp_path / "json" / "pairs-names.json").read_text("utf-8"))
    assert names == {"cols": 1, "data": {f"pair-{i + 1}": [f"image {i}"] for i in range(6)}}


@pytest.mark.parametrize(("activation", "number"), [("tanh", 3), ("sigmoid", 1), ("identity", 0)])
def test_other_activations(preset, empty, tmp_path, activation, number):
    training = Training(epochs=5, layers=(7, 5), activation=activation)
    mapping = LearnedMapping.learn(preset.mapping.scaler, preset.pairs, training)
    mapping.save(preset.folder / "mapping.safetensors")
    export(again(preset), tmp_path / "json")
    assert read(tmp_path / "json" / "mlp.json").activations == (number, number, 0)
    import_into(empty, tmp_path / "json")
    x = preset.pairs.descriptors
    assert np.array_equal(again(empty).mapping.regressor.process(x), mapping.regressor.process(x))


def test_principal_components_are_those_of_scikit_learn(preset, tmp_path):
    export(preset, tmp_path / "json")
    rows = preset.corpus.standardised
    pca, expected = read(tmp_path / "json" / "pca.json"), SklearnPCA().fit(rows)
    assert pca.points == len(rows)
    np.testing.assert_allclose(pca.values**2 / (pca.points - 1), expected.explained_variance_, rtol=1e-9)
    signs = np.sign((pca.bases * expected.components_.T).sum(axis=0))
    np.testing.assert_allclose(pca.scores(rows), expected.transform(rows) * signs, atol=1e-9)
    np.testing.assert_allclose(principal_components(rows).mean, rows.mean(axis=0))


def nearest_by_tree(tree, point):
    """Number of the nearest point, by the search of flucoma-core's KDTree with k = 1."""
    best = [np.inf, None]

    def visit(node, depth):
        if node == -1:
            return
        data = np.array(tree["data"][node])
        distance = np.linalg.norm(data - point)
        if distance < best[0]:
            best[:] = distance, int(tree["ids"][node])
        beyond = data[depth % tree["cols"]] - point[depth % tree["cols"]]
        left, right = tree["tree"][node]
        first, second = (right, left) if beyond <= 0 else (left, right)
        visit(first, depth + 1)
        if abs(beyond) < best[0]:
            visit(second, depth + 1)

    visit(0, 0)
    return best[1]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_the_tree_of_umap_finds_neighbours(count):
    rng = np.random.default_rng(count)
    points = rng.normal(size=(count, 4))
    tree = kd_tree(points)
    assert sorted(map(int, tree["ids"])) == list(range(count))
    children = [child for pair in tree["tree"] for child in pair if child != -1]
    assert sorted(children) == list(range(1, count))  # every node but the root is a child once
    queries = rng.normal(size=(20, 4))
    expected = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(queries, return_distance=False)[:, 0]
    assert [nearest_by_tree(tree, query) for query in queries] == expected.tolist()


def test_umap_keeps_places_and_points(preset, tmp_path):
    export(preset, tmp_path / "json")
    umap = read(tmp_path / "json" / "umap.json")
    pca = read(tmp_path / "json" / "pca.json")
    assert isinstance(umap, UMAP)
    assert np.array_equal(umap.embedding, preset.corpus.positions)
    np.testing.assert_allclose(umap.points, pca.scores(preset.corpus.standardised)[:, :19], atol=1e-12)
    assert (umap.neighbours, round(umap.a, 3), round(umap.b, 3)) == (15, 1.577, 0.895)


def test_every_object_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 2))
    write(tmp_path / "a.json", DataSet(("x", "y", "z\nö"), rows, {"space": "w"}))
    data = read(tmp_path / "a.json")
    assert (data.identifiers, data.facts) == (("x", "y", "z\nö"), {"space": "w"})
    assert np.array_equal(data.rows, rows)
    write(tmp_path / "b.json", LabelSet({"x": "one", "y": "two"}))
    assert read(tmp_path / "b.json").labels == {"x": "one", "y": "two"}
    write(tmp_path / "c.json", Standardize(rows[0], np.abs(rows[1])))
    assert np.array_equal(read(tmp_path / "c.json").std, np.abs(rows[1]))
    write(tmp_path / "d.json", DataSet((), np.empty((0, 5))))
    assert read(tmp_path / "d.json").rows.shape == (0, 5)
    (tmp_path / "e.json").write_text('{"labels": ["a"], "rows": 1}')
    assert read(tmp_path / "e.json") is None


def test_other_scalers_are_straight_lines_too(tmp_path):
    json_file(tmp_path, "n", {"cols": 2, "data_min": [0, 10], "data_max": [4, 30], "min": -1, "max": 1})
    scaler = read(tmp_path / "n.json")
    x = np.array([[0, 10], [4, 30], [1, 20]])
    np.testing.assert_allclose((x - scaler.mean) / scaler.std, [[-1, -1], [1, 1], [-0.5, 0]])
    json_file(
        tmp_path,
        "r",
        {"cols": 1, "median": [3], "range": [2], "data_low": [2], "data_high": [4], "low": 25, "high": 75},
    )
    assert (read(tmp_path / "r.json").mean[0], read(tmp_path / "r.json").std[0]) == (3, 2)


LAYERS = [
    {"rows": 3, "cols": 2, "weights": [[1, 2], [3, 4], [5, 6]], "biases": [0.5, -0.5], "activation": 3},
    {"rows": 2, "cols": LATENT, "weights": [[0.1] * LATENT, [0.2] * LATENT], "biases": [1] * LATENT, "activation": 0},
]


def test_a_network_made_elsewhere_plays_by_itself(empty, tmp_path):
    json_file(tmp_path / "max", "network", {"layers": LAYERS})
    json_file(tmp_path / "max", "scaler", {"cols": 3, "mean": [100, 0.5, -40], "std": [10, 0.1, 5]})
    names = ("pitch", "confidence", "loudness")
    with pytest.raises(UserError, match=r"takes 3 descriptors and 23 are known; name them in order: --inputs"):
        import_into(empty, tmp_path / "max")
    import_into(empty, tmp_path / "max", names, "w")
    preset = again(empty)
    assert preset.settings.inputs == names
    assert preset.mapping.space == "w"
    assert preset.pairs.names == ("mean sound",)
    hidden = np.tanh(np.array([1.0, 2, -1]) @ np.array(LAYERS[0]["weights"]) + LAYERS[0]["biases"])
    expected = hidden @ np.array(LAYERS[1]["weights"]) + 1
    raw = np.array([[110, 0.7, -45]])
    np.testing.assert_allclose(
        preset.mapping.regressor.process(preset.mapping.scaler.process(raw))[0], expected, atol=1e-6
    )


def test_an_analysis_made_elsewhere_becomes_a_map(empty, tmp_path):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 23))
    data = dict(
        sorted({f"slice-{i}": row.tolist() for i, row in enumerate(rows)}.items())
    )  # 10 before 2, as the toolkit
    json_file(tmp_path / "sc", "descriptors", {"cols": 23, "data": data})
    places = {key: [float(i), -2.0 * i] for i, key in enumerate(data)}
    json_file(tmp_path / "sc", "umap-places", {"cols": 2, "data": places})
    sound = write_sound(tmp_path / "s.wav", 1.0)
    import_into(empty, tmp_path / "sc", sound=sound)
    corpus = again(empty).corpus
    assert np.array_equal(corpus.descriptors, rows)
    assert corpus.frame.tolist() == corpus.stands_for.tolist() == list(range(30))
    assert corpus.facts.sounds[0].file == str(sound.resolve())
    assert corpus.positions.min() == pytest.approx(0)
    assert corpus.positions.max() == pytest.approx(1)
    expected = np.array([places[f"slice-{i}"] for i in range(30)])
    correlation = np.corrcoef(corpus.positions[:, 0], expected[:, 0])[0, 1]
    assert correlation == pytest.approx(1)


def test_pairs_made_elsewhere_wait_for_training(empty, tmp_path):
    rng = np.random.default_rng(2)
    json_file(tmp_path / "sc", "in", {"cols": 23, "data": {k: rng.normal(size=23).tolist() for k in "abc"}})
    json_file(tmp_path / "sc", "out", {"cols": LATENT, "data": {k: rng.normal(size=LATENT).tolist() for k in "cab"}})
    json_file(tmp_path / "sc", "names", {"cols": 1, "data": {"a": ["glow"], "b": ["dust"], "c": ["ice"]}})
    lines = import_into(empty, tmp_path / "sc")
    preset = again(empty)
    assert preset.pairs.names == ("glow", "dust", "ice")
    out = json.loads((tmp_path / "sc" / "out.json").read_text())["data"]
    assert np.array_equal(preset.pairs.latents[2], np.float32(out["c"]))
    assert lines == [f"{empty.folder / 'pairs.safetensors'}: 3 pairs in z"]


def test_what_cannot_be_imported_is_one_line_and_changes_nothing(preset, tmp_path):
    def refused(name, content, message, *arguments):
        folder = tmp_path / name
        for file, each in content.items():
            json_file(folder, file, each)
        before = {path: path.read_bytes() for path in preset.folder.rglob("*") if path.is_file()}
        with pytest.raises(UserError, match=message) as caught:
            import_into(again(preset), folder, *arguments)
        assert "\n" not in str(caught.value)
        assert {path: path.read_bytes() for path in preset.folder.rglob("*") if path.is_file()} == before

    last = {**LAYERS[1], "activation": 1}
    refused("none", {}, "is no folder")
    refused(
        "sigmoid",
        {"m": {"layers": [LAYERS[0], last]}},
        "has activation 1 .*outputActivation to 0",
        ("pitch", "confidence", "loudness"),
    )
    refused("shapes", {"m": {"layers": [{**LAYERS[0], "biases": [1]}]}}, "biases is not 2 numbers")
    refused("chain", {"m": {"layers": [LAYERS[0], LAYERS[0]]}}, "layer 1 has 2 outputs, layer 2 takes 3")
    refused(
        "size",
        {"m": {"layers": [LAYERS[0]]}},
        "gives 2 numbers; the generator takes 16 in z",
        ("pitch", "loudness", "mfcc1"),
    )
    refused("two", {"a": {"layers": LAYERS}, "b": {"layers": LAYERS}}, r"a.json and b.json are both FluidMLP")
    refused("data", {"d": {"cols": 3, "data": {"a": [1, 2]}}}, "data is not 1 x 3 numbers")
    refused("text", {"d": {"cols": 3, "data": {"a": [1, 2, "x"]}}}, "Expected `float`")
    refused("names", {"m": {"layers": LAYERS}}, "--inputs holds 'brightness'", ("pitch", "brightness", "loudness"))
    refused(
        "inputs",
        {"m": {"layers": LAYERS}},
        "is for other inputs .* import into a new preset",
        ("pitch", "mfcc1", "loudness"),
    )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.json").write_text('{"cols": 3, "data": {"a": [1,')
    with pytest.raises(BadFile, match="is not one JSON object"):
        import_into(preset, tmp_path / "broken")


def test_what_cannot_be_exported(empty, preset, tmp_path, capsys):
    with pytest.raises(PresetError, match="no sounds, pairs or mapping to export"):
        export(empty, tmp_path / "json")
    assert not (tmp_path / "json").exists()
    (preset.folder / "mapping.safetensors").unlink()
    assert "mlp" not in [path.stem for path in export(again(preset), tmp_path / "json")]


def test_the_commands(preset, tmp_path):
    run = CliRunner().invoke
    result = run(exporting.app, [str(preset.folder), "--flucoma", str(tmp_path / "json")], catch_exceptions=False)
    assert "mlp.json" in result.stdout
    generator = str(preset.folder / "generator.safetensors")
    arguments = [str(tmp_path / "json"), "-o", str(tmp_path / "mine"), "--generator", generator]
    result = run(importing.app, arguments, catch_exceptions=False)
    assert "mapping.safetensors: 23-40-16, latents in z" in result.stdout
    assert Preset.load(tmp_path / "mine").is_trained
    with pytest.raises(UserError, match=r"no preset .*; add --generator"):
        run(importing.app, [str(tmp_path / "json"), "-o", str(tmp_path / "nowhere")], catch_exceptions=False)


@pytest.mark.slow
def test_supercollider_reads_the_files_and_predicts_the_same(preset, tmp_path):
    """The example, with sclang's own parser."""
    export(preset, tmp_path / "json")
    text = EXAMPLE.read_text("utf-8").rstrip()
    assert text.endswith(")")
    script = tmp_path / "script.scd"
    script.write_text(text[:-1].replace("~/glass-json", str(tmp_path / "json")) + "0.exit;\n)\n", "utf-8")
    with rig.sclang(script) as sclang:
        sclang.expect("predicted.json written", 20)
        assert sclang.wait() == 0
        assert "ERROR" not in sclang.output()
        assert "pair-1: image 0 off by" in sclang.output()
    predicted = read(tmp_path / "json" / "predicted.json")
    assert predicted.identifiers == tuple(f"pair-{i}" for i in range(1, 7))
    expected = preset.mapping.regressor.process(preset.pairs.descriptors)
    assert np.abs(predicted.rows - expected).max() < 1e-6


def test_a_network_of_one_layer(empty, tmp_path):
    """A linear one, as FluidMLPRegressor makes without hidden layers."""
    weights = np.eye(23, LATENT).tolist()
    layer = {"rows": 23, "cols": LATENT, "weights": weights, "biases": [0] * LATENT, "activation": 0}
    json_file(tmp_path / "one", "mlp", {"layers": [layer]})
    mlp = read(tmp_path / "one" / "mlp.json")
    assert isinstance(mlp, MLP)
    import_into(empty, tmp_path / "one")
    regressor = again(empty).mapping.regressor
    assert isinstance(regressor, MLPRegressor)
    x = np.random.default_rng(0).normal(size=(4, len(DESCRIPTORS)))
    np.testing.assert_allclose(regressor.process(x), x[:, :LATENT], rtol=1e-6)
