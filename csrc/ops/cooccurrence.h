// How often words stand near one another, the nearer the more:
//     count[i][j] = sum over the places p of i and q of j in one sentence, 0 < |p - q| <= window, of unit / |p - q|
// in whole numbers: unit is a multiple of 1, ..., window, so that no order of the sum matters. Threads split rows.
#pragma once
#include <cstdint>

namespace lamina {

struct Cooccurrence {
  int64_t count;          // of tokens
  const int32_t* tokens;  // -1 ends a sentence
  int64_t words;
  const int64_t* first;  // words + 1: word i stands at order[first[i]], ..., order[first[i + 1] - 1]
  const int64_t* order;
  int64_t window, unit;
  int64_t* filled;       // words: how many words stand near i
  const int64_t* begin;  // words: where the row of i begins in columns and counts; null: rows are only measured
  int32_t* columns;      // the words near i, in the order in which they are met first
  int64_t* counts;
};

template <class Target>
void cooccurrence(const Cooccurrence& s);

}  // namespace lamina
