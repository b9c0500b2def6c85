#include "ops/resample.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

/// to[i] = sum over K taps (0: `count` of them) of weight[t] * base[index[t] * pitch + i], for i in [0, n).
template <int K, class T, class Put>
INLINE void sum_of(int64_t n, int64_t count, const T* base, int64_t pitch, const int64_t* index, const T* weight, T* to,
                   Put&& put) {
  if constexpr (K > 0) {
    const T* p[K];
    V<T> w[K];
    unroll<K>([&](auto t) INLINE_LAMBDA {
      p[t] = base + index[t] * pitch;
      w[t] = set(weight[t]);
    });
    each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
      V<T> sum = load(p[0] + i, mask) * w[0];
      unroll<K - 1>([&](auto t) INLINE_LAMBDA { sum = fma(load(p[t + 1] + i, mask), w[t + 1], sum); });
      put(to + i, sum, mask);
    });
  } else {
    each_vector<T>(n, [&](int64_t i, auto mask) INLINE_LAMBDA {
      V<T> sum = zero<T>();
      if (count > 0) sum = load(base + index[0] * pitch + i, mask) * set(weight[0]);
      for (int64_t t = 1; t < count; ++t) sum = fma(load(base + index[t] * pitch + i, mask), set(weight[t]), sum);
      put(to + i, sum, mask);
    });
  }
}

template <class T, class Put>
INLINE void sum_taps(int64_t n, int64_t count, const T* base, int64_t pitch, const int64_t* index, const T* weight,
                     T* to, Put&& put) {
  switch (count) {
    case 1:
      return sum_of<1>(n, count, base, pitch, index, weight, to, put);
    case 2:
      return sum_of<2>(n, count, base, pitch, index, weight, to, put);
    case 3:
      return sum_of<3>(n, count, base, pitch, index, weight, to, put);
    case 4:
      return sum_of<4>(n, count, base, pitch, index, weight, to, put);
    default:
      return sum_of<0>(n, count, base, pitch, index, weight, to, put);
  }
}

template <class T>
INLINE void put_in_cache(T* to, V<T> v, All) {
  store(to, v);
}
template <class T>
INLINE void put_in_cache(T* to, V<T> v, Mask<T> mask) {
  store(to, v, mask);
}

/// sum_taps, past the caches where every vector is whole.
template <class T>
void write_taps(int64_t n, int64_t count, const T* base, int64_t pitch, const int64_t* index, const T* weight, T* to,
                bool past_caches) {
  if (past_caches)
    sum_taps(n, count, base, pitch, index, weight, to, [](T* p, V<T> v, auto) INLINE_LAMBDA { stream(p, v); });
  else
    sum_taps(n, count, base, pitch, index, weight, to,
             [](T* p, V<T> v, auto mask) INLINE_LAMBDA { put_in_cache<T>(p, v, mask); });
}

/// Pixels narrower than a vector: whole vectors are read and written, and each pixel overwrites what the one before
/// wrote too much. `row` has a vector of room behind its end.
template <class T>
void narrow_columns(const Taps<T>& w, int64_t C, const T* row, T* to) {
  const int64_t end = w.outputs * C;
  for (int64_t j = 0; j < w.outputs; ++j) {
    const int64_t first_tap = w.begin[j], last_tap = w.begin[j + 1];
    V<T> sum = zero<T>();
    if (first_tap < last_tap) sum = load(row + w.index[first_tap] * C) * set(w.weight[first_tap]);
    for (int64_t t = first_tap + 1; t < last_tap; ++t) sum = fma(load(row + w.index[t] * C), set(w.weight[t]), sum);
    if (j * C + lanes<T> <= end)
      store(to + j * C, sum);
    else
      store(to + j * C, sum, first<T>(C));
  }
}

