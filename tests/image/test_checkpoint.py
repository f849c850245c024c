import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.checkpoint import picture_bytes, read_architecture, read_checkpoint, write_checkpoint
from shared.image.generator import load_generator
from tests.image.reference import FOLDER
from tests.small import write_generator


@pytest.fixture
def file(tmp_path, cases):
    path = tmp_path / "edge.safetensors"
    write_checkpoint(path, cases["edge_t32"].architecture, cases["edge_t32"].weights)
    return path


@pytest.fixture
def parts(file):
    """A file's arrays and metadata, and a function that writes them again, changed."""
    arrays = load_file(file)
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        metadata = json.loads(stream.read(length))["__metadata__"]

    def rewrite():
        save_file(arrays, file, metadata=metadata)
        return file

    return arrays, metadata, rewrite


def test_a_float32_file_gives_back_every_bit(file, cases):
    architecture, arrays = read_checkpoint(file)
    assert architecture == cases["edge_t32"].architecture == read_architecture(file)
    wanted = cases["edge_t32"].weights
    assert arrays.keys() == wanted.keys()
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert (array.shape, array.tobytes()) == (wanted[name].shape, wanted[name].tobytes()), name


def test_a_float16_file(tmp_path, cases):
    case = cases["t64"]
    path = tmp_path / "half.safetensors"
    write_checkpoint(path, case.architecture, case.weights, half=True)
    _, arrays = read_checkpoint(path)
    for name, array in arrays.items():
        ends = (".magnitude_ema", "_filter", ".freqs", ".phases", ".transform")
        assert array.dtype == (np.float32 if name.endswith(ends) else np.float16), name
        np.testing.assert_allclose(array, case.weights[name], rtol=5e-4, atol=1e-7)
    g = type(case)(case.arguments, arrays, {}).generator()
    image = g.synthesize_float(case.outputs["w_psi07"][:1]).numpy()
    assert 0 < np.abs(image - case.outputs["img_psi07"][:1]).max() < 0.05


def test_the_header_holds_the_architecture(parts, cases):
    _, metadata, _ = parts
    assert metadata.keys() == {"format", "arch", "config"}
    assert (metadata["format"], metadata["arch"]) == ("1", "stylegan3-t")
    assert json.loads(metadata["config"])["mapping_kwargs"]["num_layers"] == 3


def test_too_large_for_float16(tmp_path, cases):
    weights = dict(cases["edge_t32"].weights)
    weights["mapping.fc0.bias"] = weights["mapping.fc0.bias"] + 1e5
    path = tmp_path / "large.safetensors"
    with pytest.raises(ModelError, match=r"mapping\.fc0\.bias holds numbers up to .*too large for float16"):
        write_checkpoint(path, cases["edge_t32"].architecture, weights, half=True)
    assert os.listdir(tmp_path) == []


def test_nothing_half_written_stays(tmp_path, cases, monkeypatch):
    path = tmp_path / "there.safetensors"
    path.write_bytes(b"before")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(Exception, match="the disk is full; free some space"):
        write_checkpoint(path, cases["edge_t32"].architecture, cases["edge_t32"].weights)
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda arrays, metadata: arrays.pop("mapping.w_avg"), "tensor mapping.w_avg is missing"),
        (lambda arrays, metadata: arrays.update(extra=np.zeros(2, np.float32)), "tensor extra does not belong"),
        (
            lambda arrays, metadata: arrays.update({"mapping.w_avg": np.zeros(47, np.float32)}),
            r"w_avg has shape \(47,\).*\(48,\)",
        ),
        (
            lambda arrays, metadata: arrays.update({"mapping.w_avg": np.zeros(48)}),
            "w_avg is F64; supported are F16 and F32",
        ),
        (lambda arrays, metadata: arrays.update({"mapping.w_avg": np.full(48, np.nan, np.float32)}), "w_avg holds NaN"),
        (
            lambda arrays, metadata: arrays.update({"synthesis.L0_28_24.magnitude_ema": np.zeros((), np.float32)}),
            "magnitude_ema is 0.0, must be above 0",
        ),
        (lambda arrays, metadata: metadata.update(format="2"), "has format 2, this program reads up to 1; update"),
        (lambda arrays, metadata: metadata.update(format="new"), "has format new"),
        (lambda arrays, metadata: metadata.update(arch="biggan"), "holds biggan"),
        (lambda arrays, metadata: metadata.pop("config"), "a generator's header has 'config'"),
        (lambda arrays, metadata: metadata.update(config="{"), "Expecting property name"),
        (lambda arrays, metadata: metadata.update(config="[]"), "'config' is not a JSON object"),
        (lambda arrays, metadata: metadata.update(config="{}"), "missing required field `z_dim`"),
    ],
)
def test_a_wrong_file_is_one_line(parts, damage, message):
    arrays, metadata, rewrite = parts
    damage(arrays, metadata)
    path = rewrite()
    with pytest.raises(ModelError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello, I am a letter and no generator at all\n", "is not a safetensors file"),
        (b"\x00" * 99, "is not a safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "is not a safetensors file"),
        (struct.pack("<Q", 2) + b"{}", "a generator's header has 'config'"),
        (struct.pack("<Q", 8) + b'{"a": 1}', "is not a safetensors file"),
        (struct.pack("<Q", 4000) + b"[" * 4000, "is not a safetensors file"),
        (b"PK\x03\x04" + b"\x00" * 99, "is a zip archive"),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_pickle_gets_the_advice_to_convert_it():
    with pytest.raises(ModelError, match=r"is a pickle; make it safetensors with: ponticello convert .*t64\.pkl"):
        read_checkpoint(FOLDER / "t64.pkl")


def test_a_truncated_file(file):
    whole = file.read_bytes()
    for length in (4, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="truncated"):
            read_checkpoint(file)
    file.write_bytes(whole + b"more")
    with pytest.raises(ModelError, match="damaged"):
        read_checkpoint(file)


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(ModelError, match="is a folder"):
        read_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="no file"):
        read_checkpoint(tmp_path / "none.safetensors")


def test_a_file_is_refused_without_torch(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no")
    program = (
        "import sys; from pathlib import Path\n"
        "from shared.errors import ModelError\n"
        "from shared.image.checkpoint import read_checkpoint\n"
        f"try: read_checkpoint(Path({str(path)!r}))\n"
        "except ModelError: sys.exit('torch' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=FOLDER.parents[2])


def test_a_small_file_that_needs_much_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "greedy.safetensors"
    write_generator(path, resolution=16)
    with monkeypatch.context() as patch:
        patch.setattr("shared.image.checkpoint.available_bytes", lambda: 1000)
        with pytest.raises(ModelError, match=r"greedy\.safetensors needs about 0\.0 GB of memory"):
            load_generator(path)
    greedy = Architecture.from_arguments(
        {"z_dim": 1, "c_dim": 0, "w_dim": 1, "img_resolution": 8192, "img_channels": 3}
        | {"channel_base": 8192, "channel_max": 1, "num_layers": 3, "lrelu_upsampling": 8}
    )
    assert picture_bytes(greedy) > 40 << 30
    load_generator(path)
