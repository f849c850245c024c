import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import ModelError, SettingError
from shared.image import device as devices
from shared.image.device import HALF, pick_device
from shared.image.generator import Generator, load_generator
from shared.image.geometry import tensors
from shared.image.latents import latents_from_seeds, transform_matrix
from tests.image.reference import on_path, psnr

pytestmark = pytest.mark.slow

GLASS = Path(__file__).parents[2] / "presets" / "glass" / "generator.safetensors"


@pytest.fixture(scope="module")
def glass():
    return load_generator(GLASS)


@pytest.fixture
def t64(cases):
    return cases["t64"].generator()


def test_the_shipped_generator_makes_pictures(glass):
    assert (glass.z_dim, glass.w_dim, glass.c_dim, glass.img_resolution, glass.img_channels) == (512, 512, 0, 256, 3)
    assert (glass.num_ws, glass.precision, glass.path, str(glass.device)) == (11, "full", GLASS, "cpu")
    assert glass.w_avg.shape == (512,)
    pictures = []
    for z in latents_from_seeds((0, 9, 14), 512):
        image = glass.synthesize(glass.map(z[None]))
        assert image.shape == (256, 256, 3)
        assert image.dtype == torch.uint8
        assert image.is_contiguous()
        pictures.append(image.numpy().astype(float))
        assert 20 < pictures[-1].mean() < 200
        assert pictures[-1].std() > 25
        assert np.abs(np.diff(pictures[-1], axis=1)).mean() < 15  # no noise
    assert np.abs(pictures[0] - pictures[1]).mean() > 10


def test_the_shipped_generator_in_half_precision(glass):
    half = load_generator(GLASS, precision="half")
    for z in latents_from_seeds(range(3), 512):
        w = glass.map(z[None])
        assert 45 <= psnr(half.synthesize_float(w), glass.synthesize_float(w)) < 90


def test_float16_activations(cases, monkeypatch):
    """The half precision of cuda and mps, on the CPU."""
    monkeypatch.setitem(HALF, "cpu", HALF["cuda"])
    for name in ("t64", "r64", "t64_cond5"):
        outputs = cases[name].outputs
        image = cases[name].generator("half").synthesize_float(outputs["w_psi07"][:1])
        assert image.dtype == torch.float32
        assert 55 <= psnr(image, outputs["img_psi07"][:1]) < 100


def test_precision_that_is_chosen(cases, monkeypatch):
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: False)
    assert load_generator(GLASS, precision="auto").precision == "full"
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: True)
    assert load_generator(GLASS, precision="auto").precision == "half"
    assert devices.pick_precision("auto", "cuda:1") == "half"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingError, match="precision 'double'; allowed are: auto, full, half"):
        load_generator(GLASS, precision="double")
    with pytest.raises(SettingError, match="cuda given; this machine has: cpu"):
        load_generator(GLASS, "cuda")
    with pytest.raises(SettingError, match="cpu:3 given"):
        pick_device("cpu:3")
    with pytest.raises(SettingError, match="gpu given; this machine has: cpu"):
        pick_device("gpu")
    assert pick_device() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device() == "cuda"
    assert pick_device("cuda:1") == "cuda:1"
    with pytest.raises(SettingError, match="cuda:2 given; this machine has: cuda, cpu, numbered from 0 to 1"):
        pick_device("cuda:2")


def test_low_rates_stay_full_in_half_precision(cases):
    """With num_fp16_res 0 the design allows no layer to be half."""
    outputs = cases["t64"].outputs
    w = outputs["w_psi07"][:1]
    full = cases["t64"].generator().synthesize_float(w)
    assert torch.equal(cases["t64"].generator("half", num_fp16_res=0).synthesize_float(w), full)
    assert not torch.equal(cases["t64"].generator("half", num_fp16_res=1).synthesize_float(w), full)


@pytest.mark.parametrize("name", ["r64", "edge_t32"])
@pytest.mark.parametrize("precision", ["full", "half"])
def test_equal_inputs_give_equal_pictures(cases, name, precision, plain):
    case = cases[name]
    g = case.generator(precision, plain=plain)
    w = torch.from_numpy(case.outputs["w" if name == "edge_t32" else "w_psi10"][:2])
    kept = w.clone()
    first = [g.synthesize_float(row[None]) for row in w]
    copies = [picture.clone() for picture in first]
    again = [case.generator(precision, plain=plain).synthesize_float(row[None]) for row in w]
    third = [g.synthesize_float(row[None]) for row in w]
    for one, copy, two, three in zip(first, copies, again, third, strict=True):
        assert torch.equal(one, copy)  # no later call wrote into it
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert torch.equal(w, kept)


