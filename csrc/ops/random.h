// Random arrays from counters (support/philox.h): element i depends on seed, stream and i alone.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

/// The raw words: y[4 b + w] = word w of random number first + b of the stream.
template <class Target>
void random_words(int64_t n, uint64_t first, uint64_t seed, uint64_t stream, uint32_t* y);

/// y[i] = low + u (high - low), u uniform in [0, 1): 24 random bits for float, 53 for double.
template <class Target, class T>
void random_uniform(int64_t n, T low, T high, uint64_t seed, uint64_t stream, T* y);

/// y[i] = mean + deviation z, z normal, by the transform of Box and Muller: sqrt(-2 log u) cos or sin(2 pi v), with u
/// in (0, 1] and v in [0, 1).
template <class Target, class T>
void random_normal(int64_t n, T mean, T deviation, uint64_t seed, uint64_t stream, T* y);

namespace cuda {  // the same, and the same bits, over device memory

void random_words(int64_t n, uint64_t first, Setting<uint64_t> seed, Setting<uint64_t> stream_number, uint32_t* y,
                  Stream stream);

template <class T>
void random_uniform(int64_t n, T low, T high, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
                    Stream stream);

template <class T>
void random_normal(int64_t n, T mean, T deviation, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
                   Stream stream);

}  // namespace cuda
}  // namespace lamina
