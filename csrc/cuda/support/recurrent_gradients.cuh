// What recurrent layers' backward does when all steps are done: the gradients of x, W, U and the biases.
#pragma once
#include "cuda/support/recurrent.cuh"
#include "ops/bias_backward.h"

namespace lamina::cuda {

/// h_before as it entered the products with U: times the scale.
template <class T>
struct ScaledStates {
  Recurrent<T> s;
  T* to;
  __device__ void operator()(int64_t i) const {
    const int64_t n = s.units, j = i % n, r = i / n % s.rows.count, t = i / n / s.rows.count;
    if (r >= active_rows(s.rows, t)) return;
    const int64_t slot = slot_of(s.rows, t, r), row = batch_row_of(s.rows, r);
    if (slot >= 0 && row >= 0) to[slot * n + j] = s.h_before[slot * n + j] * s.scale[row * n + j];
  }
};

/// Products with the saved gradients of the gates: those of x, W, U and the biases.
template <class T>
void weight_gradients(const Recurrent<T>& s, const RecurrentGradients<T>& to, Stream stream) {
  const int64_t n = s.units, columns = gates_of(s.kind) * n, kept = kept_of(s.kind) * n, slots = s.rows.slots;
  const T* const d = s.gates;
  if (to.dw) gemm(Gemm<T>{s.inputs, columns, slots, s.x, s.inputs, true, d, kept, false, to.dw, columns}, stream);
  if (to.du) {
    const Scratch<T> scaled(s.scale ? slots * n : 0, stream);
    if (s.scale && s.rows.at) fill_bytes(scaled.data(), 0, size_t(slots * n) * sizeof(T), stream);  // slots of no step
    if (s.scale) each(s.rows.steps * s.rows.count * n, stream, ScaledStates<T>{s, scaled.data()});
    const T* const h = s.scale ? scaled.data() : s.h_before;
    const auto part = [&](const T* a, int64_t lda, int64_t from, int64_t column, int64_t width) {
      gemm(Gemm<T>{n, width, slots, a, lda, true, d + from, kept, false, to.du + column, columns}, stream);
    };
    if (s.kind == RecurrentKind::gru || s.kind == RecurrentKind::gru_reset_before) {
      const bool before = s.kind == RecurrentKind::gru_reset_before;
      part(h, n, 0, 0, 2 * n);
      before ? part(s.gates + 3 * n, kept, 2 * n, 2 * n, n) : part(h, n, 3 * n, 2 * n, n);
    } else {
      part(h, n, 0, 0, columns);
    }
  }
  if (to.db) {
    const Scratch<T> sums(kept, stream);
    bias_backward(slots, kept, static_cast<const T*>(nullptr), d, Activation::linear, static_cast<T*>(nullptr),
                  sums.data(), stream);
    const auto copy = [&](T* at, const T* from, int64_t count) {
      copy_bytes(at, from, size_t(count) * sizeof(T), stream);
    };
    copy(to.db, sums.data(), columns);
    if (to.d_recurrent_bias) {
      copy(to.d_recurrent_bias, sums.data(), 2 * n);
      copy(to.d_recurrent_bias + 2 * n, sums.data() + 3 * n, n);
    }
  }
  if (to.dx) gemm(Gemm<T>{slots, s.inputs, columns, d, kept, false, s.w, columns, true, to.dx, s.inputs}, stream);
}

}  // namespace lamina::cuda
