#!/usr/bin/env bash
# Is a card right, and how fast? One command, from any folder: benchmarks/gpu.sh [--seconds N] [--out FOLDER] [--rehearse]
# PYTHON chooses the interpreter (.venv/bin/python where it exists, else python3); PYTHONPATH may name packages installed by
# `pip install --target`. Exit status 1 only if a picture is wrong. --rehearse runs all of it, in small, on the CPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ -x .venv/bin/python ] && PYTHON=.venv/bin/python
fi
exec "$PYTHON" -m benchmarks.gpu "$@"
