#include "ops/glove.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/fold.h"
#include "cpu/support/parallel.h"
#include "cpu/support/row_ahead.h"

namespace lamina {
using namespace LAMINA_ISA;

namespace LAMINA_ISA {
namespace {

constexpr int64_t BLOCK = Glove::BLOCK, UNIT = Glove::UNIT;
constexpr float MOST = 100;  // a gradient

struct Plan {
  const Glove& s;
  int64_t slices, units;  // of columns
  float* products[2];     // [slice][entry]
  Barrier barrier;
  int64_t column(int64_t slice) const { return (slice * units + slices - 1) / slices * UNIT; }
};

/// The products of eight rows over columns [begin, end).
void multiply(const Glove& s, int64_t entry, int64_t count, int64_t begin, int64_t end, float* products) {
  alignas(64) float sums[8 * 16];
  for (int64_t i = 0; i < 8; ++i) {
    const int64_t at = entry + min_of(i, count - 1);
    const float *const a = s.w + s.rows[at] * s.width, *const b = s.c + s.columns[at] * s.width;
    for (int part = 0; part < 16; part += lanes<float>) {
      V<float> sum = zero<float>();
      for (int64_t k = begin + part; k < end; k += UNIT) sum = fma(load(a + k), load(b + k), sum);
      store(sums + 16 * i + part, sum);
    }
  }
  const Eight found = fold(sums);
  __builtin_memcpy(products, &found, sizeof found);
}

/// Changes the two rows of an entry in columns [begin, end); factor: rate weight d.
void update(const Glove& s, int64_t entry, float factor, int64_t begin, int64_t end) {
  const int64_t row = s.rows[entry] * s.width, column = s.columns[entry] * s.width;
  const V<float> by = set(factor), most = set(MOST), least = set(-MOST);
  for (int64_t k = begin; k < end; k += lanes<float>) {
    const V<float> a = load(s.w + row + k), b = load(s.c + column + k);
    const V<float> da = max(least, min(most, by * b)), db = max(least, min(most, by * a));
    const V<float> qa = load(s.w_square + row + k), qb = load(s.c_square + column + k);
    store(s.w + row + k, a - da / sqrt(qa));
    store(s.c + column + k, b - db / sqrt(qb));
    store(s.w_square + row + k, fma(da, da, qa));
    store(s.c_square + column + k, fma(db, db, qb));
  }
  if (begin <= s.size && s.size < end) s.c[column + s.size] = 1;
  if (begin <= s.size + 1 && s.size + 1 < end) s.w[row + s.size + 1] = 1;
}

void run(Plan& p, int part, int parts) {
  const Glove& s = p.s;
  const int64_t first = p.slices * part / parts, last = p.slices * (part + 1) / parts;
  const int64_t left = p.column(first), right = p.column(last);
  double loss = 0;
  for (int64_t b = 0; b < s.count; b += BLOCK) {
    const int64_t end = min_of(b + BLOCK, s.count);
    float* const products = p.products[b / BLOCK % 2];
    for (int64_t i = b; i < end; i += 8) {
      for (int64_t k = i + 8; k < min_of(i + 16, s.count); ++k) {
        prefetch_row(s.w + s.rows[k] * s.width + left, right - left);
        prefetch_row(s.c + s.columns[k] * s.width + left, right - left);
      }
      for (int64_t k = first; k < last; ++k)
        multiply(s, i, end - i, p.column(k), p.column(k + 1), products + k * BLOCK + i - b);
    }
    p.barrier.wait(parts);
    for (int64_t i = b; i < end; ++i) {
      float d = products[i - b];
      for (int64_t k = 1; k < p.slices; ++k) d += products[k * BLOCK + i - b];
      d -= s.target[i];
      const float weighted = s.weight[i] * d;
      loss += 0.5 * double(weighted) * double(d);
      update(s, i, s.rate * weighted, left, right);
    }
  }
  if (part == 0) *s.loss = loss;
}

}  // namespace
}  // namespace LAMINA_ISA

template <class Target>
void glove(const Glove& s) {
  const int64_t units = s.width / UNIT, slices = max_of(int64_t(1), min_of(int64_t(8), units / 3));
  float* const products = scratch_for<float>(Slot::caller, 2 * slices * BLOCK);
  Plan plan{s, slices, units, {products, products + slices * BLOCK}, {}};
  run_together(int(slices), [](void* p, int part, int parts) { run(*static_cast<Plan*>(p), part, parts); }, &plan);
}

template void glove<Target>(const Glove&);

}  // namespace lamina
