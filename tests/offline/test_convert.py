import array
import codecs
import os
import pickle
import random
import struct
import subprocess
import sys
import time
import tracemalloc
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from typer.testing import CliRunner

from offline.checkpoint import unpickling
from offline.checkpoint.official import StoredNetwork, checkpoint_calls, network_tensors, read_official, read_storage
from offline.checkpoint.unpickling import Buildable
from offline.convert import app, convert
from offline.training.network_file import read_networks
from shared.errors import ModelError, UserError
from shared.image.checkpoint import read_architecture
from shared.image.generator import load_generator
from tests.offline.checkpoints import Call, dump, hostile_pickles, network, official_modules, stored_numbers

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference" / "stylegan3"
CASES = ("t64", "r64", "t64_cond5", "edge_t32")


@pytest.mark.parametrize("name", CASES)
def test_the_weights_come_out_bit_for_bit(tmp_path, name):
    output = tmp_path / "model.safetensors"
    convert(REFERENCE / f"{name}.pkl", output)
    given, wanted = load_file(output), np.load(REFERENCE / f"{name}.weights.npz")
    assert given.keys() == set(wanted.files)
    for key, tensor in given.items():
        assert (tensor.dtype, tensor.shape, tensor.tobytes()) == (
            np.float32,
            wanted[key].shape,
            wanted[key].tobytes(),
        ), key


def test_the_converted_generator_makes_the_reference_picture(tmp_path):
    output = tmp_path / "model.safetensors"
    convert(REFERENCE / "t64.pkl", output)
    wanted = np.load(REFERENCE / "t64.outputs.npz")
    g = load_generator(output)
    image = g.synthesize_float(g.map(wanted["z"][:1], psi=0.7))
    assert np.abs(image.numpy() - wanted["img_psi07"][:1]).max() <= 1e-4


def test_the_command_prints_the_kind_of_generator(tmp_path):
    output = tmp_path / "model.safetensors"
    for name, dtype, words in [
        ("r64", "float32", "StyleGAN3-R, 64 x 64 pixels, z 64, w 64, unconditional, float32"),
        ("edge_t32", "float16", "StyleGAN3-T, 32 x 32 pixels, z 32, w 48, conditional on 2 numbers, float16"),
    ]:
        arguments = [str(REFERENCE / f"{name}.pkl"), "-o", str(output), "--dtype", dtype]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        assert result.output == f"{output}: {words}, {output.stat().st_size:,} bytes\n"
    assert read_architecture(output).c_dim == 2
    assert os.listdir(tmp_path) == [output.name]


