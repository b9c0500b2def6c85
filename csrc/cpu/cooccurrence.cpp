#include "ops/cooccurrence.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/parallel.h"

namespace lamina {
using namespace LAMINA_ISA;

template <class Target>
void cooccurrence(const Cooccurrence& s) {
  // The most frequent words come first, so that neighbouring tasks take rows far apart.
  constexpr int64_t APART = 64;
  const int64_t each = ceil_div(s.words, APART);
  parallel_for(APART * each, double(s.count) / double(APART * each) * double(s.window) * 4,
               [&](int64_t from, int64_t to) {
                 int64_t* const sums = scratch_for<int64_t>(Slot::worker, s.words);
                 int32_t* const met = scratch_for<int32_t>(Slot::worker2, s.words);
                 for (int64_t i = 0; i < s.words; ++i) sums[i] = 0;
                 for (int64_t task = from; task < to; ++task) {
                   const int64_t row = task % each * APART + task / each;
                   if (row >= s.words) continue;
                   int64_t count = 0;
                   const auto add = [&](int64_t q, int64_t distance) {
                     const int32_t word = s.tokens[q];
                     if (sums[word] == 0) met[count++] = word;
                     sums[word] += s.unit / distance;
                   };
                   for (int64_t k = s.first[row]; k < s.first[row + 1]; ++k) {
                     const int64_t p = s.order[k];
                     for (int64_t d = 1; d <= s.window && p - d >= 0 && s.tokens[p - d] >= 0; ++d) add(p - d, d);
                     for (int64_t d = 1; d <= s.window && p + d < s.count && s.tokens[p + d] >= 0; ++d) add(p + d, d);
                   }
                   s.filled[row] = count;
                   for (int64_t k = 0; k < count; ++k) {
                     if (s.begin) {
                       s.columns[s.begin[row] + k] = met[k];
                       s.counts[s.begin[row] + k] = sums[met[k]];
                     }
                     sums[met[k]] = 0;
                   }
                 }
               });
}

template void cooccurrence<Target>(const Cooccurrence&);

}  // namespace lamina
