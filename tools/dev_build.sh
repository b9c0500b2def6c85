#!/usr/bin/env bash
# The development build: compiles what changed and puts lamina._cpu beside the sources. Then: PYTHONPATH=python pytest
set -euo pipefail
cd "$(dirname "$0")/.."
cmake -S . -B build/dev -G Ninja -DCMAKE_BUILD_TYPE=Release -DLAMINA_CUDA="${LAMINA_CUDA:-OFF}" \
  -DLAMINA_UNITY=OFF -DCMAKE_INSTALL_PREFIX=python -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" >/dev/null
cmake --build build/dev --parallel "${JOBS:-2}"
cmake --install build/dev --component python >/dev/null
