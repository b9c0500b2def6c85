#include "cuda/support/batch.cuh"
#include "cuda/support/sums.cuh"
#include "ops/adafactor.h"

namespace lamina::cuda {
namespace adafactor_op {

constexpr int64_t CHUNK = 2048;  // elements of a block that updates

struct Numbers {
  Setting<double> rate, beta;
  double epsilon_1, epsilon_2, threshold;
};

/// A parameter, and the places of its own in the memory that the kernels share: of_rows, of_columns and the columns'
/// parts in `values`, two sums a row (or a piece) in `sums`, minus the length of its step in `lengths`.
template <class T>
struct Entry {
  FactoredParameter<T> p;
  T *of_rows, *of_columns, *parts;
  double* sums;
  T* length;
};

template <class T>
__host__ __device__ int64_t rows_of(const FactoredParameter<T>& p) {
  return p.matrices * p.rows;
}
/// Rows that squares are summed over: of the matrices, or the pieces of a vector.
template <class T>
__host__ __device__ int64_t sums_of(const FactoredParameter<T>& p) {
  return p.v ? ceil_div(p.columns, ROW_PIECE) : rows_of(p);
}

template <class T>
struct AddSquare {
  __device__ T operator()(T sum, T v) const { return fma(v, v, sum); }
};

/// The sum of the squares of value(i) over a row, by a block; thread 0 returns it.
template <class T, class Value>
__device__ double squares_of_row(int64_t n, Value&& value) {
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += ROW_PIECE) {
    const T sum = sum_by_block<1, T>(
        min_of(ROW_PIECE, n - begin), [&](int64_t i, T(&v)[1]) { v[0] = value(begin + i); }, AddSquare<T>{});
    total = begin == 0 ? sum : total + sum;
  }
  return double(total);
}

/// A block for each row: r.
template <class T>
__global__ void rows_kernel(Batch<Entry<T>> batch, Numbers s) {
  const int which = entry_of(batch, blockIdx.x);
  const FactoredParameter<T> p = batch.entry[which].p;
  const int64_t row = blockIdx.x - batch.first[which];
  const T* const g = p.gradients + row * p.columns;
  const double sum = squares_of_row<T>(p.columns, [&](int64_t i) { return g[i]; });
  if (threadIdx.x) return;
  const double mean = sum / double(p.columns) + s.epsilon_1, beta = s.beta.get();
  p.r[row] = T(beta * double(p.r[row]) + (1 - beta) * mean);
}

constexpr int WIDTH = 32;

template <class T>
__host__ __device__ int64_t chains_of(const FactoredParameter<T>& p) {
  return ceil_div(p.rows, CHAIN);
}
/// A block for each 32 columns of a chain of rows.
template <class T>
__host__ __device__ int64_t groups_of(const FactoredParameter<T>& p) {
  return ceil_div(p.columns, WIDTH);
}

template <class T>
__global__ void columns_kernel(Batch<Entry<T>> batch) {
  constexpr int ROWS = SUM_TILE / WIDTH, STEP = BLOCK / WIDTH;
  auto& tile = shared<T[ROWS][WIDTH]>();
  const int which = entry_of(batch, blockIdx.x);
  const Entry<T> e = batch.entry[which];
  const int64_t task = blockIdx.x - batch.first[which], groups = groups_of(e.p), chains = chains_of(e.p);
  const int64_t chain = task / groups, column = task % groups * WIDTH + threadIdx.x % WIDTH;
  const int64_t begin = chain % chains * CHAIN, end = min_of(begin + CHAIN, e.p.rows);
  const T* const g = e.p.gradients + chain / chains * e.p.rows * e.p.columns + column;
  const int lane = int(threadIdx.x) % WIDTH, first = int(threadIdx.x) / WIDTH;
  const bool inside = column < e.p.columns;
  T sum = 0;
  for (int64_t row = begin; row < end; row += ROWS) {
    const int count = int(min_of(ROWS, end - row));
#pragma unroll
    for (int r = first; r < ROWS; r += STEP)
      if (inside && r < count) tile[r][lane] = g[(row + r) * e.p.columns];
    __syncthreads();
    if (inside && first == 0) {
#pragma unroll 8
      for (int r = 0; r < count; ++r) sum = fma(tile[r][lane], tile[r][lane], sum);
    }
    __syncthreads();
  }
  if (inside && first == 0) e.parts[chain * e.p.columns + column] = sum;
}

/// The columns' chains joined: c, and 1 / sqrt(c).
template <class T>
__global__ void join_columns_kernel(Batch<Entry<T>> batch, Numbers s) {
  const int which = entry_of(batch, blockIdx.x);
  const Entry<T> e = batch.entry[which];
  const int64_t C = e.p.columns, i = int64_t(blockIdx.x - batch.first[which]) * BLOCK + threadIdx.x;
  if (i >= e.p.matrices * C) return;
  const int64_t chains = chains_of(e.p);
  const T* const parts = e.parts + i / C * chains * C + i % C;
  double total = 0;
#pragma unroll 8
  for (int64_t part = 0; part < chains; ++part) total = total + double(parts[part * C]);
  const double beta = s.beta.get();
  const T c = T(beta * double(e.p.c[i]) + (1 - beta) * (total / double(e.p.rows) + s.epsilon_1));
  e.p.c[i] = c;
  e.of_columns[i] = T(1 / sqrt(double(c)));
}

/// A block for each matrix: the rows' factors, from their mean.
template <class T>
__global__ void factors_kernel(Batch<Entry<T>> batch) {
  const int which = entry_of(batch, blockIdx.x);
  const Entry<T> e = batch.entry[which];
  const int64_t first = int64_t(blockIdx.x - batch.first[which]) * e.p.rows;
  auto& mean = shared<double, struct Mean>();
  const double sum = sum_in_order(e.p.rows, 0.0, [&](int64_t i) { return double(e.p.r[first + i]); });
  if (threadIdx.x == 0) mean = sum / double(e.p.rows);
  __syncthreads();
  for (int64_t i = first + threadIdx.x; i < first + e.p.rows; i += BLOCK)
    e.of_rows[i] = T(1 / sqrt(double(e.p.r[i]) / mean));
}

/// u of an element of a matrix.
template <class T>
__device__ __forceinline__ T change_of(const Entry<T>& e, int64_t row, int64_t column) {
  return e.p.gradients[row * e.p.columns + column] * e.of_rows[row] *
         e.of_columns[row / e.p.rows * e.p.columns + column];
}

/// A block for each row, or piece of a vector: sums of the squares of w and of u; of vectors v first.
template <class T>
__global__ void norms_kernel(Batch<Entry<T>> batch, Numbers s) {
  const int which = entry_of(batch, blockIdx.x);
  const Entry<T> e = batch.entry[which];
  const int64_t row = blockIdx.x - batch.first[which];
  const T keep = T(s.beta.get()), fresh = T(1 - s.beta.get()), small = T(s.epsilon_1);
  const int64_t from = e.p.v ? row * ROW_PIECE : 0, n = e.p.v ? min_of(ROW_PIECE, e.p.columns - from) : e.p.columns;
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += ROW_PIECE) {
    const T sum = sum_by_block<2, T>(
        min_of(ROW_PIECE, n - begin),
        [&](int64_t k, T(&v)[2]) {
          const int64_t i = from + begin + k;
          if (e.p.v) {
            const T g = e.p.gradients[i], now = fma(keep, e.p.v[i], fresh * fma(g, g, small));
            e.p.v[i] = now;
            v[0] = e.p.weights[i];
            v[1] = g / sqrt(now);
          } else {
            v[0] = e.p.weights[row * e.p.columns + i];
            v[1] = change_of(e, row, i);
          }
        },
        AddSquare<T>{});
    total = begin == 0 ? sum : total + sum;
  }
  if (threadIdx.x < 2 * ROW_LANES && threadIdx.x % ROW_LANES == 0)
    e.sums[2 * row + threadIdx.x / ROW_LANES] = double(total);
}

