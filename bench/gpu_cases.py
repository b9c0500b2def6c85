"""What is measured on a GPU: the cases of bench/ops and bench/steps at a GPU's sizes, with the goal of each."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench.case import Case
from bench.ops import (
    bench_activations,
    bench_attention,
    bench_batch_norm,
    bench_conv2d,
    bench_conv_family,
    bench_gemm,
    bench_losses,
    bench_norms,
    bench_optimizers,
    bench_pool2d,
    recurrent,
)
from bench.ops.elementwise import pair
from bench.steps import bench_cnn, bench_mlp
from bench.steps.training import lamina_step

HALF = "bfloat16"
# Goals of the first days: PyTorch's time over ours.
MEMORY, PRODUCT, PRODUCT_16, RECURRENT, CAPTURED = 1.0, 0.7, 0.6, 0.8, 3.0


@dataclass(frozen=True)
class Row:
    """A case, and how it is taken on a GPU.

    Attributes:
        case: as bench/case.py has it.
        dtype: of what is float32 in the case.
        goal: the least that PyTorch's time over ours shall be; None: none is set.
        rate_goal: the least TFLOP/s that ours shall reach; None likewise.
        whole: timed by the clock on the wall, the program's own work included; else by the device's.
    """

    case: Case
    dtype: str = "float32"
    goal: float | None = None
    rate_goal: float | None = None
    whole: bool = False


def gemm(smoke: bool) -> list[Row]:
    shapes = [(1024, 1024, 1024, "nn"), (4096, 4096, 4096, "nn"), (4096, 4096, 4096, "nt"), (4096, 4096, 4096, "tn"),
              (128, 768, 768, "nn"), (25088, 64, 576, "nn"), (576, 64, 25088, "tn")]  # fmt: skip
    narrow = [*shapes[:5], (8192, 8192, 8192, "nn")]
    dense = [(1024, 4096, 1024)]
    if smoke:
        shapes, narrow, dense = bench_gemm.SMOKE, bench_gemm.SMOKE[:1], [(8, 16, 24)]
    rows = []
    for dtype, sizes, goal in (("float32", shapes, PRODUCT), (HALF, narrow, PRODUCT_16)):
        for m, n, k, form in sizes:
            case = Case(
                f"gemm {m}x{n}x{k} {form}",
                partial(bench_gemm.inputs, m, n, k, form),
                partial(bench_gemm.lamina_product, form),
                partial(bench_gemm.torch_product, form),
                gradients=False,
                flops=2.0 * m * n * k,
            )
            rows.append(Row(case, dtype, goal))
    for m, n, k in dense:
        case = Case(
            f"dense {m}x{n}x{k} + bias + relu",
            partial(bench_gemm.inputs, m, n, k, "nn"),
            bench_gemm.lamina_dense,
            bench_gemm.torch_dense,
            gradients=False,
            flops=2.0 * m * n * k,
        )
        rows += [Row(case, "float32", PRODUCT), Row(case, HALF, PRODUCT_16)]
    return rows


def conv2d(smoke: bool) -> list[Row]:
    Convolution = bench_conv2d.Convolution
    resnet = [(56, 64, 64, 3), (28, 128, 128, 3), (56, 256, 64, 1), (14, 256, 256, 3), (56, 128, 128, 3, 2),
              (7, 512, 2048, 1), (224, 3, 64, 7, 2)]  # fmt: skip
    layers = [Convolution("resnet", *r) for r in resnet] + [Convolution("vgg", 28, 256, 512, 3, bias=True)]
    batch = 64
    if smoke:
        layers, batch = bench_conv2d.SMOKE, 2
    rows = []
    for dtype, goal in (("float32", PRODUCT), (HALF, PRODUCT_16)):
        for c in layers:
            for backward in (False, True):
                products = 1 if not backward else 2 if c.channels <= 3 else 3
                case = Case(
                    f"conv2d {c.name} batch {batch}" + " + gradients" * backward,
                    partial(bench_conv2d.inputs, c, batch),
                    partial(bench_conv2d.lamina_side, c, backward),
                    partial(bench_conv2d.torch_side, c, backward),
                    gradients=backward,
                    flops=products * c.flops(batch),
                    tolerance=1e-3,
                )
                rows.append(Row(case, dtype, goal))
    return rows


def conv_family(smoke: bool) -> list[Row]:
    wanted = ("depthwise", "transposed")
    found = [case for case in bench_conv_family.cases(smoke) if any(word in case.name for word in wanted)]
    return [Row(case, goal=PRODUCT) for case in found[: 4 if smoke else 8]]


def pool2d(smoke: bool) -> list[Row]:
    rows = []
    for kind, size, stride, pad in (("max", 2, 2, 0), ("max", 3, 2, 1), ("avg", 2, 2, 0)):
        batch, side, channels = (2, 8 + pad, 20) if smoke else (64, 112 + pad, 64)
        out = (side + 2 * pad - size) // stride + 1
        x, y = (batch, side, side, channels), (batch, out, out, channels)
        read, written = 4.0 * math.prod(x), 4.0 * math.prod(y)
        chosen = written / 4 if kind == "max" else 0
        sides = [partial(f, 2, kind, size, stride, pad) for f in (bench_pool2d.ours, bench_pool2d.theirs)]
        name = f"{kind}_pool2d {size}x{size}s{stride}"
        found = pair(name, x, y, *sides, read + written, 2 * chosen + written + read)
        rows += [Row(case, goal=MEMORY) for case in found]
    return rows


def sequences(kind: str, smoke: bool) -> list[Row]:
    rows = []
    for shape in [(5, 3, 4, 9)] if smoke else [(100, 64, 512, 512), (50, 64, 1024, 1024), (100, 32, 128, 128)]:
        steps, count, features, units = shape
        flops = 2.0 * steps * count * (features + units) * recurrent.GATES[kind] * units
        for backward in (False, True):
            case = Case(
                f"{kind} {'x'.join(map(str, shape))}" + " + gradients" * backward,
                partial(recurrent.inputs, kind, *shape),
                partial(recurrent.lamina_side, kind, False, backward),
                partial(recurrent.torch_side, kind, False, backward),
                gradients=backward,
                flops=flops * (3 if backward else 1),
                tolerance=1e-3,
            )
            rows += [Row(case, dtype, RECURRENT) for dtype in ("float32", HALF)]
    return rows


def attention(smoke: bool) -> list[Row]:
    shapes = [((4, 16, 2048, 2048, 64), True), ((4, 16, 2048, 2048, 64), False)]
    narrow = [((4, 16, 2048, 2048, 128), False), ((4, 16, 2048, 2048, 128), True), ((1, 16, 8192, 8192, 128), True)]
    if smoke:
        shapes, narrow = [((1, 2, 17, 17, 8), True)], [((1, 2, 17, 17, 16), False)]
    rows = []
    for dtype, sizes in ((HALF, narrow), ("float32", shapes)):
        for shape, causal in sizes:
            batch, heads, queries, keys, size = shape
            flops = 4.0 * batch * heads * queries * keys * size / (2 if causal else 1)
            for backward in (False, True):
                case = Case(
                    f"attention {'x'.join(map(str, shape))}" + " causal" * causal + " + gradients" * backward,
                    partial(bench_attention.inputs, shape),
                    partial(bench_attention.lamina_side, causal, 0.0, backward),
                    partial(bench_attention.torch_side, causal, 0.0, backward),
                    gradients=backward,
                    flops=flops * (3.5 if backward else 1),
                    tolerance=1e-3,
                )
                fast = 350.0 if dtype == HALF and not backward and size == 128 else None
                rows.append(Row(case, dtype, None if fast else PRODUCT_16, fast))
    return rows


def norms(smoke: bool) -> list[Row]:
    rows = []
    for kind in ("layer", "rms", "group"):
        shape: tuple[int, ...] = (64, 56, 56, 256) if kind == "group" else (65536, 768)
        if smoke:
            shape = (2, 5, 5, 16) if kind == "group" else (7, 24)
        for backward in (False, True):
            case = Case(
                f"{kind}_norm {'x'.join(map(str, shape))}" + " + gradients" * backward,
                partial(bench_norms.inputs, shape),
                partial(bench_norms.lamina_side, kind, 4 if smoke else 32, backward),
                partial(bench_norms.torch_side, kind, 4 if smoke else 32, backward),
                gradients=backward,
                bytes=(2 + 3 * backward) * 4.0 * math.prod(shape),
                tolerance=1e-3,
            )
            rows.append(Row(case, goal=MEMORY))
    shape = (2, 5, 5, 24) if smoke else (64, 56, 56, 256)
    for name, backward, passes in (("training", False, 3), ("training + gradients", True, 8)):
        case = Case(
            f"batch_norm {'x'.join(map(str, shape))} {name}",
            partial(bench_batch_norm.inputs, shape),
            partial(bench_batch_norm.lamina_side, True, backward, None),
            partial(bench_batch_norm.torch_side, True, backward, None),
            gradients=backward,
            bytes=passes * 4.0 * math.prod(shape),
            tolerance=1e-3,
        )
        rows.append(Row(case, goal=MEMORY))
    return rows


def elementwise(smoke: bool) -> list[Row]:
    rows = []
    shape = (13, 37) if smoke else (65536, 1000)
    size = 4.0 * math.prod(shape)
    for name in ("relu", "gelu", "softmax"):
        sides = partial(bench_activations.ours, name), partial(bench_activations.theirs, name)
        for case in pair(f"{name} {'x'.join(map(str, shape))}", shape, shape, *sides, 2 * size, 3 * size):
            rows.append(Row(case, goal=MEMORY))
            if name != "relu":
                rows.append(Row(replace(case, bytes=case.bytes / 2), HALF, MEMORY))
    for backward in (False, True):
        case = Case(
            f"softmax_cross_entropy {'x'.join(map(str, shape))}" + " + gradient" * backward,
            partial(bench_losses.inputs, "softmax_cross_entropy", shape),
            partial(bench_losses.lamina_side, "softmax_cross_entropy", backward),
            partial(bench_losses.torch_side, "softmax_cross_entropy", backward),
            gradients=backward,
            bytes=(1 + 2 * backward) * size,
        )
        rows.append(Row(case, goal=MEMORY))
    return rows


def adam(smoke: bool) -> list[Row]:
    rows = []
    theirs, their_arguments, arguments = bench_optimizers.PAIRS["Adam"]
    for which in ("small",) if smoke else ("10 M", "MLP"):
        size = 4.0 * sum(math.prod(s) for s in bench_optimizers.shapes(which))
        case = Case(
            f"Adam, {which}",
            partial(bench_optimizers.inputs, which),
            partial(bench_optimizers.lamina_side, "Adam", arguments),
            partial(bench_optimizers.torch_side, theirs, their_arguments, False),
            gradients=False,
            bytes=bench_optimizers.passes("Adam") * size,
        )
        rows.append(Row(case, goal=MEMORY))
    return rows


def captures() -> bool:
    """Whether training steps become CUDA graphs here."""
    return importlib.util.find_spec("lamina.models.capture") is not None


def steps(smoke: bool) -> list[Row]:
    rows = []
    networks: list[tuple[str, Callable[[], Any], Callable[[], Any], Callable[..., Any]]] = [
        ("mlp 784-128-10, batch 32", partial(bench_mlp.inputs, 32), bench_mlp.build, bench_mlp.torch_side),
        ("cnn 28x28x1, batch 32", bench_cnn.inputs, bench_cnn.build, bench_cnn.torch_side),
    ]
    for name, inputs, build, torch_side in networks:
        for captured in (False, True) if captures() else (False,):
            case = Case(
                f"{name}, a step" + (" as a graph, PyTorch eager" if captured else ""),
                inputs,
                partial(lamina_step, build, False, captured=captured),
                torch_side,
                tolerance=1e-3,
            )
            rows.append(Row(case, goal=CAPTURED if captured and "cnn" in name else None, whole=True))
    return rows


#: In the order of their weight: a run that is cut short has the first.
FAMILIES: dict[str, Callable[[bool], list[Row]]] = {
    "gemm": gemm,
    "conv2d": conv2d,
    "attention": attention,
    "steps": steps,
    "elementwise": elementwise,
    "norms": norms,
    "pool2d": pool2d,
    "lstm": partial(sequences, "lstm"),
    "gru": partial(sequences, "gru"),
    "adam": adam,
    "conv_family": conv_family,
}
