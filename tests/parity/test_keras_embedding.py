"""Embedding beside Keras: values, masks, training with every optimizer, configurations."""

import numpy as np
import pytest

import lamina as lm

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
random = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own use of NumPy


@pytest.mark.parametrize("shape", [(3, 5), (4,), (2, 3, 4), (0, 5)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_values_and_masks(shape, dtype):
    theirs, ours = keras.layers.Embedding(9, 4, mask_zero=True), lm.layers.Embedding(9, 4, mask_zero=True)
    x = random.integers(0, 9, shape).astype(dtype)
    expected = keras.ops.convert_to_numpy(theirs(x))
    ours.build(shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours(x).numpy(), expected)
    mask = keras.ops.convert_to_numpy(theirs.compute_mask(keras.ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(ours.compute_mask(lm.tensor(x)).numpy(), mask)
    assert ours.compute_output_shape((None, 5)) == theirs.compute_output_shape((None, 5))


def test_arguments():
    theirs = keras.layers.Embedding(9, 4, "ones", "l2", "max_norm", True, name="e").get_config()
    ours = lm.layers.Embedding(9, 4, "ones", "l2", "max_norm", True, name="e").get_config()
    for key in ("input_dim", "output_dim", "mask_zero", "name"):
        assert ours[key] == theirs[key]
    layer = lm.layers.Embedding(9, 4)
    layer.build((None, 3))
    assert [w.name for w in layer.weights] == ["embeddings"]
    assert layer.count_params() == 36


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Adafactor"]
)
@pytest.mark.parametrize("arguments", [{}, {"clipnorm": 0.1}, {"weight_decay": 0.01, "global_clipnorm": 0.1}])
def test_training(name, arguments):
    """Row-sparse gradients on our side, dense ones on Keras's."""
    table, index = random.normal(size=(200, 3)).astype("float32"), random.integers(0, 200, (4, 3, 5))
    ours, theirs = lm.layers.Embedding(200, 3, weights=table), keras.layers.Embedding(200, 3, weights=table)
    optimizer = getattr(lm.optimizers, name)(0.01, **arguments)
    peer = getattr(keras.optimizers, name)(0.01, **arguments)
    for x in index:
        (ours(x) ** 2).sum().backward()
        assert not isinstance(ours.embeddings.grad_array, np.ndarray)
        optimizer.step(ours.weights)
        theirs.zero_grad()
        keras.ops.sum(theirs(x) ** 2).backward()
        weights = theirs.trainable_weights
        grads = [w.value.grad for w in weights]

        with torch.no_grad():
            peer.apply(grads, weights)
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], atol=2e-6)
