// Small programs for the emulator, and what can go wrong with each: a bug is planted by name, and tests/cuda/
// test_planted.py asks whether the emulator or a sanitizer finds it.
//
//   planted PROGRAM [BUG]     exits with 0 and says "right", with 1 and "wrong", or with 2 and the emulator's error
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include "cuda/support/cuda.cuh"

namespace lamina::cuda {

enum class Bug {
  none,
  global_overrun,
  shared_overrun,
  no_barrier,
  early_return,
  barrier_in_branch,
  unset_shared,
  misaligned,
  lanes_missing,
  lane_outside,
  two_masks,
  two_barriers,
  large_block,
  no_grid_barrier,
  no_fence,
  wrong_wait,
  two_writers,
  deep_stack,
};
constexpr const char* NAMES[] = {
    "none",         "global_overrun",  "shared_overrun", "no_barrier",   "early_return", "barrier_in_branch",
    "unset_shared", "misaligned",      "lanes_missing",  "lane_outside", "two_masks",    "two_barriers",
    "large_block",  "no_grid_barrier", "no_fence",       "wrong_wait",   "two_writers",  "deep_stack"};

constexpr int SIZE = 64;

/// More than a fiber has.
__attribute__((noinline)) void use_stack() {
  volatile char array[1 << 18];
  for (size_t i = sizeof array; i-- > 0;) array[i] = 1;
}

/// Blocks of SIZE, each reversed by way of shared memory.
__global__ void reversed(Bug bug, const float* x, float* y, int n) {
  auto& tile = shared<float[SIZE]>();
  const int t = int(threadIdx.x), i = int(blockIdx.x) * SIZE + t;
  if (bug == Bug::early_return && i >= n) return;
  if (bug == Bug::global_overrun)
    tile[t] = x[i];
  else if (bug == Bug::shared_overrun)
    (&tile[0])[t + 1] = i < n ? x[i] : 0;
  else if (bug != Bug::unset_shared || t > 0)
    tile[t] = i < n ? x[i] : 0;
  if (bug == Bug::barrier_in_branch) {
    if (t < 32) __syncthreads();
  } else if (bug == Bug::two_barriers && t < 32) {
    __syncthreads();  // not where the others wait
  } else if (bug != Bug::no_barrier) {
    __syncthreads();
  }
  if (bug == Bug::deep_stack) use_stack();
  if (i < n) y[i] = tile[SIZE - 1 - t];
}

/// The sum of 128 values by one warp.
__global__ void summed(Bug bug, const float* x, float* y) {
  if (bug == Bug::misaligned) x += 1;
  const auto pack = load_pack<4>(x + 4 * threadIdx.x);
  float sum = pack[0] + pack[1] + pack[2] + pack[3];
  if (bug != Bug::lanes_missing || threadIdx.x < 8)
    for (int half = 16; half > 0; half /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, half);
  if (bug == Bug::two_masks) sum += float(__any_sync(threadIdx.x % 2 ? ALL_LANES : ALL_LANES >> 1, sum < 0));
  if (bug == Bug::lane_outside && threadIdx.x < 8) sum = __shfl_sync(0xffu, sum, 9);
  if (threadIdx.x == 0) *y = sum;
}

/// Every block writes the sum of its own part; then each adds up all parts.
__global__ void summed_over_grid(Bug bug, const float* x, float* parts, unsigned* arrived, float* y) {
  const int block = int(blockIdx.x);
  if (threadIdx.x == 0) parts[block] = x[2 * block] + x[2 * block + 1];
  if (bug == Bug::no_grid_barrier) {
    __syncthreads();
  } else if (bug == Bug::no_fence) {
    __syncthreads();
    if (threadIdx.x == 0) {
      atomicAdd(arrived, 1u);
      while (load_acquire(arrived) < gridDim.x) __nanosleep(20);
    }
    __syncthreads();
  } else {
    wait_for_grid(arrived, 1);
  }
  if (threadIdx.x == 0) {
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
    y[block] = sum;
  }
}

/// Two tiles by asynchronous copies, the second on its way while the first is used.
__global__ void copied(Bug bug, const float* x, float* y) {
  auto& tile = shared<float[2][SIZE]>();
  const int t = int(threadIdx.x);
  for (int stage = 0; stage < 2; ++stage) {
    copy_async<16>(&tile[stage][4 * t], x + stage * SIZE + 4 * t);
    commit_copies();
  }
  if (bug == Bug::wrong_wait)
    wait_for_copies<2>();
  else
    wait_for_copies<1>();
  __syncthreads();
  y[t] = tile[0][SIZE - 1 - t];
  wait_for_copies<0>();
  __syncthreads();
  y[t] += tile[1][SIZE - 1 - t];
}

__global__ void filled(Bug bug, float* y) {
  y[bug == Bug::two_writers ? threadIdx.x : blockIdx.x * blockDim.x + threadIdx.x] = 1;
}

std::vector<float> counted(int n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) x[size_t(i)] = float(i + 1);
  return x;
}

bool is_right(const char* program, Bug bug) {
  std::vector<float> y(2 * SIZE, 0.0f);
  if (!std::strcmp(program, "reversed")) {
    const int n = 100;
    const std::vector<float> x = counted(n);
    launch(reversed, 2, SIZE, 0, nullptr, bug, x.data(), y.data(), n);
    bool right = true;
    for (int i = 0; i < n; ++i) {
      const int from = i / SIZE * SIZE + SIZE - 1 - i % SIZE;
      right = right && y[size_t(i)] == (from < n ? x[size_t(from)] : 0);
    }
    return right;
  }
  const std::vector<float> x = counted(2 * SIZE + 1);
  if (!std::strcmp(program, "summed")) {
    launch(summed, 1, 32, 0, nullptr, bug, x.data(), y.data());
    return y[0] == float(SIZE * (2 * SIZE + 1));
  }
  if (!std::strcmp(program, "summed_over_grid")) {
    unsigned arrived = 0;
    std::vector<float> parts(4, NAN);
    launch_cooperative(summed_over_grid, 4, 32, 0, nullptr, bug, x.data(), parts.data(), &arrived, y.data());
    return y[0] == 36 && y[1] == 36 && y[2] == 36 && y[3] == 36;
  }
  if (!std::strcmp(program, "copied")) {
    launch(copied, 1, SIZE / 4, 0, nullptr, bug, x.data(), y.data());
    bool right = true;
    for (int t = 0; t < SIZE / 4; ++t) right = right && y[size_t(t)] == x[SIZE - 1 - t] + x[2 * SIZE - 1 - t];
    return right;
  }
  launch(filled, 2, bug == Bug::large_block ? 1025 : SIZE, 0, nullptr, bug, y.data());
  return y[0] == 1;
}

}  // namespace lamina::cuda

int main(int count, char** arguments) {
  using namespace lamina::cuda;
  int bug = 0;
  while (count > 2 && std::strcmp(NAMES[bug], arguments[2]) != 0) ++bug;
  try {
    const bool right = is_right(arguments[1], Bug(bug));
    std::puts(right ? "right" : "wrong");
    return right ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("error: %s\n", error.what());
    return 2;
  }
}
