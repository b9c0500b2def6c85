#include "cuda/support/elementwise.cuh"
#include "ops/copy_columns.h"

namespace lamina::cuda {
namespace copy_columns_op {

/// The bytes of a word of Word, from a value that repeats every 8 bytes: those at `byte` of a run of it.
template <class Word>
__device__ Word filling(uint64_t fill, int64_t byte) {
  if constexpr (sizeof(Word) == 16)
    return Word{{fill, fill}};
  else
    return Word(fill >> (8 * (byte & 7)));
}

/// A word of y, wherever in its row: before, inside or behind what is copied.
template <class Word, class Index>
struct CopyWords {
  CopyColumns s;
  int64_t x_rows, words;  // words of a row
  const char* fill;
  int fill_size;
  __device__ void operator()(int64_t i) const {
    const Index row = Index(i) / Index(words);
    const int64_t byte = (i - int64_t(row) * words) * int64_t(sizeof(Word)), inside = byte - s.before;
    const int64_t source = s.index ? s.index[row] : int64_t(row);
    if (source >= x_rows) return;
    char* const to = s.to + int64_t(row) * s.y_stride + byte;
    if (source >= 0 && inside >= 0 && inside < s.bytes) {
      store_whole(to, load_whole<Word>(s.from + source * s.x_stride + inside));
      return;
    }
    uint64_t value = 0;
    if (fill)
      for (int k = 0; k < 8; ++k) value |= uint64_t(uint8_t(fill[k % fill_size])) << (8 * k);
    store_whole(to, filling<Word>(value, byte));
  }
};

/// f(Word{}) for the largest word that divides all of `bits` and is not smaller than an element.
template <class F>
void with_word(uint64_t bits, F&& f) {
  if (bits % 16 == 0) return f(Pack<uint64_t, 2>{});
  if (bits % 8 == 0) return f(uint64_t{});
  if (bits % 4 == 0) return f(uint32_t{});
  if (bits % 2 == 0) return f(uint16_t{});
  f(uint8_t{});
}
inline uint64_t bits_of(const void* p) { return uint64_t(reinterpret_cast<uintptr_t>(p)); }

constexpr int PARTS = 64;  // of a launch
struct Part {
  char* data;  // null: left out
  int64_t bytes, offset;
};
struct Parts {
  Part part[PARTS];
};

/// A line of the grid for each part.
template <class Word>
__global__ void parts_kernel(Parts parts, int64_t rows, char* whole, int64_t stride, bool join) {
  const Part p = parts.part[blockIdx.y];
  if (!p.data) return;
  const int64_t words = p.bytes / int64_t(sizeof(Word)), all = rows * words, step = int64_t(gridDim.x) * blockDim.x;
  const bool small = all <= int64_t(UINT32_MAX);
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < all; i += step) {
    const int64_t row = small ? int64_t(uint32_t(i) / uint32_t(words)) : i / words;
    char* const outside = p.data + i * int64_t(sizeof(Word));
    char* const inside = whole + row * stride + p.offset + (i - row * words) * int64_t(sizeof(Word));
    if (join)
      store_whole(inside, load_whole<Word>(outside));
    else
      store_whole(outside, load_whole<Word>(inside));
  }
}

}  // namespace copy_columns_op
using namespace copy_columns_op;

void copy_columns(const CopyColumns& s, int64_t x_rows, const void* fill, int fill_size, Stream stream) {
  const uint64_t bits =
      uint64_t(s.bytes | s.before | s.after | s.x_stride | s.y_stride) | bits_of(s.from) | bits_of(s.to);
  with_word(bits, [&]<class Word>(Word) {
    const int64_t words = (s.before + s.bytes + s.after) / int64_t(sizeof(Word)), all = s.rows * words;
    const auto* const value = static_cast<const char*>(fill);
    if (all <= int64_t(UINT32_MAX))
      each(all, stream, CopyWords<Word, uint32_t>{s, x_rows, words, value, fill_size});
    else
      each(all, stream, CopyWords<Word, uint64_t>{s, x_rows, words, value, fill_size});
  });
}

void copy_parts(const ColumnParts& s, Stream stream) {
  int64_t offset = 0;
  for (int64_t first = 0; first < s.count; first += PARTS) {
    const int64_t count = min_of(PARTS, s.count - first);
    Parts parts{};
    uint64_t bits = uint64_t(s.stride) | bits_of(s.whole);
    int64_t longest = 0;
    for (int64_t i = 0; i < count; ++i) {
      parts.part[i] = {s.parts[first + i], s.bytes[first + i], offset};
      bits |= uint64_t(s.bytes[first + i] | offset) | bits_of(s.parts[first + i]);
      longest = max_of(longest, s.bytes[first + i]);
      offset += s.bytes[first + i];
    }
    if (longest == 0) continue;
    with_word(bits, [&]<class Word>(Word) {
      const dim3 grid(blocks_for(s.rows * longest / int64_t(sizeof(Word))), unsigned(count));
      launch(parts_kernel<Word>, grid, BLOCK, 0, stream, parts, s.rows, s.whole, s.stride, s.join);
    });
  }
}

}  // namespace lamina::cuda
