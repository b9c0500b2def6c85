// Optimizers' steps: every parameter of a model in one call, one pass, threads over all of them together.
//
// Every element is updated by itself, with multiply-adds, exact divisions and square roots (and exp and log of our own,
// for Ftrl with an odd power): the same bits everywhere. Norms are sums of fixed pieces, added in order in float64.
//
// Before its rule an element is prepared: g = clamp(g * scale), w -= decay * w.
#pragma once
#include <cstdint>

#include "support/setting.h"
#include "support/stream.h"

namespace lamina {

constexpr int OPTIMIZER_SLOTS = 3;

/// One parameter: n weights, their gradients, and the optimizer's memory of them. `start` is the number of the
/// parameter's first piece of PIECE elements; the optimizer's pieces are numbered through.
template <class T>
struct Parameter {
  static constexpr int64_t PIECE = 4096;
  T* weights;
  const T* gradients;
  T* slots[OPTIMIZER_SLOTS];  // what the rule says; null where not kept
  int64_t n, start;
  double scale = 1;    // of the gradient
  double decay = 0;    // learning rate * weight decay
  int64_t number = 0;  // in the lists of all parameters

  /// A row-sparse gradient, of a table with rows of `width`: gradients holds those of `rows` (ascending, each once)
  /// alone, the others are 0. Where `whole` is set they take part with it, and n is the size of the table; else they
  /// stay as they are, the slots too, and n = row_count * width. Not for lamb.
  const int64_t* rows = nullptr;
  int64_t row_count = 0, width = 0;
  bool whole = false;
  int64_t table = 0;  // rows of the table; a GPU's kernel needs it
};

/// The rules, with their slots and settings; rate comes first in all settings. t is the step, from 1.
///
/// sgd       [v?]: momentum, nesterov. Without v: w -= rate g. With: v = momentum v - rate g, then w += v, or
///           w += momentum v - rate g where nesterov is not 0. (Sutskever et al. 2013)
/// rmsprop   v, [m?], [a?]: rho, momentum, epsilon. v = rho v + (1 - rho) g^2, a = rho a + (1 - rho) g,
///           u = rate g / sqrt(v - a^2 + epsilon), m = momentum m + u, w -= m (u where there is no m).
/// adam      m, v, [v_max?]: beta_1, beta_2, epsilon. m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v),
///           w -= alpha m / (sqrt(v) + epsilon), alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t); the largest v so far
///           where it is kept (AMSGrad). (Kingma & Ba 2015, arXiv:1412.6980, the form before its section 2.1)
/// adagrad   a: epsilon. a += g^2, w -= rate g / sqrt(a + epsilon). (Duchi et al. 2011)
/// adadelta  a, d: rho, epsilon. a = rho a + (1 - rho) g^2, u = g sqrt(d + epsilon) / sqrt(a + epsilon),
///           d = rho d + (1 - rho) u^2, w -= rate u. (Zeiler 2012, arXiv:1212.5701)
/// adamax    m, u: beta_1, beta_2, epsilon. m as adam, u = max(beta_2 u, |g|),
///           w -= rate m / ((1 - beta_1^t) (u + epsilon)). (Kingma & Ba 2015, section 7.1)
/// nadam     m, v: beta_1, beta_2, epsilon, of_m, of_g. m, v as adam,
///           w -= rate (of_m m + of_g g) / (sqrt(v / (1 - beta_2^t)) + epsilon). (Dozat 2016)
/// ftrl      a, z: power, l1, l2, shrinkage. b = a + g^2, z += g + 2 shrinkage w - (b^power - a^power) / rate w, a = b,
///           w = (clamp(z, -l1, l1) - z) / (b^power / rate + 2 l2). (McMahan et al. 2013)
/// lion      m: beta_1, beta_2. w -= rate sign(beta_1 m + (1 - beta_1) g), m = beta_2 m + (1 - beta_2) g.
///           (Chen et al. 2023, arXiv:2302.06675)
/// lamb      m, v: beta_1, beta_2, epsilon. m, v as adam,
///           u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon),
///           w -= rate |w| / |u| u, the norms over one parameter; rate u where one of them is 0.
///           (You et al. 2020, arXiv:1904.00962)
enum class OptimizerRule { sgd, rmsprop, adam, adagrad, adadelta, adamax, nadam, ftrl, lion, lamb };

constexpr int OPTIMIZER_SETTINGS = 6;
struct OptimizerSettings {
  double values[OPTIMIZER_SETTINGS] = {};
  int64_t step = 1;
  double clip = 0;        // gradients are clamped to [-clip, clip] where it is positive
  bool prepares = false;  // whether any parameter has a scale or decay, or there is a clip
};

template <class Target, class T>
void optimizer_step(OptimizerRule rule, int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s);

/// squares[i] = the sum of the squares of parameter i's gradients.
template <class Target, class T>
void gradient_squares(int64_t count, const Parameter<T>* parameters, double* squares);

namespace cuda {  // the same, and the same bits, over device memory; rows out of range are passed over

/// Numbers in device memory: those that are not null take the place of the host's. A launch that is captured in a graph
/// reads them anew at each replay.
struct DeviceSettings {
  const double* values = nullptr;  // OPTIMIZER_SETTINGS of them, then the step; where that is below 1 nothing is done
  const double* scales = nullptr;  // by the numbers of the parameters
  const double* decays = nullptr;
};

/// Lists of parameters and settings are the host's: they travel with the launches, some parameters with each.
template <class T>
void optimizer_step(OptimizerRule rule, int64_t count, const Parameter<T>* parameters, const OptimizerSettings& s,
                    const DeviceSettings& there, Stream stream);

/// squares: on the device.
template <class T>
void gradient_squares(int64_t count, const Parameter<T>* parameters, double* squares, Stream stream);

}  // namespace cuda
}  // namespace lamina
