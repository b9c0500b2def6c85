// Work over lists of arrays in few launches: tables of some of them travel with a launch, by value. Nothing is copied
// to the device, and nobody waits.
#pragma once
#include "cuda/support/lane.cuh"

namespace lamina::cuda {

/// Entries whose blocks are numbered through: those of entry i begin at first[i].
template <class Entry, int MOST = int((4096 - 512) / (sizeof(Entry) + sizeof(unsigned)))>
struct Batch {
  static constexpr int MOST_ENTRIES = MOST;
  int count = 0;
  unsigned blocks = 0;
  unsigned first[MOST];
  Entry entry[MOST];
};

/// Which entry a block belongs to: the last that begins at or before it. None is empty.
template <class B>
__device__ __forceinline__ int entry_of(const B& batch, unsigned block) {
  int low = 0, high = batch.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (batch.first[middle] <= block)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/// run(batch) for batches of the entries make(i), i in [0, count), of blocks_of(i) blocks each; those of none are left
/// out.
template <class Entry, class Blocks, class Make, class Run>
void in_batches(int64_t count, Blocks&& blocks_of, Make&& make, Run&& run) {
  Batch<Entry> batch;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t blocks = blocks_of(i);
    if (blocks == 0) continue;
    if (batch.count == batch.MOST_ENTRIES || int64_t(batch.blocks) + blocks > INT32_MAX) {
      if (batch.count) run(batch);
      batch.count = 0;
      batch.blocks = 0;
    }
    batch.first[batch.count] = batch.blocks;
    batch.entry[batch.count++] = make(i);
    batch.blocks += unsigned(blocks);
  }
  if (batch.count) run(batch);
}

}  // namespace lamina::cuda
