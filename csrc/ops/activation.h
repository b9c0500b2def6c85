// The activations that products and convolutions apply to their outputs before these leave the registers or L1.
#pragma once

namespace lamina {

/// What follows the bias: y = activation(sum + bias). Python passes the number.
enum class Activation : int { linear = 0, relu = 1, sigmoid = 2, tanh = 3 };

}  // namespace lamina
