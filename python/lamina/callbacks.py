"""Callbacks under the short name: those of `lamina.models.callbacks`, where they are documented."""

from lamina.models.callbacks import BackupAndRestore as BackupAndRestore
from lamina.models.callbacks import Callback as Callback
from lamina.models.callbacks import CallbackList as CallbackList
from lamina.models.callbacks import CSVLogger as CSVLogger
from lamina.models.callbacks import EarlyStopping as EarlyStopping
from lamina.models.callbacks import History as History
from lamina.models.callbacks import LambdaCallback as LambdaCallback
from lamina.models.callbacks import LearningRateScheduler as LearningRateScheduler
from lamina.models.callbacks import ModelCheckpoint as ModelCheckpoint
from lamina.models.callbacks import ReduceLROnPlateau as ReduceLROnPlateau
from lamina.models.callbacks import SwapEMAWeights as SwapEMAWeights
from lamina.models.callbacks import TerminateOnNaN as TerminateOnNaN
