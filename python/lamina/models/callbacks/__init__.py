"""Callbacks: what happens at the ends of batches and epochs."""

from lamina.models.callbacks.backup import BackupAndRestore as BackupAndRestore
from lamina.models.callbacks.base import HOOKS as HOOKS
from lamina.models.callbacks.base import Callback as Callback
from lamina.models.callbacks.base import CallbackList as CallbackList
from lamina.models.callbacks.common import CSVLogger as CSVLogger
from lamina.models.callbacks.common import LambdaCallback as LambdaCallback
from lamina.models.callbacks.common import LearningRateScheduler as LearningRateScheduler
from lamina.models.callbacks.common import SwapEMAWeights as SwapEMAWeights
from lamina.models.callbacks.common import TerminateOnNaN as TerminateOnNaN
from lamina.models.callbacks.history import History as History
from lamina.models.callbacks.monitors import EarlyStopping as EarlyStopping
from lamina.models.callbacks.monitors import ModelCheckpoint as ModelCheckpoint
from lamina.models.callbacks.monitors import ReduceLROnPlateau as ReduceLROnPlateau
