// Loops, from outside: query block (a few strips) > key block (ATTENTION_KEYS; k' and v, packed, in L2) > strip of rows
// (their scores in L1: q k', softmax, p v) > register tile.
#include "cpu/runtime/isa.h"
#include "cpu/support/attention.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t SCORE_STEP = ATTENTION_KEYS + 16;  // never a power of two: cache sets
constexpr int64_t FEW_KEYS = 16;                     // at a time, where they are used as they lie
template <class T>
constexpr int64_t BLOCK_ROWS = 4 * STRIP<T>;  // how often a key block is used from L2

/// What a thread needs to attend.
template <class T>
struct ForwardSpace {
  T *keys, *values;  // packed
  int64_t ready;     // how many keys are
  T *q, *o, *scores;

  static int64_t packed_keys(const Attention<T>& s) { return round_up(s.keys, PANEL) * s.size; }
  static int64_t packed_values(const Attention<T>& s) { return s.keys * round_up(s.value_size, ROW_LANES); }
  static int64_t own(const Attention<T>& s) {
    return BLOCK_ROWS<T> * (round_up(s.size, ROW_LANES) + round_up(s.value_size, ROW_LANES)) + STRIP<T> * SCORE_STEP;
  }
  /// With keys and values elsewhere, or behind its own.
  ForwardSpace(const Attention<T>& s, T* memory, T* packed, int64_t packed_already)
      : keys(packed ? packed : memory + own(s)),
        values(keys + packed_keys(s)),
        ready(packed_already),
        q(memory),
        o(q + BLOCK_ROWS<T> * round_up(s.size, ROW_LANES)),
        scores(o + BLOCK_ROWS<T> * round_up(s.value_size, ROW_LANES)) {}
};

template <class T>
void pack_block(const Head<T>& head, const ForwardSpace<T>& space, int64_t key) {
  const Attention<T>& s = head.s;
  const int64_t n = min_of(ATTENTION_KEYS, head.keys - key), width = round_up(s.value_size, ROW_LANES);
  pack_keys(space.keys + key * s.size, s.k + head.key_at(key, s.size), head.key_step(s.size), n, s.size);
  copy_rows(space.values + key * width, width, s.v + head.key_at(key, s.value_size), head.key_step(s.value_size), n,
            s.value_size);
}

/// The running softmax of one row.
template <class T>
struct alignas(64) Running {
  T sum[ROW_LANES];  // of 2^(s - top)
  T top;
};

/// n scores of one row become p = 2^(s - top), dropped where chance says so. Returns what to scale the output so far
/// by.
template <class T>
INLINE T softmax_step(const Attention<T>& s, uint64_t tile, T* scores, int64_t n, Running<T>& running) {
  const T most = largest(n, scores), top = most > running.top || most != most ? most : running.top;
  const T base = top == -INFINITE<T> ? T(0) : top;
  const T decay = exp2_below(set(running.top - base))[0];
  running.top = top;
  Row<T> sum = Row<T>::filled(T(0));
  each_sixteen(s, tile, n, [&](int64_t i, auto&& keep) INLINE_LAMBDA {
    unroll<Row<T>::PARTS>([&](auto part) INLINE_LAMBDA {
      T* const at = scores + i + part * lanes<T>;
      const V<T> p = exp2_below(load(at) - set(base));
      sum.part[part] = sum.part[part] + p;
      store(at, keep(part * lanes<T>, p));
    });
  });
  unroll<Row<T>::PARTS>([&](auto part) INLINE_LAMBDA {
    T* const at = running.sum + part * lanes<T>;
    store(at, fma(load(at), set(decay), sum.part[part]));
  });
  return decay;
}

/// Scores of a strip with keys that nobody packed: they go panel by panel, used while in L1.
template <class T>
void scores_of_strip(int64_t rows, const T* q, int64_t q_row, const T* k, int64_t step, int64_t n, int64_t size,
                     T* panel, T* scores) {
  for (int64_t j = 0; j < n; j += PANEL) {
    const int64_t count = min_of(PANEL, n - j);
    pack_keys(panel, k + j * step, step, count, size);
    multiply<T>({rows, round_up(count, ROW_LANES), size, q, q_row, 1, panel, PANEL, 0, scores + j, SCORE_STEP, false});
  }
}

