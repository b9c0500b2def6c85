"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.ops.elementary import binary_step as binary_step
from lamina.ops.elementary import erf as erf
from lamina.ops.elementary import exp as exp
from lamina.ops.elementary import expm1 as expm1
from lamina.ops.elementary import log as log
from lamina.ops.elementary import log1p as log1p
from lamina.ops.elementary import sigmoid as sigmoid
from lamina.ops.elementary import sqrt as sqrt
from lamina.ops.elementary import tanh as tanh
from lamina.ops.relu import relu as relu
from lamina.ops.softmax import softmax as softmax
