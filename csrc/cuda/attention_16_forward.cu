// Attention forward in float16 and bfloat16 on tensor cores: FlashAttention-2. A block has the rows (queries) of one
// key head and goes through the keys; the sums of values stay in registers, and so do the scores.
//
// Four warps of 32 rows: what ldmatrix brings of keys and values serves two products, and 16 rows would ask shared
// memory for more than it gives. One barrier a tile of keys; while it is worked on, the next one is copied.
#include "cuda/support/attention_16.cuh"
#include "cuda/support/attention_widened.cuh"

namespace lamina::cuda {
namespace attention_16_forward_op {

/// How a block is shared out, by the size of heads: M * 16 rows a warp, tiles of KEYS keys.
template <int SIZE_, bool EXTRAS_>
struct Shape {
  static constexpr bool EXTRAS = EXTRAS_;
  static constexpr int SIZE = SIZE_, M = SIZE <= 128 ? 2 : 1, KEYS = EXTRAS || SIZE > 128 ? 32 : SIZE > 64 ? 48 : 64;
  using Rows = Lines<64 * M, SIZE>;
  using Keys = Lines<KEYS, SIZE>;
  static constexpr int STAGE = 2 * Keys::VALUES;  // keys, and their values
  static constexpr int64_t BYTES = 2 * (Rows::VALUES + 2 * STAGE) + sizeof(BlockState<Float16, RowLimits<M>>);
};

template <class T>
struct Forward {
  Attention<T> s;
  T* y;
  float* lse;
  int row_tiles;
  float scale, kept;  // of scores, which are in units of log 2; of what dropout keeps
  bool packed, packed_values;
};

/// The running softmax of a thread's rows; sum is of the thread's columns alone.
template <int M>
struct Running {
  float top[M][2], sum[M][2];
  __device__ Running() {
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) top[i][half] = -INFINITE<float>, sum[i][half] = 0;
  }

  /// Scores become p = 2^(factor * (score - top)), and the sums of values so far are scaled to the new top.
  template <int N, int COLUMNS>
  __device__ __forceinline__ void step(float factor, float (&score)[M][N][4], float (&o)[M][COLUMNS][4]) {
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const auto at = [&](int j, int e) -> float& { return score[i][j][2 * half + e]; };
        float most = ::fmaxf(at(0, 0), at(0, 1));
#pragma unroll
        for (int j = 1; j < N; ++j) most = ::fmaxf(most, ::fmaxf(at(j, 0), at(j, 1)));
        most = ::fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
        most = ::fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
        most = ::fmaxf(most, top[i][half]);
        const float base = most == -INFINITE<float> ? 0.0f : most * factor;
        // 1 exactly where the top stays: the rounding of top * factor would grow with every tile.
        const float decay = top[i][half] == most ? 1.0f : exp2_fast(fma(top[i][half], factor, -base));
        top[i][half] = most;
        float all = 0;
#pragma unroll
        for (int j = 0; j < N; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            at(j, e) = exp2_fast(fma(at(j, e), factor, -base));
            all = all + at(j, e);
          }
        sum[i][half] = fma(sum[i][half], decay, all);
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
          o[i][j][2 * half] = o[i][j][2 * half] * decay;
          o[i][j][2 * half + 1] = o[i][j][2 * half + 1] * decay;
        }
      }
  }
  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float& all = sum[i][half];
        all = all + __shfl_xor_sync(ALL_LANES, all, 1);
        all = all + __shfl_xor_sync(ALL_LANES, all, 2);
      }
  }
};

