// The products of tile_product.cuh for float16 and bfloat16, on tensor cores: the same problems, units and chains, each
// chain summed in float by mma, the chains added in order in float, one rounding at the end. A block keeps three stages
// of two units in shared memory, two of them on their way while the third is multiplied.
//
// Within a chain the order is the hardware's. It does not depend on the place in a tile, nor on how many tiles there
// are: the same bits in every run, and for a row in any batch.
#pragma once
#include "cuda/support/tile_product.cuh"

namespace lamina::cuda {

/// A block's tile, and a warp's part of it.
template <int ROWS_, int COLUMNS_, int WARP_ROWS_, int WARP_COLUMNS_>
struct TensorShape {
  static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, WARP_ROWS = WARP_ROWS_, WARP_COLUMNS = WARP_COLUMNS_;
  static constexpr int M = WARP_ROWS / 16, N = WARP_COLUMNS / 8, WARPS_ACROSS = COLUMNS / WARP_COLUMNS;
  static constexpr int THREADS = 32 * WARPS_ACROSS * (ROWS / WARP_ROWS);
};
constexpr int STAGES = 3;

/// One unit of an operand: lines of 16 steps for each row, or of rows for each step, in chunks of 16 bytes. Chunks are
/// exchanged so that the eight rows of a matrix that ldmatrix reads lie in different banks.
template <class T, int SIDE, Along ALONG>
struct TensorTile {
  static constexpr int PACK = 8, SIZE = SIDE * UNIT;
  static __device__ __forceinline__ int at(int line, int chunk) {
    if constexpr (ALONG == Along::depth)
      return line * UNIT + (chunk ^ (line >> 2 & 1)) * PACK;
    else
      return line * SIDE + (chunk ^ (line & 7 & (SIDE / PACK - 1))) * PACK;
  }
  /// Steps from `depth` on are zeros.
  template <int THREADS, class F>
  static __device__ __forceinline__ void load(T* tile, bool packed, int depth, F&& from) {
    constexpr int A_LINE = ALONG == Along::depth ? UNIT : SIDE;
    if (packed) {
#pragma unroll
      for (int p0 = 0; p0 < SIZE / PACK; p0 += THREADS) {
        const int p = p0 + int(threadIdx.x);
        if (SIZE / PACK % THREADS && p >= SIZE / PACK) break;
        const int line = p / (A_LINE / PACK), chunk = p % (A_LINE / PACK);
        const int side = ALONG == Along::depth ? line : chunk * PACK,
                  step = ALONG == Along::depth ? chunk * PACK : line;
        // A pack of steps may end beyond the depth only where that is no multiple of 8, and then nothing is packed.
        const From<T> f = from(side, step < depth ? step : 0);
        copy_async<16>(tile + at(line, chunk), f.p, f.valid && step < depth);
      }
    } else {
#pragma unroll 2
      for (int p = int(threadIdx.x); p < SIZE; p += THREADS) {
        const int line = p / A_LINE, in = p % A_LINE;
        const int side = ALONG == Along::depth ? line : in, step = ALONG == Along::depth ? in : line;
        const From<T> f = from(side, step < depth ? step : 0);
        T value;
        value.bits = 0;
        if (f.valid && step < depth) value = *f.p;
        tile[at(line, in / PACK) + in % PACK] = value;
      }
    }
  }
};

template <class S, class P>
struct TensorShared {
  using T = typename P::T;
  using A = TensorTile<T, S::ROWS, P::A_ALONG>;
  using B = TensorTile<T, S::COLUMNS, P::B_ALONG>;
  alignas(128) T a[STAGES][2][A::SIZE];
  alignas(128) T b[STAGES][2][B::SIZE];
  typename P::ASpot a_spot[S::ROWS];
  typename P::BSpot b_spot[S::COLUMNS];
  int64_t to_row[S::ROWS];
  typename P::Line lines[2][2][P::LINES ? UNIT : 1];
};

/// `partial` of the terms holds floats.
struct TensorTerms {
  int64_t first, chains, a_term;
  float* partial;
};

template <class S, class P, class T = typename P::T>
__global__ void __launch_bounds__(S::THREADS)
    tensor_product_kernel(const P p, const ProductOutput<T> o, const TensorTerms terms) {
  using Shared = TensorShared<S, P>;
  using A = typename Shared::A;
  using B = typename Shared::B;
  Shared& all = *dynamic_shared<Shared>();
  const int tid = int(threadIdx.x), warp = tid / 32, lane = tid % 32;
  const int warp_row = warp / S::WARPS_ACROSS * S::WARP_ROWS, warp_column = warp % S::WARPS_ACROSS * S::WARP_COLUMNS;

  const uint32_t tiles_down = uint32_t(ceil_div(p.m, S::ROWS)), tiles_across = uint32_t(ceil_div(p.n, S::COLUMNS));
  const uint32_t rest = blockIdx.x / (tiles_down * tiles_across);
  uint32_t tile_row, tile_column;
  tile_of(blockIdx.x - rest * tiles_down * tiles_across, tiles_down, tiles_across, tile_row, tile_column);
  const int64_t i0 = int64_t(tile_row) * S::ROWS, j0 = int64_t(tile_column) * S::COLUMNS;
  const int64_t term = rest / uint32_t(p.batch), z = rest - term * p.batch;

  using SpotsOfA = Spots<S::ROWS, A::PACK, P::A_ALONG>;
  using SpotsOfB = Spots<S::COLUMNS, B::PACK, P::B_ALONG>;
  SpotsOfA::template set<S::THREADS>(all.a_spot, p.packed_a, i0, p.m, [&](int64_t i) { return p.a_spot(i, z); });
  SpotsOfB::template set<S::THREADS>(all.b_spot, p.packed_b, j0, p.n, [&](int64_t j) { return p.b_spot(j, z); });
  for (int i = tid; i < S::ROWS; i += S::THREADS)
    all.to_row[i] = i0 + i >= p.m ? 0 : terms.partial ? (i0 + i) * p.n : p.target(i0 + i);

  const int64_t first = terms.first + term * terms.a_term;
  const int64_t end = min_of(first + terms.a_term, terms.first + terms.chains);
  // Cursors go from stage to stage: two units of one chain, or its last one alone.
  typename P::Cursor next, ahead;  // what is loaded next; ahead: lines, a stage further
  int64_t next_chain = first, ahead_chain = first;
  p.start(next, first);
  ahead = next;
  const auto advance = [&](typename P::Cursor& c, int64_t& chain) {
    if (c.left > 1)
      p.next(c);
    else if (++chain < end)
      p.start(c, chain);
  };
  const auto set_lines = [&](int slot) {
    if constexpr (P::LINES) {
      if (ahead_chain >= end) return;
      if (tid < ahead.depth) all.lines[slot][0][tid] = p.line(ahead, tid);
      if (ahead.left > 1) {
        p.next(ahead);
        if (tid < ahead.depth) all.lines[slot][1][tid] = p.line(ahead, tid);
      }
      advance(ahead, ahead_chain);
    }
  };
  const auto load_unit = [&](int stage, int unit, int slot) {
    A::template load<S::THREADS>(all.a[stage][unit], p.packed_a, next.depth, [&](int i, int step) {
      return p.a_from(all.a_spot[SpotsOfA::at(p.packed_a, i)], next, step, all.lines[slot][unit][P::LINES ? step : 0]);
    });
    B::template load<S::THREADS>(all.b[stage][unit], p.packed_b, next.depth, [&](int j, int step) {
      return p.b_from(all.b_spot[SpotsOfB::at(p.packed_b, j)], next, step, all.lines[slot][unit][P::LINES ? step : 0]);
    });
  };
  enum : int { EXISTS = 1, SECOND = 2, ENDS_CHAIN = 4 };
  /// What the stage holds. A group of copies is committed for a stage that does not exist too.
  const auto load = [&](int stage, int slot) {
    int state = 0;
    if (next_chain < end) {
      state = EXISTS;
      load_unit(stage, 0, slot);
      if (next.left > 1) {
        p.next(next);
        load_unit(stage, 1, slot);
        state |= SECOND;
      }
      if (next.left == 1) state |= ENDS_CHAIN;
      advance(next, next_chain);
    }
    commit_copies();
    return state;
  };

  float sum[S::M][S::N][4], total[S::M][S::N][4];
#pragma unroll
  for (int i = 0; i < S::M; ++i)
#pragma unroll
    for (int j = 0; j < S::N; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[i][j][e] = total[i][j][e] = 0;
  const auto multiply = [&](const T* a, const T* b) {
    uint32_t x[S::M][4], y[S::N / 2][4];
    const int eight = lane % 8, half = lane / 8 % 2, quarter = lane / 16;
#pragma unroll
    for (int i = 0; i < S::M; ++i) {
      const int row = warp_row + 16 * i;
      if constexpr (P::A_ALONG == Along::depth)
        ldmatrix_x4(x[i], a + A::at(row + half * 8 + eight, quarter));
      else
        ldmatrix_x4<true>(x[i], a + A::at(quarter * 8 + eight, row / 8 + half));
    }
#pragma unroll
    for (int j = 0; j < S::N / 2; ++j) {
      const int column = warp_column + 16 * j;
      if constexpr (P::B_ALONG == Along::depth)
        ldmatrix_x4(y[j], b + B::at(column + quarter * 8 + eight, half));
      else
        ldmatrix_x4<true>(y[j], b + B::at(half * 8 + eight, column / 8 + quarter));
    }
#pragma unroll
    for (int i = 0; i < S::M; ++i)
#pragma unroll
      for (int j = 0; j < S::N; ++j) {
        const uint32_t pair[2] = {y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]};
        mma_m16n8k16<T>(sum[i][j], x[i], pair, sum[i][j]);
      }
  };

  set_lines(0);
  set_lines(1);
  __syncthreads();
  int state[STAGES];  // of the stage to be multiplied, and of those behind it
  state[0] = load(0, 0);
  state[1] = load(1, 1);
  bool resume = false;
  for (int at = 0, slot = 0; state[0]; at = at == STAGES - 1 ? 0 : at + 1, slot ^= 1) {
    wait_for_copies<STAGES - 2>();
    __syncthreads();
    if constexpr (P::LINES) {  // the lines of the stage that is loaded now: their slot is free since the last barrier
      set_lines(slot);
      __syncthreads();
    }
    state[2] = load(at == 0 ? STAGES - 1 : at - 1, slot);
    multiply(all.a[at][0], all.b[at][0]);
    if (state[0] & SECOND) multiply(all.a[at][1], all.b[at][1]);
    if (state[0] & ENDS_CHAIN) {
#pragma unroll
      for (int i = 0; i < S::M; ++i)
#pragma unroll
        for (int j = 0; j < S::N; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            total[i][j][e] = resume || o.from_zero ? total[i][j][e] + sum[i][j][e] : sum[i][j][e];
            sum[i][j][e] = 0;
          }
      resume = true;
    }
    state[0] = state[1];
    state[1] = state[2];
  }
  wait_for_copies<0>();

  const auto each_pair = [&](auto f) {  // f(place in C, column, the two values)
#pragma unroll
    for (int i = 0; i < S::M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = warp_row + 16 * i + 8 * half + lane / 4;
        if (i0 + row >= p.m) continue;
#pragma unroll
        for (int j = 0; j < S::N; ++j) {
          const int64_t column = j0 + warp_column + 8 * j + lane % 4 * 2;
          if (column < p.n) f(all.to_row[row] + column, column, total[i][j][2 * half], total[i][j][2 * half + 1]);
        }
      }
  };
  if (terms.partial) {
    float* const to = terms.partial + (term * p.batch + z) * p.m * p.n;
    return each_pair([&](int64_t place, int64_t column, float u, float v) {
      to[place] = u;
      if (column + 1 < p.n) to[place + 1] = v;
    });
  }
  T* const to = o.c + z * o.c_batch;
  const T* const bias = o.bias ? o.bias + z * o.bias_batch : nullptr;
  const T* const addend = P::ADDS && o.addend ? o.addend + z * o.c_batch : nullptr;
  each_pair([&](int64_t place, int64_t column, float u, float v) {
    const bool both = column + 1 < p.n;
    if (bias) {
      u = u + float(bias[column]);
      if (both) v = v + float(bias[column + 1]);
    }
    if (addend) {
      u = u + float(addend[place]);
      if (both) v = v + float(addend[place + 1]);
    }
    u = activated(u, o.activation);
    if (both) v = activated(v, o.activation);
    if (o.packed) {
      store_pack(to + place, Pack<T, 2>{{T(u), T(v)}});
    } else {
      to[place] = T(u);
      if (both) to[place + 1] = T(v);
    }
  });
}

/// C from its terms, in order; by rounds through `running`, in float.
template <class P, class T = typename P::T>
struct AddNarrowTerms {
  P p;
  ProductOutput<T> o;
  const float* partial;
  float* running;
  int64_t terms;
  bool resume, last;
  __device__ void operator()(int64_t at) const {
    const int64_t size = p.batch * p.m * p.n, row = at / p.n, j = at - row * p.n, z = row / p.m, i = row - z * p.m;
    const bool before = resume || o.from_zero || terms == 0;
    float sum = resume ? running[at] : before ? 0.0f : partial[at];
    for (int64_t term = before ? 0 : 1; term < terms; ++term) sum = sum + partial[term * size + at];
    if (!last) {
      running[at] = sum;
      return;
    }
    const int64_t place = z * o.c_batch + p.target(i) + j;
    if (o.bias) sum = sum + float(o.bias[z * o.bias_batch + j]);
    if (P::ADDS && o.addend) sum = sum + float(o.addend[place]);
    o.c[place] = T(activated(sum, o.activation));
  }
};

template <class S, class P, class T = typename P::T>
void run_tensor_product(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  need_products_of<T>();
  const int64_t size = p.batch * p.m * p.n;
  const int64_t blocks = ceil_div(p.m, S::ROWS) * ceil_div(p.n, S::COLUMNS) * p.batch;
  const auto run = [&](const TensorTerms& terms) {
    launch(tensor_product_kernel<S, P>, dim3(unsigned(blocks * ceil_div(terms.chains, terms.a_term))),
           dim3(unsigned(S::THREADS)), sizeof(TensorShared<S, P>), stream, p, o, terms);
  };
  if (chains > 0 && (chains <= a_term || (a_term == 1 && blocks >= multiprocessors())))
    return run({0, chains, chains, nullptr});
  const int64_t terms = ceil_div(chains, a_term), round = max_of(1, min_of(terms, MOST_PARTIALS / size));
  Scratch<float> partial(terms > 0 ? round * size : 0, stream), running(round < terms ? size : 0, stream);
  int64_t term = 0;
  do {  // once even for no chains: C = activation(bias)
    const int64_t count = min_of(round, terms - term);
    if (count > 0) run({term * a_term, min_of(count * a_term, chains - term * a_term), a_term, partial.data()});
    each(size, stream, AddNarrowTerms<P>{p, o, partial.data(), running.data(), count, term > 0, term + count == terms});
    term += count;
  } while (term < terms);
}

template <class P, class T = typename P::T>
void tensor_product(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  if (p.m <= 0 || p.n <= 0 || p.batch <= 0) return;
  const bool large = p.m > 64 && p.n > 64 && ceil_div(p.m, 128) * ceil_div(p.n, 128) * p.batch >= multiprocessors();
  large ? run_tensor_product<TensorShape<128, 128, 64, 32>>(p, o, chains, a_term, stream)
        : run_tensor_product<TensorShape<64, 64, 32, 32>>(p, o, chains, a_term, stream);
}

}  // namespace lamina::cuda
