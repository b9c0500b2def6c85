"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.ops.avg_pool2d import avg_pool2d as avg_pool2d
from lamina.ops.dense import dense as dense
from lamina.ops.dropout import dropout as dropout
from lamina.ops.elementary import binary_step as binary_step
from lamina.ops.elementary import erf as erf
from lamina.ops.elementary import exp as exp
from lamina.ops.elementary import expm1 as expm1
from lamina.ops.elementary import log as log
from lamina.ops.elementary import log1p as log1p
from lamina.ops.elementary import sigmoid as sigmoid
from lamina.ops.elementary import sqrt as sqrt
from lamina.ops.elementary import tanh as tanh
from lamina.ops.max_pool2d import max_pool2d as max_pool2d
from lamina.ops.pointwise_loss import binary_cross_entropy_from_probabilities as binary_cross_entropy_from_probabilities
from lamina.ops.pointwise_loss import mean_absolute_error as mean_absolute_error
from lamina.ops.pointwise_loss import mean_squared_error as mean_squared_error
from lamina.ops.pointwise_loss import sigmoid_cross_entropy as sigmoid_cross_entropy
from lamina.ops.relu import relu as relu
from lamina.ops.softmax import softmax as softmax
from lamina.ops.softmax_cross_entropy import cross_entropy_from_probabilities as cross_entropy_from_probabilities
from lamina.ops.softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
