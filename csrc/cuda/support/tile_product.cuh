// Products whose operands are gathered: C(i, j) = the sum over k of A(i, k) B(k, j), for gemm.cu and conv2d.cu.
//
// A block computes a tile of C from tiles of A and B in shared memory. k goes in units of up to 16 steps; units form
// chains of fused multiply-adds, which are added in order: the CPU's sums, and its bits. While one unit is multiplied,
// the next one is on its way. Where C has too few tiles for the device, the sum is cut into terms of one or more
// chains, which go to scratch memory and are added in order by a second kernel.
//
// A problem says where values lie:
//   T; A_ALONG, B_ALONG: what is contiguous in memory; LINES: see Line; ADDS: whether there may be an addend
//   m, n, batch; packed_a, packed_b: whether 16 bytes may be copied at once
//   Cursor: start(cursor, chain), next(cursor), with cursor.left units of the chain to go (this one too) and .depth
//   a_spot(i, z), b_spot(j, z): what is computed once a tile, z in the batch; a_from, b_from(spot, cursor, kk, line)
//   target(i): where row i of C begins
#pragma once
#include <type_traits>

#include "cuda/support/elementwise.cuh"
#include "ops/gemm.h"
#include "support/activation.h"

namespace lamina::cuda {

constexpr int UNIT = 16;  // steps of k that are in shared memory at once
constexpr int64_t CHAIN_UNITS = CHAIN / UNIT;

/// What neighbours in memory share: steps of k, or rows of A (columns of B).
enum class Along { depth, side };

template <class T>
struct From {
  const T* p;
  bool valid;  // else zeros
};

/// The spots of an operand of a tile: one for each place along its side, or for each pack where packs are copied.
template <int SIDE, int PACK, Along ALONG>
struct Spots {
  static __device__ __forceinline__ int at(bool packed, int i) { return ALONG == Along::side && packed ? i / PACK : i; }
  /// By a whole block: spot(place) for places from `first` on. Those beyond the end repeat the last one, which is safe
  /// to read.
  template <int THREADS, class Spot, class F>
  static __device__ __forceinline__ void set(Spot* spots, bool packed, int64_t first, int64_t count, F&& spot) {
    const bool packs = ALONG == Along::side && packed;
    const int64_t last = packs ? (count - 1) / PACK * PACK : count - 1;
    for (int i = int(threadIdx.x); i < (packs ? SIDE / PACK : SIDE); i += THREADS)
      spots[i] = spot(min_of(first + (packs ? i * PACK : i), last));
  }
};

/// How a tile of ROWS x COLUMNS is shared out: each thread has M x N of it.
template <int ROWS_, int COLUMNS_, int M_, int N_>
struct TileShape {
  static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, M = M_, N = N_;
  static constexpr int DOWN = ROWS / M, ACROSS = COLUMNS / N, THREADS = DOWN * ACROSS;  // threads
  static constexpr int WARP_ACROSS = ACROSS < 8 ? ACROSS : 8, WARP_DOWN = 32 / WARP_ACROSS;
  static_assert(DOWN % WARP_DOWN == 0 && ACROSS % WARP_ACROSS == 0);
};

/// A tile of one operand in shared memory: lines of 16 steps of k for each row, or lines of rows for each k.
template <class T, int SIDE_, Along ALONG_>
struct OperandTile {
  static constexpr int PACK = 16 / int(sizeof(T)), SIDE = SIDE_;
  static constexpr Along ALONG = ALONG_;
  static constexpr int PITCH = ALONG == Along::depth ? UNIT + PACK : SIDE;  // neighbouring rows in different banks
  static constexpr int SIZE = ALONG == Along::depth ? SIDE * PITCH : UNIT * PITCH;

