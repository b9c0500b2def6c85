// Optimizers' steps: every parameter of a model in one call, one pass, threads over all of them together.
//
// Every element is updated by itself, with multiply-adds, exact divisions and square roots: the same bits everywhere.
#pragma once
#include <cstdint>

namespace lamina {

/// One parameter: n weights, their gradients, and the optimizer's memory of them. `start` is the number of the
/// parameter's first piece of PIECE elements; the optimizer's pieces are numbered through.
template <class T>
struct Parameter {
  static constexpr int64_t PIECE = 4096;
  T* weights;
  const T* gradients;
  T* first;   // momentum: velocities or first moments; may be null without momentum
  T* second;  // second moments, for Adam
  int64_t n, start;
};

/// Without momentum: w -= rate g. With: v = momentum v - rate g, then w += v, or w += momentum v - rate g (nesterov).
/// Reference: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
template <class Target, class T>
void sgd_step(int64_t count, const Parameter<T>* parameters, T rate, T momentum, bool nesterov);

/// m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v), w -= alpha m / (sqrt(v) + epsilon), where
/// alpha = rate sqrt(1 - beta_2^step) / (1 - beta_1^step). step counts from 1.
/// Reference: Kingma & Ba 2015, arXiv:1412.6980 (the form before its section 2.1, as in Keras).
template <class Target, class T>
void adam_step(int64_t count, const Parameter<T>* parameters, double rate, double beta_1, double beta_2, T epsilon,
               int64_t step);

}  // namespace lamina
