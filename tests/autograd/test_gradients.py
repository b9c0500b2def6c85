"""Gradients of gradients: lamina.grad and backward(create_graph=True)."""

import gc

import numpy as np
import pytest

import lamina as lm
from lamina import backend, ops
from lamina.autograd import tape
from lamina.autograd.function import Function

draw = np.random.default_rng(0)


def normal(*shape):
    return draw.normal(size=shape)


def positive(*shape):
    return draw.uniform(0.5, 2, shape)


CASES = {
    "add": (lambda a, b: a + b * a, normal(3, 4), normal(4)),
    "subtract": (lambda a, b: (a - b) * a, normal(3, 4), normal(3, 1)),
    "multiply": (lambda a, b: a * b * a, normal(3, 4), normal(4)),
    "divide": (lambda a, b: a / b, normal(3, 4), positive(4)),
    "maximum": (lambda a, b: ops.maximum(a, b) ** 2, normal(3, 4), normal(4)),
    "minimum": (lambda a, b: ops.minimum(a, b) * a, normal(3, 4), normal(4)),
    "negative, abs": (lambda a: -ops.abs(a) * a, normal(5)),
    "square": (lambda a: ops.square(a) * a, normal(5)),
    "power": (lambda a: a**3 + a**0.5, positive(5)),
    "exp": (lambda a: ops.exp(a) * a, normal(5)),
    "log": (lambda a: ops.log(a) * a, positive(5)),
    "sqrt": (lambda a: ops.sqrt(a), positive(5)),
    "rsqrt": (lambda a: ops.rsqrt(a), positive(5)),
    "sigmoid": (lambda a: ops.sigmoid(a), normal(5)),
    "tanh": (lambda a: ops.tanh(a), normal(5)),
    "relu": (lambda a: ops.relu(a) * a, normal(5)),
    "leaky_relu": (lambda a: ops.leaky_relu(a, 0.2) * a, normal(5)),
    "sum, mean": (lambda a: ops.sum(a * a, axis=1) * ops.mean(a, axis=1), normal(3, 4)),
    "var, std": (lambda a: ops.var(a, axis=1) * ops.std(a, axis=0, keepdims=True)[0, 0], normal(3, 4)),
    "norm": (lambda a: ops.norm(a, axis=1), normal(3, 4)),
    "shapes": (lambda a: ops.transpose(ops.reshape(a, (4, 3))) ** 2, normal(3, 4)),
    "broadcast_to, getitem": (lambda a: ops.broadcast_to(a[1:], (3, 2, 4)) ** 3, normal(3, 4)),
    "concatenate": (lambda a, b: ops.concatenate([a, b * a[:, :1]], axis=1) ** 2, normal(3, 4), normal(3, 2)),
    "where": (lambda a, b: ops.where(a.array > 0, a * b, b * b), normal(5), normal(5)),
    "pad": (lambda a: ops.pad(a, ((1, 0), (0, 2))) ** 2, normal(3, 4)),
    "pools": (lambda a: ops.avg_pool2d(a**2, 2) * ops.global_avg_pool(a, keepdims=True), normal(2, 4, 4, 2)),
    "dropout": (lambda a: ops.dropout(a, 0.5, 1, 1) ** 2, normal(5, 5)),
    "matmul": (lambda a, b: ops.matmul(a, b) ** 2, normal(3, 4), normal(4, 2)),
    "matmul, batched": (lambda a, b: ops.matmul(a, b, transpose_a=True, transpose_b=True),
                        normal(2, 4, 3), normal(2, 4)),
    "dense": (lambda x, w, b: ops.dense(x, w, b, "tanh"), normal(3, 4), normal(4, 2), normal(2)),
    "dense, 3 axes": (lambda x, w, b: ops.dense(x, w, b, "sigmoid"), normal(2, 3, 4), normal(4, 2), normal(2)),
    "dense, axes=2": (lambda x, w, b: ops.dense(x, w, b, "tanh", axes=2), normal(2, 3, 2), normal(3, 2, 2, 1),
                      normal(2, 1)),
    "conv1d": (lambda x, w, b: ops.conv1d(x, w, b, 2, "same", activation="tanh"),
               normal(2, 7, 2), normal(3, 2, 3), normal(3)),
    "conv2d": (lambda x, w, b: ops.conv2d(x, w, b, 2, "same", activation="tanh"),
               normal(2, 5, 5, 2), normal(4, 4, 2, 3), normal(3)),
    "conv2d, groups": (lambda x, w: ops.conv2d(x, w, groups=2) ** 2, normal(1, 4, 4, 4), normal(3, 3, 2, 2)),
    "conv2d_transpose": (lambda x, w, b: ops.conv2d_transpose(x, w, b, 2, 1, activation="sigmoid"),
                         normal(2, 3, 3, 2), normal(4, 4, 3, 2), normal(3)),
    "layer_norm": (lambda x, g, b: ops.layer_norm(x, g, b), normal(3, 4), normal(4), normal(4)),
    "group_norm": (lambda x, g, b: ops.group_norm(x, g, b, groups=2), normal(2, 3, 4), normal(4), normal(4)),
    "batch_norm": (lambda x, g, b: ops.batch_norm(x, g, b, None, None, training=True),
                   normal(5, 3), normal(3), normal(3)),
    "batch_norm, inference": (lambda x, g: ops.batch_norm(x, g, None, np.ones(3), np.full(3, 2.0),
                                                           activation="relu") ** 2,
                              normal(5, 3), normal(3)),
    "batch_norm, x as residual": (lambda x: ops.batch_norm(x, None, None, None, None, training=True, residual=x,
                                                           activation="relu"), normal(5, 3)),
    "rms_norm": (lambda x, g: ops.rms_norm(x, g), normal(3, 4), normal(4)),
    "flip, roll": (lambda a: ops.roll(ops.flip(a, 0), 1, 1) ** 3 * a, normal(3, 4)),
    "repeat, copy": (lambda a: ops.repeat(ops.copy(a), 2, 0) ** 3, normal(3, 4)),
    "resize": (lambda a: ops.resize(a, (5, 3), "bilinear") ** 3, normal(1, 3, 4, 2)),
    "indices": (lambda a: a[:, [0, 2, 0]] ** 3, normal(3, 4)),
    "dense, relu": (lambda x, w, b: ops.dense(x, w, b, "relu") ** 2, normal(3, 4), normal(4, 2), normal(2)),
    "conv2d_transpose, groups": (lambda x, w: ops.conv2d_transpose(x, w, None, 2, 1, groups=2) ** 2,
                                 normal(1, 3, 3, 4), normal(4, 4, 2, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_those_of_plain_backward(name):
    function, *arrays = CASES[name]
    inputs = [lm.tensor(a, requires_grad=True) for a in arrays]
    y = function(*inputs)
    u = lm.tensor(np.random.default_rng(1).normal(size=y.shape))
    recorded = lm.grad(y, inputs, u, create_graph=True)
    plain = lm.grad(y, inputs, u)
    for one, other in zip(recorded, plain, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_gradients_agree_with_differences(name):
    function, *arrays = CASES[name]

    @lm.enable_grad()  # differences are taken under no_grad
    def gradients(*inputs):
        y = function(*inputs)
        u = lm.tensor(np.random.default_rng(1).normal(size=y.shape))
        return tuple(g for g in lm.grad(y, list(inputs), u, create_graph=True) if g is not None)

    assert lm.grad_check(gradients, arrays, eps=1e-5, atol=2e-5, places=12)


def test_third_derivative():
    x = lm.tensor(np.array(2.0), requires_grad=True)
    y = x**4
    for expected in (32.0, 48.0, 48.0, 24.0):
        y = lm.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_backward_create_graph_leaves_tensors_on_the_tape():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.numpy().tolist() == [3.0, 12.0]
    x.grad = None
    first.sum().backward()
    assert x.grad.numpy().tolist() == [6.0, 12.0]
    (x**3).sum().backward(create_graph=True)  # and is added to what was there
    assert x.grad.numpy().tolist() == [9.0, 24.0]


def test_grad_of_what_is_no_leaf_and_leaves_nothing_behind():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    between = x * 3
    y = (between**2).sum()
    for create in (True, False):
        dx, dz = lm.grad(y, [x, between], create_graph=create)
        assert dx.numpy().tolist() == [18.0, 36.0]
        assert dz.numpy().tolist() == [6.0, 12.0]
    assert x.grad is None
    other = lm.tensor([1.0], requires_grad=True)
    assert lm.grad((x * 2).sum(), other) is None


def test_grad_of_what_does_not_lead_there_and_of_itself():
    x, other = (lm.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    y = x * other
    for create in (True, False):
        found = lm.grad(y, [y, other * 2, x, lm.tensor([1.0]), x], [3.0, 5.0], create_graph=create, retain_graph=True)
        assert [None if g is None else g.numpy().tolist() for g in found] == [[3, 5], None, [3, 10], None, [3, 10]]
        assert lm.grad(x, [other, x], [3.0, 5.0], create_graph=create)[1].numpy().tolist() == [3, 5]


in_use = []


class Watched(Function):
    """y = x, and how much of the pool is in use when gradients come through."""

    def forward(self, x):
        return backend.from_pool(x)

    def backward(self, dy):
        in_use.append(lm._cpu.pool_stats()["in_use"])
        return backend.from_pool(dy)


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("depth", [10, 60])
def test_grad_keeps_no_gradients_but_those_asked_for(depth, retain):
    x = lm.tensor(np.ones(4096, np.float32), requires_grad=True)
    gc.collect()  # what other tests left would go in between
    empty = lm._cpu.pool_stats()["in_use"]
    y = x
    for _ in range(depth):
        y = Watched.apply((y,))
    held = lm._cpu.pool_stats()["in_use"]
    assert held - empty >= depth * 4 * 4096
    in_use.clear()
    dx = lm.grad(y, x, np.ones(4096, np.float32), retain_graph=retain)
    assert (dx.numpy() == 1).all()
    some = 4 * 5 * 4096  # y, what comes and what goes
    assert len(in_use) == depth
    assert max(in_use) <= held + some
    assert in_use[-1] <= (held if retain else empty) + some


def test_gradients_of_rules_made_of_ops_walk_through_no_more_than_these(monkeypatch):
    walked = []
    ancestors = tape._ancestors

    def counted(*args):
        nodes = ancestors(*args)
        walked.append(len(nodes))
        return nodes

    monkeypatch.setattr(tape, "_ancestors", counted)
    x = lm.tensor(normal(2, 3), requires_grad=True)
    gamma = lm.tensor(np.ones(3), requires_grad=True)
    y = x
    for _ in range(20):
        y = ops.layer_norm(y, gamma)
    dx, dgamma = lm.grad(y.sum(), [x, gamma], create_graph=True)
    assert (dx.shape, dgamma.shape) == ((2, 3), (3,))
    assert (walked[0], len(walked)) == (21, 21)
    assert max(walked[1:]) == min(walked[1:]) < 20  # the ops of one layer_norm, wherever it is


@pytest.mark.parametrize("create", [True, False], ids=["create_graph", "plain"])
def test_gradients_to_begin_with(create):
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    given = [3.0, 5.0], np.array([3.0, 5.0]), np.array([3, 5], np.int8), lm.tensor(np.array([3.0, 5.0]))
    for gradient in given:  # all as float32, as y is
        dx = lm.grad(x * x, x, gradient, create_graph=create)
        assert (dx.dtype, dx.numpy().tolist()) == (np.float32, [6.0, 20.0])
    for wrong, error, message in (
        (None, ValueError, r"a gradient is needed for a tensor of shape \(2,\)"),
        (np.ones(3), ValueError, r"expected a gradient of shape \(2,\), got \(3,\)"),
        (1.0, ValueError, r"expected a gradient of shape \(2,\), got \(\)"),
        ("one", TypeError, "expected an array of numbers"),
    ):
        with pytest.raises(error, match=message):
            lm.grad(x * x, x, wrong, create_graph=create)
        with pytest.raises(error, match=message):
            (x * x).backward(wrong, create_graph=create)
    with pytest.raises(RuntimeError, match="nothing here requires gradients"):
        lm.tensor([1.0]).backward(create_graph=create)


def test_the_gradient_to_begin_with_has_gradients_too():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    for dtype in (np.float32, np.float64):
        u = lm.tensor(np.array([3.0, 5.0], dtype), requires_grad=True)
        du = lm.grad(lm.grad(x * x, x, u, create_graph=True).sum(), u)
        assert (du.dtype, du.numpy().tolist()) == (dtype, [2.0, 4.0])


@pytest.mark.parametrize("function", [lambda a: ops.norm(a, axis=1), lambda a: ops.std(a, axis=1)], ids=["norm", "std"])
def test_at_zero_gradients_and_theirs_are_zero(function):
    x = lm.tensor(np.zeros((2, 3)), requires_grad=True)
    dx = lm.grad(function(x).sum(), x, create_graph=True)
    assert (dx.numpy() == 0).all()
    assert (lm.grad((dx * dx + dx).sum(), x).numpy() == 0).all()


def test_refused_by_name():
    x = lm.tensor(normal(1, 4, 4, 1), requires_grad=True)
    with pytest.raises(NotImplementedError, match="max_pool has no rule made of ops"):
        ops.max_pool2d(x, 2).sum().backward(create_graph=True)
    with pytest.raises(NotImplementedError, match="gelu has no rule made of ops"):
        ops.gelu(x).sum().backward(create_graph=True)
    with pytest.raises(ValueError, match="a gradient is needed"):
        (x * 2).backward(create_graph=True)
    with pytest.raises(RuntimeError, match="nothing here requires gradients"):
        lm.grad(lm.tensor(1.0), x, create_graph=True)
    with pytest.raises(TypeError, match="inputs must be tensors, got ndarray"):
        lm.grad(x.sum(), [x, np.ones(3)])


def test_penalty_of_a_critic_agrees_with_differences():
    """WGAN-GP: (|dD/dx| - 1)^2, differentiated to all weights of a critic of convolutions and layer norms."""
    x = lm.tensor(normal(3, 6, 6, 2), requires_grad=True)

    @lm.enable_grad()
    def penalty(kernel, bias, gamma, beta, weights, between):
        h = ops.leaky_relu(ops.conv2d(x, kernel, bias, 2, "same"), 0.2)
        h = ops.leaky_relu(ops.conv2d(ops.layer_norm(h, gamma, beta, axis=(1, 2, 3)), between, None, 1, "same"), 0.2)
        score = ops.dense(ops.reshape(h, (3, -1)), weights)
        slope = lm.grad(score.sum(), x, create_graph=True)
        return ops.mean((ops.sqrt(ops.sum(slope * slope, axis=(1, 2, 3))) - 1) ** 2)

    shapes = (4, 4, 2, 3), (3,), (3, 3, 3), (3, 3, 3), (27, 1), (3, 3, 3, 3)
    arrays = [normal(*shape) for shape in shapes]
    assert lm.grad_check(penalty, arrays, eps=1e-6, places=15)
