#include "bind/cpu/bind.h"

PYBIND11_MODULE(_cpu, m, pybind11::mod_gil_not_used()) {
  m.doc() = "Lamina's kernels for the CPU, over NumPy arrays. Python allocates, these fill.";
  for (auto* r = lamina::bind::Registration::head(); r; r = r->next) r->function(m);
}
