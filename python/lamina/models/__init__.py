"""Models: layers that are trained, saved and loaded; callbacks."""

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
from lamina.models.cloning import clone_model as clone_model
from lamina.models.folding import fold_batch_norm as fold_batch_norm
from lamina.models.model import Model as Model
from lamina.models.plotting import plot_model as plot_model
from lamina.models.saving import load_model as load_model
from lamina.models.saving import model_from_json as model_from_json
from lamina.models.saving import save_model as save_model
from lamina.models.sequential import Sequential as Sequential
