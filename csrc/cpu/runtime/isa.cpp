#include "cpu/runtime/isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace lamina {
namespace {

constexpr Isa best_first[] = {Isa::v4, Isa::v3, Isa::portable};

Isa parse(const std::string& name) {
  for (Isa candidate : best_first)
    if (name == name_of(candidate)) {
      if (supported(candidate)) return candidate;
      throw std::invalid_argument("set_isa: this processor does not support '" + name + "'");
    }
  throw std::invalid_argument("set_isa: expected 'portable', 'v3' or 'v4', got '" + name + "'");
}

Isa choose() {
  if (const char* name = std::getenv("LAMINA_ISA"); name && *name) return parse(name);
  for (Isa candidate : best_first)
    if (supported(candidate)) return candidate;
  return Isa::portable;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> value{choose()};
  return value;
}

}  // namespace

const char* name_of(Isa isa) { return isa == Isa::v4 ? "v4" : isa == Isa::v3 ? "v3" : "portable"; }

bool supported([[maybe_unused]] Isa isa) {
#ifdef LAMINA_X86
  __builtin_cpu_init();
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                      __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (isa == Isa::v4) return has_v4;
  if (isa == Isa::v3) return has_v3;
#endif
  return isa == Isa::portable;
}

Isa isa() { return current().load(std::memory_order_relaxed); }
void set_isa(const char* name) { current().store(parse(name), std::memory_order_relaxed); }

}  // namespace lamina
