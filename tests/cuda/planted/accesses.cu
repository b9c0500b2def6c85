// Small kernels whose accesses cost what can be told by hand: tests/cuda/test_accesses.py has the counts.
//
//   accesses NAME     prints a line for each place in the kernel's code:
//                     place, memory, access, bytes of a lane, requests, lanes, cost, fewest
#include <cstdio>
#include <cstring>
#include <vector>

#include "cuda/support/cuda.cuh"
#include "emulator/counters.h"

namespace lamina::cuda {

constexpr int SIZE = 32;

__global__ void beside(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void strided(const float* x, float* y) { y[threadIdx.x] = x[8 * threadIdx.x]; }
__global__ void misaligned(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
__global__ void one_for_all(const float* x, float* y) { y[threadIdx.x] = x[100]; }
__global__ void some_lanes(const float* x, float* y) {
  if (threadIdx.x % 2) y[threadIdx.x] = x[threadIdx.x];
}
__global__ void packs(const float* x, float* y) {
  const int t = int(threadIdx.x);
  auto& line = shared<float[4 * SIZE]>();
  store_pack(line + 4 * t, load_pack<4>(x + 4 * t));
  __syncthreads();
  store_pack(y + 4 * t, load_pack<4>(line + 4 * (t ^ 1)));
}
/// Four values of a row each, as a thread that has a row would read them.
__global__ void packs_apart(const float* x, float* y) {
  auto& tile = shared<float[SIZE][SIZE]>();
  const auto pack = load_pack<4>(&tile[threadIdx.x][0]);
  y[threadIdx.x] = x[threadIdx.x] + pack[0];
}

template <int PITCH>
__global__ void transposed(const float* x, float* y) {
  auto& tile = shared<float[SIZE][PITCH]>();
  const int t = int(threadIdx.x), first = int(threadIdx.y);
  for (int row = first; row < SIZE; row += int(blockDim.y)) tile[row][t] = x[row * SIZE + t];
  __syncthreads();
  for (int row = first; row < SIZE; row += int(blockDim.y)) y[row * SIZE + t] = tile[t][row];
}

/// Eight rows of 16 bytes at a time, PITCH numbers apart.
template <int PITCH>
__global__ void matrices(const uint16_t* x, uint32_t* y) {
  auto& tile = shared<uint16_t[32][PITCH]>();
  const int t = int(threadIdx.x);
  copy_async<16>(tile[t], x + 8 * t);
  commit_copies();
  wait_for_copies<0>();
  __syncthreads();
  uint32_t r[4];
  ldmatrix_x4(r, tile[t]);
  y[t] = r[0] ^ r[1] ^ r[2] ^ r[3];
}

/// A loop of its own length in every lane, and what comes after it.
__global__ void uneven(const float* x, float* y) {
  const int t = int(threadIdx.x);
  float sum = 0;
  for (int i = 0; i < 1 + t / 16; ++i) sum += x[32 * i + t];
  __syncwarp();
  for (int i = 0; i < 2; ++i) {
    sum += x[64 + 32 * i + t];
    __syncwarp();
  }
  y[t] = sum;
}

__global__ void atomics(const float*, float* y) {
  auto& counts = shared<int[SIZE]>();
  atomicAdd(&counts[threadIdx.x % 4], 1);
  atomicAdd(reinterpret_cast<int*>(y) + threadIdx.x, 1);
}

void run(const char* name, const float* x, float* y) {
  const auto is = [&](const char* other) { return !std::strcmp(name, other); };
  const auto* const halves = reinterpret_cast<const uint16_t*>(x);
  auto* const words = reinterpret_cast<uint32_t*>(y);
  if (is("beside")) launch(beside, 1, 32, 0, nullptr, x, y);
  if (is("strided")) launch(strided, 1, 32, 0, nullptr, x, y);
  if (is("misaligned")) launch(misaligned, 1, 32, 0, nullptr, x, y);
  if (is("one_for_all")) launch(one_for_all, 1, 32, 0, nullptr, x, y);
  if (is("some_lanes")) launch(some_lanes, 1, 32, 0, nullptr, x, y);
  if (is("packs")) launch(packs, 1, 32, 0, nullptr, x, y);
  if (is("packs_apart")) launch(packs_apart, 1, 32, 0, nullptr, x, y);
  if (is("transposed")) launch(transposed<SIZE>, 2, dim3(32, 8), 0, nullptr, x, y);
  if (is("transposed_padded")) launch(transposed<SIZE + 1>, 2, dim3(32, 8), 0, nullptr, x, y);
  if (is("matrices")) launch(matrices<32>, 1, 32, 0, nullptr, halves, words);
  if (is("matrices_padded")) launch(matrices<40>, 1, 32, 0, nullptr, halves, words);
  if (is("uneven")) launch(uneven, 1, 32, 0, nullptr, x, y);
  if (is("atomics")) launch(atomics, 1, 32, 0, nullptr, x, y);
}

}  // namespace lamina::cuda

int main(int, char** arguments) {
  using namespace lamina;
  auto* const x = static_cast<float*>(cuda::allocate(4096 * sizeof(float), nullptr));
  cuda::run(arguments[1], x, x + 2048);
  for (const emulator::AccessCounts& c : emulator::take_access_counts())
    std::printf("%zx %s %s %u %zu %zu %zu %zu\n", size_t(c.place), c.shared ? "shared" : "global",
                c.access == emulator::Access::load    ? "load"
                : c.access == emulator::Access::store ? "store"
                                                      : "atomic",
                unsigned(c.bytes), size_t(c.requests), size_t(c.lanes), size_t(c.cost), size_t(c.fewest));
}
