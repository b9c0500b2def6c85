// Word2Vec: vectors of words, learned from which words stand near which.
//
// For a centre word c at place p and the n words i in its window, output rows o: c itself and `negative` words drawn
// from the noise, one draw for all of a window (or the inner nodes on c's path in the Huffman tree):
//     skip-gram   e[i][o] = rate (label[o] - sigmoid(input[i] . output[o]))
//                 input[i] += sum over o of e[i][o] output[o];   output[o] += sum over i of e[i][o] input[i]
//     CBOW        the same with one row, the mean of the n inputs; its change is added to each of them
// The window's reach is drawn from 1 to `window`. A noise word that is c counts for nothing.
//
// Numerics: equal bits for any number of threads and on every ISA. Places go in blocks of BLOCK, cut from `begin` on,
// which must be a multiple of it. All e of a block are computed from the rows as they stood at its beginning; then its
// windows change the rows, one after the other, six outputs at a time. A product is the sum over slices of the columns,
// cut where the width says, of sums over 16 lanes. Threads split slices: nothing but e passes between them.
//
// Random numbers: Philox of (seed, stream), number (p << 8) + k: word 0 of k = 0 gives the reach, words 1, 2, ... the
// noise.
#pragma once
#include <cstdint>

namespace lamina {

struct Word2Vec {
  static constexpr int64_t BLOCK = 64;
  static constexpr int64_t UNIT = 16;  // columns; the width is a multiple

  int64_t begin, end;     // the centres: places in `tokens`
  int64_t count;          // of tokens
  const int32_t* tokens;  // of a row each; -1 ends a sentence
  int64_t words, nodes;   // rows of input and of output
  int64_t width;          // of a row, in floats
  int64_t window;
  bool skip_gram;
  // Noise: draw r of 32 bits is word r * words >> 32, or its other where the rest of r * words is above its share.
  int64_t negative;  // 0: the Huffman tree
  const uint32_t* share;
  const int32_t* other;
  // The Huffman tree: word w's path is path[first[w]], ..., path[first[w + 1] - 1]; label: 1 or 0.
  const int64_t* first;
  const int32_t* path;
  const uint8_t* label;
  int64_t longest;  // path

  double rate, rate_step, least_rate;  // rate + rate_step * p, at least least_rate, at a block's beginning
  uint64_t seed, stream;
  float* input;   // words x width
  float* output;  // nodes x width
};

template <class Target>
void word2vec(const Word2Vec& s);

}  // namespace lamina
