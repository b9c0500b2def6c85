"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.autograd import operators as _operators
from lamina.autograd import symbolic as _symbolic
from lamina.ops.arithmetic import abs as abs
from lamina.ops.arithmetic import add as add
from lamina.ops.arithmetic import divide as divide
from lamina.ops.arithmetic import maximum as maximum
from lamina.ops.arithmetic import minimum as minimum
from lamina.ops.arithmetic import multiply as multiply
from lamina.ops.arithmetic import negative as negative
from lamina.ops.arithmetic import square as square
from lamina.ops.arithmetic import subtract as subtract
from lamina.ops.avg_pool2d import avg_pool2d as avg_pool2d
from lamina.ops.batch_norm import batch_norm as batch_norm
from lamina.ops.binary_loss import binary_cross_entropy_from_probabilities as binary_cross_entropy_from_probabilities
from lamina.ops.binary_loss import binary_focal_cross_entropy as binary_focal_cross_entropy
from lamina.ops.binary_loss import sigmoid_cross_entropy as sigmoid_cross_entropy
from lamina.ops.binary_loss import sigmoid_focal_cross_entropy as sigmoid_focal_cross_entropy
from lamina.ops.circle_loss import circle_loss as circle_loss
from lamina.ops.circle_loss import generalized_cross_entropy as generalized_cross_entropy
from lamina.ops.conv2d import conv2d as conv2d
from lamina.ops.cosine_similarity_loss import cosine_similarity_loss as cosine_similarity_loss
from lamina.ops.dense import dense as dense
from lamina.ops.divergence_loss import kl_divergence_loss as kl_divergence_loss
from lamina.ops.divergence_loss import poisson_loss as poisson_loss
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
from lamina.ops.group_norm import group_norm as group_norm
from lamina.ops.group_norm import instance_norm as instance_norm
from lamina.ops.focal_cross_entropy import categorical_focal_cross_entropy as categorical_focal_cross_entropy
from lamina.ops.focal_cross_entropy import softmax_focal_cross_entropy as softmax_focal_cross_entropy
from lamina.ops.hinge_loss import categorical_hinge_loss as categorical_hinge_loss
from lamina.ops.hinge_loss import hinge_loss as hinge_loss
from lamina.ops.hinge_loss import squared_hinge_loss as squared_hinge_loss
from lamina.ops.indexing import getitem as getitem
from lamina.ops.local_response_norm import local_response_norm as local_response_norm
from lamina.ops.matmul import matmul as matmul
from lamina.ops.max_pool2d import max_pool2d as max_pool2d
from lamina.ops.overlap_loss import dice_loss as dice_loss
from lamina.ops.overlap_loss import tversky_loss as tversky_loss
from lamina.ops.power import power as power
from lamina.ops.reductions import max as max
from lamina.ops.reductions import mean as mean
from lamina.ops.reductions import min as min
from lamina.ops.reductions import std as std
from lamina.ops.reductions import sum as sum
from lamina.ops.reductions import var as var
from lamina.ops.regression_loss import huber_loss as huber_loss
from lamina.ops.regression_loss import log_cosh_loss as log_cosh_loss
from lamina.ops.regression_loss import mean_absolute_error as mean_absolute_error
from lamina.ops.regression_loss import mean_absolute_percentage_error as mean_absolute_percentage_error
from lamina.ops.regression_loss import mean_squared_error as mean_squared_error
from lamina.ops.regression_loss import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from lamina.ops.relu import relu as relu
from lamina.ops.row_norm import layer_norm as layer_norm
from lamina.ops.row_norm import rms_norm as rms_norm
from lamina.ops.row_norm import unit_norm as unit_norm
from lamina.ops.selection import cast as cast
from lamina.ops.selection import where as where
from lamina.ops.shapes import concatenate as concatenate
from lamina.ops.shapes import expand_dims as expand_dims
from lamina.ops.shapes import flatten as flatten
from lamina.ops.shapes import reshape as reshape
from lamina.ops.shapes import split as split
from lamina.ops.shapes import squeeze as squeeze
from lamina.ops.shapes import stack as stack
from lamina.ops.shapes import transpose as transpose
from lamina.ops.softmax import softmax as softmax
from lamina.ops.softmax_cross_entropy import cross_entropy_from_probabilities as cross_entropy_from_probabilities
from lamina.ops.softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from lamina.ops.triplet_loss import triplet_margin_loss as triplet_margin_loss
from lamina.ops.triplet_loss import triplet_mining_loss as triplet_mining_loss

_symbolic.accept(globals())  # all of the above; lamina.layers.Input gives such tensors

_operators.bind(
    add=add,
    subtract=subtract,
    multiply=multiply,
    divide=divide,
    power=power,
    negative=negative,
    matmul=matmul,
    getitem=getitem,
    sum=sum,
    mean=mean,
    max=max,
    min=min,
    reshape=reshape,
    transpose=transpose,
    cast=cast,
)
