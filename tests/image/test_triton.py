"""The operator for CUDA without CUDA: what it computes under Triton's interpreter, and that it compiles for cards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed: it comes for Linux only")
ROOT = Path(__file__).parents[2]


def test_it_is_the_plain_operator():
    """In a process of its own, as Triton looks for the word when it is imported."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/image/interpreted_triton.py"],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


POINTERS = ("x", "y", "scale", "bias", "post", "rise", "fall_y", "fall_x")
SIZES = {"inputs": 32, "raised": 32, "outputs": 16}


@pytest.mark.parametrize(("number", "capability"), [("fp16", 75), ("fp16", 80), ("fp16", 90), ("fp32", 90)])
def test_it_compiles_for_cards(number, capability, monkeypatch, tmp_path):
    """To machine code, without a card; with tensor cores from the Ampere generation (8.0) on."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from shared.image.ops.triton_filtered_lrelu import filter_tile

    signature = {name: "fp32" if name in ("slope", "clamp") else "i32" for name in filter_tile.arg_names}
    signature |= dict.fromkeys(POINTERS, f"*{number}") | dict.fromkeys(("scale", "bias", "post"), "*fp32")
    constants = SIZES | {"terms": 2, "precision": "ieee"}
    signature |= dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(fn=filter_tile, signature=signature, constexprs=constants)
    made = triton.compile(source, target=triton.backends.compiler.GPUTarget("cuda", capability, 32))
    assert len(made.asm["cubin"]) > 1000
    assert made.metadata.shared <= 48 * 1024  # bytes that every card has
    assert ("mma" in made.asm["ptx"]) == (number == "fp16" and capability >= 80)