template <class T>
INLINE void scale_row(T* o, int64_t width, T decay) {
  if (decay == 1) return;
  for (int64_t d = 0; d < width; d += lanes<T>) store(o + d, load(o + d) * set(decay));
}

template <class T>
void finish_rows(const Head<T>& head, const T* o, const Running<T>* running, int64_t row, int64_t count, T* y, T* lse) {
  const Attention<T>& s = head.s;
  const int64_t width = round_up(s.value_size, ROW_LANES);
  const T kept = kept_scale(s);
  T* to = y + head.row_at(row, s.value_size);
  const int64_t place = head.place(row);
  for (int64_t i = 0; i < count; ++i, to += head.row_step(s.value_size)) {
    Row<T> lanes_of_sum;
    unroll<Row<T>::PARTS>([&](auto part)
                              INLINE_LAMBDA { lanes_of_sum.part[part] = load(running[i].sum + part * lanes<T>); });
    const T sum = fold(lanes_of_sum, [](auto a, auto b) INLINE_LAMBDA { return a + b; });
    write_rows(to, head.row_step(s.value_size), o + i * width, width, 1, s.value_size,
               sum == 0 ? T(0) : kept / sum);  // nothing seen: 0
    if (lse) lse[place + i] = sum == 0 ? INFINITE<T> : running[i].top + log(set(sum))[0] * LOG2_E<T>;
  }
}

/// Rows [begin, end) of a head.
template <class T>
void attend(const Head<T>& head, int64_t begin, int64_t end, ForwardSpace<T> space, T* y, T* lse) {
  const Attention<T>& s = head.s;
  const int64_t q_row = round_up(s.size, ROW_LANES), width = round_up(s.value_size, ROW_LANES);
  const int64_t step = head.key_step(s.size), value_step = head.key_step(s.value_size);
  const bool in_place = head.rows <= STRIP<T> && s.value_size % lanes<T> == 0;  // each key is used by one strip
  const T scale = T(s.scale * LOG2_E<double>);
  Running<T> running[BLOCK_ROWS<T>];
  for (int64_t row = begin; row < end; row += BLOCK_ROWS<T>) {
    const int64_t block = min_of(BLOCK_ROWS<T>, end - row), seen_by_block = head.limit(row, block);
    head.each_run(row, block, [&](int64_t r, int64_t count) INLINE_LAMBDA {
      copy_rows(space.q + (r - row) * q_row, q_row, s.q + head.row_at(r, s.size), head.row_step(s.size), count, s.size,
                scale);
    });
    for (int64_t i = 0; i < block; ++i) {
      running[i].top = -INFINITE<T>;
      for (T& lane : running[i].sum) lane = 0;
    }
    if (seen_by_block == 0) zero_rows(space.o, width, block, width);
    for (int64_t key = 0; key < seen_by_block; key += ATTENTION_KEYS) {
      if (!in_place && key >= space.ready) {
        pack_block(head, space, key);
        space.ready = key + ATTENTION_KEYS;
      }
      const T* const k = s.k + head.key_at(key, s.size);
      const T* const v = in_place ? s.v + head.key_at(key, s.value_size) : space.values + key * width;
      each_strip<T>(block, [&](int64_t i, int64_t rows) INLINE_LAMBDA {
        const int64_t seen = min_of(ATTENTION_KEYS, head.limit(row + i, rows) - key), n = round_up(seen, ROW_LANES);
        if (seen <= 0) return;
        const T* const q = space.q + i * q_row;
        T* const o = space.o + i * width;
        if (in_place)
          scores_of_strip(rows, q, q_row, k, step, seen, s.size, space.keys, space.scores);
        else
          multiply<T>({rows, n, s.size, q, q_row, 1, space.keys + key * s.size, PANEL, PANEL * s.size, space.scores,
                       SCORE_STEP, false});
        for (int64_t r = 0; r < rows; ++r) {
          T* const scores = space.scores + r * SCORE_STEP;
          if (head.masked(row + i + r, key + n)) head.mask(scores, row + i + r, key, n);
          const T decay = softmax_step(s, head.keep_tile(row + i + r, key), scores, n, running[i + r]);
          if (key > 0) scale_row(o + r * width, width, decay);
        }
        multiply<T>({rows, in_place ? s.value_size : width, seen, space.scores, SCORE_STEP, 1, v,
                     in_place ? value_step : width, PANEL, o, width, key > 0});
      });
    }
    head.each_run(row, block, [&](int64_t r, int64_t count) INLINE_LAMBDA {
      finish_rows(head, space.o + (r - row) * width, running + (r - row), r, count, y, lse);
    });
  }
}

