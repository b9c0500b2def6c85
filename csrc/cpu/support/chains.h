// How weight gradients cut their sum over the pixels of a batch: by the shape without N alone.
#pragma once
#include "cpu/support/gather.h"
#include "ops/gemm.h"

namespace lamina::LAMINA_ISA {

/// The pixels of one chain of fused multiply-adds: all rows and columns of some images, or a rectangle of one image.
struct Chain {
  int64_t image, images, row, rows, column, columns;
  int64_t pixels() const { return images * rows * columns; }
};

/// The chains of a batch of images, in order.
struct Chains {
  int64_t batch, height, width;   // of the images that dy has
  int64_t images, rows, columns;  // of a chain

  Chains() = default;
  Chains(int64_t batch_size, int64_t h, int64_t w) : batch(batch_size), height(h), width(w) {
    constexpr int64_t MOST = 448;  // below CHAIN: 8 rows of 56, 4 of 112, 2 of 224; longer chains err more
    columns = ceil_div(w, ceil_div(w, MOST));
    rows = columns < w ? 1 : min_of(h, MOST / w);
    rows = ceil_div(h, ceil_div(h, rows));
    images = max_of(1, rows < h ? 1 : MOST / (h * w));
  }
  int64_t pixels() const { return images * rows * columns; }
  int64_t per_row() const { return ceil_div(width, columns); }
  int64_t per_image() const { return ceil_div(height, rows) * per_row(); }  // 1 where a chain has several images
  int64_t count() const { return ceil_div(batch, images) * per_image(); }
  Chain operator[](int64_t i) const {
    const int64_t image = i / per_image() * images, row = i % per_image() / per_row() * rows,
                  column = i % per_row() * columns;
    return {image,  min_of(images, batch - image),  row, min_of(rows, height - row),
            column, min_of(columns, width - column)};
  }
};

/// dw = the sum of `chains` chains. run(chain0, chain1, task0, task1, to) adds some of them, in order, to the part of
/// `to` (size values) that its tasks stand for. A small sum is made of parts of PART chains, added in order, and
/// threads share out the parts (few parts: their tasks as well); a large one shares out the tasks. work: nanoseconds a
/// chain, all tasks.
template <class T, class F>
INLINE void sum_chains(int64_t chains, int64_t size, int64_t tasks, double work, F&& run, T* dw) {
  constexpr int64_t PART = 4, SMALL = int64_t(1) << 16, PARTS = 64;
  fill_zero(dw, size);
  if (size > SMALL) {
    parallel_for(tasks, work * double(chains) / double(tasks),
                 [&](int64_t begin, int64_t end) INLINE_LAMBDA { run(int64_t(0), chains, begin, end, dw); });
    return;
  }
  T* const sums = scratch_for<T>(Slot::caller, min_of(PARTS, ceil_div(chains, PART)) * size);
  for (int64_t chain = 0; chain < chains; chain += PARTS * PART) {
    const int64_t parts = min_of(PARTS, ceil_div(chains - chain, PART));
    const int64_t wanted = 3 * num_threads(), shares = parts < wanted ? min_of(tasks, ceil_div(wanted, parts)) : 1;
    for (int64_t part = 0; shares > 1 && part < parts; ++part) fill_zero(sums + part * size, size);
    parallel_for(parts * shares, work * PART / double(shares), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t part = i / shares, share = i % shares, first = chain + part * PART;
        T* const to = sums + part * size;
        if (shares == 1) fill_zero(to, size);
        run(first, min_of(first + PART, chains), tasks * share / shares, tasks * (share + 1) / shares, to);
      }
    });
    parallel_for(ceil_div(size, BLOCK), double(BLOCK * parts) * 0.1, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
      for (int64_t part = 0; part < parts; ++part)
        each_vector<T>(min_of(end * BLOCK, size) - begin * BLOCK, [&](int64_t i, auto mask) INLINE_LAMBDA {
          T* const to = dw + begin * BLOCK + i;
          store(to, load(to, mask) + load(sums + part * size + begin * BLOCK + i, mask), mask);
        });
    });
  }
}

}  // namespace lamina::LAMINA_ISA
