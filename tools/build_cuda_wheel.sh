#!/usr/bin/env bash
# Builds the plug-in distribution lamina-cuda13: Lamina's CUDA module alone, for every architecture, under 30 MB.
#
#   tools/build_cuda_wheel.sh                               # into dist
#   tools/build_cuda_wheel.sh FOLDER --config-settings=cmake.define.CMAKE_CUDA_ARCHITECTURES=90
#
# What follows the folder goes to pip. PYTHON=... says which Python it is for; the CUDA compiler is the one on the PATH,
# or with LAMINA_CUDA_WHEELS=1 PyPI's. Then, beside a Lamina of the same version: pip install dist/lamina_cuda13-*.whl
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-dist}
shift || true
mkdir -p "$folder"
rm -f "$folder"/lamina_cuda13-*.whl
"${PYTHON:-python3}" -m pip wheel --no-deps -w "$folder" "$@" ./cuda
wheel=("$folder"/lamina_cuda13-*.whl)
size=$(stat -c %s "${wheel[0]}")
echo "${wheel[0]}: $((size / 1000000)).$((size / 100000 % 10)) MB"
if ((size >= 30000000)); then
  echo "it shall be under 30 MB"
  exit 1
fi
