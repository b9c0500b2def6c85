#include "ops/word2vec.h"

#include <algorithm>

#include "bind/cpu/bind.h"

namespace lamina::bind::word2vec_op {

/// The rows of tokens [begin, end) learn. tokens (count,) int32; noise: share (words,) uint32 and other (words,) int32,
/// or None; the tree: first (words + 1,) int64, path and label (steps,) int32 and uint8, or None; rates: rate,
/// rate_step, least_rate; input (words, width), output (nodes, width).
static void train(const py::array& tokens, int64_t begin, int64_t end, int64_t window, bool skip_gram, int64_t negative,
                  const py::object& share, const py::object& other, const py::object& first, const py::object& path,
                  const py::object& label, double rate, double rate_step, double least_rate, uint64_t seed,
                  uint64_t stream, const py::array& input, const py::array& output) {
  Word2Vec s{};
  s.words = size_of(input, 0, "word2vec");
  s.width = size_of(input, 1, "word2vec");
  s.nodes = size_of(output, 0, "word2vec");
  s.count = tokens.size();
  s.begin = begin, s.end = end, s.window = window, s.skip_gram = skip_gram, s.negative = negative;
  if (s.width < 1 || s.width % Word2Vec::UNIT || size_of(output, 1, "word2vec") != s.width)
    throw py::value_error("word2vec: the rows must be equally wide, a multiple of 16");
  if (begin < 0 || begin % Word2Vec::BLOCK || end > s.count || window < 1 || window > 1000 || negative < 0 ||
      negative > 1000)
    throw py::value_error("word2vec: an argument is out of range");
  s.tokens = in<int32_t>(tokens, s.count);
  bool good = true;
  const int64_t from = std::max<int64_t>(0, begin - window), to = std::min(s.count, end + window);  // what is read
  for (int64_t i = from; i < to; ++i) good = good && s.tokens[i] >= -1 && s.tokens[i] < s.words;
  if (negative) {
    s.share = in<uint32_t>(share, s.words);
    s.other = in<int32_t>(other, s.words);
    good = good && s.share && s.other && s.nodes == s.words;
    for (int64_t i = 0; good && i < s.words; ++i) good = s.other[i] >= 0 && s.other[i] < s.words;
  } else {
    s.first = in<int64_t>(first, s.words + 1);
    good = good && s.first && s.first[0] == 0;
    for (int64_t i = 0; good && i < s.words; ++i) {
      const int64_t length = s.first[i + 1] - s.first[i];
      good = length > 0;
      if (length > s.longest) s.longest = length;
    }
    if (good) {
      s.path = in<int32_t>(path, s.first[s.words]);
      s.label = in<uint8_t>(label, s.first[s.words]);
      good = s.path && s.label;
    }
    for (int64_t i = 0; good && i < s.first[s.words]; ++i)
      good = s.path[i] >= 0 && s.path[i] < s.nodes && s.label[i] < 2;
  }
  if (!good) throw std::out_of_range("word2vec: a token, a noise word or a path is out of range, or missing");
  s.rate = rate, s.rate_step = rate_step, s.least_rate = least_rate, s.seed = seed, s.stream = stream;
  s.input = out<float>(input, s.words * s.width);
  s.output = out<float>(output, s.nodes * s.width);
  py::gil_scoped_release release;
  dispatch<float>([&]<class Target>(Target) { word2vec<Target>(s); });
}

static const Registration registration([](py::module_& m) {
  m.def("word2vec", &train, py::arg("tokens"), py::arg("begin"), py::arg("end"), py::arg("window"),
        py::arg("skip_gram"), py::arg("negative"), py::arg("share"), py::arg("other"), py::arg("first"),
        py::arg("path"), py::arg("label"), py::arg("rate"), py::arg("rate_step"), py::arg("least_rate"),
        py::arg("seed"), py::arg("stream"), py::arg("input"), py::arg("output"));
});

}  // namespace lamina::bind::word2vec_op
