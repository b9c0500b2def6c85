"""The kernels whose memory accesses are counted: each at a shape that says something and that an emulator can run, with
sizes that are multiples of a warp."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

BOUNDARY = 256  # of arrays in a GPU's memory
SINGLE, HALF = np.float32, np.float16
Call = tuple[str, dict[str, Any]]  # a kernel's name, and its arguments but the stream


def empty(shape: Any, dtype: Any = SINGLE) -> np.ndarray:
    shape = (shape,) if isinstance(shape, int) else shape
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + BOUNDARY, np.uint8)
    start = -memory.ctypes.data % BOUNDARY
    return memory[start : start + size].view(dtype).reshape(shape)


def filled(values: Any) -> np.ndarray:
    array = empty(values.shape, values.dtype)
    array[...] = values
    return array


def numbers(shape: Any, dtype: Any = SINGLE, seed: int = 0) -> np.ndarray:
    return filled(np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype))


def positive(shape: Any, dtype: Any = SINGLE) -> np.ndarray:
    return filled(np.abs(numbers(shape, dtype)) + dtype(0.1))


def whole(high: int, shape: Any) -> np.ndarray:
    return filled(np.random.default_rng(1).integers(0, high, shape))


def gemm(m: int, n: int, k: int, form: str, dtype: Any) -> Call:
    a = numbers((k, m) if form[0] == "t" else (m, k), dtype)
    b = numbers((n, k) if form[1] == "t" else (k, n), dtype)
    return "gemm", {"a": a, "b": b, "c": empty((m, n), dtype), "transpose_a": form[0] == "t",
                    "transpose_b": form[1] == "t"}  # fmt: skip


def conv2d(name: str, x: Any, taps: int, filters: int, stride: int, groups: int, dtype: Any) -> Call:
    out, channels = -(-x[1] // stride), x[3] // groups
    pad = (out - 1) * stride + taps - x[1]
    window = [stride, stride, 1, 1, *[pad // 2, pad - pad // 2] * 2]
    y = (x[0], out, out, filters)
    arrays = {"x": numbers(x, dtype), "w": numbers((taps, taps, channels, filters), dtype), "dy": numbers(y, dtype)}
    outputs = {
        "forward": {"x": None, "w": None, "bias": numbers(filters, dtype), "y": empty(y, dtype), "activation": 1},
        "backward_input": {"dy": None, "w": None, "dx": empty(x, dtype)},
        "backward_kernel": {"x": None, "dy": None, "dw": empty(arrays["w"].shape, dtype)},
    }
    named = {key: arrays[key] if value is None else value for key, value in outputs[name].items()}
    return f"conv2d_{name}", {**named, "window": window, "groups": groups, "mode": 2}


def attention(backward: bool, count: int, size: int, causal: bool, dtype: Any) -> Call:
    shape = (1, count, 2, size)
    named = {name: numbers(shape, dtype, i) for i, name in enumerate("qkv")}
    named |= {"lengths": None, "added": None, "seen": None, "settings": (causal, size**-0.5, 0, 1, 2)}
    if not backward:
        lse = empty((1, 2, count))
        return "attention_forward", {**named, "y": empty(shape, dtype), "lse": lse}
    lse = filled(np.full((1, 2, count), 5, SINGLE))
    named |= {"y": numbers(shape, dtype, 4), "lse": lse, "dy": numbers(shape, dtype, 5)}
    return "attention_backward", {**named, **{f"d{name}": empty(shape, dtype) for name in "qkv"}}


def pool(name: str, size: int, stride: int, dtype: Any) -> Call:
    n, side, channels = 2, 32, 64
    out = (side - size) // stride + 1
    x, y = (n, 1, side, side, channels), (n, 1, out, out, channels)
    window = (1, size, size, 1, stride, stride, 0, 0, 0, 0, 0, 0)
    offsets = filled(whole(size * size, y).astype(np.uint8))
    named: dict[str, Any] = {
        "max_pool_forward": {"x": numbers(x, dtype), "y": empty(y, dtype), "offsets": offsets},
        "max_pool_backward": {"dy": numbers(y, dtype), "offsets": offsets, "dx": empty(x, dtype)},
        "avg_pool_forward": {"x": numbers(x, dtype), "y": empty(y, dtype), "count_padding": False},
        "avg_pool_backward": {"dy": numbers(y, dtype), "dx": empty(x, dtype), "count_padding": False},
    }[name]
    return name, {**named, "window": window}


def batch_norm(backward: bool, dtype: Any) -> Call:
    shape, c = (4, 16, 16, 64), 64
    named = {"x": numbers(shape, dtype), "gamma": numbers(c), "beta": numbers(c), "training": True, "relu": True}
    if not backward:
        return "batch_norm_forward", {
            **named, "residual": None, "moving_mean": numbers(c), "moving_variance": positive(c), "mean": empty(c),
            "inverse": empty(c), "y": empty(shape, dtype), "epsilon": 1e-3, "momentum": 0.9,
        }  # fmt: skip
    return "batch_norm_backward", {
        **named, "mean": numbers(c), "inverse": positive(c), "y": numbers(shape, dtype), "dy": numbers(shape, dtype),
        "dz": empty(shape, dtype), "dx": empty(shape, dtype), "dgamma": empty(c), "dbeta": empty(c),
    }  # fmt: skip


def row_norm(backward: bool, rows: int, n: int, dtype: Any) -> Call:
    named = {"x": numbers((rows, n), dtype), "gamma": numbers(n), "kind": 0, "epsilon": 1e-6}
    if not backward:
        return "row_norm_forward", {
            **named, "beta": numbers(n), "mean": empty(rows), "inverse": empty(rows), "y": empty((rows, n), dtype),
        }  # fmt: skip
    return "row_norm_backward", {
        **named, "mean": numbers(rows), "inverse": positive(rows), "dy": numbers((rows, n), dtype),
        "dx": empty((rows, n), dtype), "dgamma": empty(n), "dbeta": empty(n),
    }  # fmt: skip


def group_norm(backward: bool, dtype: Any) -> Call:
    shape, groups, c = (2, 256, 64), 8, 64
    named = {"x": numbers(shape, dtype), "gamma": numbers(c), "groups": groups}
    if not backward:
        return "group_norm_forward", {
            **named, "beta": numbers(c), "mean": empty((2, groups)), "inverse": empty((2, groups)),
            "y": empty(shape, dtype), "epsilon": 1e-3,
        }  # fmt: skip
    return "group_norm_backward", {
        **named, "mean": numbers((2, groups)), "inverse": positive((2, groups)), "dy": numbers(shape, dtype),
        "dx": empty(shape, dtype), "dgamma": empty(c), "dbeta": empty(c),
    }  # fmt: skip


def response_norm(name: str) -> Call:
    named = {"x": numbers((512, 64)), "size": 5, "alpha": 0.3, "beta": 0.75, "k": 1.5}
    if name == "forward":
        return "local_response_norm_forward", {**named, "y": empty((512, 64))}
    return "local_response_norm_backward", {**named, "dy": numbers((512, 64)), "dx": empty((512, 64))}


def softmax(backward: bool, shape: Any, axis: int, dtype: Any) -> Call:
    if not backward:
        return "softmax_forward", {"x": numbers(shape, dtype), "y": empty(shape, dtype), "axis": axis}
    return "softmax_backward", {
        "y": positive(shape, dtype), "dy": numbers(shape, dtype), "dx": empty(shape, dtype), "axis": axis,
    }  # fmt: skip


def row_loss(name: str, rows: int, classes: int, dtype: Any) -> Call:
    x = positive((rows, classes), dtype)
    named = {"x": x, "weights": None, "divisor": float(rows), "losses": empty(rows), "total": empty(1)}
    if name in ("softmax_cross_entropy", "cross_entropy_from_probabilities"):
        return name, {**named, "labels": whole(classes, rows), "dx": empty(x.shape, dtype)}
    return name, {**named, "targets": positive(x.shape, dtype), "dx": empty(x.shape, dtype)}


def elementwise(name: str, dtype: Any, n: int = 1 << 15) -> Call:
    inputs = {"relu_forward": "x", "relu_backward": "y dy", "exp_forward": "x", "exp_backward": "saved dy",
              "dropout": "x", "random_uniform": "", "random_normal": ""}  # fmt: skip
    named: dict[str, Any] = {key: numbers(n, dtype) for key in inputs[name].split()}
    if name.startswith(("dropout", "random")):
        named |= {"seed": 1, "random_stream": 2}
    more = {"dropout": {"dropped": 20000}, "random_uniform": {"low": 0.0, "high": 1.0},
            "random_normal": {"mean": 0.0, "stddev": 1.0}}  # fmt: skip
    return name, {**named, **more.get(name, {}), "dx" if name.endswith("backward") else "y": empty(n, dtype)}


def activation(backward: bool, dtype: Any, n: int = 1 << 15) -> Call:
    named = {"function": 3, "x": numbers(n, dtype), "a": 1.0, "b": 1.0, "c": 1.0}
    if backward:
        return "activation_function_backward", {**named, "dy": numbers(n, dtype), "dx": empty(n, dtype)}
    return "activation_function_forward", {**named, "y": empty(n, dtype)}


def broadcast(name: str, a: Any, b: Any) -> Call:
    y = np.broadcast_shapes(a, b)
    dtype = np.uint8 if name == "less" else SINGLE
    return name, {"a": numbers(a), "b": numbers(b), "y": empty(y, dtype)}


def where() -> Call:
    shape = (128, 256)
    condition = filled((numbers(shape) > 0).astype(np.uint8))
    return "where", {"condition": condition, "a": numbers(shape), "b": numbers(shape), "y": empty(shape)}


def bias_backward() -> Call:
    shape = (1024, 64)
    return "bias_backward", {"y": numbers(shape), "dy": numbers(shape), "activation": 1, "dz": empty(shape),
                             "db": empty(64)}  # fmt: skip


def prelu(backward: bool) -> Call:
    named = {"x": numbers((512, 64)), "slopes": numbers(64)}
    if not backward:
        return "prelu_forward", {**named, "y": empty((512, 64))}
    return "prelu_backward", {**named, "dy": numbers((512, 64)), "dx": empty((512, 64)), "terms": empty((512, 64))}


def reduce(name: str, outer: int, reduced: int, inner: int) -> Call:
    x, y = numbers((outer, reduced, inner)), empty((outer, inner))
    if name == "reduce_extreme":
        return name, {"x": x, "largest": True, "y": y}
    if name == "reduce_extreme_backward":
        y[...] = x.max(1)
        return name, {"x": x, "y": y, "dy": numbers((outer, inner)), "dx": empty(x.shape)}
    return name, {"x": x, "y": y}


def running(outer: int, n: int, inner: int) -> Call:
    return "running_sum", {"x": numbers((outer, n, inner)), "reversed": False, "y": empty((outer, n, inner))}


def copy_columns(count: int, y_begin: int, index: bool) -> Call:
    named = {"x": numbers((256, 128)), "x_begin": 0, "y": empty((256, 256)), "y_begin": y_begin, "count": count}
    return "copy_columns", {**named, "index": whole(256, 256) if index else None}


def copy_parts(join: bool) -> Call:
    columns = [64, 32, 96]
    parts = [numbers((256, n)) for n in columns]
    return "copy_parts", {"parts": parts, "columns": columns, "whole": empty((256, sum(columns))), "join": join}


def take(inner: int) -> Call:
    count = 4096 // max(1, inner // 8)
    return "take", {"x": numbers((1, 512, inner)), "index": whole(512, count), "y": empty((1, count, inner))}


def scatter_add(along: bool, inner: int) -> Call:
    v, rows = numbers((1, 512, inner)), 64
    index = whole(rows, v.shape if along else 512)
    return "scatter_add_along" if along else "scatter_add", {"v": v, "index": index, "y": numbers((1, rows, inner))}


def embedding_backward(dtype: Any) -> Call:
    positions, table, width = 512, 128, 64
    named = np.sort(np.random.default_rng(0).integers(0, table, positions))
    rows, first = np.unique(named, return_index=True)
    return "embedding_backward", {
        "dy": numbers((positions, width), dtype), "order": filled(np.random.default_rng(1).permutation(positions)),
        "first": filled(np.append(first, positions).astype(np.int64)), "rows": filled(rows.astype(np.int64)),
        "y": numbers((table, width)),
    }  # fmt: skip


SHAPES = [(256, 128), (128,), (64, 64)]
STEPS: dict[str, tuple[int, tuple[float, ...]]] = {
    "sgd": (1, (0.1, 0.9, 0.0)),
    "adam": (2, (0.01, 0.9, 0.999, 1e-7)),
    "lamb": (2, (0.01, 0.9, 0.999, 1e-6)),
}


def step(rule: str) -> Call:
    slots, settings = STEPS[rule]
    return f"{rule}_step", {
        "weights": [numbers(s) for s in SHAPES], "grads": [numbers(s, seed=1) for s in SHAPES],
        "slots": tuple([positive(s) for s in SHAPES] for _ in range(slots)), "settings": settings, "step": 3,
    }  # fmt: skip


def adafactor() -> Call:
    matrices = [(256, 128), (64, 64)]
    return "adafactor_step", {
        "weights": [numbers(s) for s in matrices], "grads": [numbers(s, seed=1) for s in matrices],
        "rows": [positive(s[:1]) for s in matrices], "columns": [positive(s[1:]) for s in matrices],
        "learning_rate": 0.01, "beta": 0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "threshold": 1.0,
    }  # fmt: skip


def gradient_squares() -> Call:
    return "gradient_squares", {"grads": [numbers(s) for s in SHAPES], "sums": empty(len(SHAPES), np.float64)}


def recurrent(kind: str, backward: bool, dtype: Any) -> Call:
    from lamina.ops.recurrent import GATES, Kind
    from lamina.ops.recurrent_rows import dense_rows

    count, steps, inputs, units = 32, 3, 64, 64
    which = Kind[kind]
    columns, lstm, gru = GATES[which] * units, which is Kind.lstm, which is Kind.gru
    rows = dense_rows(count, steps, False, False, False).kernel
    slots, states = count * steps, (count, units)
    given = [numbers((slots, inputs), dtype), numbers((inputs, columns), dtype), numbers((units, columns), dtype)]
    given += [numbers(columns, dtype), numbers(columns, dtype) if gru else None, numbers(states, dtype)]
    given += [numbers(states, dtype) if lstm else None, None]
    of_slots = [(slots, 4 * units), (slots, units), (slots, units)]
    saved = [numbers(s, dtype) if lstm or i != 1 else None for i, s in enumerate(of_slots)]
    y = numbers((slots, units), dtype)
    if not backward:
        ends = (empty(states, dtype), empty(states, dtype) if lstm else None)
        layer = (rows, *given, *saved, y, *ends)
        return "recurrent_forward", {"kind": which, "activation": 3, "layers": [layer]}
    shapes = [a.shape for a in given[:3]] + [columns, columns if gru else None, states, states if lstm else None]
    gradients = [None if s is None else empty(s, dtype) for s in shapes]
    layer = (rows, *given, *saved, y, None, None, *gradients)
    return "recurrent_backward", {"kind": which, "activation": 3, "layers": [layer]}


def grid_sample(name: str) -> Call:
    x, n = (1, 32, 32, 32), 32
    grid = filled(np.random.default_rng(0).uniform(0, n, (1, n, n, 2)).astype(SINGLE))
    named = {"grid": grid, "sampling": 1, "unit": 0, "place": 0, "beyond": 0, "fill": 0.0}
    more = {
        "forward": {"x": numbers(x), "y": empty(x)},
        "backward_input": {"dy": numbers(x), "dx": empty(x)},
        "backward_grid": {"dy": numbers(x), "x": numbers(x), "dgrid": empty(grid.shape)},
    }
    return f"grid_sample_{name}", {**named, **more[name]}


def both(make: Callable[..., Call], *args: Any) -> dict[str, Callable[[], Call]]:
    return {" float32": partial(make, *args, SINGLE), " float16": partial(make, *args, HALF)}


def _cases() -> dict[str, Callable[[], Call]]:
    cases: dict[str, Callable[[], Call]] = {}

    def add(title: str, make: Callable[..., Call], *args: Any, narrow: bool = False) -> None:
        """narrow: in float32 and in float16, make's last argument."""
        if narrow:
            cases.update({title + dtype: case for dtype, case in both(make, *args).items()})
        else:
            cases[title] = partial(make, *args)

    for form in ("nn", "nt", "tn", "tt"):
        add(f"gemm 256x256x256 {form}", gemm, 256, 256, 256, form, narrow=True)
    add("gemm 32x512x512 nn", gemm, 32, 512, 512, "nn", narrow=True)
    convolutions = {
        "3x3": ((1, 16, 16, 64), 3, 64, 1, 1),
        "1x1": ((1, 16, 16, 64), 1, 128, 1, 1),
        "7x7 of 3 channels, stride 2": ((1, 32, 32, 3), 7, 64, 2, 1),
        "depthwise 3x3": ((1, 16, 16, 64), 3, 64, 1, 64),
    }
    for kind, shape in convolutions.items():
        for name in ("forward", "backward_input", "backward_kernel"):
            add(f"conv2d_{name} {kind}", conv2d, name, *shape, narrow=True)
    for size in (64, 128):
        for backward in (False, True):
            title = f"attention_{'backward' if backward else 'forward'} 128x{size}"
            add(title, attention, backward, 128, size, False, narrow=True)
    for name in ("max_pool_forward", "max_pool_backward", "avg_pool_forward", "avg_pool_backward"):
        add(f"{name} 2x2", pool, name, 2, 2, narrow=True)
    for backward in (False, True):
        way = "backward" if backward else "forward"
        add(f"batch_norm_{way}", batch_norm, backward, narrow=True)
        add(f"row_norm_{way} 128x768", row_norm, backward, 128, 768, narrow=True)
        add(f"row_norm_{way} 2x16384", row_norm, backward, 2, 16384, narrow=True)
        add(f"group_norm_{way}", group_norm, backward, narrow=True)
        add(f"local_response_norm_{way}", response_norm, way)
        add(f"softmax_{way} 128x1024", softmax, backward, (128, 1024), -1, narrow=True)
        add(f"softmax_{way} 4x64x256, axis 1", softmax, backward, (4, 64, 256), 1, narrow=True)
        add(f"relu_{way}", elementwise, f"relu_{way}", narrow=True)
        add(f"activation_function_{way}", activation, backward, narrow=True)
        add(f"exp_{way}", elementwise, f"exp_{way}", narrow=True)
        add(f"prelu_{way}", prelu, backward)
    for name in ("softmax_cross_entropy", "softmax_cross_entropy_soft", "cosine_similarity_loss", "mean_squared_error"):
        add(f"{name} 128x1024", row_loss, name, 128, 1024, narrow=True)
        add(f"{name} 1024x16", row_loss, name, 1024, 16, narrow=True)
    add("dropout", elementwise, "dropout", narrow=True)
    for name in ("random_uniform", "random_normal"):
        add(name, elementwise, name, SINGLE)
    add("add", broadcast, "add", (256, 256), (256, 256))
    add("add to rows", broadcast, "add", (256, 256), (256,))
    add("add to columns", broadcast, "add", (256, 256), (256, 1))
    add("less", broadcast, "less", (256, 256), (256, 256))
    add("where", where)
    add("bias_backward", bias_backward)
    for title, shape in {"rows": (256, 512, 1), "columns": (1, 512, 256), "middle": (8, 128, 64)}.items():
        for name in ("reduce_sum", "reduce_extreme", "reduce_extreme_backward"):
            add(f"{name}, {title}", reduce, name, *shape)
        add(f"running_sum, {title}", running, *shape)
    add("copy_columns", copy_columns, 128, 64, False)
    add("copy_columns, off a boundary", copy_columns, 127, 65, False)
    add("copy_columns, by index", copy_columns, 128, 128, True)
    add("copy_parts, joined", copy_parts, True)
    add("copy_parts, taken apart", copy_parts, False)
    for inner in (1, 64):
        add(f"take of {inner}", take, inner)
        add(f"scatter_add of {inner}", scatter_add, False, inner)
        add(f"scatter_add_along of {inner}", scatter_add, True, inner)
    add("embedding_backward", embedding_backward, narrow=True)
    for rule in STEPS:
        add(f"{rule}_step", step, rule)
    add("adafactor_step", adafactor)
    add("gradient_squares", gradient_squares)
    for kind in ("lstm", "gru"):
        for way in ("forward", "backward"):
            add(f"recurrent_{way} {kind}", recurrent, kind, way == "backward", SINGLE)
    for name in ("forward", "backward_input", "backward_grid"):
        add(f"grid_sample_{name}", grid_sample, name)
    return cases


CASES = _cases()
