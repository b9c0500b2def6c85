// lamina._cuda_emulated: every CUDA kernel, over NumPy arrays, run by the emulator. For tests; no wheel has it.
#include "bind/cuda/bind.h"
#include "emulator/counters.h"
#include "emulator/scheduler.h"

namespace lamina::bind {

static void configure(const std::string& schedule, bool lazy_copies, bool strict, int shared_kilobytes) {
  using emulator::Order;
  emulator::Settings s;
  s.lazy_copies = lazy_copies;
  s.strict = strict;
  s.shared_bytes = size_t(shared_kilobytes) << 10;
  if (schedule == "reverse") {
    s.order = Order::reverse;
  } else if (schedule.rfind("random", 0) == 0) {
    s.order = Order::random;
    if (schedule.size() > 7) s.seed = std::stoull(schedule.substr(7));
  } else if (schedule != "forward") {
    throw nb::value_error("schedule must be forward, reverse, random or random:SEED");
  }
  emulator::settings() = s;
}

static nb::dict counts() {
  const emulator::Counts c = emulator::counts();
  nb::dict d;
  d["launches"] = c.launches;
  d["blocks"] = c.blocks;
  d["threads"] = c.threads;
  d["switches"] = c.switches;
  return d;
}

#ifdef LAMINA_EMULATOR_COUNTED
static nb::list take_accesses() {
  nb::list all;
  for (const emulator::AccessCounts& c : emulator::take_access_counts()) {
    nb::dict d;
    d["place"] = c.place;
    d["memory"] = c.shared ? "shared" : "global";
    d["access"] = c.access == emulator::Access::load    ? "load"
                  : c.access == emulator::Access::store ? "store"
                                                        : "atomic";
    d["bytes"] = c.bytes;
    d["requests"] = c.requests;
    d["lanes"] = c.lanes;
    d["cost"] = c.cost;
    d["fewest"] = c.fewest;
    all.append(d);
  }
  return all;
}
#endif

}  // namespace lamina::bind

NB_MODULE(_cuda_emulated, m) {
  m.doc() = "Lamina's CUDA kernels, run on the CPU by an emulator: for tests.";
  m.def("emulator_configure", &lamina::bind::configure, nanobind::arg("schedule") = "forward",
        nanobind::arg("lazy_copies") = true, nanobind::arg("strict") = true, nanobind::arg("shared_kilobytes") = 227);
  m.def("emulator_counts", &lamina::bind::counts);
#ifdef LAMINA_EMULATOR_COUNTED
  m.def("emulator_take_accesses", &lamina::bind::take_accesses);
#endif
  lamina::bind::define_kernels(m);
}
