"""Models: layers that are trained, saved and loaded; callbacks."""

from lamina.models.callbacks import Callback as Callback
from lamina.models.callbacks import EarlyStopping as EarlyStopping
from lamina.models.callbacks import History as History
from lamina.models.callbacks import LambdaCallback as LambdaCallback
from lamina.models.callbacks import ModelCheckpoint as ModelCheckpoint
from lamina.models.callbacks import TerminateOnNaN as TerminateOnNaN
from lamina.models.model import Model as Model
from lamina.models.saving import load_model as load_model
from lamina.models.sequential import Sequential as Sequential
