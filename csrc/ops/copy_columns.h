// copy_columns: some columns of one matrix become columns of another; what concatenating and splitting come down to.
#pragma once
#include <cstdint>

namespace lamina {

/// y[r][i] = x[r][i] for `bytes` bytes of each row; the next row lies x_stride and y_stride bytes further on.
template <class Target>
void copy_columns(int64_t rows, int64_t bytes, const char* x, int64_t x_stride, char* y, int64_t y_stride);

}  // namespace lamina
