"""A convolution of single pixels that adds a residual: the bits of convolution, addition and relu one by one."""

import numpy as np
import pytest

import lamina as lm
from lamina.ops.conv2d_sum import conv2d_sum
from op_testing import check_same_bits

random = np.random.default_rng(0)


def normal(*shape, dtype="float32"):
    return random.standard_normal(shape).astype(dtype)


def one_by_one(x, kernel, bias, residual, activation, **window):
    total = lm.ops.add(lm.ops.conv2d(x, kernel, bias, **window), residual)
    return lm.ops.relu(total) if activation else total


def together(x, kernel, bias, residual, activation, strides=1, padding="valid", groups=1):
    return conv2d_sum(x, kernel, bias, strides, padding, 1, groups, residual, activation)


# Images, channels, filters: tiles and tails, several chains, few tiles, past the caches.
SHAPES = [(2, 7, 5, 3, 37), (1, 1, 1, 9, 2), (3, 14, 14, 64, 256), (1, 7, 7, 530, 33), (1, 1, 2, 9000, 16),
          (0, 4, 4, 3, 5), (1, 120, 120, 16, 512)]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_the_ops_one_by_one(shape, activation, dtype):
    *images, channels, filters = shape
    x, kernel = normal(*images, channels, dtype=dtype), normal(1, 1, channels, filters, dtype=dtype)
    residual = normal(*images, filters, dtype=dtype)
    for bias in (None, normal(filters, dtype=dtype)):
        got = together(x, kernel, bias, residual, activation)
        assert np.array_equal(got.numpy(), one_by_one(x, kernel, bias, residual, activation).numpy())


@pytest.mark.parametrize("shape", [(2, 7, 5, 3, 37), (1, 7, 7, 530, 33), (1, 1, 2, 9000, 16)])
def test_same_bits(shape):
    *images, channels, filters = shape
    inputs = [normal(*images, channels), normal(1, 1, channels, filters), normal(filters), normal(*images, filters)]
    check_same_bits(lambda x, w, b, r: together(x, w, b, r, "relu"), inputs)
    with lm.no_grad():
        check_same_bits(lambda x, w, b, r: together(x, w, b, r, "relu"), inputs, gradients=False)


def test_an_image_alone_gives_the_bits_of_the_batch():
    x, kernel, bias, residual = normal(5, 9, 9, 40), normal(1, 1, 40, 70), normal(70), normal(5, 9, 9, 70)
    y = together(x, kernel, bias, residual, "relu").numpy()
    for i in range(5):
        one = slice(i, i + 1)
        assert np.array_equal(together(x[one], kernel, bias, residual[one], "relu").numpy(), y[one])


@pytest.mark.parametrize(
    ("kernel", "residual", "window"),
    [
        ((3, 3, 8, 8), (2, 6, 6, 8), {"padding": "same"}),
        ((1, 1, 8, 8), (2, 3, 3, 8), {"strides": 2}),
        ((1, 1, 8, 8), (2, 8, 8, 8), {"padding": 1}),
        ((1, 1, 2, 8), (2, 6, 6, 8), {"groups": 4}),
        ((1, 1, 8, 8), (8,), {}),
    ],
)
def test_other_convolutions_and_sums(kernel, residual, window):
    inputs = normal(2, 6, 6, 8), normal(*kernel), normal(8), normal(*residual)
    assert np.array_equal(together(*inputs, "relu", **window).numpy(), one_by_one(*inputs, "relu", **window).numpy())


def test_gradients_are_those_of_the_ops():
    inputs = normal(2, 4, 4, 3), normal(1, 1, 3, 5), normal(5), normal(2, 4, 4, 5)
    grads = []
    for function in (together, one_by_one):
        tensors = [lm.tensor(a, requires_grad=True) for a in inputs]
        function(*tensors, "relu").sum().backward()
        grads.append([t.grad.numpy() for t in tensors])
    assert all(np.array_equal(a, b) for a, b in zip(*grads, strict=True))


def called(monkeypatch, name):
    """The keyword and positional arguments of a kernel's calls on the GPU."""
    calls = []
    kernels = lm.backend.on("cuda") is not None and lm.backend.cuda.kernels
    kernel = getattr(kernels, name)

    def spy(*args, **kwargs):
        calls.append((args, kwargs))
        return kernel(*args, **kwargs)

    monkeypatch.setitem(kernels.__dict__, name, spy)
    return calls


@pytest.mark.parametrize("shape", [(2, 7, 5, 3, 37), (1, 1, 1, 9, 2), (2, 5, 3, 530, 33), (0, 4, 4, 3, 5)])
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_a_gpu_one_kernel_with_the_bits_of_the_cpu(shape, activation, dtype, monkeypatch):
    *images, channels, filters = shape
    arrays = normal(*images, channels, dtype=dtype), normal(1, 1, channels, filters, dtype=dtype)
    arrays = (*arrays, normal(filters, dtype=dtype), normal(*images, filters, dtype=dtype))
    there = [lm.tensor(a, device="cuda") for a in arrays]
    plain = one_by_one(*there, activation).numpy()
    calls = called(monkeypatch, "gemm")
    got = together(*there, activation)
    assert len(calls) == 1
    assert got.device == "cuda"
    assert np.array_equal(got.numpy(), together(*arrays, activation).numpy())
    assert np.array_equal(got.numpy(), plain)


def test_tensors_of_two_devices_are_refused():
    inputs = normal(2, 4, 4, 3), normal(1, 1, 3, 5), normal(5), normal(2, 4, 4, 5)
    x, kernel, bias, residual = (lm.tensor(a, device="cuda") for a in inputs)
    with pytest.raises((TypeError, ValueError), match=r"on cuda, .* on cpu"):
        together(x, kernel, bias, lm.tensor(inputs[3]), "relu")
    with pytest.raises((TypeError, ValueError), match=r"on cuda, .* on cpu"):
        together(x, kernel, lm.tensor(inputs[2]), residual, "relu")


def test_infinities_and_nan():
    x, kernel, residual = normal(1, 3, 3, 4), normal(1, 1, 4, 6), normal(1, 3, 3, 6)
    residual[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    got, wanted = (f(x, kernel, None, residual, "relu").numpy() for f in (together, one_by_one))
    assert np.isnan(got[0, 0, 0, 0])
    assert np.array_equal(got, wanted, equal_nan=True)
