"""Normalisation layers against Keras: outputs and gradients, with weights that are not their first values."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

import lamina as lm  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own use of NumPy

# Axes that are not the last fail in Keras on PyTorch, RMSNormalization's and single ones: tests/ops/test_row_norm.py.
CASES = [
    ("LayerNormalization", {}, (4, 7)),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 1e-5}, (3, 5, 6)),
    ("LayerNormalization", {"axis": [1, 3], "center": False}, (3, 5, 2, 6)),
    ("LayerNormalization", {"axis": [1, 3], "scale": False}, (3, 5, 2, 6)),
    ("RMSNormalization", {}, (4, 7)),
    ("RMSNormalization", {"axis": [2], "epsilon": 1e-2}, (3, 5, 6)),
    ("RMSNormalization", {"axis": [1, 2]}, (3, 5, 6)),
    ("GroupNormalization", {"groups": 3}, (3, 5, 4, 6)),
    ("GroupNormalization", {"groups": -1, "center": False}, (3, 5, 4, 6)),
    ("GroupNormalization", {"groups": 1, "scale": False, "epsilon": 1e-5}, (3, 6)),
    ("GroupNormalization", {"groups": 2, "axis": 1}, (3, 4, 5, 2)),
    ("UnitNormalization", {}, (4, 7)),
    ("UnitNormalization", {"axis": [1, 2]}, (3, 5, 6)),
    ("BatchNormalization", {}, (4, 7)),
    ("BatchNormalization", {"axis": 1, "momentum": 0.6, "epsilon": 1e-2}, (3, 5, 4, 6)),
    ("BatchNormalization", {"center": False, "scale": False}, (9, 4)),
    ("BatchNormalization", {"renorm": True}, (4, 7)),
    ("BatchNormalization", {"renorm": True, "axis": 1, "momentum": 0.6, "renorm_momentum": 0.8}, (3, 5, 4, 6)),
    ("BatchNormalization", {"renorm": True, "center": False, "renorm_clipping": {"rmax": 1.5, "dmax": 0.3}}, (9, 4)),
    ("BatchNormalization", {"renorm": True, "scale": False, "renorm_clipping": {"rmin": 0.9}}, (2, 3, 4)),
]


def close(ours, theirs, dtype):
    # Keras's norms compute in float32 whatever the dtype; test_torch_normalization.py compares float64 to 1e-9
    tolerance = 1e-5 if dtype == "float32" else 5e-6
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Keras casts what enters a layer to its own default dtype."""
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "training"),
    [(*case, training) for case in CASES for training in (False, True)[: 1 + (case[0] == "BatchNormalization")]],
)
def test_layers(name, arguments, shape, training, dtype):
    random = np.random.default_rng(0)
    x, dy = (random.normal(1, 2, shape).astype(dtype) for _ in range(2))
    theirs, ours = (getattr(m, name)(dtype=dtype, **arguments) for m in (keras.layers, lm.layers))
    theirs.build(shape)
    ours(x)
    assert [v.name for v in ours.weights] == [v.name for v in theirs.weights]
    assert [v.shape for v in ours.weights] == [tuple(v.shape) for v in theirs.weights]
    values = [random.uniform(0.5, 1.5, v.shape).astype(dtype) for v in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    x_ours, x_theirs = lm.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    given = {"training": training} if name == "BatchNormalization" else {}
    y_ours, y_theirs = ours(x_ours, **given), theirs(x_theirs, **given)
    close(y_ours.numpy(), y_theirs, dtype)
    y_ours.backward(dy)
    y_theirs.backward(torch.tensor(dy))
    close(x_ours.grad.numpy(), x_theirs.grad, dtype)
    for a, b in zip(ours.trainable_weights, theirs.trainable_weights, strict=True):
        close(a.grad.numpy(), b.value.grad, dtype)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        close(a.numpy(), b.numpy(), dtype)


@pytest.mark.parametrize("renorm", [False, True])
def test_masked_batch_normalization(dtype, renorm):
    random = np.random.default_rng(0)
    x = random.normal(1, 2, (4, 5, 3)).astype(dtype)
    mask = random.uniform(size=(4, 5)) < 0.5
    theirs, ours = (m.BatchNormalization(dtype=dtype, renorm=renorm) for m in (keras.layers, lm.layers))
    y = theirs(torch.tensor(x), training=True, mask=torch.tensor(mask))
    close(ours(x, training=True, mask=mask).numpy(), y, dtype)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        close(a.numpy(), b.numpy(), dtype)


@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_normalization(iterations):
    x = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    theirs = keras.layers.SpectralNormalization(keras.layers.Dense(4), iterations)
    ours = lm.layers.SpectralNormalization(lm.layers.Dense(4), iterations)
    theirs.build(x.shape)
    ours(x)
    ours.vector_u.assign(theirs.vector_u.numpy())
    ours.layer.set_weights([w.numpy() for w in theirs.layer.weights])
    for _ in range(3):
        close(ours(x, training=True).numpy(), theirs(torch.tensor(x), training=True), "float32")
    close(ours.layer.kernel.numpy(), theirs.layer.kernel.numpy(), "float32")
    close(ours.vector_u.numpy(), theirs.vector_u.numpy(), "float32")


def test_rms_scaling():
    x = np.random.default_rng(0).normal(size=(4, 7)).astype("float32")
    with pytest.warns(UserWarning, match="rms_scaling"):
        theirs = keras.layers.LayerNormalization(rms_scaling=True)(torch.tensor(x))
    close(lm.layers.LayerNormalization(rms_scaling=True)(x).numpy(), theirs, "float32")


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_defaults(name):
    theirs, ours = getattr(keras.layers, name)().get_config(), getattr(lm.layers, name)().get_config()
    for key in set(ours) & set(theirs) - {"name", "dtype"}:
        if not isinstance(theirs[key], dict):
            assert ours[key] == theirs[key], key
