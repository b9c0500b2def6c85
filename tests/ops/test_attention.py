"""attention: the kernel against its definition, in every shape, mask and kind of head."""

import functools

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_empty_batch, check_forward, check_gradients, check_op, check_rows_alone, check_same_bits

TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}


def visible_keys(shape, mask=None, lengths=None, causal=False):
    seen = np.ones(shape, bool)
    if mask is not None:
        seen &= mask
    if lengths is not None:
        seen &= np.arange(shape[3]) < np.asarray(lengths)[:, None, None, None]
    if causal:
        seen &= np.tril(np.ones(shape[2:], bool))
    return seen


def probabilities(q, k, bias=None, scale=None, **masks):
    q, k = (x.transpose(0, 2, 1, 3) for x in (q, k))
    k = k.repeat(q.shape[1] // k.shape[1], axis=1)
    s = q @ k.swapaxes(2, 3) * (q.shape[3] ** -0.5 if scale is None else scale)
    if bias is not None:
        s = s + bias
    s = np.where(visible_keys(s.shape, **masks), s, -np.inf)
    top = s.max(axis=3, keepdims=True, initial=-np.inf)
    p = np.exp(s - np.where(np.isinf(top), 0, top))
    total = p.sum(axis=3, keepdims=True)
    return p / np.where(total == 0, 1, total)


def kept(shape, dropout, seed, stream):
    """What dropout multiplies the probabilities by: ops.dropout of ones, whose rows are padded to 128."""
    ones = np.ones((*shape[:3], -(-shape[3] // 128) * 128))
    return lm.ops.dropout(ones, dropout, seed, stream).numpy()[..., : shape[3]]


def reference(q, k, v, dropout=0.0, seed=None, stream=None, **arguments):
    p = probabilities(q, k, **arguments)
    if dropout:
        p = p * kept(p.shape, dropout, seed, stream)
    v = v.transpose(0, 2, 1, 3).repeat(p.shape[1] // v.shape[2], axis=1)
    return (p @ v).transpose(0, 2, 1, 3)


def inputs(batch, queries, keys, heads, key_heads, size, value_size=None, seed=0):
    random = np.random.default_rng(seed)
    q = random.standard_normal((batch, queries, heads, size))
    k = random.standard_normal((batch, keys, key_heads, size))
    return q, k, random.standard_normal((batch, keys, key_heads, value_size or size))


def check(arrays, *, layouts=False, batch=True, places=12, **arguments):
    op = functools.partial(lm.ops.attention, **arguments)
    plain = functools.partial(reference, **arguments)
    check_op(
        op, arrays, plain, batched=(0, 1, 2), batch_axis=0 if batch else None, tolerance=TOLERANCE, layouts=layouts,
        places=places,
    )  # fmt: skip


SHAPES = [
    (3, 5, 5, 2, 2, 16, None),
    (2, 1, 1, 1, 1, 1, None),
    (2, 1, 77, 3, 3, 8, None),  # a query alone
    (2, 4, 33, 2, 1, 12, 16),
    (2, 15, 70, 2, 2, 20, 7),  # sizes that fill no vector
    (2, 61, 131, 2, 2, 17, 33),
    (1, 130, 600, 1, 1, 16, None),  # several blocks of keys, several of queries
    (3, 19, 40, 6, 2, 8, None),  # grouped queries
    (2, 2, 530, 4, 2, 16, 32),  # few rows a key head
    (2, 70, 9, 4, 1, 64, 16),
]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_attention(shape, causal):
    check(inputs(*shape), causal=causal, layouts=shape == SHAPES[0])


def test_scale():
    check(inputs(2, 5, 6, 1, 1, 4), scale=2.0)


def masks_of(shape, random):
    batch, heads, queries, keys = shape
    return [
        random.random((batch, heads, queries, keys)) < 0.6,
        random.random((batch, 1, 1, keys)) < 0.6,
        random.random((1, heads, queries, 1)) < 0.6,
        random.random((queries, keys)) < 0.6,
    ]


@pytest.mark.parametrize("which", range(4))
def test_boolean_masks(which):
    arrays = inputs(2, 21, 150, 2, 2, 8)
    mask = masks_of((2, 2, 21, 150), np.random.default_rng(1))[which]
    check(arrays, mask=mask, causal=which == 0, batch=False)


@pytest.mark.parametrize("which", range(4))
def test_additive_masks(which):
    arrays = inputs(2, 21, 150, 2, 2, 8)
    seen = masks_of((2, 2, 21, 150), np.random.default_rng(1))[which]
    bias = np.where(seen, np.random.default_rng(2).standard_normal(seen.shape), -np.inf)

    def op(q, k, v):
        return lm.ops.attention(q, k, v, bias=bias.astype(q.dtype))

    plain = functools.partial(reference, bias=bias)
    check_forward(op, arrays, plain, tolerance=TOLERANCE)
    check_gradients(op, arrays, places=12)
    check_same_bits(op, arrays)
    q, k, v = arrays
    same = lm.ops.attention(q, k, v, mask=bias).numpy()
    np.testing.assert_array_equal(same, op(*arrays).numpy())


def test_both_masks_and_lengths():
    arrays = inputs(3, 7, 30, 2, 2, 8)
    random = np.random.default_rng(3)
    lengths, mask = np.array([0, 13, 30]), random.random((3, 1, 7, 30)) < 0.7
    bias = random.standard_normal((1, 2, 1, 30))

    def op(q, k, v):
        return lm.ops.attention(q, k, v, mask=mask, bias=bias.astype(q.dtype), lengths=lengths, causal=True)

    plain = functools.partial(reference, mask=mask, bias=bias, lengths=lengths, causal=True)
    check_op(op, arrays, plain, batch_axis=None, tolerance=TOLERANCE, layouts=False, places=12)


@pytest.mark.parametrize("lengths", [[0, 5, 29], [30, 1, 0], [16, 17, 0]])
def test_lengths(lengths):
    check(inputs(3, 7, 30, 4, 2, 8), lengths=np.array(lengths), batch=False)


def test_nothing_seen_is_zero():
    q, k, v = (lm.tensor(x, requires_grad=True) for x in inputs(2, 5, 6, 1, 1, 4))
    mask = np.ones((2, 1, 5, 6), bool)
    mask[0] = False
    mask[1, 0, 3] = False
    for more in ({}, {"return_scores": True}):
        y = lm.ops.attention(q, k, v, mask=mask, **more)
        y = y[0] if more else y
        assert not y.numpy()[0].any()
        assert not y.numpy()[1, 3].any()
        for x in (q, k, v):
            x.zero_grad()
        y.sum().backward()
        assert not q.grad.numpy()[0].any()
        assert not q.grad.numpy()[1, 3].any()
        assert not k.grad.numpy()[0].any()
        assert all(np.isfinite(x.grad.numpy()).all() for x in (q, k, v))


def test_keys_beyond_the_lengths_may_be_anything():
    q, k, v = inputs(1, 20, 40, 1, 1, 8)
    k[:, 25:], v[:, 25:] = np.nan, np.inf
    y = lm.ops.attention(q, k, v, lengths=[25]).numpy()
    np.testing.assert_allclose(y, reference(q, k[:, :25], v[:, :25]), atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_dropout(rate):
    check(inputs(2, 21, 150, 4, 2, 8), dropout=rate, seed=7, stream=3, batch=False)


@pytest.mark.parametrize("queries", [1, 3])
def test_few_rows(queries):
    """Keys and values are used where they lie, all heads together."""
    arrays = inputs(3, queries, 555, 5, 5, 16)
    mask = np.random.default_rng(5).random((1, 5, queries, 555)) < 0.7
    check(arrays, mask=mask, lengths=np.array([555, 0, 37]), dropout=0.2, seed=7, stream=3, batch=False)
    check_same_bits(lm.ops.attention, [x.astype(np.float32) for x in inputs(1, queries, 700, 9, 9, 32)])


def test_dropout_with_masks():
    check(
        inputs(2, 21, 150, 2, 2, 8), dropout=0.3, seed=7, stream=3, causal=True, lengths=np.array([140, 3]), batch=False
    )


@pytest.mark.parametrize("arguments", [{}, {"causal": True}, {"lengths": np.array([1500, 0])}, {"dropout": 0.2}])
def test_on_several_threads(arguments):
    """Fewer heads than threads: blocks of queries and pieces of keys are shared out."""
    if "dropout" in arguments:
        arguments = {**arguments, "seed": 1, "stream": 2}
    batch = 2 if "lengths" in arguments else 1
    q, k, v = (x.astype(np.float32) for x in inputs(batch, 70, 2100, 3, 1, 8))
    op = functools.partial(lm.ops.attention, **arguments)
    check_same_bits(op, [q, k, v])
    plain = functools.partial(reference, **arguments)
    check_forward(op, [q, k, v], plain, dtypes=[np.float32], tolerance=TOLERANCE)


def test_gradients_over_several_pieces_of_keys():
    q, k, v = inputs(1, 130, 1100, 1, 1, 4)
    check_gradients(functools.partial(lm.ops.attention, causal=True), [k[:, :1100], k, v], places=8)
    check_gradients(lm.ops.attention, [q, k, v], places=8)


def test_a_query_alone():
    """It has the bits that it has among others, whichever way its products go."""
    q, k, v = (x.astype(np.float32) for x in inputs(1, 40, 700, 2, 2, 64))
    y = lm.ops.attention(q, k, v).numpy()
    for count in (1, 2, 4, 5, 14, 15):
        few = lm.ops.attention(q[:, -count:], k, v).numpy()
        np.testing.assert_array_equal(few, y[:, -count:])


def test_large_scores():
    """Nothing overflows, and equal scores stay equal."""
    q, k, v = (x.astype(np.float32) for x in inputs(1, 9, 20, 1, 1, 8))
    y = lm.ops.attention(q * 1e4, k, v).numpy()
    np.testing.assert_allclose(y, reference(q * 1e4, k.astype(float), v), atol=1e-3)
    y = lm.ops.attention(q, k, v, scale=0.0).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(v.mean(axis=1, keepdims=True), y.shape), atol=1e-6)


def test_nan_stays():
    q, k, v = inputs(1, 5, 6, 1, 1, 4)
    k[0, 2, 0, 1] = np.nan
    assert np.isnan(lm.ops.attention(q, k, v).numpy()).all()


def test_no_keys():
    q, k, v = (lm.tensor(x, requires_grad=True) for x in inputs(2, 3, 0, 1, 1, 4))
    y = lm.ops.attention(q, k, v)
    assert y.shape == (2, 3, 1, 4)
    assert not y.numpy().any()
    y.sum().backward()
    assert not q.grad.numpy().any()
    assert k.grad.shape == (2, 0, 1, 4)


# Scores


@pytest.mark.parametrize("arguments", [{}, {"causal": True}, {"lengths": np.array([0, 13])}])
def test_scores(arguments):
    arrays = inputs(2, 7, 20, 4, 2, 8)
    op = functools.partial(lm.ops.attention, return_scores=True, **arguments)

    def plain(q, k, v):
        return reference(q, k, v, **arguments), probabilities(q, k, **arguments)

    check_forward(op, arrays, plain, tolerance=TOLERANCE)
    check_gradients(op, arrays, places=8)
    if "lengths" not in arguments:
        check_rows_alone(op, arrays, batched=(0, 1, 2))


def test_scores_go_with_the_same_output():
    q, k, v = inputs(2, 7, 200, 4, 2, 8)
    arguments = {"dropout": 0.4, "seed": 3, "stream": 9, "causal": True}
    y, scores = lm.ops.attention(q, k, v, return_scores=True, **arguments)
    np.testing.assert_allclose(y.numpy(), lm.ops.attention(q, k, v, **arguments).numpy(), atol=1e-12)
    np.testing.assert_allclose(scores.numpy(), probabilities(q, k, causal=True), atol=1e-12)


def test_gradient_of_a_bias():
    q, k, v = inputs(2, 5, 6, 2, 2, 4)
    for shape in ((2, 2, 5, 6), (1, 2, 1, 6), (5, 6), (5, 1)):
        bias = np.random.default_rng(4).standard_normal(shape)
        check_gradients(
            lambda q, k, v, bias: lm.ops.attention(q, k, v, bias=bias, causal=True), [q, k, v, bias], places=8
        )
        with lm.no_grad():
            y = lm.ops.attention(q, k, v, bias=lm.tensor(bias, requires_grad=True)).numpy()
        np.testing.assert_allclose(y, reference(q, k, v, bias=bias), atol=1e-12)


# Errors


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 5, 4), (2, 5, 1, 4), (2, 5, 1, 4)), r"q must have shape \(B, L, heads, D\), got \(2, 5, 4\)"),
        (((2, 5, 1, 0), (2, 5, 1, 0), (2, 5, 1, 4)), "q must have at least one head and one value a head"),
        (((2, 5, 1, 4), (3, 5, 1, 4), (3, 5, 1, 4)), "q and k must have the same batch"),
        (((2, 5, 1, 4), (2, 5, 1, 8), (2, 5, 1, 4)), "q and k must have the same batch and size of heads"),
        (((2, 5, 1, 4), (2, 5, 1, 4), (2, 6, 1, 4)), "k and v must have the same batch, length and heads"),
        (((2, 5, 6, 4), (2, 5, 4, 4), (2, 5, 4, 4)), "4 key heads do not divide 6 heads"),
    ],
)
def test_wrong_shapes(shapes, message):
    with pytest.raises(ValueError, match="attention: " + message):
        lm.ops.attention(*(np.zeros(shape) for shape in shapes))