/// A block for each parameter: how far its step goes.
template <class T>
__global__ void lengths_kernel(Batch<Entry<T>> batch, Numbers s) {
  const Entry<T> e = batch.entry[blockIdx.x];
  const int64_t count = sums_of(e.p);
  double sums[2];
  for (int which = 0; which < 2; ++which) {
    // a vector's pieces are added as the numbers that they are, a matrix's rows in double precision
    if (e.p.v)
      sums[which] =
          double(sum_in_order(count - 1, T(e.sums[which]), [&](int64_t i) { return T(e.sums[2 * (i + 1) + which]); }));
    else
      sums[which] = sum_in_order(count, 0.0, [&](int64_t i) { return e.sums[2 * i + which]; });
  }
  if (threadIdx.x) return;
  const double n = double(rows_of(e.p) * e.p.columns);
  const double size = sqrt(sums[0] / n), change = sqrt(sums[1] / n) / s.threshold;
  const double length = s.rate.get() * (size > s.epsilon_2 ? size : s.epsilon_2) / (change > 1 ? change : 1);
  *e.length = T(-length);
}

template <class T>
__global__ void weights_kernel(Batch<Entry<T>> batch) {
  const int which = entry_of(batch, blockIdx.x);
  const Entry<T> e = batch.entry[which];
  const int64_t n = rows_of(e.p) * e.p.columns, begin = int64_t(blockIdx.x - batch.first[which]) * CHUNK;
  const T minus = *e.length;
  for (int64_t i = begin + threadIdx.x; i < min_of(begin + CHUNK, n); i += BLOCK) {
    T u;
    if (e.p.v) {
      u = e.p.gradients[i] / sqrt(e.p.v[i]);
    } else {
      const int64_t row = i / e.p.columns;
      u = change_of(e, row, i - row * e.p.columns);
    }
    e.p.weights[i] = fma(minus, u, e.p.weights[i]);
  }
}

}  // namespace adafactor_op
using namespace adafactor_op;

