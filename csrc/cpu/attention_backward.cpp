// Scores are computed again, block by block: ATTENTION_QUERIES_BACK rows x ATTENTION_KEYS_BACK keys, whose p and ds
// serve three products. Loops, from outside: piece of keys (ATTENTION_PIECE; packed, in L2 or L3) > block of rows >
// block of keys.
#include "cpu/runtime/isa.h"
#include "cpu/support/attention.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t QUERIES = ATTENTION_QUERIES_BACK, KEYS = ATTENTION_KEYS_BACK, PIECE = ATTENTION_PIECE;
constexpr int64_t BACK_STEP = KEYS + 16;  // of rows of scores: never a power of two

template <class T>
struct Gradients {
  const T *y, *lse, *dy;
  T *dq, *dk, *dv;
};

/// What a thread needs for one piece of keys.
template <class T>
struct BackwardSpace {
  int64_t width, value_width;  // rows of `size` and `value_size` values, padded
  T *keys_turned, *values_turned, *keys, *dk, *dv, *q, *dy, *dq, *p, *ds;

  BackwardSpace(const Attention<T>& s, T* memory)
      : width(round_up(s.size, ROW_LANES)), value_width(round_up(s.value_size, ROW_LANES)), end_(memory) {
    const int64_t piece = round_up(min_of(s.keys, PIECE), PANEL);
    keys_turned = take(piece * s.size);
    values_turned = take(piece * s.value_size);
    keys = take(piece * width);
    dk = take(piece * width);
    dv = take(piece * value_width);
    q = take(QUERIES * width);
    dy = take(QUERIES * value_width);
    dq = take(QUERIES * width);
    p = take(QUERIES * BACK_STEP);
    ds = take(QUERIES * BACK_STEP);
  }
  static int64_t count(const Attention<T>& s) {
    return int64_t(BackwardSpace(s, nullptr).end_ - static_cast<T*>(nullptr));
  }

 private:
  T* end_;
  T* take(int64_t n) {
    T* const at = end_;
    end_ += n;
    return at;
  }
};

/// Scores and dy . v of one row become p (as dropout leaves it, without its factor) and ds = p (dp - delta).
template <class T>
INLINE void gradient_row(const Attention<T>& s, uint64_t tile, T* scores, T* products, int64_t n, T lse, T delta) {
  const V<T> kept = set(kept_scale(s)), below = set(delta), top = set(lse);
  each_sixteen(s, tile, n, [&](int64_t i, auto&& keep) INLINE_LAMBDA {
    unroll<Row<T>::PARTS>([&](auto part) INLINE_LAMBDA {
      const int64_t at = i + part * lanes<T>;
      const V<T> p = exp2_below(load(scores + at) - top);
      const V<T> dp = keep(part * lanes<T>, load(products + at) * kept);
      store(scores + at, keep(part * lanes<T>, p));
      store(products + at, p * (dp - below));
    });
  });
}

/// dy . y of a row: what its softmax takes off every dp.
template <class T>
INLINE T delta_of(const T* dy, const T* y, int64_t n) {
  return sum_row<T>(
      n, [&](int64_t d, auto mask, V<T>& sum) INLINE_LAMBDA { sum = fma(load(dy + d, mask), load(y + d, mask), sum); });
}

