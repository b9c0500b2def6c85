#!/usr/bin/env bash
# Builds lamina._cuda_emulated, the CUDA kernels on the CPU, for tests/cuda:
#   tools/build_emulator.sh            into build/emulator
#   tools/build_emulator.sh address    into build/emulator-address, with AddressSanitizer and UBSan
#   tools/build_emulator.sh thread     into build/emulator-thread, with ThreadSanitizer
#   tools/build_emulator.sh counted    into build/emulator-counted, counts what memory accesses cost: bench/gpu_accesses.py
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=${1:-}
folder=build/emulator${sanitizer:+-$sanitizer}
cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLAMINA_CUDA=OFF -DLAMINA_EMULATOR=ON \
  -DLAMINA_EMULATOR_SANITIZE="$sanitizer" -DPython_EXECUTABLE="$(command -v python3)" \
  -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" -Dnanobind_DIR="$(python3 -m nanobind --cmake_dir)" >/dev/null
cmake --build "$folder" --parallel "${JOBS:-2}" --target _cuda_emulated