@pytest.mark.parametrize("name", ["t64", "r64"])
def test_a_batch_is_its_rows(cases, name, plain):
    case = cases[name]
    g = case.generator(plain=plain)
    batch = g.synthesize_float(case.outputs["w_psi10"])
    assert batch.shape == (4, 3, 64, 64)
    torch.testing.assert_close(batch, torch.from_numpy(case.outputs["img_psi10"]), atol=1e-4, rtol=0)
    assert torch.equal(batch, g.synthesize_float(case.outputs["w_psi10"]))
    torch.testing.assert_close(
        g.map(case.outputs["z"], psi=0.7), torch.from_numpy(case.outputs["w_psi07"]), atol=1e-5, rtol=0
    )


def test_eight_bits(t64, cases, monkeypatch):
    values = torch.tensor([-9.0, -1.0039, -1.0038, -1.0, 0.0, 0.0078, 0.0079, 1.0, 9.0])
    monkeypatch.setattr(t64, "synthesis", lambda w, transform, canvas: values.clone().reshape(1, 3, 1, 3))
    image = t64.synthesize(cases["t64"].outputs["w_psi10"][:1])
    wanted = [int(min(max(127.5 * v + 128, 0), 255)) for v in values.tolist()]
    assert image.permute(2, 0, 1).flatten().tolist() == wanted
    assert wanted == [0, 0, 0, 0, 128, 128, 129, 255, 255]


def test_numpy_and_torch_and_float64_are_the_same_input(t64, cases):
    z = cases["t64"].outputs["z"][:1]
    w = t64.map(z)
    assert w.dtype == torch.float32
    assert torch.equal(w, t64.map(torch.from_numpy(z)))
    assert torch.equal(w, t64.map(z.astype(np.float64)))
    image = t64.synthesize(w)
    assert torch.equal(image, t64.synthesize(w.numpy()))
    assert torch.equal(image, t64.synthesize(w[0]))
    frozen = w.numpy().copy()
    frozen.setflags(write=False)
    assert torch.equal(image, t64.synthesize(frozen))


def test_nothing_has_a_gradient(t64, cases):
    with torch.enable_grad():
        w = t64.map(torch.from_numpy(cases["t64"].outputs["z"][:1]).requires_grad_())
        assert not w.requires_grad
        assert not t64.synthesize_float(w.requires_grad_()).requires_grad
        assert not t64.truncate(t64.broadcast(w[:, 0]), 0.5).requires_grad


def test_truncation_of_a_w(t64, cases):
    outputs = cases["t64"].outputs
    one = t64.broadcast(outputs["w_psi10"][:, 0])
    np.testing.assert_array_equal(one, outputs["w_psi10"][:, :1].repeat(16, 1))
    np.testing.assert_allclose(t64.truncate(one, 0.7), outputs["w_psi07"], atol=1e-5)
    np.testing.assert_allclose(t64.truncate(one, 0.5, 4), outputs["w_psi05_cut4"], atol=1e-5)
    assert torch.equal(t64.truncate(one, 1.0), one)
    assert torch.equal(t64.truncate(one, 0.3, 0), one)
    assert torch.equal(t64.truncate(one, 0.0), t64.w_avg.expand_as(one))
    unchanged = t64.truncate(one, 1.0)
    unchanged += 1  # a copy, not the input again
    assert not torch.equal(unchanged, one)


def test_a_grey_generator_gives_three_equal_channels(cases):
    case = cases["t64"]
    arguments = case.arguments | {"img_channels": 1}
    arrays = {}
    for name, array in case.weights.items():
        torgb = name.startswith("synthesis.L14_64_3") and ".affine" not in name and array.ndim
        arrays[name.replace("L14_64_3", "L14_64_1")] = array[:1] if torgb else array
    grey = Generator(type(case)(arguments, {}, {}).architecture, arrays, torch.device("cpu"))
    w = case.outputs["w_psi07"][:1]
    image = grey.synthesize_float(w)
    assert image.shape == (1, 3, 64, 64)
    assert torch.equal(image[:, 0], image[:, 2])
    torch.testing.assert_close(image[:, 0], torch.from_numpy(case.outputs["img_psi07"][:1, 0]), atol=1e-4, rtol=0)
    assert grey.synthesize(w).shape == (64, 64, 3)


