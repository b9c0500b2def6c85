// dropout: zeroes elements at random and scales the rest, so that the mean stays.
//
// Element i draws 16 bits u: half h of word w of random number 16 * (i / 128) + i % 16 of the stream
// (support/philox.h), where 2 w + h = i % 128 / 16. Nothing needs to be stored: backward is the same call on dy.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

/// y[i] = u >= dropped ? x[i] * 65536 / (65536 - dropped) : 0, for dropped in [0, 65536]; y may be x.
template <class Target, class T>
void dropout(int64_t n, const T* x, int dropped, uint64_t seed, uint64_t stream, T* y);

namespace cuda {  // the same, and the same bits, over device memory

template <class T>
void dropout(int64_t n, const T* x, int dropped, Setting<uint64_t> seed, Setting<uint64_t> stream_number, T* y,
             Stream stream);

}  // namespace cuda
}  // namespace lamina
