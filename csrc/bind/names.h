// What the modules for the CPU and for CUDA call the members of a family: one list, so that they offer the same.
#pragma once
#include "ops/arithmetic.h"
#include "ops/comparison.h"
#include "ops/elementary.h"
#include "ops/optimizer.h"
#include "ops/pointwise_loss.h"
#include "ops/transcendental.h"

namespace lamina::bind {

template <class Kind>
struct Named {
  const char* name;
  Kind kind;
};

constexpr Named<Arithmetic> ARITHMETIC[] = {
    {"add", Arithmetic::add},       {"subtract", Arithmetic::subtract}, {"multiply", Arithmetic::multiply},
    {"divide", Arithmetic::divide}, {"maximum", Arithmetic::maximum},   {"minimum", Arithmetic::minimum},
};

constexpr Named<Comparison> COMPARISONS[] = {
    {"equal", Comparison::equal},
    {"not_equal", Comparison::not_equal},
    {"less", Comparison::less},
    {"less_equal", Comparison::less_equal},
    {"magnitude_equal", Comparison::magnitude_equal},
    {"magnitude_less", Comparison::magnitude_less},
    {"logical_and", Comparison::logical_and},
    {"logical_or", Comparison::logical_or},
    {"logical_xor", Comparison::logical_xor},
};

constexpr Named<ElementaryFunction> ELEMENTARY_FUNCTIONS[] = {
    {"exp", ElementaryFunction::exp},   {"expm1", ElementaryFunction::expm1},
    {"log", ElementaryFunction::log},   {"log1p", ElementaryFunction::log1p},
    {"sqrt", ElementaryFunction::sqrt}, {"rsqrt", ElementaryFunction::rsqrt},
    {"erf", ElementaryFunction::erf},   {"sigmoid", ElementaryFunction::sigmoid},
    {"tanh", ElementaryFunction::tanh}, {"binary_step", ElementaryFunction::binary_step},
};

constexpr Named<TranscendentalFunction> TRANSCENDENTAL_FUNCTIONS[] = {
    {"sin", TranscendentalFunction::sin},         {"cos", TranscendentalFunction::cos},
    {"tan", TranscendentalFunction::tan},         {"arcsin", TranscendentalFunction::arcsin},
    {"arccos", TranscendentalFunction::arccos},   {"arctan", TranscendentalFunction::arctan},
    {"sinh", TranscendentalFunction::sinh},       {"cosh", TranscendentalFunction::cosh},
    {"arcsinh", TranscendentalFunction::arcsinh}, {"arccosh", TranscendentalFunction::arccosh},
    {"arctanh", TranscendentalFunction::arctanh}, {"log2", TranscendentalFunction::log2},
    {"log10", TranscendentalFunction::log10},
};

constexpr Named<TranscendentalPair> TRANSCENDENTAL_PAIRS[] = {
    {"arctan2", TranscendentalPair::arctan2},
    {"hypot", TranscendentalPair::hypot},
    {"logaddexp", TranscendentalPair::logaddexp},
    {"power", TranscendentalPair::power},
};

constexpr Named<PointwiseLoss> POINTWISE_LOSSES[] = {
    {"sigmoid_cross_entropy", PointwiseLoss::sigmoid_cross_entropy},
    {"binary_cross_entropy_from_probabilities", PointwiseLoss::binary_cross_entropy},
    {"sigmoid_focal_cross_entropy", PointwiseLoss::sigmoid_focal},
    {"binary_focal_cross_entropy", PointwiseLoss::binary_focal},
    {"mean_squared_error", PointwiseLoss::squared_error},
    {"mean_absolute_error", PointwiseLoss::absolute_error},
    {"mean_absolute_percentage_error", PointwiseLoss::absolute_percentage_error},
    {"mean_squared_logarithmic_error", PointwiseLoss::squared_logarithmic_error},
    {"huber_loss", PointwiseLoss::huber},
    {"log_cosh_loss", PointwiseLoss::log_cosh},
    {"kl_divergence_loss", PointwiseLoss::kl_divergence},
    {"poisson_loss", PointwiseLoss::poisson},
    {"hinge_loss", PointwiseLoss::hinge},
    {"squared_hinge_loss", PointwiseLoss::squared_hinge},
};

/// How many slots a rule must have, and what it is called here: name_step.
struct NamedRule {
  OptimizerRule rule;
  const char* name;
  int needed;
};
constexpr NamedRule OPTIMIZER_RULES[] = {
    {OptimizerRule::sgd, "sgd_step", 0},           {OptimizerRule::rmsprop, "rmsprop_step", 1},
    {OptimizerRule::adam, "adam_step", 2},         {OptimizerRule::adagrad, "adagrad_step", 1},
    {OptimizerRule::adadelta, "adadelta_step", 2}, {OptimizerRule::adamax, "adamax_step", 2},
    {OptimizerRule::nadam, "nadam_step", 2},       {OptimizerRule::ftrl, "ftrl_step", 2},
    {OptimizerRule::lion, "lion_step", 1},         {OptimizerRule::lamb, "lamb_step", 2},
};

}  // namespace lamina::bind
