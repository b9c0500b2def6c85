"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.autograd import operators as _operators
from lamina.ops.affine_transform import affine_transform as affine_transform
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
from lamina.ops.conv2d import conv2d as conv2d
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
from lamina.ops.grid_sample import affine_grid as affine_grid
from lamina.ops.grid_sample import grid_sample as grid_sample
from lamina.ops.image import crop_images as crop_images
from lamina.ops.image import pad_images as pad_images
from lamina.ops.image import rgb_to_grayscale as rgb_to_grayscale
from lamina.ops.indexing import getitem as getitem
from lamina.ops.joining import concatenate as concatenate
from lamina.ops.joining import split as split
from lamina.ops.joining import stack as stack
from lamina.ops.joining import unstack as unstack
from lamina.ops.matmul import matmul as matmul
from lamina.ops.max_pool2d import max_pool2d as max_pool2d
from lamina.ops.noise import alpha_dropout as alpha_dropout
from lamina.ops.noise import gaussian_dropout as gaussian_dropout
from lamina.ops.noise import gaussian_noise as gaussian_noise
from lamina.ops.pad import pad as pad
from lamina.ops.pixel_shuffle import depth_to_space as depth_to_space
from lamina.ops.pixel_shuffle import pixel_shuffle as pixel_shuffle
from lamina.ops.pixel_shuffle import pixel_unshuffle as pixel_unshuffle
from lamina.ops.pixel_shuffle import space_to_depth as space_to_depth
from lamina.ops.pointwise_loss import binary_cross_entropy_from_probabilities as binary_cross_entropy_from_probabilities
from lamina.ops.pointwise_loss import mean_absolute_error as mean_absolute_error
from lamina.ops.pointwise_loss import mean_squared_error as mean_squared_error
from lamina.ops.pointwise_loss import sigmoid_cross_entropy as sigmoid_cross_entropy
from lamina.ops.power import power as power
from lamina.ops.rearranging import flip as flip
from lamina.ops.rearranging import roll as roll
from lamina.ops.rearranging import rot90 as rot90
from lamina.ops.reductions import max as max
from lamina.ops.reductions import mean as mean
from lamina.ops.reductions import min as min
from lamina.ops.reductions import std as std
from lamina.ops.reductions import sum as sum
from lamina.ops.reductions import var as var
from lamina.ops.relu import relu as relu
from lamina.ops.repeating import broadcast_to as broadcast_to
from lamina.ops.repeating import repeat as repeat
from lamina.ops.repeating import tile as tile
from lamina.ops.resize import resize as resize
from lamina.ops.selection import cast as cast
from lamina.ops.selection import where as where
from lamina.ops.shapes import expand_dims as expand_dims
from lamina.ops.shapes import flatten as flatten
from lamina.ops.shapes import moveaxis as moveaxis
from lamina.ops.shapes import reshape as reshape
from lamina.ops.shapes import squeeze as squeeze
from lamina.ops.shapes import swapaxes as swapaxes
from lamina.ops.shapes import transpose as transpose
from lamina.ops.softmax import softmax as softmax
from lamina.ops.softmax_cross_entropy import cross_entropy_from_probabilities as cross_entropy_from_probabilities
from lamina.ops.softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from lamina.ops.unfold import extract_patches as extract_patches
from lamina.ops.unfold import fold as fold
from lamina.ops.unfold import unfold as unfold

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