def test_the_output_must_be_writable_and_safetensors(tmp_path):
    with pytest.raises(UserError, match=r"allowed is a file that ends in \.safetensors"):
        convert(REFERENCE / "edge_t32.pkl", tmp_path / "model.pt")
    with pytest.raises(UserError, match="no folder"):
        convert(REFERENCE / "edge_t32.pkl", tmp_path / "none" / "model.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download it again"),
        (b"<!DOCTYPE html>\n<html>", r"is text \('<!DOCTYPE html>'\), not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"is text \('version https://git-lfs"),
        (struct.pack("<Q", 2) + b"{}", "is a safetensors file already"),
        (b"PK\x03\x04" + b"\x00" * 60, "is a zip archive"),
        (b"\x00\x01\x02\x03" * 9, "is not a pickle"),
        (b"\x80", "damaged or truncated"),
        (b"\x80\x04", "damaged or truncated"),
        (b"\x80\x04N.", "holds a NoneType; an official checkpoint is a dict with G_ema"),
        (b"\x80\x04}.", "has no generator under G_ema; it holds: nothing"),
        (dump({"G": 1, "D": 2}), "has no generator under G_ema; it holds: G, D"),
        (dump({"G_ema": {"weights": 1}}), "has no generator under G_ema; it holds: G_ema"),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        convert(path, tmp_path / "model.safetensors")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(ModelError, match="is a folder"):
        read_official(tmp_path)
    with pytest.raises(ModelError, match="no file"):
        read_official(tmp_path / "none.pkl")


def test_a_truncated_checkpoint(tmp_path):
    path, whole = tmp_path / "model.pkl", (REFERENCE / "edge_t32.pkl").read_bytes()
    for length in (3, 50, 3000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="damaged or truncated at byte"):
            read_official(path)


def test_other_networks(tmp_path):
    path = tmp_path / "model.pkl"
    with official_modules() as modules:
        block = network(modules, "SynthesisBlock", parameters={"const": torch.ones(2, 4, 4)})
        synthesis = network(modules, "SynthesisNetwork", children={"b4": block})
        for content, message in [
            (
                network(modules, children={"synthesis": synthesis}),
                "this is a StyleGAN2 .*; only StyleGAN3 can be converted",
            ),
            (network(modules, parameters={"weight": torch.ones(3)}), "its G_ema is not a StyleGAN3"),
            (Call(modules["dnnlib.tflib.network"]._build, 1), "a StyleGAN for TensorFlow"),
            (network(modules, _parameters=None), "a Generator in it lacks _parameters"),
        ]:
            path.write_bytes(dump({"G_ema": content}))
            with pytest.raises(ModelError, match=message) as caught:
                convert(path, tmp_path / "model.safetensors")
            assert "\n" not in str(caught.value)


def test_a_stylegan3_that_does_not_fit_its_arguments(tmp_path):
    path = tmp_path / "model.pkl"
    freqs = {"freqs": torch.ones(2, 2)}
    with official_modules() as modules:
        for kwargs, others, message in [
            ({}, {}, "missing required field `z_dim`"),
            ({"z_dim": 4, "blur": 1}, {}, "unknown field `blur`"),
            ({}, {"_init_args": (512,)}, "made with positional arguments"),
            (
                dict.fromkeys(["z_dim", "w_dim"], 8) | {"c_dim": 0, "img_resolution": 32, "img_channels": 3},
                {},
                "mapping.fc0.weight is missing",
            ),
        ]:
            features = network(modules, buffers=freqs)
            synthesis = network(modules, children={"input": features})
            whole = network(modules, children={"synthesis": synthesis}, kwargs=kwargs, **others)
            path.write_bytes(dump({"G_ema": whole}))
            with pytest.raises(ModelError, match=message):
                convert(path, tmp_path / "model.safetensors")


class Anything:
    """Plain data in every form that pickles have, in places where checkpoints have some."""

    @staticmethod
    def values():
        return {
            "set": {1, 2.0, "three", None},
            "empty set": set(),
            "frozenset": frozenset({"a", 4}),
            "bytes": b"\x00\xff latin",
            "no bytes": b"",
            "bytearray": bytearray(b"\x80abc"),
            "empty bytearray": bytearray(),
            "long bytes": bytes(range(256)) * 300,
            "long bytearray": bytearray(b"\xe9" * 70_000),
            "array": array.array("d", [1.5, -2]),
            "numpy": np.arange(6, dtype=np.int64).reshape(2, 3),
            "numpy, Fortran": np.asfortranarray(np.ones((2, 3))),
            "numpy, empty": np.zeros((0, 3), np.float32),
            "numpy texts": np.array(["a", "bc"]),
            "numpy scalar": np.float32(0.5),
            "numpy bool": np.bool_(True),
            "complex": 1 + 2j,
            "range": range(2, 9, 3),
            "slice": slice(1, None),
            "ordered": OrderedDict([("a", 1), ("b", [2, {3}])]),
            "large": [2**70, -(2**70), 1e300, True, None, "ü", ""],
        }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_is_read_in_every_protocol(protocol):
    content = pickle.dumps(Anything.values(), protocol)
    read = unpickling.Machine(unpickling.ByteStream(content), checkpoint_calls()).run()
    assert list(read) == list(Anything.values())
    for name in ("set", "empty set", "frozenset", "complex", "ordered", "large", "numpy scalar", "numpy bool"):
        assert read[name] == Anything.values()[name], name
    for name in ("bytes", "no bytes", "bytearray", "empty bytearray", "long bytes", "long bytearray"):
        assert bytes(read[name]) == Anything.values()[name], name


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_protocol_of_a_checkpoint_changes_no_byte_of_the_output(tmp_path, protocol):
    whole = REFERENCE / "edge_t32.pkl"
    convert(whole, tmp_path / "wanted.safetensors")
    with official_modules() as modules:
        content = unpickling_as_calls(modules, read_official(whole))
        (tmp_path / "other.pkl").write_bytes(pickle.dumps(content, protocol))
    convert(tmp_path / "other.pkl", tmp_path / "made.safetensors")
    assert (tmp_path / "made.safetensors").read_bytes() == (tmp_path / "wanted.safetensors").read_bytes()


def unpickling_as_calls(modules, value):
    """The content read, ready to be pickled again: networks as calls of the published loader, arrays as torch's tensors."""
    if isinstance(value, StoredNetwork):
        state = {"_set": {1, 2}, "_bytes": bytearray(b"\xff"), **unpickling_as_calls(modules, value.state)}
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": value.class_name}
        return Call(modules["torch_utils.persistence"]._reconstruct_persistent_obj, {**meta, "state": state})
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {name: unpickling_as_calls(modules, entry) for name, entry in value.items()}
    return None if isinstance(value, Buildable) else value


def test_one_storage_asked_for_many_times_takes_no_memory_for_each(tmp_path):
    """A megabyte of numbers, three hundred tensors of it."""
    path = tmp_path / "model.pkl"
    with official_modules() as modules:
        stored = stored_numbers(torch.zeros(250_000))
        storage = [Call(torch.storage._load_from_bytes, stored) for _ in range(300)]
        form = (0, (250_000,), (1,), False, OrderedDict())
        tensors = {f"t{i}": Call(torch._utils._rebuild_tensor_v2, each, *form) for i, each in enumerate(storage)}
        path.write_bytes(dump({"G_ema": network(modules, _buffers=tensors)}))
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"no synthesis\.input\.freqs"):
        convert(path, tmp_path / "model.safetensors")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


def test_a_text_encoded_again_and_again_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    text = "x" * 1_000_000
    path.write_bytes(dump([Call(codecs.encode, text, "latin1") for _ in range(1000)]))
    with pytest.raises(ModelError, match="would need more than"):
        convert(path, tmp_path / "model.safetensors")


def test_the_same_checkpoint_gives_the_same_file(tmp_path):
    made = []
    for i in range(4):
        code = "import sys; from pathlib import Path; from offline.convert import convert; convert(*map(Path, sys.argv[1:]))"
        output = tmp_path / f"{i}.safetensors"
        subprocess.run([sys.executable, "-c", code, REFERENCE / "edge_t32.pkl", output], check=True)
        made.append(output.read_bytes())
    assert len(set(made)) == 1


def test_modules_within_modules_without_end(tmp_path):
    """Thirty levels of two equal children each: a thousand million modules, in a file of a few kilobytes."""
    path = tmp_path / "model.pkl"
    with official_modules() as modules:
        inner = network(modules, parameters={"weight": torch.ones(1)})
        for _ in range(30):
            inner = network(modules, children={"a": inner, "b": inner})
        path.write_bytes(dump({"G_ema": inner}))
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"more than 10,000 modules"):
        convert(path, tmp_path / "model.safetensors")
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool])
def test_storages_are_read_as_torch_reads_them(dtype):
    tensor = (torch.randn(7, 5) * 50).to(dtype)
    views = {"whole": tensor, "turned": tensor.T, "part": tensor[2:5, 1::2], "scalar": tensor[3, 3], "none": tensor[:0]}
    given = unpickling.Machine(unpickling.ByteStream(dump(views)), checkpoint_calls()).run()
    for name, view in views.items():
        np.testing.assert_array_equal(given[name], view.numpy())
        assert given[name].dtype == view.numpy().dtype


