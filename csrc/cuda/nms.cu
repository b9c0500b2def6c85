#include "cuda/support/lane.cuh"
#include "ops/nms.h"

namespace lamina::cuda {
namespace nms_op {

constexpr int TILE = 64;  // boxes whose fate is settled at a time

template <class T>
__device__ __forceinline__ bool overlap(const T* a, const T* b, T threshold) {
  const T width = min(a[2], b[2]) - max(a[0], b[0]), height = min(a[3], b[3]) - max(a[1], b[1]);
  const T shared = max(width, T(0)) * max(height, T(0));
  const T size = (a[2] - a[0]) * (a[3] - a[1]), other = (b[2] - b[0]) * (b[3] - b[1]);
  return less(threshold, shared / (size + other - shared));
}

/// A block has a group, and goes through it tile by tile: who meets whom inside the tile, who of it stays, and what
/// those who stay suppress behind it.
template <class T>
__global__ void nms_kernel(int64_t n, const int64_t* starts, const T* boxes, T threshold, uint8_t* keep) {
  auto& meets = shared<uint64_t[TILE]>();  // bit j of i: box i of the tile overlaps box j, behind it
  auto& tile = shared<T[TILE][4]>();
  auto& stays = shared<uint64_t[1]>();
  const int64_t begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
  if (begin < 0 || end > n) return;
  for (int64_t i = begin + threadIdx.x; i < end; i += BLOCK) keep[i] = 1;
  for (int64_t first = begin; first < end; first += TILE) {
    const int count = int(end - first < TILE ? end - first : TILE), t = int(threadIdx.x);
    __syncthreads();
    if (t < count) {
      for (int e = 0; e < 4; ++e) tile[t][e] = boxes[4 * (first + t) + e];
    }
    __syncthreads();
    if (t < count) {
      uint64_t row = 0;
      for (int j = t + 1; j < count; ++j) row |= uint64_t(overlap(tile[t], tile[j], threshold)) << j;
      meets[t] = row;
    }
    __syncthreads();
    if (t == 0) {
      uint64_t gone = 0;
      for (int i = 0; i < count; ++i) {
        if (!keep[first + i]) gone |= uint64_t(1) << i;
        if (!(gone >> i & 1)) gone |= meets[i];
      }
      stays[0] = ~gone;
    }
    __syncthreads();
    const uint64_t kept = stays[0];
    if (t < count) keep[first + t] = uint8_t(kept >> t & 1);
    for (int64_t j = first + count + t; j < end; j += BLOCK) {
      if (!keep[j]) continue;
      const T box[4] = {boxes[4 * j], boxes[4 * j + 1], boxes[4 * j + 2], boxes[4 * j + 3]};
      bool met = false;
      for (int i = 0; i < count && !met; ++i) met = (kept >> i & 1) && overlap(tile[i], box, threshold);
      if (met) keep[j] = 0;
    }
  }
}

}  // namespace nms_op
using namespace nms_op;

template <class T>
void nms(int64_t n, int64_t groups, const int64_t* starts, const T* boxes, T threshold, uint8_t* keep, Stream stream) {
  if (n > 0 && groups > 0) launch(nms_kernel<T>, unsigned(groups), BLOCK, 0, stream, n, starts, boxes, threshold, keep);
}

template void nms(int64_t, int64_t, const int64_t*, const float*, float, uint8_t*, Stream);
template void nms(int64_t, int64_t, const int64_t*, const double*, double, uint8_t*, Stream);

}  // namespace lamina::cuda
