#include "ops/copy_columns.h"

#include "cpu/runtime/isa.h"
#include "cpu/support/elementwise.h"

namespace lamina {
namespace LAMINA_ISA {

constexpr int64_t COPY_BLOCK = int64_t(64) << 10;  // long rows are shared out too

INLINE void fill_bytes(char* to, int64_t count, uint64_t fill) {
  for (; count >= 8; count -= 8, to += 8) std::memcpy(to, &fill, 8);
  std::memcpy(to, &fill, size_t(count));
}

/// A copy past the caches, where the C library would take what it overwrites through them.
INLINE void stream_bytes(char* to, const char* from, int64_t count) {
  const int64_t head = min_of(count, int64_t(-reinterpret_cast<uintptr_t>(to) & 63));
  std::memcpy(to, from, size_t(head));
  constexpr int64_t VECTOR = sizeof(V<float>);
  int64_t i = head;
  for (; i + 4 * VECTOR <= count; i += 4 * VECTOR) {
    V<float> values[4];
    unroll<4>([&](auto k) INLINE_LAMBDA { std::memcpy(&values[k], from + i + k * VECTOR, VECTOR); });
    unroll<4>([&](auto k) INLINE_LAMBDA { stream(reinterpret_cast<float*>(to + i + k * VECTOR), values[k]); });
  }
  std::memcpy(to + i, from + i, size_t(count - i));
}

INLINE void copy_bytes(char* to, const char* from, int64_t count) {
  constexpr int64_t VECTOR = sizeof(V<float>);
  if (count > 2048) {
    std::memcpy(to, from, size_t(count));
  } else if (count > 64) {  // whole vectors, the last one over part of the one before
    V<float> v;
    for (int64_t i = 0; i + VECTOR < count; i += VECTOR) {
      std::memcpy(&v, from + i, VECTOR);
      std::memcpy(to + i, &v, VECTOR);
    }
    std::memcpy(&v, from + count - VECTOR, VECTOR);
    std::memcpy(to + count - VECTOR, &v, VECTOR);
  } else if (count >= 16) {  // two of 32 (or of 16) that may overlap
    struct Half {
      char bytes[16];
    } a, b, c, d;
    std::memcpy(&a, from, 16);
    std::memcpy(&d, from + count - 16, 16);
    if (count > 32) {
      std::memcpy(&b, from + 16, 16);
      std::memcpy(&c, from + count - 32, 16);
      std::memcpy(to + 16, &b, 16);
      std::memcpy(to + count - 32, &c, 16);
    }
    std::memcpy(to, &a, 16);
    std::memcpy(to + count - 16, &d, 16);
  } else if (count >= 4) {
    uint32_t a, b, c, d;
    const int64_t middle = count >= 8 ? 4 : 0;
    std::memcpy(&a, from, 4);
    std::memcpy(&b, from + middle, 4);
    std::memcpy(&c, from + count - 4 - middle, 4);
    std::memcpy(&d, from + count - 4, 4);
    std::memcpy(to, &a, 4);
    std::memcpy(to + middle, &b, 4);
    std::memcpy(to + count - 4 - middle, &c, 4);
    std::memcpy(to + count - 4, &d, 4);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

}  // namespace LAMINA_ISA
using namespace LAMINA_ISA;

template <class Target>
void copy_columns(const CopyColumns& s) {
  const int64_t blocks = max_of(1, ceil_div(s.bytes, COPY_BLOCK));
  const bool past_caches = s.bytes >= 1024 && s.rows * s.bytes >= STREAM_BYTES;
  const double work = 3 + 0.1 * double(min_of(s.bytes, COPY_BLOCK)) + 0.05 * double(s.before + s.after);
  parallel_for(s.rows * blocks, work, [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const CopyColumns own = s;
    int64_t row = begin / blocks, block = begin % blocks;
    for (int64_t task = begin; task < end; ++task) {
      char* const to = own.to + row * own.y_stride;
      const int64_t source = own.index ? own.index[row] : row;
      const int64_t offset = block * COPY_BLOCK, count = min_of(COPY_BLOCK, own.bytes - offset);
      if (block == 0) fill_bytes(to, own.before, own.fill);
      char* const part = to + own.before + offset;
      if (source < 0)
        fill_bytes(part, count, own.fill);
      else if (past_caches)
        stream_bytes(part, own.from + source * own.x_stride + offset, count);
      else
        copy_bytes(part, own.from + source * own.x_stride + offset, count);
      if (++block == blocks) {
        fill_bytes(to + own.before + own.bytes, own.after, own.fill);
        block = 0;
        ++row;
      }
    }
    if (past_caches) stream_fence();
  });
}

template <class Target>
void copy_parts(const ColumnParts& s) {
  bool aligned = s.rows * s.stride >= STREAM_BYTES && reinterpret_cast<uintptr_t>(s.whole) % 64 == 0;
  for (int64_t i = 0; i < s.count; ++i)
    aligned = aligned && s.bytes[i] % 64 == 0 && reinterpret_cast<uintptr_t>(s.parts[i]) % 64 == 0;
  parallel_for(s.rows, 3 * double(s.count) + 0.1 * double(s.stride), [&](int64_t begin, int64_t end) INLINE_LAMBDA {
    const ColumnParts own = s;
    for (int64_t row = begin; row < end; ++row) {
      char* at = own.whole + row * own.stride;
      for (int64_t i = 0; i < own.count; ++i) {
        const int64_t bytes = own.bytes[i];
        char* const part = own.parts[i] ? own.parts[i] + row * bytes : nullptr;
        if (part && aligned)
          own.join ? stream_bytes(at, part, bytes) : stream_bytes(part, at, bytes);
        else if (part)
          own.join ? copy_bytes(at, part, bytes) : copy_bytes(part, at, bytes);
        at += bytes;
      }
    }
    if (aligned) stream_fence();
  });
}

template void copy_columns<Target>(const CopyColumns&);
template void copy_parts<Target>(const ColumnParts&);

}  // namespace lamina
