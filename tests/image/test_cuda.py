"""What only a card can show: the Triton operator on it, graphs that are replayed, pictures beside the published code's."""

import pytest
import torch

from shared.image.fast import FastSynthesis
from shared.image.generator import Generator
from tests.image.reference import psnr

if not torch.cuda.is_available():
    pytest.skip("no CUDA card", allow_module_level=True)

CUDA = torch.device("cuda")


@pytest.mark.parametrize("name", ["t64", "r64", "t64_cond5"])
@pytest.mark.parametrize(("precision", "least_db"), [("full", 84), ("half", 45)])
def test_pictures_of_both_paths(cases, name, precision, least_db):
    case = cases[name]
    g = Generator(case.architecture, case.weights, CUDA, precision)
    assert isinstance(g._synthesis, FastSynthesis)
    outputs, fused = case.outputs, g._synthesis
    for synthesis in (fused, g.plain, fused):  # recorded, then replayed
        g._synthesis = synthesis
        for row in range(2):
            image = g.synthesize_float(outputs["w_psi07"][row : row + 1])
            assert psnr(image.cpu(), outputs["img_psi07"][row : row + 1]) >= least_db
        moved = g.synthesize_float(outputs["w_psi07"][:1], outputs["transform"])
        assert psnr(moved.cpu(), outputs["img_psi07_transform"]) >= least_db


@pytest.mark.parametrize("precision", ["full", "half"])
def test_equal_inputs_give_equal_pictures(cases, precision):
    case = cases["r64"]
    g = Generator(case.architecture, case.weights, CUDA, precision)
    first = g.synthesize_float(case.outputs["w_psi10"])
    kept = first.clone()
    again = g.synthesize_float(case.outputs["w_psi10"])
    assert torch.equal(first, again)
    assert torch.equal(first, kept)
    for row in range(4):
        assert torch.equal(g.synthesize_float(case.outputs["w_psi10"][row : row + 1])[0], first[row])


def test_the_fused_path_proves_itself(cases, caplog):
    for precision in ("full", "half"):
        g = Generator(cases["t64"].architecture, cases["t64"].weights, CUDA, precision)
        g.check_fused_path()
        assert isinstance(g._synthesis, FastSynthesis), caplog.text