X = np.zeros((2, 5, 2, 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mask": np.ones((5, 6), bool)}, ValueError, r"mask must have shape .* here \(2, 2, 5, 5\), got \(5, 6\)"),
        ({"mask": np.ones((2, 5, 5), bool)}, ValueError, r"got \(2, 5, 5\)"),
        ({"mask": np.ones((3, 1, 5, 5), bool)}, ValueError, r"got \(3, 1, 5, 5\)"),
        ({"mask": np.ones((5, 5), int)}, TypeError, "mask must be bool, or float64 to be added, got int64"),
        ({"mask": np.ones((5, 5), np.float32)}, TypeError, "bias must have the dtype of q, float64, got float32"),
        ({"mask": np.ones((5, 5)), "bias": np.ones((5, 5))}, ValueError, "give one of them"),
        ({"bias": np.ones((4, 5))}, ValueError, "bias must have shape"),
        ({"lengths": [5, 6]}, ValueError, "lengths must be from 0 to 5, got 6 for sample 1"),
        ({"lengths": [-1, 3]}, ValueError, "got -1 for sample 0"),
        ({"lengths": [5]}, ValueError, r"lengths must have shape \(2,\), one a sample, got \(1,\)"),
        ({"lengths": [5.0, 5.0]}, TypeError, "lengths must be integers"),
        ({"dropout": 1.5, "seed": 0, "stream": 0}, ValueError, r"dropout must be in \[0, 1\], got 1.5"),
        ({"dropout": -0.5, "seed": 0, "stream": 0}, ValueError, r"dropout must be in \[0, 1\], got -0.5"),
        ({"dropout": 0.5}, ValueError, "dropout needs a seed and a stream"),
        ({"scale": float("nan")}, ValueError, "scale must be finite"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match="attention: .*" + message):
        lm.ops.attention(X, X, X, **arguments)


def test_wrong_dtypes():
    with pytest.raises(TypeError, match="k must have the dtype of q, float32, got float64"):
        lm.ops.attention(X.astype(np.float32), X, X)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.attention(X.astype(np.complex64), X, X)


def test_backward_guards_its_arrays():
    q = np.zeros((1, 2, 1, 4), np.float32)
    settings = (False, 1.0, 0, 0, 0)
    with pytest.raises(ValueError, match="elements, expected"):
        _cpu.attention_backward(q, q, q, None, None, None, q, np.zeros(1, np.float32), q, q.copy(), q.copy(),
                                   q.copy(), settings)  # fmt: skip
    with pytest.raises(ValueError, match="mask"):
        _cpu.attention_forward(q, q, q, None, None, np.zeros((1, 1, 2, 3), np.uint8), q.copy(), None, settings)


def test_empty_batch():
    check_empty_batch(lm.ops.attention, inputs(2, 3, 4, 1, 1, 4), batched=(0, 1, 2))
