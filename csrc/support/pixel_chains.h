// How weight gradients cut their sum over the pixels of a batch, on the CPU and on a GPU: by the shape without N alone.
#pragma once
#include "support/unroll.h"

namespace lamina::LAMINA_ISA {

/// A gradient of at most SMALL values is the sum of parts of PART chains; a larger one, of chains.
constexpr int64_t PART = 4, SMALL = int64_t(1) << 16;

/// The pixels of one chain of fused multiply-adds: all rows and columns of some images, or a rectangle of one image.
struct Chain {
  int64_t image, images, row, rows, column, columns;
  constexpr int64_t pixels() const { return images * rows * columns; }
};

/// The chains of a batch of images, in order.
struct Chains {
  int64_t batch, height, width;   // of the images that dy has
  int64_t images, rows, columns;  // of a chain

  Chains() = default;
  constexpr Chains(int64_t batch_size, int64_t h, int64_t w) : batch(batch_size), height(h), width(w) {
    constexpr int64_t MOST = 448;  // below CHAIN: 8 rows of 56, 4 of 112, 2 of 224; longer chains err more
    columns = ceil_div(w, ceil_div(w, MOST));
    rows = columns < w ? 1 : min_of(h, MOST / w);
    rows = ceil_div(h, ceil_div(h, rows));
    images = max_of(1, rows < h ? 1 : MOST / (h * w));
  }
  constexpr int64_t pixels() const { return images * rows * columns; }
  constexpr int64_t per_row() const { return ceil_div(width, columns); }
  constexpr int64_t per_image() const {
    return ceil_div(height, rows) * per_row();
  }  // 1 where a chain has several images
  constexpr int64_t count() const { return ceil_div(batch, images) * per_image(); }
  constexpr Chain operator[](int64_t i) const {
    const int64_t image = i / per_image() * images, row = i % per_image() / per_row() * rows,
                  column = i % per_row() * columns;
    return {image,  min_of(images, batch - image),  row, min_of(rows, height - row),
            column, min_of(columns, width - column)};
  }
};

}  // namespace lamina::LAMINA_ISA
