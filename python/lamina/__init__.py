"""Lamina: deep learning in a thin Python layer over compiled kernels."""

from typing import TYPE_CHECKING

from lamina import activations as activations
from lamina import callbacks as callbacks
from lamina import constraints as constraints
from lamina import data as data
from lamina import dtype_policies as dtype_policies
from lamina import initializers as initializers
from lamina import later
from lamina import layers as layers
from lamina import losses as losses
from lamina import metrics as metrics
from lamina import mixed_precision as mixed_precision
from lamina import models as models
from lamina import ops as ops
from lamina import optimizers as optimizers
from lamina import random as random
from lamina import regularizers as regularizers
from lamina import saving as saving
from lamina import utils as utils
from lamina.autograd.grad_check import grad_check as grad_check
from lamina.autograd.gradients import grad as grad
from lamina.autograd.tape import enable_grad as enable_grad
from lamina.autograd.tape import no_grad as no_grad
from lamina.autograd.tensor import Tensor as Tensor
from lamina.autograd.tensor import from_dlpack as from_dlpack
from lamina.autograd.tensor import tensor as tensor
from lamina.autograd.variable import Variable as Variable
from lamina.backend import device as device
from lamina.backend import isa as isa
from lamina.backend import num_threads as num_threads
from lamina.backend import set_isa as set_isa
from lamina.backend import set_num_threads as set_num_threads
from lamina.capture import cuda_graph as cuda_graph
from lamina.dtype_policies import DTypePolicy as DTypePolicy
from lamina.dtype_policies import dtype_policy as dtype_policy
from lamina.dtype_policies import set_dtype_policy as set_dtype_policy
from lamina.layers import Input as Input
from lamina.models import Model as Model
from lamina.models import Sequential as Sequential
from lamina.ops.conv2d import convolution as convolution
from lamina.ops.conv2d import set_convolution as set_convolution
from lamina.random import set_seed as set_seed

if TYPE_CHECKING:
    from lamina import applications as applications

__version__ = "0.1.0"

__getattr__, __dir__ = later.names(__name__)