#ifdef __AVX2__
/// Scores of M rows with n keys where they lie (whole vectors of keys and of values): blocks are turned in registers,
/// and used. Each line is read once, all of it: rows far apart share few sets of the cache.
template <int M>
void scores_in_place(const float* q, int64_t q_row, const float* k, int64_t step, int64_t n, int64_t size,
                     float* scores) {
  constexpr int W = lanes<float>, GROUPS = (W + 2) / 3;
  for (int64_t j = 0; j < n; j += W) {
    V<float> sum[M];
    unroll<M>([&](auto m) INLINE_LAMBDA { sum[m] = zero<float>(); });
    const float* at[GROUPS];  // rows in threes: x86 can address p, p + step and p + 2 * step
    unroll<GROUPS>([&](auto g) INLINE_LAMBDA { at[g] = k + (j + 3 * g) * step; });
    for (int64_t d = 0; d < size; d += W) {
      const auto row = [&](auto r) INLINE_LAMBDA { return at[r / 3] + r % 3 * step + d; };
      V<float> x[W];  // x[4 i + r]: rows r, r + 4, ..., values 4 i to 4 i + 3
      load_fours(x, [&](auto r) INLINE_LAMBDA {
        prefetch_far(row(r) + FEW_KEYS * step);
        return row(r);
      });
      unroll<W / 4>([&](auto i) INLINE_LAMBDA {
        const V<float> a = zip_low(x[4 * i], x[4 * i + 1]), b = zip_high(x[4 * i], x[4 * i + 1]);
        const V<float> c = zip_low(x[4 * i + 2], x[4 * i + 3]), e = zip_high(x[4 * i + 2], x[4 * i + 3]);
        const V<float> turned[4] = {pairs_low(a, c), pairs_high(a, c), pairs_low(b, e), pairs_high(b, e)};
        unroll<4>([&](auto r) INLINE_LAMBDA {
          unroll<M>([&](auto m) INLINE_LAMBDA { sum[m] = fma(set(q[m * q_row + d + 4 * i + r]), turned[r], sum[m]); });
        });
      });
    }
    unroll<M>([&](auto m) INLINE_LAMBDA { store(scores + m * SCORE_STEP + j, sum[m]); });
  }
}

/// o += p v over n keys where they lie, for M rows: the chains in o go on.
template <int M>
void values_in_place(const float* p, const float* v, int64_t step, int64_t n, int64_t size, float* o, int64_t width) {
  constexpr int W = lanes<float>, WIDE = M == 1 || REGISTERS == 32 ? 4 : 2;
  const auto columns = [&](auto vectors, int64_t d) INLINE_LAMBDA {
    V<float> sum[M][vectors];
    unroll<M>([&](auto m) INLINE_LAMBDA {
      unroll<vectors>([&](auto i) INLINE_LAMBDA { sum[m][i] = load(o + m * width + d + i * W); });
    });
    for (int64_t j = 0; j < n; ++j)
      unroll<vectors>([&](auto i) INLINE_LAMBDA {
        const float* const from = v + j * step + d + i * W;
        prefetch_far(from + FEW_KEYS * step);
        const V<float> x = load(from);
        unroll<M>([&](auto m) INLINE_LAMBDA { sum[m][i] = fma(set(p[m * SCORE_STEP + j]), x, sum[m][i]); });
      });
    unroll<M>([&](auto m) INLINE_LAMBDA {
      unroll<vectors>([&](auto i) INLINE_LAMBDA { store(o + m * width + d + i * W, sum[m][i]); });
    });
  };
  int64_t d = 0;
  for (; d + WIDE * W <= size; d += WIDE * W) columns(Int<WIDE>{}, d);
  for (; d < size; d += W) columns(Int<1>{}, d);
}