template <class T>
void adafactor_step(int64_t count, const FactoredParameter<T>* parameters, const AdafactorSettings& settings,
                    const DeviceAdafactorSettings& there, Stream stream) {
  const Numbers s{{settings.rate, there.rate},
                  {settings.beta, there.beta},
                  settings.epsilon_1,
                  settings.epsilon_2,
                  settings.threshold};
  const auto size = [&](int64_t i) { return rows_of(parameters[i]) * parameters[i].columns; };
  const auto factored = [&](int64_t i) { return size(i) > 0 && !parameters[i].v; };
  int64_t values = 0, sums = 0;
  for (int64_t i = 0; i < count; ++i) {
    const FactoredParameter<T>& p = parameters[i];
    if (size(i) == 0) continue;
    if (factored(i)) values += rows_of(p) + p.matrices * p.columns * (1 + chains_of(p));
    sums += 2 * sums_of(p);
  }
  const Scratch<T> values_memory(values, stream), lengths(count, stream);
  const Scratch<double> sums_memory(sums, stream);
  T* next = values_memory.data();
  double* next_sums = sums_memory.data();
  // The kernels of a stage take all parameters; memory is dealt out in the order of the parameters, anew each time.
  const auto stage = [&](auto&& blocks_of, auto&& run) {
    next = values_memory.data();
    next_sums = sums_memory.data();
    int64_t dealt = 0;
    in_batches<Entry<T>>(
        count, blocks_of,
        [&](int64_t i) {
          for (; dealt < i; ++dealt) {
            const FactoredParameter<T>& p = parameters[dealt];
            if (size(dealt) == 0) continue;
            if (factored(dealt)) next += rows_of(p) + p.matrices * p.columns * (1 + chains_of(p));
            next_sums += 2 * sums_of(p);
          }
          const FactoredParameter<T>& p = parameters[i];
          T* const of_columns = next + rows_of(p);
          return Entry<T>{p, next, of_columns, of_columns + p.matrices * p.columns, next_sums, lengths.data() + i};
        },
        run);
  };
  using Parameters = Batch<Entry<T>>;
  stage([&](int64_t i) { return factored(i) ? rows_of(parameters[i]) : 0; },
        [&](const Parameters& b) { launch(rows_kernel<T>, b.blocks, BLOCK, 0, stream, b, s); });
  stage(
      [&](int64_t i) {
        const FactoredParameter<T>& p = parameters[i];
        return factored(i) ? p.matrices * chains_of(p) * groups_of(p) : 0;
      },
      [&](const Parameters& b) { launch(columns_kernel<T>, b.blocks, BLOCK, 0, stream, b); });
  stage([&](int64_t i) { return factored(i) ? ceil_div(parameters[i].matrices * parameters[i].columns, BLOCK) : 0; },
        [&](const Parameters& b) { launch(join_columns_kernel<T>, b.blocks, BLOCK, 0, stream, b, s); });
  stage([&](int64_t i) { return factored(i) ? parameters[i].matrices : 0; },
        [&](const Parameters& b) { launch(factors_kernel<T>, b.blocks, BLOCK, 0, stream, b); });
  stage([&](int64_t i) { return size(i) ? sums_of(parameters[i]) : 0; },
        [&](const Parameters& b) { launch(norms_kernel<T>, b.blocks, BLOCK, 0, stream, b, s); });
  stage([&](int64_t i) { return size(i) ? 1 : 0; },
        [&](const Parameters& b) { launch(lengths_kernel<T>, unsigned(b.count), BLOCK, 0, stream, b, s); });
  stage([&](int64_t i) { return ceil_div(size(i), CHUNK); },
        [&](const Parameters& b) { launch(weights_kernel<T>, b.blocks, BLOCK, 0, stream, b); });
}

template void adafactor_step(int64_t, const FactoredParameter<float>*, const AdafactorSettings&,
                             const DeviceAdafactorSettings&, Stream);
template void adafactor_step(int64_t, const FactoredParameter<double>*, const AdafactorSettings&,
                             const DeviceAdafactorSettings&, Stream);

}  // namespace lamina::cuda
