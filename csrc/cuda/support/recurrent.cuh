// What the steps of recurrent layers share, forward and backward: who has which rows and units, the product of a step,
// and how blocks meet.
//
// One cooperative kernel runs all steps. A tile is some units (with all their gates) by some rows; a thread has one
// unit of ROWS rows. Where every tile has a block of its own and the weights of its units fit in shared memory, they
// are read once and stay; otherwise blocks take tiles by turns and read the weights from L2 at each step. The sum of a
// product runs over k in one thread, in chains of CHAIN: the CPU's bits.
#pragma once
#include "cuda/support/elementwise.cuh"
#include "ops/gemm.h"
#include "ops/recurrent.h"

namespace lamina::cuda {

constexpr int STEP_THREADS = 256, DEPTH = 32;  // DEPTH: steps of k that are in shared memory at once
static_assert(CHAIN % DEPTH == 0);

/// How the work of a step is cut.
struct StepPlan {
  int width, slots;  // units of a tile; width * slots threads, each with rows slot, slot + slots, ...
  int tile_rows;
  int64_t unit_tiles, row_tiles, tiles;  // tiles: of all layers
  bool resident;
  int stages, stage, before_weights;  // 16 bits, shared memory: how many stages of how many values, and where
                                      // resident weights begin
  unsigned grid;
  size_t shared_bytes;
};

/// A thread's part of a tile. 64-bit division is slow, and there is one for every step.
struct StepTile {
  int64_t group, layer, unit0, row0;
  __device__ StepTile(const StepPlan& plan, int64_t tile)
      : group(uint32_t(tile) / uint32_t(plan.unit_tiles)),
        layer(uint32_t(group) / uint32_t(plan.row_tiles)),
        unit0((tile - group * plan.unit_tiles) * plan.width),
        row0((group - layer * plan.row_tiles) * plan.tile_rows) {}
};

/// f(row, unit, i) for the rows of a thread before `rows`.
template <int ROWS, class F>
__device__ void each_own(const StepPlan& plan, const StepTile& at, int64_t rows, int64_t units, F&& f) {
  const int64_t j = at.unit0 + int(threadIdx.x) % plan.width;
  const int slot = int(threadIdx.x) / plan.width;
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    const int64_t r = at.row0 + slot + i * plan.slots;
    if (r < rows && j < units) f(r, j, i);
  }
}

/// Values that lines are whole numbers of: 16 bytes; in 16 bits the depth of an mma.
template <class S>
constexpr int STEP_PACK = sizeof(S) == 2 ? 16 : 16 / int(sizeof(S));
template <class T>
__host__ __device__ constexpr int64_t whole_packs(int64_t n) {
  return (n + STEP_PACK<T> - 1) / STEP_PACK<T> * STEP_PACK<T>;
}
/// Of a row of values along k in shared memory: neighbours lie in different banks.
template <class T>
constexpr int ROW_PITCH = DEPTH + STEP_PACK<T>;

// Places. Those that lie outside, which packed rows from elsewhere might hold, are -1.

__device__ inline int64_t active_rows(const RecurrentRows& q, int64_t t) {
  if (!q.at) return t < q.steps ? q.count : 0;
  return t <= q.steps ? max_of(0, min_of(q.active[t], q.count)) : 0;
}
__device__ inline int64_t slot_of(const RecurrentRows& q, int64_t t, int64_t r) {
  const int64_t slot = q.at ? q.at[t] + r : q.begin + t * q.time + r * q.row;
  return slot >= 0 && slot < q.slots ? slot : -1;
}
__device__ inline int64_t batch_row_of(const RecurrentRows& q, int64_t r) {
  const int64_t row = q.order ? q.order[r] : r;
  return row >= 0 && row < q.count ? row : -1;
}
/// f(row of y) for those that have the h of step t.
template <class F>
__device__ inline void each_y(const RecurrentRows& q, int64_t t, int64_t r, int64_t slot, int64_t y_rows, F&& f) {
  int64_t at = q.at ? q.y_rows[slot] : q.y_begin + t * q.y_time + r * q.y_row;
  const int64_t count = q.at ? q.repeats[slot] : 1;
  for (int64_t i = 0; i < count && at >= 0 && at < y_rows; ++i, at += q.y_time) f(at);
}

/// A resident matrix begins behind the two stages of rows, of which each has its own weights if nothing is resident.
template <class T>
struct StepMemory {
  T *rows[2], *weights[2];  // weights[0] alone where they are resident
  __device__ StepMemory(const StepPlan& plan, int64_t stage_weights) {
    T* at = dynamic_shared<T>();
    for (T*& stage : rows) {
      stage = at;
      at += plan.tile_rows * ROW_PITCH<T>;
    }
    weights[0] = at;
    weights[1] = at + stage_weights;
  }
};

