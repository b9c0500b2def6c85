// copy_columns: some columns of one matrix become columns of another; what concatenating, splitting, padding with a
// constant and cropping come down to.
#pragma once
#include <cstdint>

#include "support/stream.h"

namespace lamina {

/// Row r of y is written from `to` on: `before` bytes of fill, `bytes` bytes of x from `from` on, `after` bytes of
/// fill. They come from row index[r] of x, from row r without an index; where index[r] < 0, all of it is fill. fill
/// repeats a value of an element's size (1, 2, 4 or 8 bytes) over 8 bytes. Strides in bytes.
struct CopyColumns {
  int64_t rows, bytes, before, after;
  const int64_t* index;
  const char* from;
  int64_t x_stride;
  char* to;
  int64_t y_stride;
  uint64_t fill;
};

template <class Target>
void copy_columns(const CopyColumns& s);

/// Matrices of as many rows side by side are one matrix. join: whole = [part 0 | part 1 | ...]; otherwise the parts are
/// taken out of it, those that are null left out. bytes: those of a row of each part.
struct ColumnParts {
  int64_t rows, count;
  const int64_t* bytes;
  char* const* parts;
  char* whole;
  int64_t stride;  // the sum of bytes
  bool join;
};

template <class Target>
void copy_parts(const ColumnParts& s);

namespace cuda {  // the same over device memory; ColumnParts itself is the host's

/// Rows whose index is not below x_rows are left alone. fill: an element on the device, of fill_size bytes, in place of
/// s.fill; null: zeros.
void copy_columns(const CopyColumns& s, int64_t x_rows, const void* fill, int fill_size, Stream stream);

void copy_parts(const ColumnParts& s, Stream stream);

}  // namespace cuda
}  // namespace lamina