/// What one key head needs for few rows.
struct Few {
  static constexpr int64_t ROWS = 4;
  float *q, *o, *sum, *scores;  // sum: of the block at hand
  Running<float>* running;
  static int64_t count(int64_t q_row, int64_t width) {
    return ROWS * (q_row + 2 * width + SCORE_STEP + int64_t(sizeof(Running<float>) / sizeof(float)));
  }
  Few(float* memory, int64_t q_row, int64_t width)
      : q(memory),
        o(q + ROWS * q_row),
        sum(o + ROWS * width),
        scores(sum + ROWS * width),
        running(reinterpret_cast<Running<float>*>(scores + ROWS * SCORE_STEP)) {}
};

/// A few rows of each of `heads` key heads of a sample, M at most: keys and values lie side by side for all heads, and
/// are used as they come, a few keys of every head at a time. A query that is generated, against keys that were kept.
template <int M>
void attend_few(const Attention<float>& s, int64_t first, int64_t heads, float* memory, float* y, float* lse) {
  const int64_t q_row = round_up(s.size, ROW_LANES), width = round_up(s.value_size, ROW_LANES);
  const int64_t each = Few::count(q_row, width);
  const auto of = [&](int64_t h) INLINE_LAMBDA { return Few(memory + h * each, q_row, width); };
  float* const panel = memory + heads * each;
  const Head<float> any(s, first);
  const int64_t rows = any.rows, seen = any.limit(0, rows);
  for (int64_t h = 0; h < heads; ++h) {
    const Head<float> head(s, first + h);
    const Few few = of(h);
    head.each_run(0, rows, [&](int64_t r, int64_t count) INLINE_LAMBDA {
      copy_rows(few.q + r * q_row, q_row, s.q + head.row_at(r, s.size), head.row_step(s.size), count, s.size,
                float(s.scale * LOG2_E<double>));
    });
    zero_rows(few.o, width, M, width);
    for (int64_t r = 0; r < rows; ++r) {
      few.running[r].top = -INFINITE<float>;
      for (float& lane : few.running[r].sum) lane = 0;
    }
  }
  const int64_t step = any.key_step(s.size), value_step = any.key_step(s.value_size);
  for (int64_t key = 0; key < seen; key += ATTENTION_KEYS) {
    const int64_t n = min_of(ATTENTION_KEYS, seen - key), whole = n / lanes<float> * lanes<float>;
    const float *const k = s.k + any.key_at(key, s.size), *const v = s.v + any.key_at(key, s.value_size);
    for (int64_t j = 0; j < whole; j += FEW_KEYS)
      for (int64_t h = 0; h < heads; ++h)
        scores_in_place<M>(of(h).q, q_row, k + j * step + h * s.size, step, min_of(FEW_KEYS, whole - j), s.size,
                           of(h).scores + j);
    for (int64_t h = 0; h < heads; ++h) {
      const Head<float> head(s, first + h);
      const Few few = of(h);
      if (whole < n)
        scores_of_strip(rows, few.q, q_row, k + whole * step + h * s.size, step, n - whole, s.size, panel,
                        few.scores + whole);
      const int64_t padded = round_up(n, ROW_LANES);
      for (int64_t r = 0; r < rows; ++r) {
        float* const scores = few.scores + r * SCORE_STEP;
        if (head.masked(r, key + padded)) head.mask(scores, r, key, padded);
        const float decay = softmax_step(s, head.keep_tile(r, key), scores, padded, few.running[r]);
        scale_row(few.o + r * width, width, decay);
      }
      zero_rows(few.sum, width, M, width);
    }
    for (int64_t j = 0; j < n; j += FEW_KEYS)
      for (int64_t h = 0; h < heads; ++h)
        values_in_place<M>(of(h).scores + j, v + j * value_step + h * s.value_size, value_step, min_of(FEW_KEYS, n - j),
                           s.value_size, of(h).sum, width);
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t d = 0; d < M * width; d += lanes<float>) store(of(h).o + d, load(of(h).o + d) + load(of(h).sum + d));
  }
  for (int64_t h = 0; h < heads; ++h) {
    const Head<float> head(s, first + h);
    head.each_run(0, rows, [&](int64_t r, int64_t count) INLINE_LAMBDA {
      finish_rows(head, of(h).o + r * width, of(h).running + r, r, count, y, lse);
    });
  }
}
#endif

