#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: builds the CUDA module, tests it, measures it, writes bench/results/.
# Needs nvcc, and CuPy (pip install ".[cuda]") for the parts that touch the device.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/gpu
python=${PYTHON:-python3}
nvidia-smi -L
nvcc --version | tail -n 1

"$python" -m venv --system-site-packages "$out/venv"
"$out/venv/bin/pip" install -q ".[test,bench]"
"$out/venv/bin/python" -c 'from lamina import _cuda; print(_cuda.status()); assert _cuda.device_count() > 0'
"$out/venv/bin/pytest" tests/test_cuda_module.py -rs
"$out/venv/bin/python" bench/cuda_ops.py bench/results
