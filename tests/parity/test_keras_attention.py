"""The attention layers beside Keras's: the same weights, in the same order, give the same outputs and gradients."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

DTYPES = [("float32", 1e-5), ("float64", 1e-9)]
KERAS_SINGLE = 1e-5  # its matmul and dot_product_attention of float64 are float32; its einsum is not
RANDOM = np.random.default_rng(0)


def close(a, b, tolerance):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def compare(name, arguments, shapes, call, dtype, tolerance, several=False):
    """Outputs, scores, and gradients of inputs and weights. several: inputs as arguments rather than as a list."""
    ours = getattr(lm.layers, name)(**arguments, dtype=dtype)
    theirs = getattr(keras.layers, name)(**arguments, dtype=dtype)
    theirs.build(*shapes) if several else theirs.build(shapes)
    ours.build(shapes)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    weights = [0.5 * RANDOM.standard_normal(w.shape).astype(dtype) for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    arrays = [RANDOM.standard_normal(shape).astype(dtype) for shape in shapes]
    for scores in (False, True):
        by_einsum = several and (scores or len(shapes[0]) > 3)
        exact = tolerance if by_einsum else max(tolerance, KERAS_SINGLE)
        u = [lm.tensor(x, requires_grad=True) for x in arrays]
        v = [torch.tensor(x, requires_grad=True) for x in arrays]
        y = ours(*(u if several else [u]), return_attention_scores=scores, **call)
        z = theirs(*(v if several else [v]), return_attention_scores=scores, **call)
        if scores:
            close(y[1].numpy(), z[1].detach().numpy(), exact)
            y, z = y[0], z[0]
        close(y.numpy(), z.detach().numpy(), exact)
        for weight in ours.weights:
            weight.zero_grad()
        for weight in theirs.weights:
            weight.value.grad = None
        (y * y).sum().backward()
        (z * z).sum().backward()
        for a, b in zip(u, v, strict=True):
            close(a.grad.numpy(), b.grad.numpy(), 20 * exact)
        for a, b in zip(ours.weights, theirs.weights, strict=True):
            close(a.grad.numpy(), np.zeros(a.shape) if b.value.grad is None else b.value.grad.numpy(), 20 * exact)


def mask(*shape):
    """With at least one True in each row."""
    seen = RANDOM.random(shape) < 0.6
    seen[..., 0] = True
    return seen


SELF, CROSS = [(2, 5, 6), (2, 5, 6)], [(2, 5, 6), (2, 8, 7), (2, 8, 9)]
IMAGES, SHORT = [(2, 3, 4, 6), (2, 3, 4, 6)], [(2, 5, 6), (2, 8, 6)]
EARLY = np.arange(8) < np.array([[3], [8]])
HEADS = [
    ({"num_heads": 2, "key_dim": 3}, SELF, {}),
    ({"num_heads": 1, "key_dim": 4, "use_bias": False}, SELF, {"use_causal_mask": True}),
    ({"num_heads": 3, "key_dim": 4, "value_dim": 5}, CROSS, {}),
    ({"num_heads": 2, "key_dim": 4, "output_shape": 10}, CROSS, {"attention_mask": mask(2, 5, 8)}),
    ({"num_heads": 2, "key_dim": 4, "output_shape": (2, 3)}, CROSS, {"attention_mask": mask(2, 2, 5, 8)}),
    ({"num_heads": 2, "key_dim": 4}, CROSS, {"value_mask": mask(2, 8)}),
    ({"num_heads": 2, "key_dim": 4}, CROSS, {"key_mask": EARLY, "value_mask": mask(2, 8)}),
    ({"num_heads": 2, "key_dim": 4}, SELF, {"attention_mask": mask(2, 5, 5), "use_causal_mask": True}),
    ({"num_heads": 2, "key_dim": 3}, IMAGES, {}),
    ({"num_heads": 2, "key_dim": 3, "attention_axes": (2,)}, IMAGES, {}),
    ({"num_heads": 2, "key_dim": 3, "attention_axes": (1,)}, IMAGES, {}),
    ({"num_heads": 2, "key_dim": 3, "attention_axes": (-2, 2)}, [(2, 3, 4, 2, 6), (2, 3, 4, 2, 6)], {}),
    ({"num_heads": 2, "key_dim": 3, "attention_axes": (2,)}, IMAGES, {"attention_mask": mask(2, 3, 4, 4)}),
    ({"num_heads": 2, "key_dim": 3, "dropout": 0.3}, SELF, {"training": False}),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("case", range(len(HEADS)))
def test_multi_head_attention(case, dtype, tolerance):
    arguments, shapes, call = HEADS[case]
    compare("MultiHeadAttention", arguments, shapes, call, dtype, tolerance, several=True)


GROUPS = [  # the heads' size, query heads, heads of key and value
    ((4, 6, 2), {}, SELF, {}),
    ((3, 4, 1), {"use_bias": False}, SELF, {"use_causal_mask": True}),
    ((5, 2, 2), {}, SHORT, {"attention_mask": mask(2, 5, 8)}),
    ((5, 4, 2), {}, SHORT, {"value_mask": mask(2, 8)}),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("case", range(len(GROUPS)))
def test_group_query_attention(case, dtype, tolerance):
    sizes, more, shapes, call = GROUPS[case]
    arguments = dict(zip(("head_dim", "num_query_heads", "num_key_value_heads"), sizes, strict=True)) | more
    compare("GroupQueryAttention", arguments, shapes, call, dtype, tolerance, several=True)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
@pytest.mark.parametrize("more", [{"sliding_window": 2}, {"use_gate": True}])
def test_window_and_gate(name, more):
    sizes = {"num_heads": 2, "key_dim": 3} if name.startswith("Multi") else {
        "head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}  # fmt: skip
    for call in ({}, {"use_causal_mask": True}):
        compare(name, {**sizes, **more}, SELF, call, "float64", 1e-9, several=True)


DOTS = [
    ("Attention", {}, {}),
    ("Attention", {"use_scale": True}, {"use_causal_mask": True}),
    ("Attention", {"score_mode": "concat"}, {}),
    ("Attention", {"score_mode": "concat", "use_scale": True}, {"mask": [None, mask(2, 8)]}),
    ("Attention", {"use_scale": True}, {"mask": [mask(2, 5), mask(2, 8)], "use_causal_mask": True}),
    ("Attention", {"dropout": 0.5, "seed": 3}, {"training": False}),
    ("AdditiveAttention", {}, {}),
    ("AdditiveAttention", {"use_scale": False}, {"use_causal_mask": True}),
    ("AdditiveAttention", {}, {"mask": [mask(2, 5), mask(2, 8)]}),
]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("case", range(len(DOTS)))
def test_attention(case, dtype, tolerance):
    name, arguments, call = DOTS[case]
    for shapes in ([(2, 5, 6), (2, 8, 7), (2, 8, 6)], [(2, 5, 6), (2, 8, 6)]):
        compare(name, arguments, shapes, call, dtype, tolerance)


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"])
def test_configurations(name):
    """Keras's own configuration makes our layer, and has no entry that ours lacks."""
    sizes = {
        "MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "dropout": 0.1},
        "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    }.get(name, {"dropout": 0.2})
    theirs = getattr(keras.layers, name)(**sizes).get_config()
    ours = getattr(lm.layers, name)(**sizes).get_config()
    assert set(theirs) - {"dtype"} <= set(ours) | {"activity_regularizer"}
    for key in sizes:
        assert ours[key] == theirs[key]
