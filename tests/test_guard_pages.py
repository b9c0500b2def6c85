"""No kernel reads or writes a byte beyond its arrays: every array ends, or starts, at a page that must not be touched.

Sanitizers do not see masked vector loads and stores that run over; the processor does. All arrays, those of the ops'
results and gradients included, are made here; a kernel that strays ends the test run with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from lamina.ops.conv2d_pool import conv2d_pool

PAGE = mmap.PAGESIZE
PROT_NONE = 0
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guarded:
    """Makes arrays between two pages that must not be touched, right at one of them."""

    def __init__(self, at_end: bool) -> None:
        self.at_end = at_end
        self.count = 0

    def empty(self, shape: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        inner = max(1, -(-size // PAGE)) * PAGE
        memory = mmap.mmap(-1, inner + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for page in (start, start + PAGE + inner):
            assert libc.mprotect(page, PAGE, PROT_NONE) == 0
        offset = PAGE + (inner - size if self.at_end else 0)
        self.count += 1
        return np.frombuffer(memory, dtype, size // dtype.itemsize, offset).reshape(shape)

    def copy(self, value: Any) -> np.ndarray[Any, Any]:
        value = np.asarray(value)
        array = self.empty(value.shape, value.dtype)
        array[...] = value
        return array


@pytest.fixture(params=["end", "start"])
def guarded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    memory = Guarded(request.param == "end")
    monkeypatch.setattr(_cpu, "empty", memory.empty)  # where backend takes its arrays from
    monkeypatch.setattr(_cpu, "empty_like", lambda array: memory.empty(array.shape, array.dtype))
    return memory


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


Case = tuple[str, Callable[..., Any], list[Any]]  # what it is, the op, its inputs


def case(name: str, op: str, *arrays: np.ndarray[Any, Any], **arguments: Any) -> Case:
    return name, lambda *tensors: getattr(lm.ops, op)(*tensors, **arguments), list(arrays)


def conv(name: str, x: tuple[int, ...], kernel: tuple[int, ...], **arguments: Any) -> Case:
    return case(f"conv2d-{name}", "conv2d", values(*x), values(*kernel), values(kernel[-1]), **arguments)


def pooled(x: tuple[int, ...], kernel: tuple[int, ...], strides: int, padding: Any) -> Case:
    def run(*tensors: Any) -> Any:
        return conv2d_pool(*tensors, strides, padding, 1, 1, "relu", 2, None, "valid")

    return f"conv2d_pool-{x[-1]}-{kernel[-1]}-{strides}", run, [values(*x), values(*kernel), values(kernel[-1])]


def family(
    op: str,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    filters: int | None,
    *more: np.ndarray[Any, Any],
    **arguments: Any,
) -> Case:
    bias = [] if filters is None else [values(filters)]
    return case(f"{op}-{x[-1]}-{kernel[-2]}", op, values(*x), values(*kernel), *more, *bias, **arguments)


def batch_norm(channels: int, training: bool) -> Case:
    def run(x: Any, gamma: Any, beta: Any) -> Any:
        mean = lm.Variable(np.zeros(channels, x.dtype), trainable=False)
        variance = lm.Variable(np.ones(channels, x.dtype), trainable=False)
        return lm.ops.batch_norm(x, gamma, beta, mean, variance, training=training)

    return f"batch_norm-{channels}-{training}", run, [values(3, 3, 3, channels), values(channels), values(channels)]


def with_targets(name: str, targets: np.ndarray[Any, Any], columns: int) -> Case:
    def run(x: Any) -> Any:
        typed = targets if targets.dtype == np.int64 else targets.astype(x.dtype)
        return getattr(lm.ops, name)(*((typed, x) if name.startswith("mean") else (x, typed)))

    return f"{name}-{columns}", run, [values(5, columns)]


def loss(name: str, columns: int, **arguments: Any) -> Case:
    targets = np.eye(columns)[np.arange(5) % columns]

    def run(x: Any) -> Any:
        return getattr(lm.ops, name)(targets.astype(x.dtype), x, reduction="none", **arguments)

    return f"{name}-{columns}", run, [abs(values(5, columns)) + 0.1]


def recurrent(op: str, gates: int, count: int, units: int, **arguments: Any) -> Case:
    def run(*tensors: Any) -> Any:
        y, h, *_ = getattr(lm.ops, op)(*tensors, **arguments)
        return y + h.reshape((count, 1, units))

    bias = values(2, gates * units) if op == "gru" else values(gates * units)
    name = f"{op}-{count}-{units}" + "".join(f"-{key}" for key in arguments)
    return name, run, [values(count, 3, 5), values(5, gates * units) / 3, values(units, gates * units) / 3, bias]


SIZES = (1, 15, 33, 4099)
LABELS = np.array([2, 0, 1, 4, 3], np.int64)
CASES = [
    *[case(f"dense-{m}x{k}x{n}", "dense", values(m, k), values(k, n), values(n))
      for m, k, n in ((1, 1, 1), (1, 37, 19), (3, 5, 33), (15, 17, 31), (7, 513, 1), (70, 35, 67))],
    case("matmul-nn", "matmul", values(13, 21), values(21, 35)),
    case("matmul-nt", "matmul", values(13, 21), values(35, 21), transpose_b=True),
    case("matmul-tn", "matmul", values(21, 13), values(21, 35), transpose_a=True),
    case("matmul-tt", "matmul", values(21, 13), values(35, 21), transpose_a=True, transpose_b=True),
    case("matmul-batched", "matmul", values(3, 5, 7), values(3, 7, 9)),
    conv("3x3", (2, 7, 9, 5), (3, 3, 5, 7)),
    conv("3x3-same-relu", (1, 7, 7, 19), (3, 3, 19, 21), padding="same", activation="relu"),
    conv("3x3-wide", (2, 13, 11, 65), (3, 3, 65, 67), padding="same"),
    conv("1-channel", (3, 9, 9, 1), (3, 3, 1, 33)),
    conv("3-channels-strides", (2, 15, 15, 3), (7, 7, 3, 17), strides=2, padding=3),
    conv("1x1", (2, 5, 5, 37), (1, 1, 37, 35)),
    conv("1x1-strides", (2, 5, 5, 37), (1, 1, 37, 35), strides=2),
    conv("3x3-strides", (2, 9, 9, 19), (3, 3, 19, 17), strides=2, padding="same"),
    conv("dilation", (1, 11, 11, 3), (3, 3, 3, 5), dilation_rate=2),
    conv("groups", (2, 7, 7, 6), (3, 3, 2, 9), groups=3),
    conv("depthwise", (2, 9, 9, 35), (5, 5, 1, 35), groups=35),
    conv("depthwise-in-rows", (2, 5, 14, 32), (5, 3, 1, 32), groups=32, padding="same"),
    conv("depthwise-in-rows-strides", (2, 9, 15, 48), (3, 5, 1, 48), groups=48, strides=2, activation="relu"),
    conv("depthwise-strides", (2, 9, 8, 19), (3, 3, 1, 38), groups=19, strides=2, padding="same"),
    conv("narrow", (2, 7, 8, 20), (3, 3, 4, 20), groups=5, padding="same", activation="relu"),
    conv("narrow-uneven", (2, 7, 8, 15), (3, 2, 5, 21), groups=3, strides=(1, 2)),
    conv("dilated-winograd", (2, 17, 15, 33), (3, 3, 33, 35), dilation_rate=(2, 3), padding="same"),
    pooled((3, 9, 11, 1), (3, 3, 1, 33), 1, "valid"),
    pooled((2, 15, 14, 3), (5, 4, 3, 17), 2, ((2, 1), (0, 3))),
    pooled((2, 9, 8, 19), (3, 3, 19, 5), 1, "same"),
    conv("winograd-strides", (2, 16, 10, 35), (4, 4, 35, 33), strides=2, padding=1),
    conv("winograd-few-pixels", (2, 8, 8, 35), (4, 4, 35, 33), strides=2, padding=1),
    conv("winograd-groups", (2, 7, 6, 68), (3, 3, 34, 70), groups=2, padding="same", activation="sigmoid"),
    conv("groups-of-8", (2, 7, 6, 48), (3, 3, 8, 48), groups=6, padding=2),
    family("conv1d", (3, 21, 5), (4, 5, 7), 7, padding="causal", dilation_rate=2),
    family("conv3d", (2, 5, 6, 7, 5), (3, 2, 3, 5, 19), 19, padding="same"),
    family("conv3d", (2, 5, 6, 7, 19), (2, 3, 3, 19, 5), 5, strides=2),
    family("conv2d_transpose", (2, 5, 6, 19), (4, 3, 17, 19), 17, strides=2, padding="same"),
    family("conv2d_transpose", (2, 3, 4, 5), (2, 2, 7, 5), 7, strides=4, activation="relu"),
    family("conv2d_transpose", (2, 7, 6, 21), (3, 3, 18, 21), 18, padding="same"),
    family("conv2d_transpose", (2, 8, 5, 35), (4, 4, 33, 35), 33, strides=2, padding=1),
    family("conv3d_transpose", (2, 3, 2, 4, 5), (2, 3, 3, 6, 5), 6, strides=(3, 2, 1)),
    family("depthwise_conv1d", (2, 13, 17), (3, 17, 2), 34, strides=2),
    family("separable_conv2d", (2, 6, 7, 5), (3, 3, 5, 2), None, values(1, 1, 10, 7)),
    *[case(f"attention-{heads[0]}-{lengths}-{sizes}", "attention", values(2, lengths[0], heads[0], sizes[0]),
           values(2, lengths[1], heads[1], sizes[0]), values(2, lengths[1], heads[1], sizes[1]), **arguments)
      for heads, lengths, sizes, arguments in (
          ((1, 1), (1, 1), (1, 1), {}), ((1, 1), (1, 65), (16, 16), {}), ((2, 1), (3, 70), (20, 7), {"causal": True}),
          ((4, 2), (37, 130), (17, 33), {"dropout": 0.5, "seed": 1, "stream": 2}),
          ((1, 1), (7, 33), (8, 8), {"mask": values(1, 1, 7, 33) > 0, "lengths": np.array([33, 5])}))],
    case("locally_connected2d", "locally_connected2d", values(2, 5, 6, 3), values(12, 27, 5), kernel_size=3),
    *[case(f"{name}-{size}-{strides}", name, values(2, 9, 7, channels), pool_size=size, strides=strides, padding="same")
      for name in ("max_pool2d", "avg_pool2d") for size, strides, channels in ((2, 2, 1), (3, 2, 19), (3, 1, 65))],
    *[case(f"{kind}_pool{len(shape) - 2}d-{size}-{strides}", f"{kind}_pool{len(shape) - 2}d", values(*shape),
           pool_size=size, strides=strides, padding="same")
      for kind in ("max", "avg") for shape in ((2, 9, 19), (2, 5, 4, 6, 19), (1, 3, 4, 5, 65))
      for size, strides in ((2, 2), (3, 2))],
    *[case(f"adaptive_{kind}_pool2d-{outputs}", f"adaptive_{kind}_pool2d", values(2, 5, 7, 19), output_size=outputs)
      for kind in ("max", "avg") for outputs in (1, 3, 9)],
    case("global_avg_pool", "global_avg_pool", values(2, 5, 7, 19)),
    case("global_max_pool", "global_max_pool", values(2, 17, 17, 19)),
    *[batch_norm(channels, training) for channels in (1, 5, 19, 65) for training in (False, True)],
    *[case(f"layer_norm-{n}", "layer_norm", values(5, n), values(n), values(n)) for n in SIZES],
    *[case(f"rms_norm-{n}", "rms_norm", values(5, n), values(n)) for n in SIZES],
    *[case(f"unit_norm-{n}", "unit_norm", values(5, n)) for n in SIZES],
    *[case(f"group_norm-{groups}-{n}", "group_norm", values(2, 5, 3, n), values(n), values(n), groups=groups)
      for groups, n in ((1, 1), (3, 15), (33, 33), (1, 67), (2, 130))],
    *[case(f"instance_norm-{n}", "instance_norm", values(2, 5, 3, n), values(n), values(n)) for n in (1, 15, 33, 130)],
    *[case(f"local_response_norm-{n}", "local_response_norm", values(2, 3, n), size=5) for n in (1, 15, 33, 130)],
    *[case(f"{name}-{n}", name, abs(values(n)) + 0.5)
      for name in ("relu", "sigmoid", "tanh", "exp", "log", "sqrt") for n in SIZES],
    *[case(f"{name}-{n}", name, values(5, n)) for name in ("softmax", "log_softmax") for n in SIZES],
    *[case(f"{name}-axis-1-{n}", name, values(3, 5, n), axis=1)
      for name in ("softmax", "log_softmax") for n in (8, 33)],
    *[case(f"{name}-{n}", name, values(n)) for name in ("gelu", "leaky_relu", "mish") for n in SIZES],
    *[case(f"prelu-{n}", "prelu", values(7, n), values(n)) for n in (1, 15, 33)],
    *[case(f"{name}-{n}", name, np.clip(abs(values(n)), 0.1, 0.9) + above)
      for name, above in (("sin", 0), ("arctanh", 0), ("arccosh", 2), ("log2", 0), ("rsqrt", 0)) for n in SIZES],
    *[case(f"{name}-{a}-{b}", name, abs(values(*a)) + 0.5, abs(values(*b)) + 0.5)
      for name in ("power", "hypot", "add", "maximum")
      for a, b in (((5, 7, 3), (3,)), ((37, 1), (1, 5)), ((4, 33), (4, 1)), ((1031,), (1031,)), ((9, 1, 3), (9, 2, 1)))
      ],
    *[(f"where-{a}-{b}", lambda x, y: lm.ops.where(lm.ops.logical_and(lm.ops.less(x, y), True), x, y),
       [values(*a), values(*b)])
      for a, b in (((5, 7, 3), (3,)), ((37, 1), (1, 5)), ((4, 33), (4, 1)), ((1031,), (1031,)), ((9, 1, 3), (9, 2, 1)))
      ],
    *[case(f"{name}-{n}", name, abs(values(n)) + 0.5, **arguments)
      for name, arguments in (("clip", {"x_min": 0.7, "x_max": 1.0}), ("tan", {})) for n in SIZES],
    *[case(f"cumprod-{n}", "cumprod", abs(values(n)) + 0.5) for n in SIZES[:3]],
    *[case(f"max-{axis}-{n}", "max", values(5, n, 3), axis=axis)
      for axis in (0, 1, 2, (1, 2), None) for n in SIZES[:3]],
    *[case(f"cumsum-{axis}-{n}", "cumsum", values(9, n, 3), axis=axis) for axis in (0, 1, 2) for n in SIZES],
    *[case(f"take-{axis}-{n}", "take", values(4, 5, n), indices=np.array([3, 0, 3, -1]), axis=axis)
      for axis in (0, 1) for n in SIZES],
    *[(f"take_along_axis-{n}",
       lambda x, n=n: 2 * lm.ops.take_along_axis(x, np.arange(7 * n).reshape(1, 7, n) % 4, axis=1),
       [values(5, 4, n)]) for n in SIZES],
    *[recurrent(op, gates, count, units)
      for op, gates in (("simple_rnn", 1), ("lstm", 4), ("gru", 3)) for count, units in ((1, 1), (2, 33), (17, 21))],
    recurrent("lstm", 4, 3, 21, lengths=np.array([3, 0, 2])),
    recurrent("gru", 3, 3, 21, mask=np.eye(3, dtype=bool)),
    *[(f"embedding-{rows}-{n}", lambda table, rows=rows, n=n: lm.ops.embedding([rows - 1, 0, rows - 1], table),
       [values(rows, n)]) for rows in (5, 31) for n in (*SIZES, 64, 130)],
    *[(f"ctc_loss-{classes}-{labels}",
       lambda x, labels=labels: lm.ops.ctc_loss(np.ones((3, labels), int), x, [labels, 1, 0], [2 * labels, 2, 1]),
       [values(3, 2 * labels, classes)]) for classes in (2, 15, 33) for labels in (1, 7, 8, 16)],
    *[case(f"dropout-{n}", "dropout", values(n), rate=0.5, seed=7, stream=3) for n in SIZES],
    *[with_targets("softmax_cross_entropy", LABELS, n) for n in (5, 21, 1037)],
    with_targets("sigmoid_cross_entropy", np.ones((5, 21)), 21),
    with_targets("mean_squared_error", values(5, 37), 37),
    with_targets("mean_absolute_error", values(5, 37) + 1, 37),
    *[with_targets(name, np.eye(n)[LABELS % n], n)
      for name in ("sigmoid_focal_cross_entropy", "softmax_focal_cross_entropy") for n in (1, 21, 1037)],
    *[with_targets("cross_entropy_from_probabilities", LABELS, n) for n in (5, 21)],
    *[loss(name, n)
      for name in ("huber_loss", "log_cosh_loss", "kl_divergence_loss", "poisson_loss", "hinge_loss",
                   "squared_hinge_loss", "categorical_hinge_loss", "cosine_similarity_loss",
                   "mean_absolute_percentage_error", "mean_squared_logarithmic_error") for n in (1, 21, 1037)],
    *[loss("dice_loss", n, axis=axis) for n in (1, 21, 4099) for axis in (1, None)],
    case("triplet_margin_loss", "triplet_margin_loss", values(5, 21), values(5, 21) + 1, values(5, 21) * 2),
    *[case(f"layer_norm-{n}", "layer_norm", values(5, n), values(n), values(n)) for n in (1, 15, 33, 1037)],
    *[case(f"rms_norm-{n}", "rms_norm", values(5, n), values(n)) for n in (1, 15, 33, 1037)],
    *[case(f"unit_norm-{n}", "unit_norm", values(5, n) + 3) for n in SIZES],
    *[case(f"{name}-{shape[-1]}", name, values(*shape), values(shape[-1]), values(shape[-1]), **arguments)
      for name, arguments in (("group_norm", {"groups": 5}), ("instance_norm", {}))
      for shape in ((2, 3, 5), (1, 7, 9, 35), (2, 23, 23, 65))],
    *[case(f"local_response_norm-{n}-{size}", "local_response_norm", values(3, 2, n), size=size)
      for n, size in ((1, 5), (19, 4), (67, 9))],
    *[(f"concatenate-{axis}-{n}", lambda x, y, axis=axis: 2 * lm.ops.concatenate([x, y, x], axis=axis),
       [values(3, 4, n), values(3, 4, n)]) for axis in (0, 1, 2) for n in (1, 5, 19, 4099)],
    *[case(f"sum-{axis}-{n}", "sum", values(5, n, 3), axis=axis) for axis in (0, 1, 2, (1, 2), None) for n in SIZES],
    *[case(f"{name}-{n}", name, abs(values(n)) + 0.5)
      for name in ("expm1", "log1p", "erf", "silu", "elu") for n in SIZES],
    *[case(f"{name}-{n}", name, values(n, 3), values(1, 3) + 4)
      for name in ("subtract", "multiply", "divide", "minimum") for n in SIZES[:3]],
    *[case(f"unfold-{channels}", "unfold", values(2, 6, 7, channels), kernel_size=3) for channels in (1, 5)],
]  # fmt: skip


@pytest.mark.parametrize("isa", _cpu.isas())
@pytest.mark.parametrize(("op", "arrays"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_ops_stay_inside(isa: str, op: Callable[..., Any], arrays: list[Any], guarded: Guarded) -> None:
    lm.set_isa(isa)
    for dtype in (np.float32, np.float64):
        inputs = [lm.Tensor(guarded.copy(a.astype(dtype)), requires_grad=True) for a in arrays]
        before = guarded.count
        y = op(*inputs)
        assert guarded.count > before, "the result was made elsewhere"
        y.backward(guarded.copy(np.ones(y.shape, dtype)))
        assert inputs[0].grad is not None
        assert np.isfinite(inputs[0].grad.numpy()).all()


@pytest.mark.parametrize("isa", _cpu.isas())
def test_optimizers_stay_inside(isa: str, guarded: Guarded) -> None:
    lm.set_isa(isa)
    for dtype in (np.float32, np.float64):
        sets = [[guarded.copy(np.full(n, 0.5, dtype)) for n in (1, 15, 33, 4099)] for _ in range(5)]
        weights, grads, *slots = sets
        for rule in ("sgd", "rmsprop", "adam", "adagrad", "adadelta", "adamax", "nadam", "ftrl", "lion", "lamb"):
            for array in [a for slot in slots for a in slot]:
                array.fill(0.5)
            getattr(_cpu, f"{rule}_step")(weights, grads, tuple(slots), (1e-3, 0.5, 0.5, 0.5, 0.5, 0.5), 1)
        _cpu.sgd_step(weights, grads, (), (1e-3, 0.0, 0.0), 1, [0.5] * 4, [0.5] * 4, 1.0)
        _cpu.gradient_squares(grads, guarded.empty(4, np.float64))
        table, state = guarded.copy(np.full((7, 33), 0.5, dtype)), guarded.copy(np.full((7, 33), 0.5, dtype))
        few, rows = guarded.copy(np.full((2, 33), 0.5, dtype)), guarded.copy(np.array([1, 6]))
        for whole in (False, True):
            settings = (1e-3, 0.5, 0.0)
            _cpu.sgd_step([table], [few], ([state],), settings, 1, None, None, 0.0, [(rows, whole)])
        matrix, gradient = guarded.copy(np.full((5, 33), 0.5, dtype)), guarded.copy(np.full((5, 33), 0.5, dtype))
        rows, columns = guarded.copy(np.full(5, 0.5, dtype)), guarded.copy(np.full(33, 0.5, dtype))
        _cpu.adafactor_step([matrix], [gradient], [rows], [columns], 1e-3, 0.5, 1e-30, 1e-3, 1.0)
        assert all(np.isfinite(w).all() for w in weights)


@pytest.mark.parametrize("isa", _cpu.isas())
def test_random_arrays_stay_inside(isa: str, guarded: Guarded) -> None:
    lm.set_isa(isa)
    for n in (1, 3, 15, 63, 4099):
        _cpu.random_words(guarded.empty(n, np.uint32), 1, 2)
        for dtype in (np.float32, np.float64):
            _cpu.random_uniform(guarded.empty(n, dtype), 1, 2, 0.0, 1.0)
            _cpu.random_normal(guarded.empty(n, dtype), 1, 2, 0.0, 1.0)


@pytest.mark.parametrize("isa", _cpu.isas())
def test_vectors_of_words_stay_inside(isa: str, guarded: Guarded) -> None:
    lm.set_isa(isa)
    draw = np.random.default_rng(0)
    tokens = guarded.copy(np.append(draw.integers(-1, 9, 150), -1).astype(np.int32))
    share, other = (guarded.copy(a) for a in (np.full(9, 1 << 31, np.uint32), np.arange(9, dtype=np.int32)))
    first, order = guarded.copy(np.arange(10)), guarded.copy(np.flatnonzero(tokens >= 0)[:9])
    path, label = guarded.copy(np.arange(9, dtype=np.int32) % 8), guarded.copy(np.arange(9, dtype=np.uint8) % 2)
    for width in (16, 112):
        x, y, squares, other_squares = (guarded.copy(np.full((9, width), 0.5, np.float32)) for _ in range(4))
        for skip_gram in (True, False):
            noise, tree = (share, other, None, None, None), (None, None, first, path, label)
            for negative, outside in ((5, noise), (7, noise), (0, tree)):
                _cpu.word2vec(tokens, 0, 151, 3, skip_gram, negative, *outside, 0.1, 0.0, 0.0, 1, 2, x, y)
        rows, columns = (guarded.copy(draw.integers(0, 9, 131).astype(np.int32)) for _ in range(2))
        target, weight = (guarded.copy(draw.random(131, np.float32)) for _ in range(2))
        _cpu.glove(rows, columns, target, weight, width - 2, 0.05, x, y, squares, other_squares)
        assert np.isfinite(x).all()
    filled = guarded.copy(np.zeros(9, np.int64))
    _cpu.cooccurrence(tokens, first, order, 4, 12, filled, None, None, None, 0)
    begin, entries = guarded.copy(np.cumsum(filled) - filled), int(filled.sum())
    found, counts = guarded.empty(entries, np.int32), guarded.empty(entries, np.int64)
    _cpu.cooccurrence(tokens, first, order, 4, 12, filled, begin, found, counts, entries)
    assert counts.min() > 0


def test_the_guard_is_real() -> None:
    """A byte beyond is a segmentation fault: seen from a child that reads one."""
    script = (
        "import ctypes, sys; sys.path[:0] = {path!r}\n"
        "import test_guard_pages as t\n"
        "a = t.Guarded(True).empty(5)\n"
        "print(ctypes.string_at(a.ctypes.data, 20) and 'inside', flush=True)\n"
        "ctypes.string_at(a.ctypes.data, 21)\n"
        "print('beyond')"
    )
    path = [str(Path(__file__).parent), *sys.path]
    child = subprocess.run(
        [sys.executable, "-c", script.format(path=path)], capture_output=True, text=True, check=False
    )
    assert child.stdout.strip() == "inside", child.stderr
    assert child.returncode != 0
