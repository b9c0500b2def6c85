// CUDA's own types, for a machine without its headers: sizes, and vectors of numbers aligned as a GPU wants them.
#pragma once
#include <cstdint>
#include <source_location>

namespace lamina::emulator {

/// Where a kernel's code asked for something; the default argument that records it.
using Place = std::source_location;

struct uint3 {
  unsigned x, y, z;
};

/// A grid's or a block's size. It remembers who made it, so that errors can name the launch.
struct dim3 {
  unsigned x, y, z;
  Place where;
  dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1, Place place = Place::current())
      : x(x_size), y(y_size), z(z_size), where(place) {}
};

// clang-format off
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
// clang-format on

}  // namespace lamina::emulator
