// The products of tile_product.cuh for float16 and bfloat16, on tensor cores: the same problems, units and chains. Four
// chains are a run, summed in float by mma; runs are added in order in float, with one rounding at the end. A block
// keeps stages of two units in shared memory: one is multiplied while the others are on their way.
//
// Within a run the order is the hardware's. It does not depend on the place in a tile, nor on how many tiles there are:
// the same bits in every launch, and for a row in any batch.
#pragma once
#include "cuda/support/tensor_rows.cuh"
#include "cuda/support/tile_product.cuh"
#include "support/pixel_chains.h"

namespace lamina::cuda {

/// A block's tile, a warp's part of it, and the stages that it keeps.
template <int ROWS_, int COLUMNS_, int WARP_ROWS_, int WARP_COLUMNS_, int STAGES_>
struct TensorShape {
  static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, WARP_ROWS = WARP_ROWS_, WARP_COLUMNS = WARP_COLUMNS_;
  static constexpr int STAGES = STAGES_;
  static constexpr int M = WARP_ROWS / 16, N = WARP_COLUMNS / 8, WARPS_ACROSS = COLUMNS / WARP_COLUMNS;
  static constexpr int THREADS = 32 * WARPS_ACROSS * (ROWS / WARP_ROWS);
};
constexpr int64_t RUN = PART;  // chains that are one sum of mma

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
  alignas(128) T a[S::STAGES][2][A::SIZE];
  alignas(128) T b[S::STAGES][2][B::SIZE];
  typename P::ASpot a_spot[S::ROWS];
  typename P::BSpot b_spot[S::COLUMNS];
  int64_t to_row[S::ROWS];
  typename P::Line lines[2][2][P::LINES ? UNIT : 1];
  int64_t i0, j0, z, term;  // not in registers, of which the sums leave few
};

/// `partial` of the terms holds floats. running: where a block whose term has several runs keeps what it has so far.
struct TensorTerms {
  int64_t first, chains, a_term;
  float *partial, *running;
};

