// Rows that lie anywhere: the processor cannot foresee them, so they are asked for while others are at work.
#pragma once
#include "cpu/support/simd.h"

namespace lamina::LAMINA_ISA {

constexpr int64_t ROWS_AHEAD = 2;

/// Asks for the row's first lines; of a long one the processor sees the rest coming.
template <class T>
INLINE void prefetch_row(const T* row, int64_t count) {
  constexpr int64_t LINE = 64 / int64_t(sizeof(T)), MOST = 2048 / int64_t(sizeof(T));
  for (int64_t j = 0; j < min_of(count, MOST); j += LINE) prefetch(row + j);
}

}  // namespace lamina::LAMINA_ISA