/// total = rows . weights over `depth` steps: rows [row0, row0 + tile_rows) of `a`, `line` apart, those before `count`;
/// weights.stage(to, k0, n) begins the copy of n steps (nothing where they are resident), weights.read(from, k0, k, y)
/// has those of a pack of steps.
template <int ROWS, int GATES, class T, class Weights>
__device__ void step_product(const StepPlan& plan, const StepMemory<T>& memory, const T* a, int64_t line, int64_t row0,
                             int64_t count, int64_t depth, const Weights& weights, T (&total)[ROWS][GATES]) {
  constexpr int N = STEP_PACK<T>, PITCH = ROW_PITCH<T>, PACKS = DEPTH / N;
  const auto stage = [&](int at, int64_t k0) {
    const int n = int(min_of(depth - k0, DEPTH));
    for (int i = int(threadIdx.x); i < plan.tile_rows * PACKS; i += STEP_THREADS) {
      const int row = i / PACKS, k = i % PACKS * N;
      if (k < n && row0 + row < count)
        copy_async<16>(memory.rows[at] + row * PITCH + k, a + (row0 + row) * line + k0 + k);
    }
    weights.stage(memory.weights[at], k0, n);
    commit_copies();
  };
  const int slot = int(threadIdx.x) / plan.width;
  T sum[ROWS][GATES];
#pragma unroll
  for (int i = 0; i < ROWS; ++i)
#pragma unroll
    for (int g = 0; g < GATES; ++g) total[i][g] = sum[i][g] = 0;
  if (depth > 0) stage(0, 0);
  int at = 0;
  for (int64_t k0 = 0; k0 < depth; k0 += DEPTH, at ^= 1) {
    if (k0 + DEPTH < depth) {
      stage(at ^ 1, k0 + DEPTH);
      wait_for_copies<1>();
    } else {
      wait_for_copies<0>();
    }
    __syncthreads();
    const int n = int(min_of(depth - k0, DEPTH));
    const auto some = [&](int k, int steps) {
      Pack<T, N> x[ROWS];
      T y[N][GATES];
#pragma unroll
      for (int i = 0; i < ROWS; ++i) x[i] = load_pack<N>(memory.rows[at] + (slot + i * plan.slots) * PITCH + k);
      weights.read(memory.weights[at], k0, k, steps, y);
#pragma unroll
      for (int e = 0; e < N; ++e) {
        if (e >= steps) break;
#pragma unroll
        for (int i = 0; i < ROWS; ++i)
#pragma unroll
          for (int g = 0; g < GATES; ++g) sum[i][g] = fma(x[i][e], y[e][g], sum[i][g]);
      }
    };
    int k = 0;
#pragma unroll 2
    for (; k + N <= n; k += N) some(k, N);
    if (k < n) some(k, n - k);
    if ((k0 + DEPTH) % CHAIN == 0 || k0 + DEPTH >= depth)
#pragma unroll
      for (int i = 0; i < ROWS; ++i)
#pragma unroll
        for (int g = 0; g < GATES; ++g) {
          total[i][g] = k0 < CHAIN ? sum[i][g] : total[i][g] + sum[i][g];
          sum[i][g] = 0;
        }
    __syncthreads();
  }
}

/// Blocks meet after every step: those of a group of rows where each has its own tile, or all.
struct Meeting {
  unsigned *arrived, members, round = 0;
  __device__ Meeting(const StepPlan& plan, unsigned* counters, int64_t group)
      : arrived(counters + (plan.resident ? group : 0)),
        members(plan.resident ? unsigned(plan.unit_tiles) : gridDim.x) {}
  __device__ void meet() { wait_for_blocks(arrived, ++round * members); }
};

/// The narrowest tiles that all have a block of their own and whose weights stay in shared memory; if there are none,
/// wide ones that blocks take by turns. weights(width): values of a tile's resident weights, and of a stage of them.
template <class T, class Kernel, class Weights>
StepPlan plan_steps(Kernel* kernel, int64_t layers, int64_t units, int64_t count, int rows, Weights&& weights) {
  StepPlan plan{};
  const auto cut = [&](int width, bool resident) {
    plan.width = width;
    plan.slots = STEP_THREADS / width;
    plan.tile_rows = plan.slots * rows;
    plan.unit_tiles = ceil_div(units, width);
    plan.row_tiles = ceil_div(count, plan.tile_rows);
    plan.tiles = layers * plan.unit_tiles * plan.row_tiles;
    plan.resident = resident;
    plan.shared_bytes = size_t(2 * plan.tile_rows * ROW_PITCH<T> + weights(width, resident)) * sizeof(T);
    return plan.shared_bytes <= most_shared_bytes() ? resident_blocks(kernel, STEP_THREADS, plan.shared_bytes) : 0;
  };
  for (const int width : {4, 8, 16}) {
    if (cut(width, true) < plan.tiles) continue;
    plan.grid = unsigned(plan.tiles);
    return plan;
  }
  const int64_t blocks = cut(16, false);
  plan.grid = unsigned(max_of(1, min_of(blocks, plan.tiles)));
  return plan;
}

}  // namespace lamina::cuda