template <class S, class P, class T = typename P::T>
__global__ void __launch_bounds__(S::THREADS)
    tensor_product_kernel(const P p, const ProductOutput<T> o, const TensorTerms terms) {
  if (!has_products_of<T>()) return;
  using Shared = TensorShared<S, P>;
  using A = typename Shared::A;
  using B = typename Shared::B;
  Shared& all = *dynamic_shared<Shared>();
  const int tid = int(threadIdx.x), warp = tid / 32, lane = tid % 32;
  const int warp_row = warp / S::WARPS_ACROSS * S::WARP_ROWS, warp_column = warp % S::WARPS_ACROSS * S::WARP_COLUMNS;

  using SpotsOfA = Spots<S::ROWS, A::PACK, P::A_ALONG>;
  using SpotsOfB = Spots<S::COLUMNS, B::PACK, P::B_ALONG>;
  int first, end;  // chains
  {
    const auto [i0, j0, term, z] = block_of<S>(p);

    SpotsOfA::template set<S::THREADS>(all.a_spot, p.packed_a, i0, p.m, [&](int64_t i) { return p.a_spot(i, z); });
    SpotsOfB::template set<S::THREADS>(all.b_spot, p.packed_b, j0, p.n, [&](int64_t j) { return p.b_spot(j, z); });
    for (int i = tid; i < S::ROWS; i += S::THREADS)
      all.to_row[i] = i0 + i >= p.m ? 0 : terms.partial ? (i0 + i) * p.n : p.target(i0 + i);

    first = int(terms.first + term * terms.a_term);
    end = int(min_of(first + terms.a_term, terms.first + terms.chains));
    if (tid == 0) all.i0 = i0, all.j0 = j0, all.z = z, all.term = term;
  }
  // Cursors go from stage to stage: two units of one chain, or its last one and zeros.
  typename P::Cursor next, ahead;  // what is loaded next; ahead: lines, a stage further
  int next_chain = first, ahead_chain = first;
  p.start(next, first);
  ahead = next;
  const auto advance = [&](typename P::Cursor& c, int& chain) {
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
  const auto load_unit = [&](int stage, int unit, int slot, int depth) {
    A::template load<S::THREADS>(all.a[stage][unit], p.packed_a, depth, [&](int i, int step) {
      return p.a_from(all.a_spot[SpotsOfA::at(p.packed_a, i)], next, step, all.lines[slot][unit][P::LINES ? step : 0]);
    });
    B::template load<S::THREADS>(all.b[stage][unit], p.packed_b, depth, [&](int j, int step) {
      return p.b_from(all.b_spot[SpotsOfB::at(p.packed_b, j)], next, step, all.lines[slot][unit][P::LINES ? step : 0]);
    });
  };
  enum : uint32_t { EXISTS = 1, ENDS_RUN = 2, BITS = 4 };
  /// What the stage holds. A group of copies is committed for a stage that does not exist too.
  const auto load = [&](int stage, int slot) {
    uint32_t state = 0;
    if (next_chain < end) {
      int depth = next.depth;
#pragma unroll 1
      for (int unit = 0; unit < 2; ++unit) {
        load_unit(stage, unit, slot, depth);
        const bool more = unit == 0 && next.left > 1;
        if (more) p.next(next);
        depth = more ? next.depth : 0;
      }
      state = next.left == 1 && (next_chain + 1) % RUN == 0 ? EXISTS | ENDS_RUN : EXISTS;
      advance(next, next_chain);
    }
    commit_copies();
    return state;
  };

  float sum[S::M][S::N][4];
  const auto each_sum = [&](auto f) {
#pragma unroll
    for (int i = 0; i < S::M; ++i)
#pragma unroll
      for (int j = 0; j < S::N; ++j) f(sum[i][j], (i * S::N + j) * 4 * S::THREADS);
  };
  each_sum([](float (&v)[4], int) { v[0] = v[1] = v[2] = v[3] = 0; });
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
  // A run's sums are added to those of the runs before, which lie in memory meanwhile: there are no registers for both.
  constexpr int VALUES = S::ROWS * S::COLUMNS;
  const auto before = [&] { return terms.running + int64_t(blockIdx.x) * VALUES + 4 * again(int(threadIdx.x)); };
  bool resume = false;
  const auto add_before = [&](float (&v)[4], int at) {
    Pack<float, 4> sums{};
    if (resume) sums = load_pack<4>(before() + at);
#pragma unroll
    for (int e = 0; e < 4; ++e) v[e] = resume || o.from_zero ? sums[e] + v[e] : v[e];
  };

  set_lines(0);
  uint32_t queue = 0;  // of the stages on their way: what the first holds is lowest
  for (int step = 1 - S::STAGES, to = 0, from = 0, slot = 0;; ++step, slot ^= 1) {
    if (step >= 0) wait_for_copies<S::STAGES - 2>();
    __syncthreads();
    const uint32_t state = queue % (1u << BITS);
    if (step >= 0 && !state) break;
    queue = queue >> BITS | load(to, slot) << BITS * (S::STAGES - 2);
    set_lines(slot ^ 1);
    to = to == S::STAGES - 1 ? 0 : to + 1;
    if (step < 0) continue;
#pragma unroll
    for (int unit = 0; unit < 2; ++unit) multiply(all.a[from][unit], all.b[from][unit]);
    from = from == S::STAGES - 1 ? 0 : from + 1;
    if (state & ENDS_RUN && queue) {
      each_sum([&](float (&v)[4], int at) {
        add_before(v, at);
        store_pack(before() + at, Pack<float, 4>{{v[0], v[1], v[2], v[3]}});
        v[0] = v[1] = v[2] = v[3] = 0;
      });
      resume = true;
    }
  }
  each_sum(add_before);

  // The last product is behind a barrier: the stages are free for the warps' rows.
  using Rows = WarpRows<S::M, S::N>;
  constexpr int QUADS = Rows::QUADS;
  static_assert(S::THREADS / 32 * Rows::SPACE * sizeof(float) <= sizeof(all.a) + sizeof(all.b));
  wait_for_copies<0>();
  const int own = again(tid) / 32, own_row = own / S::WARPS_ACROSS * S::WARP_ROWS;
  const int64_t i0 = all.i0 + own_row, z = all.z;
  const int64_t column = all.j0 + own % S::WARPS_ACROSS * S::WARP_COLUMNS + Rows::column(0);
  float* const partial = terms.partial ? terms.partial + (all.term * p.batch + z) * p.m * p.n : nullptr;
  T* const c = o.c + z * o.c_batch;
  const T* const addend = P::ADDS && o.addend ? o.addend + z * o.c_batch : nullptr;
  Pack<T, 4> bias[QUADS], added[QUADS];
#pragma unroll
  for (int q = 0; q < QUADS; ++q)
    if (o.bias) bias[q] = load_columns<4>(o.bias + z * o.bias_batch, column + 32 * q, p.n, o.packed);
  Rows::each(sum, reinterpret_cast<float*>(&all) + own * Rows::SPACE, [&](int row, Pack<float, 4>(&v)[QUADS]) {
    if (i0 + row >= p.m) return;
    const int64_t to = all.to_row[own_row + row];
    if (partial) {
#pragma unroll
      for (int q = 0; q < QUADS; ++q) store_columns(partial + to, column + 32 * q, p.n, p.n % 4 == 0, v[q]);
      return;
    }
#pragma unroll
    for (int q = 0; q < QUADS; ++q)
      if (addend) added[q] = load_columns<4>(addend + to, column + 32 * q, p.n, o.packed);
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      Pack<T, 4> rounded;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (o.bias) v[q][e] = v[q][e] + float(bias[q][e]);
        if (addend) v[q][e] = v[q][e] + float(added[q][e]);
        rounded[e] = activated(v[q][e], o.activation);
      }
      store_columns(c + to, column + 32 * q, p.n, o.packed, rounded);
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
  if (chains > 0 && (chains <= a_term || blocks >= multiprocessors())) {
    const Scratch<float> running(chains > RUN ? blocks * S::ROWS * S::COLUMNS : 0, stream);
    return run({0, chains, chains, nullptr, running.data()});
  }
  const int64_t terms = ceil_div(chains, a_term), round = max_of(1, min_of(terms, MOST_PARTIALS / size));
  Scratch<float> partial(terms > 0 ? round * size : 0, stream), running(round < terms ? size : 0, stream);
  int64_t term = 0;
  do {  // once even for no chains: C = activation(bias)
    const int64_t count = min_of(round, terms - term);
    if (count > 0)
      run({term * a_term, min_of(count * a_term, chains - term * a_term), a_term, partial.data(), nullptr});
    each(size, stream, AddNarrowTerms<P>{p, o, partial.data(), running.data(), count, term > 0, term + count == terms});
    term += count;
  } while (term < terms);
}

/// The shape of the tile by the shape of C and the device. No choice here changes a bit of the result.
template <class P, class T = typename P::T>
void tensor_product(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  if (p.m <= 0 || p.n <= 0 || p.batch <= 0) return;
  using Large = TensorShape<256, 128, 64, 64, 4>;
  using Middle = TensorShape<128, 128, 64, 64, 3>;
  using Small = TensorShape<64, 64, 32, 32, 4>;
  a_term = max_of(a_term, RUN);
  const auto fills = [&]<class S>(S) {  // most of the device, which takes them
    const int64_t blocks = ceil_div(p.m, S::ROWS) * ceil_div(p.n, S::COLUMNS) * p.batch;
    return p.m > S::ROWS / 2 && p.n > S::COLUMNS / 2 && 4 * blocks >= 3 * multiprocessors() &&
           sizeof(TensorShared<S, P>) <= most_shared_bytes();
  };
  if (fills(Large{})) return run_tensor_product<Large>(p, o, chains, a_term, stream);
  if (fills(Middle{})) return run_tensor_product<Middle>(p, o, chains, a_term, stream);
  run_tensor_product<Small>(p, o, chains, a_term, stream);
}

}  // namespace lamina::cuda
