"""Floats of 16 bits, float16 and bfloat16: stored so, computed in float32.

An op of `lamina.ops` that is given some runs in float32, and what it gives is rounded to nearest, ties to even, to the
16 bits that it was given: once, however many steps the op is made of. Gradients are rounded where they leave it. So
every op takes them, with the same bits for any number of threads and on every instruction set. On a GPU the ops in
`NATIVE` run as they are, in kernels that read and write 16 bits and compute in float32, where the module has those.

float32 wins beside 16 bits, and so do float16 and bfloat16 together; numbers and arrays without axes follow. Inside
layers of a mixed policy weights are rounded to the dtype that the layer computes in, wherever an op meets them.

Nothing of this is looked for before a program asks for 16 bits: `backend.narrow`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.structures import leaves_of, map_leaves
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable

Call = Callable[..., Any]


class _Scope(threading.local):
    autocast: np.dtype[Any] | None = None  # what weights are rounded to where an op meets them: inside layers


scope = _Scope()

# Ops that move values, whatever they are.
MOVES = frozenset({
    "convert_to_tensor", "copy", "expand_dims", "flatten", "moveaxis", "reshape", "squeeze", "stop_gradient",
    "swapaxes", "transpose",
})  # fmt: skip

# Ops that tell of tensors, or make the dtype that they are asked for.
AS_THEY_ARE = frozenset({
    "cast", "convert_to_numpy", "dtype", "full_like", "is_tensor", "ndim", "ones_like", "shape", "size", "to",
    "zeros_like",
})  # fmt: skip

# Ops with weights that stay in float32: statistics that they update, tables of which they read little.
WITH_WEIGHTS = frozenset({
    "batch_norm", "embedding", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm",
})  # fmt: skip

_CONVOLUTION = ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_kernel", "bias_backward")
_FUNCTION = ("activation_function_forward", "activation_function_backward")
_ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "reduce_sum")
_RECURRENT = ("recurrent_forward", "recurrent_backward")

# Ops that run on 16 bits as they are on a GPU whose module has these kernels for them.
NATIVE: dict[str, tuple[str, ...]] = {
    "dense": ("gemm", "bias_backward"),
    "matmul": ("gemm", "gemm_batched", "reduce_sum"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d"), _CONVOLUTION),
    **dict.fromkeys(("conv1d_transpose", "conv2d_transpose", "conv3d_transpose"), _CONVOLUTION),
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _ARITHMETIC),
    **{
        name: (f"{name}_forward", f"{name}_backward")
        for name in ("erf", "exp", "expm1", "log", "log1p", "relu", "rsqrt", "sigmoid", "sqrt", "tanh")
    },
    **dict.fromkeys(
        (
            "celu", "elu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid",
            "mish", "relu6", "selu", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
            "squareplus", "tanh_shrink", "threshold",
        ),
        _FUNCTION,
    ),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), ("max_pool_forward", "max_pool_backward")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), ("avg_pool_forward", "avg_pool_backward")),
    **dict.fromkeys(("softmax", "log_softmax"), ("softmax_forward", "softmax_backward")),
    **dict.fromkeys(("concatenate", "stack"), ("copy_columns", "copy_parts")),
    **dict.fromkeys(("rms_norm", "unit_norm"), ("row_norm_forward", "row_norm_backward")),
    **dict.fromkeys(("group_norm", "instance_norm"), ("group_norm_forward", "group_norm_backward")),
    "batch_norm": ("batch_norm_forward", "batch_norm_backward"),
    "layer_norm": ("row_norm_forward", "row_norm_backward"),
    "dropout": ("dropout",),
    "attention": ("attention_forward", "attention_backward"),
    **dict.fromkeys(("gru", "lstm", "simple_rnn"), _RECURRENT),
    **dict.fromkeys(("bidirectional_gru", "bidirectional_lstm", "bidirectional_simple_rnn"), (*_RECURRENT, "add")),
}  # fmt: skip


def call(name: str, function: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs) for the op of this name, whatever floats there are among the arguments."""
    if name in AS_THEY_ARE:
        return function(*args, **kwargs)
    autocast = scope.autocast
    keeps = name in WITH_WEIGHTS
    # The dtypes of floats with axes, without any, and of weights that have no say beside others.
    arrays, numbers, weights = set[np.dtype[Any]](), set[np.dtype[Any]](), set[np.dtype[Any]]()
    flat = not kwargs and not any(isinstance(arg, list | tuple | dict) for arg in args)
    for leaf in args if flat else leaves_of((args, kwargs)):
        array = leaf.array if isinstance(leaf, Tensor) else _array_of(leaf)
        if array is not None and backend.is_float(array.dtype):
            dtype = array.dtype if autocast is None or not _is_weight(leaf) else autocast
            (weights if keeps and isinstance(leaf, Variable) else arrays if array.ndim else numbers).add(dtype)
    if not any(map(backend.is_narrow, arrays | numbers | weights)):
        return function(*args, **kwargs)
    dtype = result_dtype(arrays or numbers or weights)
    if autocast is not None and not keeps:
        args, kwargs = _mapped(lambda leaf: _cast(leaf, autocast) if _is_weight(leaf) else leaf, args, kwargs, flat)
    if name in MOVES:
        return function(*args, **kwargs)
    if not backend.is_narrow(dtype):
        args, kwargs = _mapped(lambda leaf: widened(leaf, dtype), args, kwargs, flat)
        return function(*args, **kwargs)
    if _native(name, dtype, args, kwargs):
        if name in WITH_WEIGHTS:
            given = {key: value if key in ("x", "residual") else widened(value) for key, value in kwargs.items()}
            return function(*args[:1], *map(widened, args[1:]), **given)
        args, kwargs = _mapped(lambda leaf: _cast(leaf, dtype), args, kwargs, flat)
        return function(*args, **kwargs)
    args, kwargs = _mapped(widened, args, kwargs, flat)
    result = function(*args, **kwargs)
    if kwargs.get("dtype") is not None:
        return result
    return rounded(result, dtype) if type(result) is Tensor else map_leaves(lambda leaf: rounded(leaf, dtype), result)


