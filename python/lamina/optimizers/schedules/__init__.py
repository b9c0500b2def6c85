"""Schedules: learning rates that change as training goes on. An optimizer takes one as its ``learning_rate``."""

from __future__ import annotations

from lamina.optimizers.schedules.cosine import CosineDecay as CosineDecay
from lamina.optimizers.schedules.cosine import CosineDecayRestarts as CosineDecayRestarts
from lamina.optimizers.schedules.decay import ExponentialDecay as ExponentialDecay
from lamina.optimizers.schedules.decay import InverseTimeDecay as InverseTimeDecay
from lamina.optimizers.schedules.decay import PiecewiseConstantDecay as PiecewiseConstantDecay
from lamina.optimizers.schedules.decay import PolynomialDecay as PolynomialDecay
from lamina.optimizers.schedules.decay import StepDecay as StepDecay
from lamina.optimizers.schedules.inverse_square_root import InverseSquareRoot as InverseSquareRoot
from lamina.optimizers.schedules.schedule import LearningRateSchedule as LearningRateSchedule
from lamina.optimizers.schedules.schedule import deserialize as deserialize
from lamina.optimizers.schedules.schedule import serialize as serialize
from lamina.optimizers.schedules.warmup import LinearWarmup as LinearWarmup
