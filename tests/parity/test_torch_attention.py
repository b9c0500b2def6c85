"""ops.attention beside PyTorch's scaled_dot_product_attention: outputs and gradients."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional

SHAPES = [  # batch, queries, keys, heads, key heads, size, size of the values
    (2, 5, 5, 1, 1, 4, 4),
    (2, 1, 130, 3, 3, 16, 16),
    (1, 61, 70, 2, 2, 20, 12),
    (3, 17, 9, 6, 2, 8, 8),
    (1, 140, 1100, 2, 1, 32, 7),
]
DTYPES = [("float32", 1e-5), ("float64", 1e-9)]


def both(shape, dtype, ours, theirs, tolerance, rows=None):
    """Outputs and gradients of the two, for the same q, k, v and dy."""
    batch, queries, keys, heads, key_heads, size, value_size = shape
    random = np.random.default_rng(sum(shape))
    arrays = [
        random.standard_normal(s).astype(dtype)
        for s in ((batch, queries, heads, size), (batch, keys, key_heads, size), (batch, keys, key_heads, value_size))
    ]
    u = [lm.tensor(a, requires_grad=True) for a in arrays]
    v = [torch.tensor(a.transpose(0, 2, 1, 3).copy(), requires_grad=True) for a in arrays]
    y, z = ours(*u), theirs(*v)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy().transpose(0, 2, 1, 3), rtol=tolerance, atol=tolerance)
    dy = random.standard_normal(y.shape).astype(dtype)
    y.backward(dy)
    z.backward(torch.tensor(dy.transpose(0, 2, 1, 3).copy()))
    for a, b in zip(u, v, strict=True):
        theirs_grad = b.grad.numpy().transpose(0, 2, 1, 3)
        np.testing.assert_allclose(a.grad.numpy(), theirs_grad, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_attention(shape, causal, dtype, tolerance):
    grouped = shape[3] != shape[4]
    both(
        shape,
        dtype,
        lambda q, k, v: lm.ops.attention(q, k, v, causal=causal),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=grouped),
        tolerance,
    )


def test_scale():
    both(
        SHAPES[2],
        "float64",
        lambda q, k, v: lm.ops.attention(q, k, v, scale=0.7),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, scale=0.7),
        1e-9,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("mask_shape", [(3, 6, 17, 9), (3, 1, 1, 9), (1, 6, 17, 9), (17, 9)])
def test_boolean_masks(mask_shape, dtype, tolerance):
    """Rows that see nothing among them: 0, with gradients of 0."""
    mask = np.random.default_rng(1).random(mask_shape) < 0.6
    mask[..., 0, :] = False
    both(
        SHAPES[3],
        dtype,
        lambda q, k, v: lm.ops.attention(q, k, v, mask=mask),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=torch.tensor(mask), enable_gqa=True),
        tolerance,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("mask_shape", [(1, 2, 61, 70), (1, 1, 61, 70), (61, 70)])
def test_additive_masks(mask_shape, dtype, tolerance):
    bias = np.random.default_rng(1).standard_normal(mask_shape).astype(dtype)
    bias[bias > 1] = -np.inf
    both(
        SHAPES[2],
        dtype,
        lambda q, k, v: lm.ops.attention(q, k, v, mask=bias),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=torch.tensor(bias)),
        tolerance,
    )


def test_gradient_of_a_bias():
    q, k, v = (np.random.default_rng(i).standard_normal((2, 7, 3, 4)) for i in range(3))
    bias = np.random.default_rng(3).standard_normal((1, 3, 7, 7))
    ours, theirs = lm.tensor(bias, requires_grad=True), torch.tensor(bias, requires_grad=True)
    (lm.ops.attention(q, k, v, bias=ours) ** 2).sum().backward()
    q, k, v = (torch.tensor(x.transpose(0, 2, 1, 3).copy()) for x in (q, k, v))
    (functional.scaled_dot_product_attention(q, k, v, attn_mask=theirs) ** 2).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_dropout_with_the_same_mask():
    """What we drop, PyTorch drops by way of a matrix of factors."""
    batch, queries, keys, heads = 2, 40, 150, 2
    seed, stream, rate = 5, 8, 0.3
    ones = np.ones((batch, heads, queries, 256))
    factors = torch.tensor(lm.ops.dropout(ones, rate, seed, stream).numpy()[..., :keys].copy())

    def theirs(q, k, v):
        return (torch.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5, dim=-1) * factors) @ v

    both(
        (batch, queries, keys, heads, heads, 8, 8),
        "float64",
        lambda q, k, v: lm.ops.attention(q, k, v, dropout=rate, seed=seed, stream=stream),
        theirs,
        1e-9,
    )


def test_dropout_on_the_average():
    """The share that is dropped, and the mean, are PyTorch's: with values of 1 each output is a sum of factors."""
    q = np.random.default_rng(0).standard_normal((4, 64, 4, 8)).astype("float32")
    v = np.ones_like(q)
    ours = lm.ops.attention(q * 0, q, v, dropout=0.25, seed=1, stream=1).numpy()
    x = torch.tensor(q.transpose(0, 2, 1, 3).copy())
    torch.manual_seed(0)
    theirs = functional.scaled_dot_product_attention(x * 0, x, torch.ones_like(x), dropout_p=0.25).numpy()
    assert abs(ours.mean() - 1) < 0.01
    assert abs(theirs.mean() - 1) < 0.01
    assert abs(ours[..., 0].std() / theirs[..., 0].std() - 1) < 0.15
