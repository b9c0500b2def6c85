"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.autograd import operators as _operators
from lamina.autograd import symbolic as _symbolic
from lamina.ops.adaptive_pool import adaptive_avg_pool1d as adaptive_avg_pool1d
from lamina.ops.adaptive_pool import adaptive_avg_pool2d as adaptive_avg_pool2d
from lamina.ops.adaptive_pool import adaptive_avg_pool3d as adaptive_avg_pool3d
from lamina.ops.adaptive_pool import adaptive_max_pool1d as adaptive_max_pool1d
from lamina.ops.adaptive_pool import adaptive_max_pool2d as adaptive_max_pool2d
from lamina.ops.adaptive_pool import adaptive_max_pool3d as adaptive_max_pool3d
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
from lamina.ops.attention import attention as attention
from lamina.ops.avg_pool import avg_pool1d as avg_pool1d
from lamina.ops.avg_pool import avg_pool2d as avg_pool2d
from lamina.ops.avg_pool import avg_pool3d as avg_pool3d
from lamina.ops.batch_norm import batch_norm as batch_norm
from lamina.ops.binary_loss import binary_cross_entropy_from_probabilities as binary_cross_entropy_from_probabilities
from lamina.ops.binary_loss import binary_focal_cross_entropy as binary_focal_cross_entropy
from lamina.ops.binary_loss import sigmoid_cross_entropy as sigmoid_cross_entropy
from lamina.ops.binary_loss import sigmoid_focal_cross_entropy as sigmoid_focal_cross_entropy
from lamina.ops.boxes import box_area as box_area
from lamina.ops.boxes import box_convert as box_convert
from lamina.ops.boxes import box_iou as box_iou
from lamina.ops.boxes import clip_boxes_to_image as clip_boxes_to_image
from lamina.ops.boxes import generalized_box_iou as generalized_box_iou
from lamina.ops.broadcast_to import broadcast_to as broadcast_to
from lamina.ops.circle_loss import circle_loss as circle_loss
from lamina.ops.circle_loss import generalized_cross_entropy as generalized_cross_entropy
from lamina.ops.comparison import equal as equal
from lamina.ops.comparison import greater as greater
from lamina.ops.comparison import greater_equal as greater_equal
from lamina.ops.comparison import isclose as isclose
from lamina.ops.comparison import isfinite as isfinite
from lamina.ops.comparison import isinf as isinf
from lamina.ops.comparison import isnan as isnan
from lamina.ops.comparison import less as less
from lamina.ops.comparison import less_equal as less_equal
from lamina.ops.comparison import not_equal as not_equal
from lamina.ops.contraction import cross as cross
from lamina.ops.contraction import dot as dot
from lamina.ops.contraction import inner as inner
from lamina.ops.contraction import outer as outer
from lamina.ops.contraction import tensordot as tensordot
from lamina.ops.contraction import vdot as vdot
from lamina.ops.conv1d import conv1d as conv1d
from lamina.ops.conv2d import conv2d as conv2d
from lamina.ops.conv3d import conv3d as conv3d
from lamina.ops.conv_transpose import conv1d_transpose as conv1d_transpose
from lamina.ops.conv_transpose import conv2d_transpose as conv2d_transpose
from lamina.ops.conv_transpose import conv3d_transpose as conv3d_transpose
from lamina.ops.conversion import convert_to_numpy as convert_to_numpy
from lamina.ops.conversion import convert_to_tensor as convert_to_tensor
from lamina.ops.conversion import stop_gradient as stop_gradient
from lamina.ops.cosine_similarity_loss import cosine_similarity_loss as cosine_similarity_loss
from lamina.ops.counting import all as all
from lamina.ops.counting import any as any
from lamina.ops.counting import argmax as argmax
from lamina.ops.counting import argmin as argmin
from lamina.ops.counting import count_nonzero as count_nonzero
from lamina.ops.creation import arange as arange
from lamina.ops.creation import eye as eye
from lamina.ops.creation import full as full
from lamina.ops.creation import full_like as full_like
from lamina.ops.creation import identity as identity
from lamina.ops.creation import linspace as linspace
from lamina.ops.creation import meshgrid as meshgrid
from lamina.ops.creation import ones as ones
from lamina.ops.creation import ones_like as ones_like
from lamina.ops.creation import zeros as zeros
from lamina.ops.creation import zeros_like as zeros_like
from lamina.ops.ctc_decode import ctc_decode as ctc_decode
from lamina.ops.ctc_loss import ctc_loss as ctc_loss
from lamina.ops.dense import dense as dense
from lamina.ops.depthwise_conv import depthwise_conv1d as depthwise_conv1d
from lamina.ops.depthwise_conv import depthwise_conv2d as depthwise_conv2d
from lamina.ops.divergence_loss import kl_divergence_loss as kl_divergence_loss
from lamina.ops.divergence_loss import poisson_loss as poisson_loss
from lamina.ops.dropout import dropout as dropout
from lamina.ops.einsum import einsum as einsum
from lamina.ops.elementary import binary_step as binary_step
from lamina.ops.elementary import erf as erf
from lamina.ops.elementary import exp as exp
from lamina.ops.elementary import expm1 as expm1
from lamina.ops.elementary import log as log
from lamina.ops.elementary import log1p as log1p
from lamina.ops.elementary import rsqrt as rsqrt
from lamina.ops.elementary import sigmoid as sigmoid
from lamina.ops.elementary import sqrt as sqrt
from lamina.ops.elementary import tanh as tanh
from lamina.ops.embedding import embedding as embedding
from lamina.ops.focal_cross_entropy import categorical_focal_cross_entropy as categorical_focal_cross_entropy
from lamina.ops.focal_cross_entropy import softmax_focal_cross_entropy as softmax_focal_cross_entropy
from lamina.ops.gather import put_along_axis as put_along_axis
from lamina.ops.gather import take as take
from lamina.ops.gather import take_along_axis as take_along_axis
from lamina.ops.global_pool import global_avg_pool as global_avg_pool
from lamina.ops.global_pool import global_max_pool as global_max_pool
from lamina.ops.glu import glu as glu
from lamina.ops.grid_sample import affine_grid as affine_grid
from lamina.ops.grid_sample import grid_sample as grid_sample
from lamina.ops.group_norm import group_norm as group_norm
from lamina.ops.group_norm import instance_norm as instance_norm
from lamina.ops.gru import bidirectional_gru as bidirectional_gru
from lamina.ops.gru import gru as gru
from lamina.ops.hard_activations import hard_shrink as hard_shrink
from lamina.ops.hard_activations import hard_sigmoid as hard_sigmoid
from lamina.ops.hard_activations import hard_silu as hard_silu
from lamina.ops.hard_activations import hard_swish as hard_swish
from lamina.ops.hard_activations import hard_tanh as hard_tanh
from lamina.ops.hard_activations import soft_shrink as soft_shrink
from lamina.ops.hard_activations import sparse_plus as sparse_plus
from lamina.ops.hard_activations import sparse_sigmoid as sparse_sigmoid
from lamina.ops.hard_activations import threshold as threshold
from lamina.ops.hinge_loss import categorical_hinge_loss as categorical_hinge_loss
from lamina.ops.hinge_loss import hinge_loss as hinge_loss
from lamina.ops.hinge_loss import squared_hinge_loss as squared_hinge_loss
from lamina.ops.image import crop_images as crop_images
from lamina.ops.image import pad_images as pad_images
from lamina.ops.image import rgb_to_grayscale as rgb_to_grayscale
from lamina.ops.indexing import getitem as getitem
from lamina.ops.joining import concatenate as concatenate
from lamina.ops.joining import split as split
from lamina.ops.joining import stack as stack
from lamina.ops.joining import unstack as unstack
from lamina.ops.local_response_norm import local_response_norm as local_response_norm
from lamina.ops.locally_connected import locally_connected1d as locally_connected1d
from lamina.ops.locally_connected import locally_connected2d as locally_connected2d
from lamina.ops.logic import bitwise_and as bitwise_and
from lamina.ops.logic import bitwise_not as bitwise_not
from lamina.ops.logic import bitwise_or as bitwise_or
from lamina.ops.logic import bitwise_xor as bitwise_xor
from lamina.ops.logic import logical_and as logical_and
from lamina.ops.logic import logical_not as logical_not
from lamina.ops.logic import logical_or as logical_or
from lamina.ops.logic import logical_xor as logical_xor
from lamina.ops.lp_pool import lp_pool1d as lp_pool1d
from lamina.ops.lp_pool import lp_pool2d as lp_pool2d
from lamina.ops.lp_pool import lp_pool3d as lp_pool3d
from lamina.ops.lstm import bidirectional_lstm as bidirectional_lstm
from lamina.ops.lstm import lstm as lstm
from lamina.ops.matmul import matmul as matmul
from lamina.ops.matrices import diag as diag
from lamina.ops.matrices import diagonal as diagonal
from lamina.ops.matrices import trace as trace
from lamina.ops.matrices import tril as tril
from lamina.ops.matrices import triu as triu
from lamina.ops.max_pool import max_pool1d as max_pool1d
from lamina.ops.max_pool import max_pool2d as max_pool2d
from lamina.ops.max_pool import max_pool3d as max_pool3d
from lamina.ops.max_unpool import max_unpool1d as max_unpool1d
from lamina.ops.max_unpool import max_unpool2d as max_unpool2d
from lamina.ops.max_unpool import max_unpool3d as max_unpool3d
from lamina.ops.metadata import copy as copy
from lamina.ops.metadata import dtype as dtype
from lamina.ops.metadata import is_tensor as is_tensor
from lamina.ops.metadata import ndim as ndim
from lamina.ops.metadata import shape as shape
from lamina.ops.metadata import size as size
from lamina.ops.nms import nms as nms
from lamina.ops.noise import alpha_dropout as alpha_dropout
from lamina.ops.noise import gaussian_dropout as gaussian_dropout
from lamina.ops.noise import gaussian_noise as gaussian_noise
from lamina.ops.normal_draw import normal_draw as normal_draw
from lamina.ops.norms import logsumexp as logsumexp
from lamina.ops.norms import norm as norm
from lamina.ops.one_hot import multi_hot as multi_hot
from lamina.ops.one_hot import one_hot as one_hot
from lamina.ops.overlap_loss import dice_loss as dice_loss
from lamina.ops.overlap_loss import tversky_loss as tversky_loss
from lamina.ops.pad import pad as pad
from lamina.ops.pixel_shuffle import depth_to_space as depth_to_space
from lamina.ops.pixel_shuffle import pixel_shuffle as pixel_shuffle
from lamina.ops.pixel_shuffle import pixel_unshuffle as pixel_unshuffle
from lamina.ops.pixel_shuffle import space_to_depth as space_to_depth
from lamina.ops.positions import rotary_embedding as rotary_embedding
from lamina.ops.positions import sine_positions as sine_positions
from lamina.ops.power import power as power
from lamina.ops.prelu import prelu as prelu
from lamina.ops.products import cumprod as cumprod
from lamina.ops.products import cumsum as cumsum
from lamina.ops.products import prod as prod
from lamina.ops.rearranging import flip as flip
from lamina.ops.rearranging import roll as roll
from lamina.ops.rearranging import rot90 as rot90
from lamina.ops.rectifiers import celu as celu
from lamina.ops.rectifiers import elu as elu
from lamina.ops.rectifiers import leaky_relu as leaky_relu
from lamina.ops.rectifiers import relu6 as relu6
from lamina.ops.rectifiers import selu as selu
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
from lamina.ops.repeating import repeat as repeat
from lamina.ops.repeating import tile as tile
from lamina.ops.resize import resize as resize
from lamina.ops.roi_align import roi_align as roi_align
from lamina.ops.rounding import ceil as ceil
from lamina.ops.rounding import floor as floor
from lamina.ops.rounding import floor_divide as floor_divide
from lamina.ops.rounding import mod as mod
from lamina.ops.rounding import reciprocal as reciprocal
from lamina.ops.rounding import round as round
from lamina.ops.rounding import sign as sign
from lamina.ops.rounding import trunc as trunc
from lamina.ops.row_norm import layer_norm as layer_norm
from lamina.ops.row_norm import rms_norm as rms_norm
from lamina.ops.row_norm import unit_norm as unit_norm
from lamina.ops.scatter import scatter as scatter
from lamina.ops.scatter import scatter_add as scatter_add
from lamina.ops.scatter import scatter_update as scatter_update
from lamina.ops.selection import cast as cast
from lamina.ops.selection import clip as clip
from lamina.ops.selection import convert as _convert
from lamina.ops.selection import nonzero as nonzero
from lamina.ops.selection import select as select
from lamina.ops.selection import where as where
from lamina.ops.separable_conv import separable_conv1d as separable_conv1d
from lamina.ops.separable_conv import separable_conv2d as separable_conv2d
from lamina.ops.shapes import expand_dims as expand_dims
from lamina.ops.shapes import flatten as flatten
from lamina.ops.shapes import moveaxis as moveaxis
from lamina.ops.shapes import reshape as reshape
from lamina.ops.shapes import squeeze as squeeze
from lamina.ops.shapes import swapaxes as swapaxes
from lamina.ops.shapes import transpose as transpose
from lamina.ops.simple_rnn import bidirectional_simple_rnn as bidirectional_simple_rnn
from lamina.ops.simple_rnn import simple_rnn as simple_rnn
from lamina.ops.smooth_activations import gelu as gelu
from lamina.ops.smooth_activations import log_sigmoid as log_sigmoid
from lamina.ops.smooth_activations import mish as mish
from lamina.ops.smooth_activations import silu as silu
from lamina.ops.smooth_activations import softplus as softplus
from lamina.ops.smooth_activations import softsign as softsign
from lamina.ops.smooth_activations import squareplus as squareplus
from lamina.ops.smooth_activations import swish as swish
from lamina.ops.smooth_activations import tanh_shrink as tanh_shrink
from lamina.ops.softmax import log_softmax as log_softmax
from lamina.ops.softmax import softmax as softmax
from lamina.ops.softmax_cross_entropy import cross_entropy_from_probabilities as cross_entropy_from_probabilities
from lamina.ops.softmax_cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from lamina.ops.sorting import argsort as argsort
from lamina.ops.sorting import bincount as bincount
from lamina.ops.sorting import histogram as histogram
from lamina.ops.sorting import searchsorted as searchsorted
from lamina.ops.sorting import sort as sort
from lamina.ops.sorting import top_k as top_k
from lamina.ops.sorting import unique as unique
from lamina.ops.sparsemax import sparsemax as sparsemax
from lamina.ops.transcendental import arccos as arccos
from lamina.ops.transcendental import arccosh as arccosh
from lamina.ops.transcendental import arcsin as arcsin
from lamina.ops.transcendental import arcsinh as arcsinh
from lamina.ops.transcendental import arctan as arctan
from lamina.ops.transcendental import arctanh as arctanh
from lamina.ops.transcendental import cos as cos
from lamina.ops.transcendental import cosh as cosh
from lamina.ops.transcendental import log2 as log2
from lamina.ops.transcendental import log10 as log10
from lamina.ops.transcendental import sin as sin
from lamina.ops.transcendental import sinh as sinh
from lamina.ops.transcendental import tan as tan
from lamina.ops.transfer import to as to
from lamina.ops.triplet_loss import triplet_margin_loss as triplet_margin_loss
from lamina.ops.triplet_loss import triplet_mining_loss as triplet_mining_loss
from lamina.ops.two_numbers import arctan2 as arctan2
from lamina.ops.two_numbers import hypot as hypot
from lamina.ops.two_numbers import logaddexp as logaddexp
from lamina.ops.unfold import extract_patches as extract_patches
from lamina.ops.unfold import fold as fold
from lamina.ops.unfold import unfold as unfold

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
    convert=_convert,
    equal=equal,
    not_equal=not_equal,
    less=less,
    less_equal=less_equal,
    greater=greater,
    greater_equal=greater_equal,
    mod=mod,
    floor_divide=floor_divide,
    bitwise_and=bitwise_and,
    bitwise_or=bitwise_or,
    bitwise_xor=bitwise_xor,
    bitwise_not=bitwise_not,
    abs=abs,
    to=to,
)