@pytest.fixture
def hostile(tmp_path):
    marker = tmp_path / "marker"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch's, on its own storages
        files = hostile_pickles(marker)
    return marker, files


def test_the_bait_works(hostile):
    """Python's unpickler executes these."""
    marker, files = hostile
    for name in ("os.system", "os.system by another opcode", "builtins.eval", "subprocess"):
        outcome = pickle.loads(files[name][0])
        if name == "subprocess":
            outcome.wait()
        elif name == "builtins.eval":
            outcome["G_ema"].close()
        assert marker.exists(), name
        marker.unlink()


def test_hostile_pickles_are_refused_by_name_and_run_nothing(hostile, tmp_path):
    marker, files = hostile
    path = tmp_path / "model.pkl"
    for name, (content, message) in files.items():
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message) as caught:
            read_official(path)
        assert "\n" not in str(caught.value), name
        assert len(str(caught.value)) < 400, name
        assert not marker.exists(), name


WATCHED = """
import sys
events = []
sys.addaudithook(lambda event, arguments: events.append(event) if event in (
    "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect") else None)
from pathlib import Path
from offline.convert import convert
from shared.errors import ModelError
for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    before = set(sys.modules)
    try: convert(path, path.with_suffix(".safetensors"))
    except ModelError: assert "good" not in path.name
    else: assert "good" in path.name
assert "torch" not in sys.modules and "torch_utils" not in sys.modules
assert not events, events
"""


