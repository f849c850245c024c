#!/usr/bin/env bash
# For whoever has a card: is it right, and how fast? One command, from any folder: benchmarks/gpu.sh
# Exit status 1 where a picture is wrong. Needs an NVIDIA card, its driver, and `scripts/test` run once (it sets everything up).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
"$python" -c 'import torch; assert torch.cuda.is_available(), f"torch {torch.__version__} sees no CUDA card; a build of torch for CUDA is needed"'
"$python" -m pytest tests/image/test_cuda.py tests/image/test_triton.py
exec "$python" -m benchmarks.gpu "$@"
