#include "emulator/warp.h"

#include <cmath>

#include "support/narrow.h"

namespace lamina::emulator {

/// Not memcpy: ThreadSanitizer watches that, and lanes' stacks are other threads' to it.
static void copy_unseen(void* to, const void* from, size_t bytes) {
  auto* const target = static_cast<volatile unsigned char*>(to);
  const auto* const source = static_cast<const volatile unsigned char*>(from);
  for (size_t i = 0; i < bytes; ++i) target[i] = source[i];
}

/// Calls f for each lane's request.
template <class R, class F>
static void each_request(void* const* requests, uint32_t mask, F&& f) {
  for (int i = 0; i < WARP; ++i)
    if (mask >> i & 1) f(i, *static_cast<R*>(requests[i]));
}

void shuffle(uint32_t mask, Shuffle request, Place where) {
  if (!(mask & live_lanes() & (1u << (request.lane & 31))) && settings().strict)
    fail(where, "lane %d shuffles from lane %d, which is not in the mask %08x", lane_of_thread(), request.lane, mask);
  const Operation operation = [](void* const* requests, uint32_t lanes) {
    each_request<Shuffle>(requests, lanes, [&](int i, Shuffle& r) {
      const int source = lanes >> r.lane & 1 ? r.lane : i;
      copy_unseen(r.to, static_cast<Shuffle*>(requests[source])->from, size_t(r.bytes));
    });
  };
  wait_for_warp(mask, operation, &request, where);
}

uint32_t ballot(uint32_t mask, bool predicate, Place where) {
  Vote vote{predicate, 0};
  const Operation operation = [](void* const* requests, uint32_t lanes) {
    uint32_t all = 0;
    each_request<Vote>(requests, lanes, [&](int i, Vote& v) { all |= uint32_t(v.predicate) << i; });
    each_request<Vote>(requests, lanes, [&](int, Vote& v) { v.ballot = all; });
  };
  wait_for_warp(mask, operation, &vote, where);
  return vote.ballot;
}

uint32_t match_any(uint32_t mask, uint64_t value, Place where) {
  Match match{value, 0};
  const Operation operation = [](void* const* requests, uint32_t lanes) {
    each_request<Match>(requests, lanes, [&](int, Match& m) {
      m.lanes = 0;
      each_request<Match>(requests, lanes, [&](int j, Match& n) { m.lanes |= uint32_t(m.value == n.value) << j; });
    });
  };
  wait_for_warp(mask, operation, &match, where);
  return match.lanes;
}

void share_pointers(const void* mine, const void* (&all)[WARP], Place where) {
  struct Request {
    const void* mine;
    const void** all;
  } request{mine, all};
  const Operation operation = [](void* const* requests, uint32_t lanes) {
    each_request<Request>(requests, lanes, [&](int, Request& r) {
      each_request<Request>(requests, lanes, [&](int j, Request& other) { r.all[j] = other.mine; });
    });
  };
  wait_for_warp(~0u, operation, &request, where);
}

void matrix_product(MatrixProduct request, Place where) {
  if (live_lanes() != ~0u) fail(where, "a matrix product needs all 32 lanes of its warp");
  const Operation operation = [](void* const* requests, uint32_t lanes) {
    float a[16][16], b[16][8];
    each_request<MatrixProduct>(requests, lanes, [&](int i, MatrixProduct& m) {
      const auto part = [&](uint32_t pair, int e) {
        const uint16_t bits = uint16_t(pair >> (16 * e));
        return m.type == Narrow::float16 ? float16_to_float(bits) : bfloat16_to_float(bits);
      };
      const int row = i / 4, k = i % 4 * 2;
      for (int e = 0; e < 2; ++e) {
        a[row][k + e] = part(m.a[0], e);
        a[row + 8][k + e] = part(m.a[1], e);
        a[row][k + 8 + e] = part(m.a[2], e);
        a[row + 8][k + 8 + e] = part(m.a[3], e);
        b[k + e][row] = part(m.b[0], e);
        b[k + 8 + e][row] = part(m.b[1], e);
      }
    });
    each_request<MatrixProduct>(requests, lanes, [&](int i, MatrixProduct& m) {
      float results[4];
      for (int e = 0; e < 4; ++e) {
        const int row = i / 4 + e / 2 * 8, column = i % 4 * 2 + e % 2;
        float sum = m.c[e];
        for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
        results[e] = sum;
      }
      copy_unseen(m.d, results, sizeof results);  // d may be c
    });
  };
  wait_for_warp(~0u, operation, &request, where);
}

}  // namespace lamina::emulator