/// The keys [first, first + PIECE) of a head: their dk and dv, and their share of dq, which is added to g.dq (the first
/// piece starts it) or, where there is a `share` ([rows][size]), kept there.
template <class T>
void backward_piece(const Head<T>& head, const Gradients<T>& g, int64_t first, const BackwardSpace<T>& space,
                    T* share) {
  const Attention<T>& s = head.s;
  const int64_t all = min_of(PIECE, s.keys - first), here = max_of(0, min_of(all, head.keys - first));
  const int64_t width = space.width, value_width = space.value_width;
  const T* const k = s.k + head.key_at(first, s.size);
  pack_keys(space.keys_turned, k, head.key_step(s.size), here, s.size);
  pack_keys(space.values_turned, s.v + head.key_at(first, s.value_size), head.key_step(s.value_size), here,
            s.value_size);
  copy_rows(space.keys, width, k, head.key_step(s.size), here, s.size);
  zero_rows(space.dk, width, here, width);
  zero_rows(space.dv, value_width, here, value_width);

  for (int64_t row = 0; row < head.rows; row += QUERIES) {
    const int64_t block = min_of(QUERIES, head.rows - row), seen_by_block = head.limit(row, block) - first;
    T delta[QUERIES];
    if (seen_by_block > 0)
      head.each_run(row, block, [&](int64_t r, int64_t count) INLINE_LAMBDA {
        const int64_t i = r - row, step = head.row_step(s.value_size), at = head.row_at(r, s.value_size);
        copy_rows(space.q + i * width, width, s.q + head.row_at(r, s.size), head.row_step(s.size), count, s.size,
                  T(s.scale * LOG2_E<double>));
        copy_rows(space.dy + i * value_width, value_width, g.dy + at, step, count, s.value_size);
        for (int64_t n = 0; n < count; ++n) {
          for (int64_t d = 0; d < s.value_size; d += 64 / int64_t(sizeof(T)))
            prefetch(g.y + at + (n + AHEAD) * step + d);
          delta[i + n] = delta_of(space.dy + (i + n) * value_width, g.y + at + n * step, s.value_size);
        }
      });
    for (int64_t key = 0; key < seen_by_block; key += KEYS) {
      const int64_t keys = min_of(KEYS, min_of(seen_by_block, here) - key), padded = round_up(keys, ROW_LANES);
      each_strip<T>(block, [&](int64_t i, int64_t rows) INLINE_LAMBDA {  // p, ds, and dq += ds k
        const int64_t seen = min_of(keys, head.limit(row + i, rows) - first - key);
        const int64_t n = seen <= 0 ? 0 : round_up(seen, ROW_LANES);
        T *const p = space.p + i * BACK_STEP, *const ds = space.ds + i * BACK_STEP;
        if (n > 0) {
          multiply<T>({rows, n, s.size, space.q + i * width, width, 1, space.keys_turned + key * s.size, PANEL,
                       PANEL * s.size, p, BACK_STEP, false});
          multiply<T>({rows, n, s.value_size, space.dy + i * value_width, value_width, 1,
                       space.values_turned + key * s.value_size, PANEL, PANEL * s.value_size, ds, BACK_STEP, false});
        }
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t query = row + i + r;
          T *const scores = p + r * BACK_STEP, *const products = ds + r * BACK_STEP;
          if (n > 0) {
            if (head.masked(query, first + key + n)) head.mask(scores, query, first + key, n);
            gradient_row(s, head.keep_tile(query, first + key), scores, products, n, g.lse[head.place(query)],
                         delta[i + r]);
          }
          for (int64_t j = n; j < padded; ++j) scores[j] = products[j] = 0;
        }
        if (n > 0)
          multiply<T>({rows, width, seen, ds, BACK_STEP, 1, space.keys + key * width, width, PANEL,
                       space.dq + i * width, width, key > 0});
        else if (key == 0)
          zero_rows(space.dq + i * width, width, rows, width);
      });
      each_strip<T>(keys, [&](int64_t j, int64_t rows) INLINE_LAMBDA {  // dv += p' dy, dk += ds' q
        // Where the block is one head's, its first queries may see none of these keys.
        const int64_t query = row % s.queries, lowest = first + key + j;
        const int64_t from = s.causal && head.in_one_head(row, block) && lowest > query ? lowest - query : 0;
        if (from >= block) return;
        multiply<T>({rows, value_width, block - from, space.p + from * BACK_STEP + j, 1, BACK_STEP,
                     space.dy + from * value_width, value_width, PANEL, space.dv + (key + j) * value_width, value_width,
                     true});
        multiply<T>({rows, width, block - from, space.ds + from * BACK_STEP + j, 1, BACK_STEP, space.q + from * width,
                     width, PANEL, space.dk + (key + j) * width, width, true});
      });
    }
    if (seen_by_block <= 0) {
      if (share) zero_rows(share + row * s.size, s.size, block, s.size);
      if (share || first > 0) continue;
      zero_rows(space.dq, width, block, width);
    }
    if (share) {
      write_rows(share + row * s.size, s.size, space.dq, width, block, s.size, T(1));
      continue;
    }
    const V<T> scale = set(T(s.scale));
    head.each_run(row, block, [&](int64_t r, int64_t count) INLINE_LAMBDA {
      T* to = g.dq + head.row_at(r, s.size);
      const T* from = space.dq + (r - row) * width;
      for (int64_t i = 0; i < count; ++i, to += head.row_step(s.size), from += width)
        each_vector<T>(s.size, [&](int64_t d, auto mask) INLINE_LAMBDA {
          __builtin_prefetch(to + AHEAD * head.row_step(s.size) + d, 1);
          const V<T> before = first == 0 ? zero<T>() : load(to + d, mask);
          store(to + d, before + load(from + d) * scale, mask);
        });
    });
  }
  T* const dk = g.dk + head.key_at(first, s.size);
  T* const dv = g.dv + head.key_at(first, s.value_size);
  const int64_t step = head.key_step(s.size), value_step = head.key_step(s.value_size);
  write_rows(dk, step, space.dk, width, here, s.size, LN_2<T>);  // q carries scale * log2 e
  write_rows(dv, value_step, space.dv, value_width, here, s.value_size, kept_scale(s));
  zero_rows(dk + here * step, step, all - here, s.size);
  zero_rows(dv + here * value_step, value_step, all - here, s.value_size);
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void attention_backward(const Attention<T>& s, const T* y, const T* lse, const T* dy, T* dq, T* dk, T* dv) {
  const Gradients<T> g{y, lse, dy, dq, dk, dv};
  const int64_t heads = s.batch * s.key_heads, rows = s.heads / s.key_heads * s.queries, threads = num_threads();
  const int64_t pieces = max_of(1, ceil_div(s.keys, PIECE)), count = BackwardSpace<T>::count(s);
  const double work = 5000 + attention_work(s, 3 * s.size + 2 * s.value_size);
  if (threads == 1 || heads >= 4 * threads || heads % threads == 0 || pieces == 1) {
    parallel_for(heads, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      const BackwardSpace<T> space(s, scratch_for<T>(Slot::worker, count));
      for (int64_t i = begin; i < end; ++i)
        for (int64_t piece = 0; piece < pieces; ++piece)
          backward_piece<T>(Head<T>(s, i), g, piece * PIECE, space, nullptr);
    });
    return;
  }
  // Few heads: threads share out the pieces of their keys as well; then the pieces' shares of dq are added in order.
  const int64_t size = rows * s.size;
  T* const shares = scratch_for<T>(Slot::caller, heads * pieces * size);
  parallel_for(heads * pieces, work / double(pieces), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const BackwardSpace<T> space(s, scratch_for<T>(Slot::worker, count));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t piece = from_both_ends(i % pieces, pieces);
      backward_piece<T>(Head<T>(s, i / pieces), g, piece * PIECE, space, shares + (i / pieces * pieces + piece) * size);
    }
  });
  parallel_for(heads * rows, 0.3 * double(pieces * s.size), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const V<T> scale = set(T(s.scale));
    for (int64_t i = begin; i < end; ++i) {
      const Head<T> head(s, i / rows);
      const T* const from = shares + i / rows * pieces * size + i % rows * s.size;
      T* const to = dq + head.row_at(i % rows, s.size);
      each_vector<T>(s.size, [&](int64_t d, auto mask) INLINE_LAMBDA {
        V<T> sum = zero<T>();
        for (int64_t piece = 0; piece < pieces; ++piece) sum = sum + load(from + piece * size + d, mask) * scale;
        store(to + d, sum, mask);
      });
    }
  });
}

template void attention_backward<Target>(const Attention<float>&, const float*, const float*, const float*, float*,
                                         float*, float*);
DOUBLE template void attention_backward<Target>(const Attention<double>&, const double*, const double*, const double*,
                                                double*, double*, double*);

}  // namespace lamina
