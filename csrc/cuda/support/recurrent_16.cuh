// The product of a step in 16 bits, on tensor cores: h' . U forward, d . U' backward.
//
// A tile is 16 units (all their gates) by 16, 32 or 64 rows. Its columns of U are packed once a call as mma takes them;
// where every tile has a block of its own they stay in shared memory, else they come from L2 at each step with the
// rows. Of the depth, each warp has every fourth 16 steps (every eighth, of one gate); these parts are summed by mma
// in float, meet in shared memory and are added in order. Then a thread has all gates of one unit of ROWS rows: what
// follows is the cell of float32. The parts depend on nothing but the depth: a row has the same bits alone and in any
// batch, with resident weights and without.
//
// What a step takes at least, LSTM, 512 units, 64 rows, 128 blocks of an H100: 0.13 GFLOP, 0.2 us; a block's 64 KB of
// U from shared memory, 0.3 us; its 16 KB of h' from L2, 0.15 us (backward 64 KB of d, 0.6 us); the meeting, 1 to 2 us.
// With 2048 units U does not fit: 32 MB of it from L2 for every 64 rows, 6 us.
#pragma once
#include "cuda/support/recurrent.cuh"

namespace lamina::cuda {

constexpr int UNITS_16 = 16, ROWS_16 = STEP_THREADS / UNITS_16;  // of a tile; as many times ROWS_16 as a thread has
constexpr int DEPTH_16 = 128, CHUNK = 8;                         // DEPTH_16: steps of k in a stage
constexpr int FEW_STAGES = 3, MORE_STAGES = 4, MANY_STAGES = 8;  // with weights in them; without; of ROWS_16 rows

/// What compilers are told of a multiprocessor: in 16 bits one block may have all its registers.
template <class S>
constexpr int LEAST_BLOCKS = sizeof(S) == 2 ? 1 : 0;

/// How the eight warps share a product for COUNT gates: its columns, by tiles of 8, and its depth.
template <int COUNT>
struct StepWarps {
  static constexpr int TILES = COUNT == 1 ? 2 : COUNT, ACROSS = 2 * COUNT / TILES;  // tiles of a warp, warps across
  static constexpr int PARTS = STEP_THREADS / 32 / ACROSS;
  static constexpr int PITCH = 2 * CHUNK * COUNT + CHUNK;  // of a row of sums: rows lie in different banks
};

/// A tile's columns for a product of `depth` steps: in device memory, and where they stay in shared memory, or null.
template <class S>
struct StepWeights {
  const S *packed, *own;
  int64_t depth;
};

/// All columns of all unit tiles: packs of 8 columns (a gate of the lower 8 units, the other gates, the same of the
/// upper 8), of each pack k by k; a tile may have those of two products.
template <class S>
struct PackedUnits {
  const S* values;
  int64_t tile;  // values
  /// A tile's, from value `from` on.
  __device__ StepWeights<S> of(const StepPlan& plan, const StepTile& at, int64_t from, int64_t depth) const {
    const int64_t index = at.layer * plan.unit_tiles + at.unit0 / UNITS_16;
    return {values + index * tile + from, plan.resident ? dynamic_shared<S>() + plan.before_weights + from : nullptr,
            depth};
  }
  /// Once, where they are resident.
  __device__ void load(const StepPlan& plan, const StepTile& at) const {
    const S* const from = of(plan, at, 0, 0).packed;
    S* const to = dynamic_shared<S>() + plan.before_weights;
    for (int64_t i = int64_t(threadIdx.x) * CHUNK; i < tile; i += STEP_THREADS * CHUNK)
      copy_async<16>(to + i, from + i);
  }
};

/// Pack i of one product's: value (k, gate, unit) is u[k * k_step + gate * gate_step + unit * unit_step]; zeros beyond
/// the units and the depth.
template <class S>
struct PackUnits {
  const S* u;
  int64_t units, depth, gates, k_step, gate_step, unit_step;
  S* to;
  int64_t tile, deep = whole_packs<S>(depth);
  __device__ void operator()(int64_t i) const {
    const int64_t k = i % deep, column = i / deep % (2 * gates), unit_tile = i / deep / (2 * gates);
    const int64_t gate = column % gates, unit = unit_tile * UNITS_16 + column / gates * CHUNK;
    Pack<S, CHUNK> pack;
#pragma unroll
    for (int e = 0; e < CHUNK; ++e) {
      pack[e].bits = 0;
      if (k < depth && unit + e < units) pack[e] = u[k * k_step + gate * gate_step + (unit + e) * unit_step];
    }
    store_pack(to + unit_tile * tile + (column * deep + k) * CHUNK, pack);
  }
};
template <class S>
void pack_units(const PackUnits<S>& pack, Stream stream) {
  each(ceil_div(pack.units, UNITS_16) * 2 * pack.gates * pack.deep, stream, pack);
}

/// total = rows . weights: rows [row0, row0 + 16 ROWS) of `a`, `line` apart, those before `count`; behind the depth
/// lines are zeros up to a multiple of 16. Nothing is multiplied unless `wanted`.
template <int ROWS, int COUNT, class S>
__device__ void step_product_16(const StepPlan& plan, const S* a, int64_t line, int64_t row0, int64_t count,
                                bool wanted, const StepWeights<S>& weights, float (&total)[ROWS][COUNT]) {
  using W = StepWarps<COUNT>;
  constexpr int TILE_ROWS = ROWS * ROWS_16, PACKS = DEPTH_16 / CHUNK;
  const int thread = int(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int part = warp % W::PARTS, first = warp / W::PARTS * W::TILES;
  S* const memory = dynamic_shared<S>();
  const int deep = int(whole_packs<S>(weights.depth));
  if (!wanted) {
#pragma unroll
    for (int i = 0; i < ROWS; ++i)
#pragma unroll
      for (int g = 0; g < COUNT; ++g) total[i][g] = 0;
    return;
  }

  // Packs of a row are exchanged so that the eight rows of a matrix that ldmatrix reads lie in different banks.
  const auto place = [](int row, int pack) { return row * DEPTH_16 + (pack ^ (row & 7)) * CHUNK; };
  const auto following = [&](auto* stage) -> decltype(stage) {
    return stage + plan.stage == memory + plan.stages * plan.stage ? memory : stage + plan.stage;
  };
  S* next = memory;  // the stage that is filled next
  const auto fill = [&](int k0) {
    if (k0 < deep) {
      const int left = deep - k0 < DEPTH_16 ? deep - k0 : DEPTH_16;
      for (int i = thread; i < TILE_ROWS * PACKS; i += STEP_THREADS) {
        const int row = i / PACKS, pack = i % PACKS;
        if (row0 + row < count && pack * CHUNK < left)
          copy_async<16>(next + place(row, pack), a + (row0 + row) * line + k0 + pack * CHUNK);
      }
      if (!weights.own)
        for (int i = thread; i < 2 * COUNT * DEPTH_16; i += STEP_THREADS) {
          const int column = i / DEPTH_16, k = i % DEPTH_16;
          if (k < left)
            copy_async<16>(next + TILE_ROWS * DEPTH_16 + i * CHUNK,
                           weights.packed + (int64_t(column) * deep + k0 + k) * CHUNK);
        }
      next = following(next);
    }
    commit_copies();
  };

  float sum[ROWS][W::TILES][4];
#pragma unroll
  for (int i = 0; i < ROWS; ++i)
#pragma unroll
    for (int j = 0; j < W::TILES; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[i][j][e] = 0;
  const int ahead = (plan.stages - 1) * DEPTH_16;
  for (int k0 = 0; k0 < ahead; k0 += DEPTH_16) fill(k0);
  const S* rows = memory;
  for (int k0 = 0; k0 < deep; k0 += DEPTH_16, rows = following(rows)) {
    if (plan.stages == MANY_STAGES)
      wait_for_copies<MANY_STAGES - 2>();
    else if (plan.stages == MORE_STAGES)
      wait_for_copies<MORE_STAGES - 2>();
    else
      wait_for_copies<FEW_STAGES - 2>();
    __syncthreads();
    fill(k0 + ahead);
    const S* const columns = weights.own ? weights.own + k0 * CHUNK : rows + TILE_ROWS * DEPTH_16;
    const int pitch = weights.own ? deep : DEPTH_16, left = deep - k0 < DEPTH_16 ? deep - k0 : DEPTH_16;
    for (int k = part * 16; k < left; k += W::PARTS * 16) {
      uint32_t x[ROWS][4];
#pragma unroll
      for (int i = 0; i < ROWS; ++i) ldmatrix_x4(x[i], rows + place(16 * i + lane % 16, k / CHUNK + lane / 16));
#pragma unroll
      for (int j = 0; j < W::TILES; j += 2) {
        const bool pair = j + 1 < W::TILES;
        uint32_t y[4];
        ldmatrix_x4<true>(y, columns + ((first + j + (pair ? lane / 16 : 0)) * pitch + k + lane % 16) * CHUNK);
        const uint32_t one[2] = {y[0], y[1]}, other[2] = {y[2], y[3]};
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
          mma_m16n8k16<S>(sum[i][j], x[i], one, sum[i][j]);
          if (pair) mma_m16n8k16<S>(sum[i][j + pair], x[i], other, sum[i][j + pair]);
        }
      }
    }
  }
  wait_for_copies<0>();

  __syncthreads();
  float* const sums = reinterpret_cast<float*>(memory);
#pragma unroll
  for (int i = 0; i < ROWS; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < W::TILES; ++j) {
        const int row = part * TILE_ROWS + 16 * i + 8 * half + lane / 4, column = (first + j) * CHUNK + lane % 4 * 2;
        store_pack(sums + row * W::PITCH + column, Pack<float, 2>{{sum[i][j][2 * half], sum[i][j][2 * half + 1]}});
      }
  __syncthreads();
  const int unit = thread % UNITS_16, slot = thread / UNITS_16;
#pragma unroll
  for (int i = 0; i < ROWS; ++i)
#pragma unroll
    for (int g = 0; g < COUNT; ++g) {
      const int column = (unit / CHUNK * COUNT + g) * CHUNK + unit % CHUNK;
      const float* const from = sums + (slot + i * ROWS_16) * W::PITCH + column;
      float v = from[0];
#pragma unroll
      for (int p = 1; p < W::PARTS; ++p) v = v + from[p * TILE_ROWS * W::PITCH];
      total[i][g] = v;
    }
  __syncthreads();  // before the next tile's rows
}

template <class Steps>
struct ChosenSteps {
  StepPlan plan;
  void (*kernel)(Steps);
};
/// Of kernels of 1, 2 and 4 rows a thread, the one of the fewest with which every tile has a block of its own, weights
/// and all; if there is none, that of the most rows that are there, in blocks that take tiles by turns. gates: of the
/// widest product; weights: values of a tile.
template <class S, class Steps>
ChosenSteps<Steps> choose_steps(void (*const (&kernels)[3])(Steps), int64_t layers, int64_t units, int64_t count,
                                int gates, int64_t weights) {
  StepPlan plan{};
  const auto fits = [&](int choice, bool resident) {
    const int rows = ROWS_16 << choice;
    plan.width = UNITS_16;
    plan.slots = ROWS_16;
    plan.tile_rows = rows;
    plan.unit_tiles = ceil_div(units, UNITS_16);
    plan.row_tiles = ceil_div(count, rows);
    plan.tiles = layers * plan.unit_tiles * plan.row_tiles;
    plan.resident = resident;
    plan.stages = !resident ? FEW_STAGES : choice == 0 ? MANY_STAGES : MORE_STAGES;
    plan.stage = (rows + (resident ? 0 : 2 * gates * CHUNK)) * DEPTH_16;
    // Sums take the place of stages. A product of one gate has twice the parts.
    const int sums = max_of(StepWarps<1>::PARTS * StepWarps<1>::PITCH, StepWarps<4>::PARTS * (2 * gates + 1) * CHUNK);
    plan.before_weights = int(max_of(plan.stages * plan.stage, rows * sums * int(sizeof(float) / sizeof(S))));
    plan.shared_bytes = size_t(plan.before_weights + (resident ? weights : 0)) * sizeof(S);
    const bool room = plan.shared_bytes <= most_shared_bytes();
    const int64_t blocks = room ? resident_blocks(kernels[choice], STEP_THREADS, plan.shared_bytes) : 0;
    plan.grid = unsigned(min_of(blocks, plan.tiles));
    return resident ? blocks >= plan.tiles : blocks > 0;
  };
  for (int choice = 0; choice < 3; ++choice)
    if (fits(choice, true)) return {plan, kernels[choice]};
  int choice = 2;
  while (choice > 0 && (ROWS_16 << (choice - 1) >= count || !fits(choice, false))) --choice;
  fits(choice, false);
  return {plan, kernels[choice]};
}

}  // namespace lamina::cuda