def test_mismatched_tensors_are_one_line(cases):
    t64, conditional = cases["t64"].generator(), cases["t64_cond5"].generator()
    z, w = cases["t64"].outputs["z"], cases["t64"].outputs["w_psi10"]
    broken = z.copy()
    broken[1, 3] = np.nan
    for call, message in [
        (lambda: t64.map(z[:, :-1]), r"z has shape \(4, 63\), this generator takes \(n, 64\)"),
        (lambda: t64.map(z[0]), r"z has shape \(64,\)"),
        (lambda: t64.map(broken), "z holds NaN or infinity"),
        (lambda: t64.map(z * np.float32(np.inf)), "z holds NaN or infinity"),
        (lambda: t64.map(z, np.ones((4, 2), np.float32)), r"c has shape \(4, 2\), this generator takes \(n, 0\)"),
        (lambda: conditional.map(z), r"this generator is conditional: give c \(4, 5\)"),
        (lambda: conditional.map(z, np.ones((3, 5), np.float32)), "c has 3 rows, z has 4"),
        (lambda: t64.map(z, psi=float("nan")), "psi is nan"),
        (lambda: t64.map(z, psi=0.5, cutoff=17), "cutoff is 17; this generator has 0 to 16 rows"),
        (lambda: t64.map(z, psi=0.5, cutoff=-1), "cutoff is -1"),
        (lambda: t64.synthesize(w), "w holds 4 pictures; synthesize makes one"),
        (lambda: t64.synthesize(w[:0]), "w holds 0 pictures"),
        (lambda: t64.synthesize_float(w[:, :9]), r"w has shape \(4, 9, 64\), this generator takes \(n, 16, 64\)"),
        (lambda: t64.synthesize_float(w * np.nan), "w holds NaN"),
        (lambda: t64.synthesize(w[:1], np.eye(2, dtype=np.float32)), r"transform has shape \(2, 2\).*\(3, 3\)"),
        (lambda: t64.synthesize(w[:1], np.full((3, 3), np.nan)), "transform holds NaN"),
        (lambda: t64.broadcast(w), r"w has shape \(4, 16, 64\), this generator takes \(n, 64\)"),
    ]:
        with pytest.raises(SettingError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_no_rows_are_no_rows(t64):
    assert t64.map(np.empty((0, 64), np.float32)).shape == (0, 16, 64)
    assert t64.synthesize_float(np.empty((0, 16, 64), np.float32)).shape == (0, 3, 64, 64)


def test_the_files_own_transform_is_the_default(cases):
    case = cases["t64"]
    moved = case.weights | {"synthesis.input.transform": case.outputs["transform"]}
    g = type(case)(case.arguments, moved, {}).generator()
    w = case.outputs["w_psi07"][:1]
    wanted = torch.from_numpy(case.outputs["img_psi07_transform"])
    torch.testing.assert_close(g.synthesize_float(w), wanted, atol=1e-4, rtol=0)
    still = torch.from_numpy(case.outputs["img_psi07"][:1])
    torch.testing.assert_close(g.synthesize_float(w, np.eye(3, dtype=np.float32)), still, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        cases["t64"].generator().synthesize_float(w, transform_matrix(20, (0.1, -0.05))), wanted, atol=1e-4, rtol=0
    )


UNUSUAL = [
    {"num_critical": 0},
    {"num_critical": 3, "num_layers": 5},
    {"num_layers": 1, "num_critical": 0},
    {"lrelu_upsampling": 1},
    {"lrelu_upsampling": 4, "num_layers": 4},
    {"filter_size": 4, "margin_size": 3},
    {"filter_size": 8, "margin_size": 0},
    {"conv_kernel": 5, "num_layers": 6},
    {"conv_kernel": 1, "use_radial_filters": True, "num_critical": 0},
    {"conv_kernel": 3, "use_radial_filters": True, "img_resolution": 32},
    {"conv_clamp": None, "first_cutoff": 3.0, "first_stopband": 8.0},
    {"img_resolution": 8, "num_layers": 3},
]


@pytest.mark.parametrize("changed", UNUSUAL, ids=str)
@pytest.mark.parametrize(("precision", "plain"), [("full", True), ("full", False), ("half", False)])
def test_unusual_architectures_make_pictures(cases, changed, precision, plain):
    arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "img_channels": 3}
    arguments |= {"channel_base": 64, "channel_max": 8, "num_layers": 8} | changed
    architecture = type(cases["t64"])(arguments, {}, {}).architecture
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=tensor.shape).astype(np.float32) if tensor.shape else np.array(0.7, np.float32)
        for name, tensor in tensors(architecture).items()
        if tensor.required
    }
    g = on_path(Generator(architecture, arrays, torch.device("cpu"), precision), plain)
    size = architecture.img_resolution
    image = g.synthesize_float(g.map(rng.normal(size=(2, 8)).astype(np.float32)))
    assert image.shape == (2, 3, size, size)
    assert image.isfinite().all()
    assert image.std() > 0


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match="no file"):
        load_generator(tmp_path / "none.safetensors")


def test_the_numerics_of_a_card_are_set_for_good():
    """In any order of threads: settings are never restored, so none can be restored wrongly."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    names = ("allow_tf32", "deterministic", "benchmark")
    before = [getattr(cudnn, name) for name in names], matmul.allow_tf32
    try:
        cudnn.allow_tf32 = cudnn.benchmark = matmul.allow_tf32 = True
        threads = [threading.Thread(target=devices.set_card_numerics) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [getattr(cudnn, name) for name in names] == [False, True, False]
        assert not matmul.allow_tf32
    finally:
        for name, value in zip(names, before[0], strict=True):
            setattr(cudnn, name, value)
        matmul.allow_tf32 = before[1]
