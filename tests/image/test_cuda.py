"""Tests that need a card: the kernel, replayed graphs, and pictures against the published code's.

Warnings are shown, not errors: torch's about TF32 and cuDNN's plans differ from version to version.
"""

import threading

import pytest
import torch

from shared.image.download import Download, in_flight
from shared.image.fast import to_image
from shared.image.generator import Generator
from shared.image.self_check import layer_errors
from tests.image.reference import psnr

if not torch.cuda.is_available():
    pytest.skip("no CUDA card", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
CUDA = torch.device("cuda")


def generator(case, precision):
    g = Generator(case.architecture, case.weights, CUDA, precision)
    g.check_fused_path()
    assert g.backend.startswith("the fused path"), g.backend
    return g


@pytest.mark.parametrize("name", ["t64", "r64", "t64_cond5"])
@pytest.mark.parametrize(("precision", "least_db"), [("full", 84), ("half", 45)])
def test_pictures_of_both_paths(cases, name, precision, least_db):
    case = cases[name]
    g, outputs = generator(case, precision), case.outputs
    for make in (g.synthesize_float, g.judge, g.synthesize_float):  # recorded, plain, replayed
        for row in range(2):
            image = make(torch.from_numpy(outputs["w_psi07"][row : row + 1]))
            assert psnr(image.cpu(), outputs["img_psi07"][row : row + 1]) >= least_db
        moved = make(torch.from_numpy(outputs["w_psi07"][:1]), torch.from_numpy(outputs["transform"]))
        assert psnr(moved.cpu(), outputs["img_psi07_transform"]) >= least_db


@pytest.mark.parametrize("name", ["t64", "r64"])
@pytest.mark.parametrize(("precision", "limit"), [("full", 2e-4), ("half", 4e-3)])
def test_every_operator(cases, name, precision, limit):
    g = generator(cases[name], precision)
    w = torch.from_numpy(cases[name].outputs["w_psi10"][:1]).to(CUDA)
    for errors in layer_errors(g.fast, g.plain, g.config, g.weights, w, g.plain.transform):
        assert errors.convolution <= limit, errors
        assert errors.filters <= limit, errors


@pytest.mark.parametrize("precision", ["full", "half"])
def test_equal_inputs_give_equal_pictures(cases, precision):
    case = cases["r64"]
    g = generator(case, precision)
    first = g.synthesize_float(case.outputs["w_psi10"])
    kept = first.clone()
    again = g.synthesize_float(case.outputs["w_psi10"])
    assert torch.equal(first, again)
    assert torch.equal(first, kept)
    for row in range(4):
        assert torch.equal(g.synthesize_float(case.outputs["w_psi10"][row : row + 1])[0], first[row])
    image = g.synthesize(case.outputs["w_psi10"][:1])
    assert int((image.int() - to_image(first[:1].clone()).int()).abs().max()) <= 1


def test_pictures_in_flight_are_those_made_one_by_one(cases):
    case = cases["t64"]
    g = generator(case, "half")
    rows = [case.outputs["w_psi10"][i % 4 : i % 4 + 1] * (1 + i / 100) for i in range(40)]
    expected = [g.synthesize(row).cpu().numpy() for row in rows]
    for (_, image), wanted in zip(in_flight(lambda row: Download(g.synthesize(row)), rows), expected, strict=True):
        assert (image == wanted).all()


def test_preparing_a_generator_leaves_the_pictures_of_another_alone(cases):
    playing, w = generator(cases["t64"], "half"), cases["t64"].outputs["w_psi10"][:1]
    expected, different, over = playing.synthesize(w), [], threading.Event()

    def play():
        while not over.is_set():
            if not torch.equal(playing.synthesize(w), expected):
                different.append(1)

    thread = threading.Thread(target=play)
    thread.start()
    for precision in ("full", "half") * 2:
        generator(cases["r64"], precision).synthesize(cases["r64"].outputs["w_psi10"][:1])
    over.set()
    thread.join()
    assert not different
