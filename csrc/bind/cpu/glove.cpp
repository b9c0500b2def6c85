#include "ops/glove.h"

#include "bind/cpu/bind.h"
#include "ops/cooccurrence.h"

namespace lamina::bind::glove_op {

/// tokens (count,) int32, first (words + 1,), order: where each word stands; filled (words,). With begin (words,),
/// columns and counts are filled, which must have room; else rows are measured.
static void count(const py::array& tokens, const py::array& first, const py::array& order, int64_t window, int64_t unit,
                  const py::array& filled, const py::object& begin, const py::object& columns, const py::object& counts,
                  int64_t entries) {
  Cooccurrence s{};
  s.count = tokens.size();
  s.words = filled.size();
  s.tokens = in<int32_t>(tokens, s.count);
  s.first = in<int64_t>(first, s.words + 1);
  const int64_t places = order.size();
  s.order = in<int64_t>(order, places);
  s.window = window, s.unit = unit;
  s.filled = out<int64_t>(filled, s.words);
  s.begin = in<int64_t>(begin, s.words);
  s.columns = out<int32_t>(columns, entries);
  s.counts = out<int64_t>(counts, entries);
  bool good = window > 0 && unit >= window && s.first[0] == 0 && s.first[s.words] <= places;
  good = good && (!s.begin || (s.columns && s.counts));
  for (int64_t i = 0; good && i < s.count; ++i) good = s.tokens[i] >= -1 && s.tokens[i] < s.words;
  for (int64_t i = 0; good && i < places; ++i) good = s.order[i] >= 0 && s.order[i] < s.count;
  for (int64_t i = 0; good && i < s.words; ++i) {
    good = s.first[i] <= s.first[i + 1];
    // What was measured before is what is filled now.
    if (s.begin) good = good && s.filled[i] >= 0 && s.begin[i] >= 0 && s.begin[i] <= entries - s.filled[i];
  }
  if (!good) throw std::out_of_range("cooccurrence: a token or a place is out of range");
  py::gil_scoped_release release;
  dispatch<float>([&]<class Target>(Target) { cooccurrence<Target>(s); });
}

/// rows, columns (entries,) int32; target, weight (entries,); w, c and their squares (words, width). Gives the loss.
static double train(const py::array& rows, const py::array& columns, const py::array& target, const py::array& weight,
                    int64_t size, float rate, const py::array& w, const py::array& c, const py::array& w_square,
                    const py::array& c_square) {
  Glove s{};
  s.count = rows.size();
  s.rows = in<int32_t>(rows, s.count);
  s.columns = in<int32_t>(columns, s.count);
  s.target = in<float>(target, s.count);
  s.weight = in<float>(weight, s.count);
  const int64_t words = size_of(w, 0, "glove");
  s.size = size, s.width = size_of(w, 1, "glove"), s.rate = rate;
  if (size < 1 || s.width % Glove::UNIT || s.width < size + 2)
    throw py::value_error("glove: rows must be a multiple of 16 wide, and two wider than vectors");
  s.w = out<float>(w, words * s.width);
  s.c = out<float>(c, words * s.width);
  s.w_square = out<float>(w_square, words * s.width);
  s.c_square = out<float>(c_square, words * s.width);
  for (int64_t i = 0; i < s.count; ++i)
    if (s.rows[i] < 0 || s.rows[i] >= words || s.columns[i] < 0 || s.columns[i] >= words)
      throw std::out_of_range("glove: a word is out of range");
  double loss = 0;
  s.loss = &loss;
  py::gil_scoped_release release;
  dispatch<float>([&]<class Target>(Target) { glove<Target>(s); });
  return loss;
}

static const Registration registration([](py::module_& m) {
  m.def("cooccurrence", &count, py::arg("tokens"), py::arg("first"), py::arg("order"), py::arg("window"),
        py::arg("unit"), py::arg("filled"), py::arg("begin"), py::arg("columns"), py::arg("counts"),
        py::arg("entries"));
  m.def("glove", &train, py::arg("rows"), py::arg("columns"), py::arg("target"), py::arg("weight"), py::arg("size"),
        py::arg("rate"), py::arg("w"), py::arg("c"), py::arg("w_square"), py::arg("c_square"));
});

}  // namespace lamina::bind::glove_op