/// Whether all there was to do was a few rows a key head, and is done.
template <class T>
bool attended_few(const Attention<T>&, T*, T*) {
  return false;
}
#ifdef __AVX2__
template <>
bool attended_few(const Attention<float>& s, float* y, float* lse) {
  const int64_t rows = s.heads / s.key_heads * s.queries;
  if (rows > Few::ROWS || s.size % lanes<float> != 0 || s.value_size % lanes<float> != 0) return false;
  const int64_t threads = num_threads();
  const int64_t parts = s.batch >= threads ? 1 : min_of(s.key_heads, ceil_div(threads, max_of(s.batch, 1)));
  const int64_t each = Few::count(round_up(s.size, ROW_LANES), round_up(s.value_size, ROW_LANES));
  const double work = 0.1 * double(s.keys * (s.size + s.value_size)) * double(s.key_heads) / double(parts);
  parallel_for(s.batch * parts, 2000 + work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    float* const memory = scratch_for<float>(Slot::worker, s.key_heads * each + PANEL * s.size);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head0 = s.key_heads * (i % parts) / parts, head1 = s.key_heads * (i % parts + 1) / parts;
      const auto run = rows == 1 ? attend_few<1> : attend_few<Few::ROWS>;
      run(s, i / parts * s.key_heads + head0, head1 - head0, memory, y, lse);
    }
  });
  return true;
}
#endif

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void attention_forward(const Attention<T>& s, T* y, T* lse) {
  using Space = ForwardSpace<T>;
  if (attended_few(s, y, lse)) return;
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries, threads = num_threads();
  const int64_t packed = Space::packed_keys(s) + Space::packed_values(s), own = Space::own(s);
  const double work = 2000 + attention_work(s, s.size + s.value_size);
  const int64_t blocks = ceil_div(rows, BLOCK_ROWS<T>);
  if (threads == 1 || heads >= 4 * threads || heads % threads == 0 || blocks < 2) {
    parallel_for(heads, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      T* const memory = scratch_for<T>(Slot::worker, own + packed);
      for (int64_t i = begin; i < end; ++i) attend(Head<T>(s, i), 0, rows, Space(s, memory, nullptr, 0), y, lse);
    });
    return;
  }
  // Few heads: keys and values are packed once for all threads, which then share out the queries.
  T* const shared = scratch_for<T>(Slot::caller, heads * packed);
  const int64_t key_blocks = ceil_div(s.keys, ATTENTION_KEYS);
  parallel_for(heads * key_blocks, double(ATTENTION_KEYS * (s.size + s.value_size)),
               [&](int64_t begin, int64_t end) INLINE_LAMBDA {
                 for (int64_t i = begin; i < end; ++i) {
                   const Head<T> head(s, i / key_blocks);
                   const int64_t key = i % key_blocks * ATTENTION_KEYS;
                   if (key < head.keys) pack_block(head, Space(s, nullptr, shared + i / key_blocks * packed, 0), key);
                 }
               });
  parallel_for(heads * blocks, work / double(blocks), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    T* const memory = scratch_for<T>(Slot::worker, own);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = from_both_ends(i % blocks, blocks) * BLOCK_ROWS<T>;
      attend(Head<T>(s, i / blocks), row, min_of(row + BLOCK_ROWS<T>, rows),
             Space(s, memory, shared + i / blocks * packed, s.keys), y, lse);
    }
  });
}

template void attention_forward<Target>(const Attention<float>&, float*, float*);
DOUBLE template void attention_forward<Target>(const Attention<double>&, double*, double*);

}  // namespace lamina
