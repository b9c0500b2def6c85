"""Layers: functions with weights, with Keras's names, arguments and order of weights."""

from lamina.layers.conv import Conv2D as Conv2D
from lamina.layers.core import Activation as Activation
from lamina.layers.core import Dense as Dense
from lamina.layers.core import Dropout as Dropout
from lamina.layers.core import Flatten as Flatten
from lamina.layers.core import Input as Input
from lamina.layers.core import InputLayer as InputLayer
from lamina.layers.core import Reshape as Reshape
from lamina.layers.layer import Layer as Layer
from lamina.layers.normalization import BatchNormalization as BatchNormalization
from lamina.layers.normalization_sample import GroupNormalization as GroupNormalization
from lamina.layers.normalization_sample import LayerNormalization as LayerNormalization
from lamina.layers.normalization_sample import RMSNormalization as RMSNormalization
from lamina.layers.normalization_sample import UnitNormalization as UnitNormalization
from lamina.layers.normalization_spectral import SpectralNormalization as SpectralNormalization
from lamina.layers.pooling import AveragePooling2D as AveragePooling2D
from lamina.layers.pooling import AvgPool2D as AvgPool2D
from lamina.layers.pooling import MaxPool2D as MaxPool2D
from lamina.layers.pooling import MaxPooling2D as MaxPooling2D