template <class S, class T>
__global__ void __launch_bounds__(ATTENTION_THREADS_16, 2) attend_16(const Forward<T> a) {
  if (!has_products_of<T>()) return;
  using Rows = typename S::Rows;
  using Keys = typename S::Keys;
  constexpr bool EXTRAS = S::EXTRAS;
  constexpr int M = S::M, KEYS = S::KEYS, N = KEYS / 8;
  const Attention<T>& s = a.s;
  const RowTile<T, Rows::ROWS> tile(s, int(blockIdx.x), a.row_tiles);
  const TensorHead<T>& head = tile.head;
  const int limit = head.limit(tile.row0, tile.rows), size = int(s.size), value_size = int(s.value_size);
  const int warp_row = int(threadIdx.x) / 32 * 16 * M;
  T *const q = dynamic_shared<T>(), *const stages = q + Rows::VALUES;

  auto& state = *reinterpret_cast<BlockState<T, RowLimits<M>>*>(stages + 2 * S::STAGE);
  const KeyLines<T> lines(head, a.packed, a.packed_values);
  if (threadIdx.x == 0) state.lines = lines;
  if (limit > 0) {
    Rows::load(q, size, a.packed, [&](int i) { return tile.line(s.q, i, s.size); });
    lines.template load<Keys>(stages, 0);
  }

  const ThreadRows<T, M, RowLimits<M>> thread(head, tile.row0, state);
  const float scale = a.scale;
  Running<M> running;
  float o[M][S::SIZE / 8][4];
  clear(o);
  const auto own = first_operand<Rows>(q, q, warp_row);
  constexpr bool IN_REGISTERS = S::SIZE <= 64;
  uint32_t x[IN_REGISTERS ? S::SIZE / 16 : 1][M][4];  // the warp's lines of q
  if (IN_REGISTERS && limit > 0) {
    wait_for_copies<0>();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < S::SIZE / 16; ++i) read_lines(x[IN_REGISTERS ? i : 0], own, 2 * i);
  }
  for (int key = 0; key < limit; key += KEYS) {
    const int stage = key / KEYS % 2;
    wait_for_copies<0>();
    __syncthreads();
    if (key + KEYS < limit) state.lines.template load<Keys>(stages + (stage ^ 1) * S::STAGE, key + KEYS);
    if (key >= thread.warp().most) continue;  // nothing of it is seen by the warp's rows
    const T* const staged = stages + stage * S::STAGE;
    const auto across = lines_across<Keys>(q, staged);
    uint32_t weights[M][N / 2][4];
    {
      float p[M][N][4];
      if constexpr (IN_REGISTERS) {
        clear(p);
#pragma unroll
        for (int i = 0; i < S::SIZE / 16; ++i) multiply_chunks(p, x[i], across, 2 * i);
      } else {
        multiply_lines(p, own, across);
      }
      if constexpr (EXTRAS) {
        thread.mask(head, scale, p, key);
        running.step(1.0f, p, o);
        if (s.dropped > 0) thread.template each_dropped<N>(head, key, [&](int i, int j, int e) { p[i][j][e] = 0; });
      } else {
        thread.hide(p, key);
        running.step(scale, p, o);
      }
      narrow_scores<T>(p, weights);
    }
    add_lines(o, weights, values_across<Keys>(q, staged + Keys::VALUES));
  }

  running.finish();
  const RowTile<T, Rows::ROWS> end(s, again(int(blockIdx.x)), a.row_tiles);
  float factor[M][2];
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = running.sum[i][half];
      factor[i][half] = sum == 0 ? 0.0f : a.kept / sum;  // nothing seen: 0
      const int row = end.row0 + thread.place(i, half);
      if (!a.lse || thread.column() != 0 || row >= end.row0 + end.rows) continue;
      const float top = EXTRAS ? running.top[i][half] : running.top[i][half] * scale;
      a.lse[end.head.place_of(end.head.query_of(row))] = sum == 0 ? INFINITE<float> : top + log(sum) * LOG2_E<float>;
    }
  const int end_row = again(int(threadIdx.x)) / 32 * 16 * M;
  Rows::put(q, end_row, 0, o, [&](int i, int half, float sum) { return sum * factor[i][half]; });  // over its own rows
  Rows::template write<S::SIZE>(q, end_row, 16 * M, 0, value_size, a.packed_values,
                                [&](int row) { return end.line(a.y, row, s.value_size); });
}

}  // namespace attention_16_forward_op
using namespace attention_16_forward_op;

template <class T>
void attention_forward_16(const Attention<T>& s, T* y, float* lse, Stream stream) {
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries;
  if (heads == 0 || rows == 0) return;
  const bool done = with_head_size(s, [&](auto head_size, auto extras) {
    constexpr int SIZE = decltype(head_size)(), EXTRAS = decltype(extras)();
    using S = Shape<SIZE, bool(EXTRAS)>;
    if (size_t(S::BYTES) > most_shared_bytes()) return false;
    const int64_t row_tiles = ceil_div(rows, S::Rows::ROWS);
    launch(attend_16<S, T>, unsigned(heads * row_tiles), ATTENTION_THREADS_16, size_t(S::BYTES), stream,
           Forward<T>{s, y, lse, int(row_tiles), float(s.scale * LOG2_E<double>), kept_scale<T, float>(s),
                      lines_of_packs(s.k, s.size) && lines_of_packs(s.q, s.size),
                      lines_of_packs(s.v, s.value_size) && lines_of_packs(y, s.value_size)});
    return true;
  });
  if (done) return;
  const WideAttention<T> wide(s, stream);
  const WideArray wide_y(heads * rows * s.value_size, stream);
  attention_forward(wide.s, wide_y.values.data(), lse, stream);
  wide_y.narrow(y);
}

template void attention_forward_16(const Attention<Float16>&, Float16*, float*, Stream);
template void attention_forward_16(const Attention<BFloat16>&, BFloat16*, float*, Stream);

}  // namespace lamina::cuda
