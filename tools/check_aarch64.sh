#!/usr/bin/env bash
# The portable kernels on 64-bit Arm: cross-compiled, run in an emulator, and their bits compared with this machine's.
# Needs aarch64-linux-gnu-g++ and qemu-aarch64-static (Debian: g++-aarch64-linux-gnu, qemu-user-static).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/aarch64}
mkdir -p "$out/here" "$out/there"
flags=(-std=c++20 -O2 -Icsrc -DLAMINA_ISA=portable -Wall -Wextra -Werror -Wno-psabi -Wno-maybe-uninitialized
  -ffp-contract=off -fno-math-errno -fno-trapping-math -pthread)
kernels=(gemm gemm_row conv2d conv2d_direct conv2d_direct_backward_kernel conv2d_pool_backward_kernel conv2d_narrow
  depthwise winograd_forward winograd_kernel_gradient activation_function elementary transcendental softmax
  bias_backward attention_forward attention_backward recurrent_forward recurrent_backward ctc_loss embedding)
sources=(tests/native/same_bits.cpp csrc/cpu/runtime/isa.cpp csrc/cpu/runtime/threads.cpp)
for kernel in "${kernels[@]}"; do sources+=("csrc/cpu/$kernel.cpp"); done
build() { # compiler, folder
  printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I '{}' sh -c \
    'compiler=$1 folder=$2 source=$3; shift 3; "$compiler" "$@" -c "$source" -o "$folder/$(basename "$source" .cpp).o"' \
    sh "$1" "$2" '{}' "${flags[@]}"
  "$1" -static -pthread "$2"/*.o -o "$2/same_bits"
}
build "${CXX:-g++}" "$out/here"
build aarch64-linux-gnu-g++ "$out/there"
"$out/here/same_bits" >"$out/here.txt"
qemu-aarch64-static "$out/there/same_bits" >"$out/there.txt"
diff "$out/here.txt" "$out/there.txt"
echo "the same bits on x86-64 and aarch64: $(wc -l <"$out/there.txt") results"
