"""embedding, its gradients and the optimizers' steps beside PyTorch: dense, and sparse with SparseAdam."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
random = np.random.default_rng(0)
SIZES = [(50, 7, (4, 30)), (4000, 16, (8, 25)), (3, 1, (1,)), (1000, 33, (2, 3, 5))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "width", "shape"), SIZES)
def test_values_and_gradients(rows, width, shape, dtype):
    table, index = random.normal(size=(rows, width)).astype(dtype), random.integers(0, rows, shape)
    dy = random.normal(size=(*shape, width)).astype(dtype)
    ours, theirs = lm.tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    y = lm.ops.embedding(index, ours)
    expected = torch.nn.functional.embedding(torch.tensor(index), theirs)
    np.testing.assert_array_equal(y.numpy(), expected.detach().numpy())
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    atol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=atol)


PAIRS = {
    "sgd": (lambda: lm.optimizers.SGD(0.1), lambda w, _: torch.optim.SGD(w, 0.1)),
    "momentum": (lambda: lm.optimizers.SGD(0.1, momentum=0.9), lambda w, _: torch.optim.SGD(w, 0.1, momentum=0.9)),
    "adagrad": (
        lambda: lm.optimizers.Adagrad(0.1, epsilon=1e-14),
        lambda w, _: torch.optim.Adagrad(w, 0.1, initial_accumulator_value=0.1, eps=1e-12),
    ),
    "adam": (
        lambda: lm.optimizers.Adam(0.01, epsilon=1e-14),
        lambda w, sparse: (torch.optim.SparseAdam if sparse else torch.optim.Adam)(w, 0.01, eps=1e-14),
    ),
    "adamw": (
        lambda: lm.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-14),
        lambda w, _: torch.optim.AdamW(w, 0.01, weight_decay=0.1, eps=1e-14),
    ),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_training(name, sparse):
    if sparse and name in ("momentum", "adamw"):
        pytest.skip("PyTorch's has no lazy form")
    table = random.normal(size=(300, 5))
    layer = lm.layers.Embedding(300, 5, weights=table, sparse=sparse, dtype="float64")
    theirs = torch.nn.Embedding(300, 5, sparse=sparse, dtype=torch.float64, _weight=torch.tensor(table))
    ours, peer = PAIRS[name][0](), PAIRS[name][1](theirs.parameters(), sparse)
    for step in range(5):
        index = random.integers(0, 40 * (step + 1), (3, 8))
        ((layer(index) - 1.0) ** 2).sum().backward()
        ours.step(layer.weights)
        peer.zero_grad()
        ((theirs(torch.tensor(index)) - 1.0) ** 2).sum().backward()
        peer.step()
    np.testing.assert_allclose(layer.embeddings.numpy(), theirs.weight.detach().numpy(), atol=1e-9)
