#include "ops/nms.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

/// The boxes kept so far, a column a number, so that a new one meets a vector of them at a time.
template <class T>
struct Kept {
  T *left, *top, *right, *bottom, *area;
  int64_t count;

  Kept(T* memory, int64_t most)
      : left(memory),
        top(memory + most),
        right(memory + 2 * most),
        bottom(memory + 3 * most),
        area(memory + 4 * most),
        count(0) {}

  INLINE bool overlaps(const T* box, T size, T threshold) const {
    for (int64_t i = 0; i < count; i += lanes<T>) {
      const Mask<T> mask = first<T>(min_of(count - i, int64_t(lanes<T>)));
      const V<T> width = min(load(right + i, mask), set(box[2])) - max(load(left + i, mask), set(box[0]));
      const V<T> height = min(load(bottom + i, mask), set(box[3])) - max(load(top + i, mask), set(box[1]));
      const V<T> shared = max(width, zero<T>()) * max(height, zero<T>());
      if (any(less(set(threshold), shared / (load(area + i, mask) + set(size) - shared)))) return true;
    }
    return false;
  }
  INLINE void add(const T* box, T size) {
    left[count] = box[0], top[count] = box[1], right[count] = box[2], bottom[count] = box[3];
    area[count++] = size;
  }
};

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target, class T>
void nms(int64_t groups, const int64_t* starts, const T* boxes, T threshold, uint8_t* keep) {
  const double each = groups > 0 ? double(starts[groups] - starts[0]) / double(groups) : 0;
  parallel_for(groups, each * (10 + each / lanes<T>), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    int64_t most = 0;
    for (int64_t g = begin; g < end; ++g) most = max_of(most, starts[g + 1] - starts[g]);
    T* const memory = scratch_for<T>(Slot::worker, 5 * most);
    for (int64_t g = begin; g < end; ++g) {
      Kept<T> kept(memory, most);
      for (int64_t i = starts[g]; i < starts[g + 1]; ++i) {
        const T* const box = boxes + 4 * i;
        const T size = (box[2] - box[0]) * (box[3] - box[1]);
        keep[i] = !kept.overlaps(box, size, threshold);
        if (keep[i]) kept.add(box, size);
      }
    }
  });
}

template void nms<Target>(int64_t, const int64_t*, const float*, float, uint8_t*);
DOUBLE template void nms<Target>(int64_t, const int64_t*, const double*, double, uint8_t*);

}  // namespace lamina