/// Two taps down and two across, each pixel of x read once: without a row in between, by the same operations.
template <class T>
void write_squares(const Taps<T>& h, const Taps<T>& w, int64_t C, const T* source, int64_t j, T* to, bool past_caches) {
  const int64_t tap = h.begin[j], width = w.inputs * C;
  const T* const upper = source + h.index[tap] * width;
  const T* const lower = source + h.index[tap + 1] * width;
  const V<T> a = set(h.weight[tap]), b = set(h.weight[tap + 1]);
  const auto run = [&](auto put) INLINE_LAMBDA {
    for (int64_t i = 0; i < w.outputs; ++i, to += C) {
      const int64_t left = w.index[2 * i] * C, right = w.index[2 * i + 1] * C;
      const V<T> c = set(w.weight[2 * i]), d = set(w.weight[2 * i + 1]);
      each_vector<T>(C, [&](int64_t k, auto mask) INLINE_LAMBDA {
        const V<T> x = fma(load(lower + left + k, mask), b, load(upper + left + k, mask) * a);
        const V<T> y = fma(load(lower + right + k, mask), b, load(upper + right + k, mask) * a);
        put(to + k, fma(y, d, x * c), mask);
      });
    }
  };
  if (past_caches)
    run([](T* p, V<T> v, auto) INLINE_LAMBDA { stream(p, v); });
  else
    run([](T* p, V<T> v, auto mask) INLINE_LAMBDA { put_in_cache<T>(p, v, mask); });
}

/// Whether every output has two taps, and no input many: then nothing is gained by a row in between.
template <class T>
INLINE bool halves(const Taps<T>& w) {
  if (!w.begin || 2 * w.outputs > w.inputs + w.inputs / 4) return false;
  for (int64_t i = 0; i <= w.outputs; ++i)
    if (w.begin[i] != 2 * i) return false;
  return true;
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void resample(int64_t images, const Taps<T>& h, const Taps<T>& w, int64_t channels, const T* x, T* y) {
  const int64_t rows = images * h.outputs, width = w.inputs * channels, out_width = w.outputs * channels;
  const bool narrow = channels < lanes<T>;
  const int64_t h_taps = h.begin ? ceil_div(h.begin[h.outputs], max_of(1, h.outputs)) : 0;
  const int64_t w_taps = w.begin ? ceil_div(w.begin[w.outputs], max_of(1, w.outputs)) : 0;
  const int64_t padded = w.outputs * max_of(channels, 8);
  const double work = 20 + 0.1 * double(h_taps * width + (1 + w_taps) * padded);
  const bool whole_vectors = (w.begin ? channels : out_width) * int64_t(sizeof(T)) % 64 == 0;
  const bool past_caches = whole_vectors && stream_rows(y, rows, out_width) && !(narrow && w.begin);
  parallel_for(rows, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const Taps<T> down = h, across = w;
    const bool squares = !narrow && halves(across);
    T* const scratch = scratch_for<T>(Slot::worker, width + lanes<T>);
    std::memset(scratch + width, 0, sizeof(V<T>));
    const T* before = nullptr;  // which single row scratch holds
    for (int64_t r = begin; r < end; ++r) {
      const int64_t image = r / down.outputs, j = r % down.outputs;
      const T* const source = x + image * down.inputs * width;
      T* const to = y + r * out_width;
      const T* row = source + j * width;
      if (down.begin) {
        const int64_t tap = down.begin[j], count = down.begin[j + 1] - tap;
        if (!across.begin) {
          write_taps(width, count, source, width, down.index + tap, down.weight + tap, to, past_caches);
          continue;
        }
        if (squares && count == 2) {
          write_squares(down, across, channels, source, j, to, past_caches);
          continue;
        }
        if (count == 1 && down.weight[tap] == T(1)) {
          row = source + down.index[tap] * width;
        } else {
          write_taps(width, count, source, width, down.index + tap, down.weight + tap, scratch, false);
          row = scratch;
          before = nullptr;
        }
      }
      if (narrow) {
        if (row != scratch && row != before) {
          std::memcpy(scratch, row, size_t(width) * sizeof(T));
          before = row;
        }
        narrow_columns(across, channels, scratch, to);
        continue;
      }
      for (int64_t i = 0; i < across.outputs; ++i) {
        const int64_t tap = across.begin[i], count = across.begin[i + 1] - tap;
        write_taps(channels, count, row, channels, across.index + tap, across.weight + tap, to + i * channels,
                   past_caches);
      }
    }
    if (past_caches) stream_fence();
  });
}

template void resample<Target>(int64_t, const Taps<float>&, const Taps<float>&, int64_t, const float*, float*);
DOUBLE template void resample<Target>(int64_t, const Taps<double>&, const Taps<double>&, int64_t, const double*,
                                      double*);

}  // namespace lamina