  /// Copies N values at a time. from(place along the side, step).
  template <int N, int THREADS, class F>
  static __device__ __forceinline__ void load_by(T* tile, int depth, F&& from) {
    constexpr int A_LINE = (ALONG == Along::depth ? UNIT : SIDE) / N, ALL = SIDE * UNIT / N;
#pragma unroll(N == 1 ? 2 : ALL / THREADS + 1)
    for (int p0 = 0; p0 < ALL; p0 += THREADS) {
      const int p = p0 + int(threadIdx.x);
      if (ALL % THREADS && p >= ALL) break;
      const int line = p / A_LINE, in = p % A_LINE * N;
      const int side = ALONG == Along::depth ? line : in, step = ALONG == Along::depth ? in : line;
      if (step < depth) {
        const From<T> f = from(side, step);
        copy_async<N* int(sizeof(T))>(tile + line * PITCH + in, f.p, f.valid);
      }
    }
  }
  template <int THREADS, class F>
  static __device__ __forceinline__ void load(T* tile, bool packed, int depth, F&& from) {
    packed ? load_by<PACK, THREADS>(tile, depth, from) : load_by<1, THREADS>(tile, depth, from);
  }

  /// Where value e of a thread lies along the side: quads, or one in every `threads`.
  static __device__ __forceinline__ int place(int thread, int threads, int e) {
    return ALONG == Along::depth ? thread + threads * e : thread * 4 + e % 4 + e / 4 * 4 * threads;
  }
  /// A thread's COUNT values for STEPS steps from `step` on.
  template <int STEPS, int COUNT>
  static __device__ __forceinline__ void read(const T* tile, int thread, int threads, int step, T (&to)[STEPS][COUNT]) {
    if constexpr (ALONG == Along::depth) {
#pragma unroll
      for (int e = 0; e < COUNT; ++e) {
        const auto pack = load_pack<STEPS>(tile + place(thread, threads, e) * PITCH + step);
#pragma unroll
        for (int s = 0; s < STEPS; ++s) to[s][e] = pack[s];
      }
    } else {
      constexpr int N = PACK < 4 ? PACK : 4;
#pragma unroll
      for (int s = 0; s < STEPS; ++s)
#pragma unroll
        for (int e = 0; e < COUNT; e += N) {
          const auto pack = load_pack<N>(tile + (step + s) * PITCH + place(thread, threads, e));
#pragma unroll
          for (int i = 0; i < N; ++i) to[s][e + i] = pack[i];
        }
    }
  }
};

/// Where the sums go.
template <class T>
struct ProductOutput {
  T* c;
  int64_t c_batch;  // from one of the batch to the next
  const T* bias;    // n values for each of the batch, or none
  int64_t bias_batch;
  Activation activation;
  bool from_zero;             // the first chain is added to 0, not taken as it is
  bool packed;                // rows may be written, and bias and addend read, 16 bytes at a time
  const T* addend = nullptr;  // laid out as C, or none
};

/// Which chains a launch goes through: terms of a_term chains, of `chains` in all. partial: where terms go, each m x n
/// for each of the batch; null: to C, in one term.
template <class T>
struct ProductTerms {
  int64_t first, chains, a_term;
  T* partial;
};

/// What sums of T are computed in: float for 16-bit numbers.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 2, float, T>;

template <class T>
__device__ __forceinline__ T activated(T v, Activation activation) {
  switch (activation) {
    case Activation::relu:
      return activate<Activation::relu, T>(v);
    case Activation::sigmoid:
      return activate<Activation::sigmoid, T>(v);
    case Activation::tanh:
      return activate<Activation::tanh, T>(v);
    default:
      return v;
  }
}

/// Products of one unit.
template <class A, class B, class S, class T>
__device__ __forceinline__ void multiply_unit(const T* a, const T* b, int down, int across, int depth,
                                              T (&sum)[S::M][S::N]) {
  constexpr bool DEPTH = A::ALONG == Along::depth || B::ALONG == Along::depth;
  constexpr int STEPS = !DEPTH ? 1 : A::ALONG == B::ALONG ? 2 : A::PACK;
  T x[STEPS][S::M], y[STEPS][S::N];
  if (depth == UNIT) {
#pragma unroll(STEPS == 1 ? 4 : 2)
    for (int k = 0; k < UNIT; k += STEPS) {
      A::read(a, down, S::DOWN, k, x);
      B::read(b, across, S::ACROSS, k, y);
#pragma unroll
      for (int s = 0; s < STEPS; ++s)
#pragma unroll
        for (int i = 0; i < S::M; ++i)
#pragma unroll
          for (int j = 0; j < S::N; ++j) sum[i][j] = fma(x[s][i], y[s][j], sum[i][j]);
    }
    return;
  }
#pragma unroll 1
  for (int k = 0; k < depth; k += STEPS) {
    A::read(a, down, S::DOWN, k, x);
    B::read(b, across, S::ACROSS, k, y);
#pragma unroll
    for (int s = 0; s < STEPS; ++s)
      if (k + s < depth) {
#pragma unroll
        for (int i = 0; i < S::M; ++i)
#pragma unroll
          for (int j = 0; j < S::N; ++j) sum[i][j] = fma(x[s][i], y[s][j], sum[i][j]);
      }
  }
}

/// What a block computes: the tile of C that begins at (i0, j0), of `z` in the batch, one term of its sum.
struct BlockTile {
  int64_t i0, j0, term, z;
};
/// Rows of tiles are taken eight at a time, so that blocks that run together share A and B in L2.
template <class S, class P>
__device__ __forceinline__ BlockTile block_of(const P& p) {
  const uint32_t down = uint32_t(ceil_div(p.m, S::ROWS)), across = uint32_t(ceil_div(p.n, S::COLUMNS));
  const uint32_t rest = blockIdx.x / (down * across), tile = blockIdx.x - rest * down * across;
  const uint32_t band = tile / (8 * across), in = tile - band * 8 * across;
  const uint32_t rows = down - band * 8 < 8 ? down - band * 8 : 8, column = in / rows,
                 row = band * 8 + in - column * rows;
  const int64_t term = rest / uint32_t(p.batch);
  return {int64_t(row) * S::ROWS, int64_t(column) * S::COLUMNS, term, rest - term * p.batch};
}

template <class S, class P, class T = typename P::T>
__global__ void __launch_bounds__(S::THREADS)
    tile_product_kernel(const P p, const ProductOutput<T> o, const ProductTerms<T> terms) {
  using A = OperandTile<T, S::ROWS, P::A_ALONG>;
  using B = OperandTile<T, S::COLUMNS, P::B_ALONG>;
  auto& a_tile = shared<T[2][A::SIZE], struct TileA>();
  auto& b_tile = shared<T[2][B::SIZE], struct TileB>();
  auto& a_spot = shared<typename P::ASpot[S::ROWS], struct SpotsA>();
  auto& b_spot = shared<typename P::BSpot[S::COLUMNS], struct SpotsB>();
  auto& to_row = shared<int64_t[S::ROWS], struct Rows>();
  auto& lines = shared<typename P::Line[2][P::LINES ? UNIT : 1], struct Lines>();
  const int tid = int(threadIdx.x), warp = tid / 32, lane = tid % 32;
  constexpr int WARPS_ACROSS = S::ACROSS / S::WARP_ACROSS;
  const int across = warp % WARPS_ACROSS * S::WARP_ACROSS + lane % S::WARP_ACROSS;
  const int down = warp / WARPS_ACROSS * S::WARP_DOWN + lane / S::WARP_ACROSS;

  const auto [i0, j0, term, z] = block_of<S>(p);

  using SpotsOfA = Spots<S::ROWS, A::PACK, P::A_ALONG>;
  using SpotsOfB = Spots<S::COLUMNS, B::PACK, P::B_ALONG>;
  SpotsOfA::template set<S::THREADS>(a_spot, p.packed_a, i0, p.m, [&](int64_t i) { return p.a_spot(i, z); });
  SpotsOfB::template set<S::THREADS>(b_spot, p.packed_b, j0, p.n, [&](int64_t j) { return p.b_spot(j, z); });
  for (int i = tid; i < S::ROWS; i += S::THREADS)
    to_row[i] = i0 + i >= p.m ? 0 : terms.partial ? (i0 + i) * p.n : p.target(i0 + i);

  int64_t chain = terms.first + term * terms.a_term;
  const int64_t end = min_of(chain + terms.a_term, terms.first + terms.chains);
  const int64_t first = chain;
  typename P::Cursor now, ahead;  // ahead: of the lines, one unit further than what is loaded
  p.start(now, chain);
  int64_t chain_ahead = chain;
  bool more_ahead = true;
  const auto advance = [&](typename P::Cursor& c, int64_t& at) {
    if (c.left > 1) {
      p.next(c);
      return true;
    }
    if (++at == end) return false;
    p.start(c, at);
    return true;
  };
  if constexpr (P::LINES) {
    ahead = now;
    if (tid < now.depth) lines[0][tid] = p.line(now, tid);
    more_ahead = advance(ahead, chain_ahead);
    if (more_ahead && tid < ahead.depth) lines[1][tid] = p.line(ahead, tid);
  }
  const auto load = [&](int stage, const typename P::Cursor& c) {
    A::template load<S::THREADS>(a_tile[stage], p.packed_a, c.depth, [&](int i, int step) {
      return p.a_from(a_spot[SpotsOfA::at(p.packed_a, i)], c, step, lines[P::LINES ? stage : 0][P::LINES ? step : 0]);
    });
    B::template load<S::THREADS>(b_tile[stage], p.packed_b, c.depth, [&](int j, int step) {
      return p.b_from(b_spot[SpotsOfB::at(p.packed_b, j)], c, step, lines[P::LINES ? stage : 0][P::LINES ? step : 0]);
    });
    commit_copies();
  };

  T* const c = terms.partial ? terms.partial + (term * p.batch + z) * p.m * p.n : o.c + z * o.c_batch;
  T sum[S::M][S::N];
#pragma unroll
  for (int i = 0; i < S::M; ++i)
#pragma unroll
    for (int j = 0; j < S::N; ++j) sum[i][j] = T(0);
  /// Adds a finished chain to what C holds.
  const auto finish = [&](bool resume, bool finished) {
    const bool last = finished && !terms.partial, relu = last && o.activation == Activation::relu;
    const T* const bias = last && o.bias ? o.bias + z * o.bias_batch : nullptr;
    constexpr int N = B::ALONG == Along::side ? B::PACK < 4 ? B::PACK : 4 : 1;
    const bool packed = terms.partial ? p.n % N == 0 : o.packed;
    const bool sums = P::ADDS && last && o.addend;
    const auto finish_value = [&](T v, T before, T added, T summed) {
      if (resume || o.from_zero) v = before + v;
      if (bias) v = v + added;
      if (sums) v = v + summed;
      return relu ? max(T(0), v) : v;
    };
#pragma unroll
    for (int i = 0; i < S::M; ++i) {
      const int row = A::place(down, S::DOWN, i);
      if (i0 + row >= p.m) continue;
      T* const to = c + to_row[row];
      const T* const more = sums ? o.addend + z * o.c_batch + to_row[row] : nullptr;
#pragma unroll
      for (int j = 0; j < S::N; j += N) {
        const int64_t column = j0 + B::place(across, S::ACROSS, j);
        if (packed && column < p.n) {
          Pack<T, N> v{}, added{}, summed{};
          if (resume) v = load_pack<N>(to + column);
          if (bias) added = load_pack<N>(bias + column);
          if (sums) summed = load_pack<N>(more + column);
#pragma unroll
          for (int e = 0; e < N; ++e) v[e] = finish_value(sum[i][j + e], v[e], added[e], summed[e]);
          store_pack(to + column, v);
        } else {
#pragma unroll
          for (int e = 0; e < N; ++e)
            if (column + e < p.n)
              to[column + e] = finish_value(sum[i][j + e], resume ? to[column + e] : T(0),
                                            bias ? bias[column + e] : T(0), sums ? more[column + e] : T(0));
        }
      }
    }
    if (last && (o.activation == Activation::sigmoid || o.activation == Activation::tanh))
#pragma unroll 1
      for (int e = 0; e < S::M * S::N; ++e) {  // each thread over what it has written
        const int row = A::place(down, S::DOWN, e / S::N);
        const int64_t column = j0 + B::place(across, S::ACROSS, e % S::N);
        if (i0 + row < p.m && column < p.n) c[to_row[row] + column] = activated(c[to_row[row] + column], o.activation);
      }
#pragma unroll
    for (int i = 0; i < S::M; ++i)
#pragma unroll
      for (int j = 0; j < S::N; ++j) sum[i][j] = T(0);
  };

  __syncthreads();
  load(0, now);
  for (int stage = 0;; stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();
    const int depth = now.depth;
    const bool chain_ends = now.left == 1;
    const int64_t this_chain = chain;
    const bool more = advance(now, chain);
    if (more) load(stage ^ 1, now);
    if constexpr (P::LINES) {
      if (more_ahead) more_ahead = advance(ahead, chain_ahead);
      if (more_ahead && tid < ahead.depth) lines[stage][tid] = p.line(ahead, tid);
    }
    multiply_unit<A, B, S>(a_tile[stage], b_tile[stage], down, across, depth, sum);
    if (chain_ends) finish(this_chain > first, !more);
    if (!more) break;
  }
}

/// C from its terms, added in order to what it holds (resume), to 0 or to nothing.
template <class P, class T = typename P::T>
struct AddTerms {
  P p;
  ProductOutput<T> o;
  const T* partial;
  int64_t terms;
  bool resume, last;
  __device__ void operator()(int64_t at) const {
    const int64_t size = p.batch * p.m * p.n, row = at / p.n, j = at - row * p.n, z = row / p.m, i = row - z * p.m;
    const int64_t place = z * o.c_batch + p.target(i) + j;
    T* const to = o.c + place;
    const bool before = resume || o.from_zero || terms == 0;
    T sum = resume ? *to : before ? T(0) : partial[at];
    for (int64_t term = before ? 0 : 1; term < terms; ++term) sum = sum + partial[term * size + at];
    if (last && o.bias) sum = sum + o.bias[z * o.bias_batch + j];
    if (P::ADDS && last && o.addend) sum = sum + o.addend[place];
    *to = last ? activated(sum, o.activation) : sum;
  }
};

constexpr int64_t MOST_PARTIALS = int64_t(1) << 24;

/// chains: in all; a_term: those that must be added up before they are added to C.
template <class S, class P, class T = typename P::T>
void run_tile_product(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  const int64_t size = p.batch * p.m * p.n;
  const int64_t blocks = ceil_div(p.m, S::ROWS) * ceil_div(p.n, S::COLUMNS) * p.batch;
  const auto run = [&](const ProductTerms<T>& terms) {
    launch(tile_product_kernel<S, P>, dim3(unsigned(blocks * ceil_div(terms.chains, terms.a_term))),
           dim3(unsigned(S::THREADS)), 0, stream, p, o, terms);
  };
  if (chains > 0 && (chains <= a_term || (a_term == 1 && blocks >= 2 * multiprocessors())))
    return run({0, chains, chains, nullptr});
  const int64_t terms = ceil_div(chains, a_term), round = max_of(1, min_of(terms, MOST_PARTIALS / size));
  Scratch<T> partial(terms > 0 ? round * size : 0, stream);
  int64_t term = 0;
  do {  // once even for no chains: C = activation(bias)
    const int64_t count = min_of(round, terms - term);
    if (count > 0) run({term * a_term, min_of(count * a_term, chains - term * a_term), a_term, partial.data()});
    each(size, stream, AddTerms<P>{p, o, partial.data(), count, term > 0, term + count == terms});
    term += count;
  } while (term < terms);
}

/// The shape of the tile by the shape of C. No choice here changes a bit of the result.
template <class P, class T = typename P::T>
void tile_product(const P& p, const ProductOutput<T>& o, int64_t chains, int64_t a_term, Stream stream) {
  if (p.m <= 0 || p.n <= 0 || p.batch <= 0) return;
  if constexpr (sizeof(T) == 8) return run_tile_product<TileShape<64, 64, 8, 4>>(p, o, chains, a_term, stream);
  if constexpr (sizeof(T) == 4) {
    if (p.m <= 16) return run_tile_product<TileShape<16, 128, 4, 4>>(p, o, chains, a_term, stream);
    if (p.n <= 16) return run_tile_product<TileShape<128, 16, 4, 4>>(p, o, chains, a_term, stream);
    const bool large = p.m > 64 && p.n > 64 && ceil_div(p.m, 128) * ceil_div(p.n, 128) * p.batch >= multiprocessors();
    large ? run_tile_product<TileShape<128, 128, 8, 8>>(p, o, chains, a_term, stream)
          : run_tile_product<TileShape<64, 64, 8, 8>>(p, o, chains, a_term, stream);
  }
}

}  // namespace lamina::cuda
