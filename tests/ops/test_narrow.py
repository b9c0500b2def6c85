"""Floats of 16 bits: every op gives its float32 result, rounded; what goes with what; tensors of them."""

import numpy as np
import pytest

import lamina as lm
import op_testing
from lamina import backend
from lamina.autograd import narrow
from op_testing import NARROW, check_narrow

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _flag_restored():
    before = backend.narrow
    yield
    backend.narrow = before


def numbers(*shape, scale=1.0):
    return rng.standard_normal(shape) * scale


def positive(*shape):
    return rng.uniform(0.5, 2.0, shape)


def whole(*shape, most=4):
    return rng.integers(0, most, shape)


ONE = [
    "abs", "arcsinh", "arctan", "binary_step", "celu", "cos", "cosh", "elu", "erf", "exp", "expm1", "gelu",
    "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "max", "mean", "min", "mish",
    "negative", "relu", "relu6", "selu", "sigmoid", "silu", "sin", "sinh", "softmax", "softplus", "softsign",
    "sparsemax", "square", "squareplus", "std", "sum", "tan", "tanh", "tanh_shrink", "var", "logsumexp", "flip",
    "cumsum", "sort", "unit_norm", "rms_norm", "layer_norm", "transpose", "flatten", "norm",
]  # fmt: skip
OF_POSITIVE = ["log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "prod", "arccosh"]
TWO = ["add", "subtract", "multiply", "maximum", "minimum", "arctan2", "hypot", "logaddexp"]


@pytest.mark.parametrize("name", ONE)
def test_one_operand(name):
    check_narrow(getattr(lm.ops, name), [numbers(7, 33)], exact=True)


@pytest.mark.parametrize("name", OF_POSITIVE)
def test_positive_operand(name):
    check_narrow(getattr(lm.ops, name), [1 + positive(7, 5)], exact=True)


@pytest.mark.parametrize("name", TWO)
def test_two_operands(name):
    for shape in ((7, 33), (33,), (7, 1)):
        check_narrow(getattr(lm.ops, name), [numbers(7, 33), numbers(*shape)], exact=True)


OTHERS = {
    "divide": (lm.ops.divide, [numbers(5, 3), positive(5, 3)]),
    "power": (lm.ops.power, [positive(5, 3), numbers(5, 3)]),
    "matmul": (lm.ops.matmul, [numbers(3, 17, 40), numbers(40, 9)]),
    "dense": (lambda x, w, b: lm.ops.dense(x, w, b, "tanh"), [numbers(9, 50), numbers(50, 7), numbers(7)]),
    "conv1d": (lambda x, w, b: lm.ops.conv1d(x, w, b, 2), [numbers(2, 9, 3), numbers(3, 3, 4), numbers(4)]),
    "conv2d": (
        lambda x, w, b: lm.ops.conv2d(x, w, b, padding="same", activation="relu"),
        [numbers(2, 9, 8, 3), numbers(3, 3, 3, 4), numbers(4)],
    ),
    "conv2d_transpose": (
        lambda x, w: lm.ops.conv2d_transpose(x, w, strides=2), [numbers(2, 4, 4, 3), numbers(3, 3, 4, 3)],
    ),
    "depthwise_conv2d": (lm.ops.depthwise_conv2d, [numbers(2, 6, 6, 3), numbers(3, 3, 3, 2)]),
    "max_pool2d": (lambda x: lm.ops.max_pool2d(x, 2), [numbers(2, 8, 8, 3)]),
    "avg_pool2d": (lambda x: lm.ops.avg_pool2d(x, 2), [numbers(2, 8, 8, 3)]),
    "global_avg_pool": (lm.ops.global_avg_pool, [numbers(2, 8, 8, 3)]),
    "layer_norm": (lm.ops.layer_norm, [numbers(6, 10), positive(10), numbers(10)]),
    "group_norm": (lambda x, g, b: lm.ops.group_norm(x, g, b, 2), [numbers(2, 5, 6), positive(6), numbers(6)]),
    "batch_norm": (
        lambda x, g, b: lm.ops.batch_norm(x, g, b, None, None, training=True),
        [numbers(20, 6), positive(6), numbers(6)],
    ),
    "attention": (
        lambda q, k, v: lm.ops.attention(q, k, v, causal=True),
        [numbers(2, 6, 2, 8), numbers(2, 6, 2, 8), numbers(2, 6, 2, 8)],
    ),
    "dropout": (lambda x: lm.ops.dropout(x, 0.25, 7, 1), [numbers(10, 50)]),
    "embedding": (lambda i, t: lm.ops.embedding(i, t), [whole(3, 5), numbers(4, 6)]),
    "take": (lambda x, i: lm.ops.take(x, i, axis=1), [numbers(3, 5), whole(6)]),
    "concatenate": (lambda a, b: lm.ops.concatenate([a, b], -1), [numbers(3, 4), numbers(3, 2)]),
    "stack": (lambda a, b: lm.ops.stack([a, b]), [numbers(3, 4), numbers(3, 4)]),
    "split": (lambda x: lm.ops.split(x, 2, -1), [numbers(3, 4)]),
    "where": (lambda c, a, b: lm.ops.where(c, a, b), [whole(3, 4, most=2).astype(bool), numbers(3, 4), numbers(3, 4)]),
    "clip": (lambda x: lm.ops.clip(x, -0.5, 0.5), [numbers(3, 40)]),
    "pad": (lambda x: lm.ops.pad(x, ((1, 0), (0, 2))), [numbers(3, 4)]),
    "index": (lambda x: x[1:, ::2], [numbers(3, 9)]),
    "reshape": (lambda x: lm.ops.reshape(x, (2, -1)), [numbers(4, 3)]),
    "einsum": (lambda a, b: lm.ops.einsum("ij,kj->ik", a, b), [numbers(4, 9), numbers(5, 9)]),
    "top_k": (lambda x: lm.ops.top_k(x, 2)[0], [numbers(4, 9)]),
    "cross entropy": (
        lambda x: lm.ops.softmax_cross_entropy(x, [1, 2, 0]), [numbers(3, 4)],
    ),
    "mean_squared_error": (lambda p, t: lm.ops.mean_squared_error(p, t.detach()), [numbers(3, 4), numbers(3, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OTHERS))
def test_others(name):
    op, inputs = OTHERS[name]
    check_narrow(op, inputs, exact=name not in ("einsum",), gradients=name != "mean_squared_error")


MASK = np.array([[1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)


def weights_of(name):
    gates = {"lstm": 4, "gru": 3, "simple_rnn": 1}[name]
    bias = numbers(2, 12) if name == "gru" else numbers(4 * gates)
    return [numbers(5, 4 * gates, scale=0.5), numbers(4, 4 * gates, scale=0.5), bias]


def recurrent(name, mask):
    """The op of x and its weights; both directions are added."""
    if name.startswith("bidirectional"):
        return lambda x, *w: lm.ops.add(*(part[0] for part in getattr(lm.ops, name)(x, w[:3], w[3:], mask=mask)))
    return lambda x, *w: getattr(lm.ops, name)(x, *w, mask=mask)[0]


RECURRENT = {
    f"{before}{name}{' masked' * (mask is not None)}": (
        recurrent(before + name, mask), [numbers(3, 6, 5), *weights_of(name), *(weights_of(name) if before else [])],
    )
    for name in ("lstm", "gru", "simple_rnn") for before in ("", "bidirectional_") for mask in (None, MASK)
}  # fmt: skip


@pytest.mark.parametrize("name", list(RECURRENT))
def test_recurrent(name):
    check_narrow(*RECURRENT[name], exact="bidirectional" not in name)


def test_rounding_is_to_nearest_even():
    x = lm.tensor(np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 3.4e38, 1e-45, np.nan], "float32"))
    y = lm.ops.cast(x, "bfloat16")
    assert y.numpy().astype("float32").tolist()[:4] == [1.0, 1 + 2.0**-6, float("inf"), 0.0]
    assert np.isnan(y.numpy().astype("float32")[4])
    assert lm.ops.cast(lm.tensor([65520.0, 65519.0]), "float16").numpy().tolist() == [float("inf"), 65504.0]


def dtype_of(y):
    return y.dtype.name


@pytest.mark.parametrize("name", list(NARROW))
def test_what_goes_with_what(name):
    other = "bfloat16" if name == "float16" else "float16"
    x = lm.tensor([1.0, 2.0], dtype=name)
    for y in (x + 1, 1.5 * x, x - True, x / np.float64(3), x * lm.tensor(2.0), lm.ops.add(x, [1.0, 2.0]),
              lm.ops.add(x, [1, 2]), x + lm.tensor([1, 2]), lm.ops.maximum(x, 0.5), -x, x**2, x @ x,
              lm.ops.where([True, False], x, 0.0)):  # fmt: skip
        assert dtype_of(y) == name
    for y in (x + lm.tensor([1.0, 2.0]), np.ones(2, "float32") * x, x + lm.tensor([1.0, 2.0], dtype=other)):
        assert dtype_of(y) == "float32"
    assert dtype_of(x + np.ones(2)) == "float64"
    zero_dim = lm.tensor(1.0, dtype=name)
    assert dtype_of(zero_dim + 1.0) == name
    assert dtype_of(zero_dim + lm.tensor(1.0)) == "float32"
    assert dtype_of(zero_dim * lm.tensor([1.0])) == "float32"
    assert (x == x).dtype == bool
    assert lm.ops.argmax(x).dtype == np.int64
    assert narrow.result_dtype({backend.dtype_of("float16"), backend.dtype_of("bfloat16")}) == np.float32


@pytest.mark.parametrize("name", list(NARROW))
def test_tensors(name):
    x = lm.tensor([[1.5, -2.0]], requires_grad=True, dtype=name)
    assert (dtype_of(x), x.numpy().dtype.name, x.numpy().tolist()) == (name, name, [[1.5, -2.0]])
    assert f"dtype={name}" in repr(x)
    assert x[0, 0].item() == 1.5
    assert float(x.sum()) == -0.5
    assert dtype_of(lm.tensor(x, dtype="float32")) == "float32"
    assert dtype_of(x.astype("float64")) == "float64"
    assert dtype_of(lm.tensor([1, 2]).astype(name)) == name
    assert lm.ops.cast(x, "int32").numpy().tolist() == [[1, -2]]
    for make in (lm.ops.zeros, lm.ops.ones):
        assert dtype_of(make((2,), name)) == name
    for make in (lm.ops.zeros_like, lm.ops.ones_like, lm.ops.copy, lm.ops.stop_gradient):
        assert dtype_of(make(x)) == name
    assert dtype_of(lm.ops.zeros_like(x, "float32")) == "float32"
    assert dtype_of(lm.ops.full_like(x, 3.5)) == name
    assert dtype_of(lm.ops.one_hot([1], 2, dtype=name)) == name
    assert lm.ops.dtype(x) == name
    assert dtype_of(lm.ops.convert_to_tensor([1.0], dtype=name)) == name
    (x * x).sum().backward()
    assert dtype_of(x.grad) == name
    assert x.grad.numpy().tolist() == [[3.0, -4.0]]
    (x * x + x * 2).sum().backward()  # gradients of several paths, and of several calls
    assert x.grad.numpy().tolist() == [[8.0, -6.0]]
    y = lm.ops.cast(x, "float32").sum()
    y.backward()
    assert dtype_of(x.grad) == name


def test_numpy_arrays_of_16_bits():
    x = np.array([1.0, 2.0], "float16")
    assert dtype_of(lm.ops.exp(x)) == "float16"
    assert dtype_of(lm.tensor([1.0, 2.0]) * x) == "float32"
    assert lm.from_dlpack(x).dtype == np.float16
    assert np.shares_memory(np.from_dlpack(lm.from_dlpack(x)), x)


@pytest.mark.skipif(op_testing.DEVICE != "stand-in", reason="of the stand-in: a GPU has tests/cuda")
def test_on_a_gpu_ops_run_natively_where_there_are_kernels(monkeypatch):
    x = lm.tensor([[-1.0, 2.0]], dtype="float16", device="cuda", requires_grad=True)
    seen = []

    class Kernels:
        def relu_forward(self, x, y):
            seen.append((x.dtype, y.dtype))
            y[...] = backend.array_module(x).maximum(x, 0)

        def relu_backward(self, y, dy, dx):
            seen.append((y.dtype, dy.dtype, dx.dtype))
            dx[...] = dy * (y > 0)

    y = lm.ops.relu(x)  # no kernels of 16 bits: in float32
    assert (y.device, y.dtype.name) == ("cuda", "float16")
    assert type(y.node).__name__ == "CastFunction"
    monkeypatch.setattr(backend.cuda, "narrow_kernels", frozenset({"relu_forward", "relu_backward"}))
    monkeypatch.setattr(backend.cuda, "kernels", Kernels())
    y = lm.ops.relu(x)
    assert type(y.node).__name__ == "ReluFunction"
    y.backward(np.ones((1, 2)))
    assert seen == [(np.float16,) * 2, (np.float16,) * 3]
    assert x.grad.numpy().tolist() == [[0.0, 1.0]]
    assert lm.ops.relu(x.cpu()).numpy().tolist() == [[0.0, 2.0]]


class Sixteen:
    """Kernels that take 16 bits as a GPU's do: those of float32 for the same numbers, their results rounded."""

    def __init__(self, kernels):
        self.kernels, self.calls = kernels, []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            given = [(a, self.widened(a)) for a in (*args, *kwargs.values())]
            wide = [w for _, w in given]
            self.calls += [name] if any(w is not a for a, w in given) else []
            getattr(self.kernels, name)(*wide[: len(args)], **dict(zip(kwargs, wide[len(args) :], strict=True)))
            for a, w in given:
                self.put(a, w)

        return call

    def put(self, a, wide):
        """Inputs get what they held."""
        if isinstance(a, (list, tuple)):
            for one, other in zip(a, wide, strict=True):
                self.put(one, other)
        elif a is not wide:
            a[...] = wide

    def widened(self, a):
        if isinstance(a, (list, tuple)):
            found = type(a)(map(self.widened, a))
            return found if any(x is not y for x, y in zip(a, found, strict=True)) else a
        return a.astype("float32") if hasattr(a, "dtype") and backend.is_narrow(a.dtype) else a


NATIVELY = {
    **{name: (getattr(lm.ops, name), [numbers(7, 9)]) for name in ONE if name in narrow.NATIVE},
    **{name: (getattr(lm.ops, name), [positive(7, 9)]) for name in OF_POSITIVE if name in narrow.NATIVE},
    **{name: (getattr(lm.ops, name), [numbers(7, 9), positive(9)]) for name in TWO if name in narrow.NATIVE},
    **{name: case for name, case in OTHERS.items() if name in narrow.NATIVE},
    **RECURRENT,
}


@pytest.mark.parametrize("dtype", list(NARROW))
@pytest.mark.parametrize("name", list(NATIVELY))
def test_natively_within_rounding(name, dtype, monkeypatch):
    op, inputs = NATIVELY[name]
    results, needed = [], set(narrow.NATIVE[name.split()[0]])
    backend.on("cuda")
    kernels = Sixteen(backend.cuda.kernels)
    if op_testing.DEVICE == "stand-in":
        every = frozenset(kernel for names in narrow.NATIVE.values() for kernel in names)
        monkeypatch.setattr(backend.cuda, "narrow_kernels", every)
        monkeypatch.setattr(backend.cuda, "kernels", kernels)
    elif not backend.cuda.narrow_kernels.issuperset(needed):
        pytest.skip("there are no kernels of 16 bits")
    for device in ("cpu", "cuda"):
        tensors = [lm.tensor(x.astype("float32"), True, device, dtype) for x in inputs]
        y = op(*tensors)
        assert (y.device, y.dtype.name) == (device, dtype)
        assert device == "cpu" or type(y.node).__name__ != "CastFunction"
        y.backward(np.linspace(-1, 1, y.size).reshape(y.shape))
        assert all(t.grad.dtype.name == dtype for t in tensors)
        results.append([np.array(v, "float32") for v in (y.numpy(), *[t.grad.numpy() for t in tensors])])
    if op_testing.DEVICE == "stand-in":
        assert kernels.calls
        assert set(kernels.calls) <= needed, "other kernels than those that are asked for"
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=8 * NARROW[dtype], atol=8 * NARROW[dtype] * max(1, abs(one).max()))


@pytest.mark.skipif(op_testing.DEVICE != "stand-in", reason="of the stand-in")
def test_older_gpus_and_cupy(monkeypatch):
    backend.on("cuda")
    every = frozenset(kernel for names in narrow.NATIVE.values() for kernel in names)
    monkeypatch.setattr(backend.cuda, "narrow_kernels", every)
    monkeypatch.setattr(backend.cuda, "narrow_dtypes", ("float16",))  # sm_75
    y = lm.ops.exp(lm.tensor([1.0], dtype="bfloat16", device="cuda"))
    assert y.numpy().astype("float32").tolist() == [2.71875]
    monkeypatch.setattr(backend.cuda, "version", "13.4.1")
    x = lm.tensor([1.0], device="cuda")
    for make in (lambda: x.astype("bfloat16"), lambda: lm.tensor([1.0], dtype="bfloat16").to("cuda"),
                 lambda: lm.ops.zeros_like(x, "bfloat16"), lambda: lm.tensor(x, dtype="bfloat16")):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"bfloat16 .* needs CuPy 14 or newer, this is 13\.4\.1: pip install"):
            make()
    assert x.astype("float16").dtype == np.float16


@pytest.mark.parametrize("name", list(NARROW))
def test_on_a_gpu(name):
    """The bits of the CPU; but for rounding, where kernels of 16 bits take part."""
    x, w = numbers(5, 6), numbers(6, 3)
    results = []
    for device in ("cpu", "cuda"):
        a, b = (lm.tensor(v, True, device, dtype=name) for v in (x, w))
        y = lm.ops.softmax(lm.ops.relu(a @ b) + 0.5)
        assert (y.device, y.dtype.name) == (device, name)
        (y * y).sum().backward()
        results.append([y.numpy(), a.grad.numpy(), b.grad.numpy()])
    tolerance = 0 if op_testing.DEVICE == "stand-in" else 8 * NARROW[name]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.astype("float32"), other.astype("float32"), rtol=0, atol=tolerance)


def test_weights_in_a_file(tmp_path):
    model = lm.Sequential([lm.Input((3,)), lm.layers.Dense(2, dtype="bfloat16"), lm.layers.Dense(2, dtype="float16")])
    model.save_weights(tmp_path / "w.safetensors")
    from safetensors import safe_open

    with safe_open(str(tmp_path / "w.safetensors"), framework="numpy") as file:
        kinds = [str(file.get_slice(name).get_dtype()) for name in file.keys()]  # noqa: SIM118
    assert set(kinds) == {"BF16", "F16"}
    before = model.get_weights()
    model.set_weights([np.zeros_like(w) for w in before])
    model.load_weights(tmp_path / "w.safetensors")
    for a, b in zip(model.get_weights(), before, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_every_name_is_that_of_an_op():
    known = set(dir(lm.ops))
    assert not (narrow.MOVES | narrow.AS_THEY_ARE | narrow.WITH_WEIGHTS | set(narrow.NATIVE)) - known
    kernels = {kernel for names in narrow.NATIVE.values() for kernel in names}
    assert all(hasattr(lm.backend._cpu, kernel) for kernel in kernels)