def _mapped(function: Call, args: tuple[Any, ...], kwargs: dict[str, Any], flat: bool) -> Any:
    """The function of all leaves of the arguments; flat: of the arguments themselves."""
    return (tuple(map(function, args)), kwargs) if flat else map_leaves(function, (args, kwargs))


def accepting(function: Call) -> Call:
    """A function of tensors that is no public op, but takes floats of 16 bits as these do: a decorator."""
    name = function.__name__

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return call(name, function, args, kwargs) if backend.narrow else function(*args, **kwargs)

    return wrapped


def result_dtype(dtypes: set[np.dtype[Any]]) -> np.dtype[Any]:
    """What an op of floats of these dtypes gives: the widest, and float32 for float16 with bfloat16."""
    if len(dtypes) == 1:
        return next(iter(dtypes))
    wide = [dtype for dtype in dtypes if not backend.is_narrow(dtype)]
    return max(wide, key=lambda dtype: dtype.itemsize, default=backend.float32)


def _is_weight(leaf: Any) -> bool:
    """Whether it is a weight that is to be rounded within layers of a mixed policy."""
    return isinstance(leaf, Variable) and leaf.autocast and leaf.array.dtype == backend.float32


def _cast(leaf: Any, dtype: Any) -> Any:
    """A float in this dtype; anything else as it is."""
    array = _array_of(leaf)
    if array is None or not backend.is_float(array.dtype) or array.dtype == dtype:
        return leaf
    return operators.convert(leaf, dtype) if isinstance(leaf, Tensor) else backend.cast(leaf, dtype)


def widened(leaf: Any, dtype: np.dtype[Any] = backend.float32) -> Any:
    """A float of 16 bits in this dtype; anything else as it is."""
    array = _array_of(leaf)
    return leaf if array is None or not backend.is_narrow(array.dtype) else _cast(leaf, dtype)


def _array_of(leaf: Any) -> Any:
    """The array of a tensor, an array itself, None for anything else: symbolic tensors among it."""
    if isinstance(leaf, Tensor):
        return leaf.array
    return leaf if hasattr(leaf, "dtype") and (isinstance(leaf, np.generic) or backend.is_array(leaf)) else None


def rounded(value: Any, dtype: np.dtype[Any]) -> Any:
    """A tensor of float32 in this dtype of 16 bits; anything else as it is."""
    if isinstance(value, Tensor) and value.array.dtype == backend.float32 and backend.is_narrow(dtype):
        return operators.convert(value, dtype)
    return value


def _native(name: str, dtype: np.dtype[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the op runs on 16 bits as they are: on a GPU that knows them, whose module has the kernels."""
    gpu = backend.cuda
    if gpu is None or name not in NATIVE or not gpu.narrow_kernels.issuperset(NATIVE[name]):
        return False
    if dtype.name not in gpu.narrow_dtypes:
        return False
    leaves = leaves_of((args, kwargs))
    if name == "layer_norm" and any(leaf is True for leaf in leaves):  # rms_scaling is made of several ops
        return False
    if name == "attention" and (kwargs.get("bias") is not None or kwargs.get("return_scores")):  # and so is this
        return False
    arrays = [leaf.array for leaf in leaves if isinstance(leaf, Tensor)]
    return bool(arrays) and not any(map(backend.on_host, arrays))
