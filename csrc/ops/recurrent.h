// Recurrent layers over whole sequences, forward and backward through time: one call, one node of the tape.
//
//   simple:  h = f(x.W + b + h'.U)                                     h': h of the step before
//   gru:     z, r = sigmoid(x.Wzr + bzr + h'.Uzr + azr);  g = tanh(x.Wg + bg + r * (h'.Ug + ag));  h = z h' + (1 - z) g
//   gru_reset_before:                                      g = tanh(x.Wg + bg + (r * h').Ug)
//   lstm:    i, f, o = sigmoid(...), g = tanh(...), each of x.W + b + h'.U;  c = f c' + i g;  h = o tanh(c)
//
// Columns as Keras has them: simple h, gru z r h, lstm i f c o. With a scale, h' is multiplied by it where it enters a
// product with U, nowhere else.
//
// Numerics: a pre-activation is (x.W + b) + h'.U, each product a sum of chains of CHAIN over k (gemm.h), so that a row
// has the same bits alone and in any batch, packed or not, in training and inference. Weight gradients are products
// over all saved rows, in their order.
//
// x.W is one product for all steps. U is packed once a call: a panel is some units, k by k, the gates of a unit side by
// side. A step is, panel by panel, a register tile and on it, still in L1, the cell. Rows are independent: each thread
// has rows of its own for all steps; where rows are few, threads share out the panels and meet after every step.
//
// Reference: Hochreiter & Schmidhuber 1997 (LSTM); Cho et al. 2014, arXiv:1406.1078 (GRU); the shape of the kernels:
// Appleyard, Kocisky & Blunsom 2016, arXiv:1604.01946.
#pragma once
#include <cstdint>

#include "ops/activation.h"
#include "support/stream.h"

namespace lamina {

enum class RecurrentKind { simple, gru, gru_reset_before, lstm };

/// Blocks of `units` columns in W, U and b; and in gates: gru keeps h'.Ug + ag in a fourth, gru_reset_before r * h'.
constexpr int64_t gates_of(RecurrentKind kind) {
  return kind == RecurrentKind::simple ? 1 : kind == RecurrentKind::lstm ? 4 : 3;
}
constexpr int64_t kept_of(RecurrentKind kind) { return kind == RecurrentKind::simple ? 1 : 4; }

/// Where step t of row r lies: saved row slot(t, r), row y_row(t, r) of y.
/// Dense: rows and steps are strides apart. Packed (`at` is given): rows lie in the order `order`, longest first, steps
/// one after the other; step t has the leading active[t] rows. Slots behind those of all steps belong to none: where x,
/// h_before and, for backward, gates are 0 there, gradients have the bits that they have without them.
struct RecurrentRows {
  int64_t steps, count;              // count: the rows of the batch
  int64_t slots;                     // saved rows in all
  int64_t begin, time, row;          // dense: slot = begin + t * time + r * row
  int64_t y_begin, y_time, y_row;    // dense: row of y = y_begin + t * y_time + r * y_row; packed: y_time alone
  const int64_t* at = nullptr;       // steps: first slot
  const int64_t* active = nullptr;   // steps + 1, the last 0
  const int64_t* order = nullptr;    // count: the row of the batch (of h0, dh, ...) that row r is
  const int64_t* y_rows = nullptr;   // slots: the row of y
  const int64_t* repeats = nullptr;  // slots: how many rows of y, y_time apart, have this h; at least 1
};

template <class T>
struct Recurrent {
  RecurrentKind kind;
  Activation activation;  // of simple
  RecurrentRows rows;
  int64_t inputs, units;
  const T* x;               // (slots, inputs)
  const T* w;               // (inputs, gates * units)
  const T* u;               // (units, gates * units)
  const T* bias;            // (gates * units) or null
  const T* recurrent_bias;  // gru: (3 * units) or null
  const T *h0, *c0;         // (count, units) or null: zeros
  const T* scale;           // (count, units) or null: ones
  T* gates;                 // (slots, kept * units): z r g, i f g o
  T *c, *h_before;          // (slots, units); null: nothing is kept for backward
};

template <class T>
struct RecurrentOutputs {
  T* y;                // rows of units, as RecurrentRows says; those that no step reaches are left alone
  T *h_last, *c_last;  // (count, units); c_last: lstm
};

template <class T>
struct RecurrentGradients {
  const T *dy, *dh_last, *dc_last;                      // or null
  T *dx, *dw, *du, *db, *d_recurrent_bias, *dh0, *dc0;  // or null
};

/// Backward puts the gradients of the gates' pre-activations in the place of gates (gru: in the fourth, that of
/// h'.Ug + ag): a second one needs another forward before it.
///
/// `layers` of them at once, of the same sizes, side by side on the threads (both directions of a bidirectional layer).
template <class Target, class T>
void recurrent_forward(int64_t layers, const Recurrent<T>* s, const RecurrentOutputs<T>* to);
template <class Target, class T>
void recurrent_backward(int64_t layers, const Recurrent<T>* s, const RecurrentGradients<T>* to);

namespace cuda {  // the same, and the same bits, over device memory; one cooperative kernel for all steps

/// T = Float16 or BFloat16: all arrays are of 16 bits, products run on tensor cores, with sums in float.
///   forward   x.W + b is rounded once, where the gates lie that take its place for backward. h' meets U in 16 bits; c,
///             and h where a gru's cell reads it, go from step to step in float; y, the last h and c and what is kept
///             are rounded where they are written. gru_reset_before rounds z and r * h' before it uses them
///   backward  gradients of gates are rounded once, as operands of all products; those of h and c go from step to step
///             in float
/// What is kept has 16 bits, not 32: half as much is written and read beside the products, and the gradients that take
/// its place are operands of 16 bits. Sums of h'.U and d.U': 4 parts (of one gate 8) that take 16 steps of k in turn,
/// by mma, the parts added in order. The same bits in every run, and for a row in any batch.
///
/// y_rows[l]: how many rows layer l's y (or dy) has. Places beyond the arrays are passed over.
template <class T>
void recurrent_forward(int64_t layers, const Recurrent<T>* s, const RecurrentOutputs<T>* to, const int64_t* y_rows,
                       Stream stream);
template <class T>
void recurrent_backward(int64_t layers, const Recurrent<T>* s, const RecurrentGradients<T>* to, const int64_t* y_rows,
                        Stream stream);

}  // namespace cuda
}  // namespace lamina
