// Which instruction set runs: the best that the processor has, LAMINA_ISA, or set_isa().
#pragma once
#include <type_traits>

namespace lamina {

// What a kernel is compiled for: the template argument `Target` of every kernel. In files that are compiled
// once per ISA, LAMINA_ISA names one of these namespaces.
namespace portable {
struct Target {};
}  // namespace portable
namespace v3 {  // x86-64-v3: AVX2, FMA
struct Target {};
}  // namespace v3
namespace v4 {  // x86-64-v4: AVX-512 F, BW, CD, DQ, VL
struct Target {};
}  // namespace v4

enum class Isa { portable, v3, v4 };

Isa isa();
const char* name_of(Isa isa);
bool supported(Isa isa);
void set_isa(const char* name);  // throws std::invalid_argument for an unknown or unsupported one

/// f(Target{}) for the instruction set in force: dispatch([&](auto target) { kernel<decltype(target)>(...); }).
/// T is what the kernel computes in. v4 has no kernels in double: v3's give the same bits, and without a second copy
/// the whole library compiles in a sixth less time.
template <class T = float, class F>
inline void dispatch(F&& f) {
#ifdef LAMINA_X86
  if constexpr (!std::is_same_v<T, double>)
    if (isa() == Isa::v4) return f(v4::Target{});
  if (isa() != Isa::portable) return f(v3::Target{});
#endif
  f(portable::Target{});
}

}  // namespace lamina