def test_no_file_makes_python_unpickle_run_or_import_anything(hostile, tmp_path):
    """Python's audit events for all hostile files and a good one: torch is not even imported."""
    marker, files = hostile
    folder = tmp_path / "all"
    folder.mkdir()
    for i, (content, _) in enumerate(files.values()):
        (folder / f"{i}.pkl").write_bytes(content)
    (folder / "good.pkl").write_bytes((REFERENCE / "edge_t32.pkl").read_bytes())
    subprocess.run([sys.executable, "-c", WATCHED, str(folder)], check=True, cwd=ROOT)
    assert (folder / "good.safetensors").exists()
    assert not marker.exists()


def test_more_instructions_than_any_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickling, "MAX_INSTRUCTIONS", 1000)
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + b"N" * 2000 + b".")
    with pytest.raises(ModelError, match="more than 1,000 instructions"):
        read_official(path)


def test_damaged_checkpoints_end_in_one_line(tmp_path):
    """With bytes changed anywhere, a file is refused clearly or still a checkpoint."""
    path, rng = tmp_path / "model.pkl", random.Random(0)
    whole = (REFERENCE / "edge_t32.pkl").read_bytes()
    refused = 0
    for _ in range(8):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 3, 30])):
            damaged[rng.randrange(2, len(whole) if rng.random() < 0.3 else 5000)] = rng.randrange(256)
        path.write_bytes(damaged)
        with suppress(ModelError):
            convert(path, tmp_path / "model.safetensors")
            continue
        refused += 1
    assert refused > 4


def test_a_wrong_storage():
    with pytest.raises(unpickling.Refused):
        read_storage(b"")


@pytest.mark.parametrize("name", ["t64", "r64", "t64_cond5"])
def test_all_three_networks_come_out_bit_for_bit(tmp_path, name):
    output = tmp_path / "all.safetensors"
    convert(REFERENCE / f"{name}.pkl", output, all_networks=True)
    file = read_networks(output)
    content = read_official(REFERENCE / f"{name}.pkl")
    for key, prefix in (("G", "G/"), ("D", "D/"), ("G_ema", "G_ema/")):
        wanted = {name: array for name, array in network_tensors(content[key]).items() if "resample" not in name}
        given = file.part(prefix)
        assert given.keys() == wanted.keys()
        assert all(given[name].tobytes() == np.asarray(wanted[name], np.float32).tobytes() for name in wanted)
    assert file.discriminator.c_dim == file.generator.c_dim == (5 if name == "t64_cond5" else 0)
    alone = tmp_path / "alone.safetensors"
    convert(output, alone)
    convert(REFERENCE / f"{name}.pkl", tmp_path / "official.safetensors")
    assert load_file(alone).keys() == load_file(tmp_path / "official.safetensors").keys()


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (REFERENCE / "edge_t32.pkl", {"all_networks": True}, "edge_t32.pkl: it has no generator under G; it holds"),
        (REFERENCE / "t64.pkl", {"all_networks": True, "half": True}, "--all keeps float32"),
        (REFERENCE, {}, "has no snapshot of a training"),
    ],
)
def test_what_has_not_all_networks_is_named(tmp_path, model, settings, message):
    with pytest.raises(UserError, match=message):
        convert(model, tmp_path / "all.safetensors", **settings)
    assert not list(tmp_path.iterdir())
