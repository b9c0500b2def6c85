"""The base of all layers: building, names, weights, freezing, configuration."""

from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import lamina as lm
from lamina.layers import BatchNormalization, Dense, Dropout, Layer
from lamina.layers.naming import snake_case, unique_name


class Scale(Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, x):
        return x * self.factor


class Block(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(units)
        self.more = [Dense(units), Dense(units)]
        self.heads = {"a": Dense(1), "b": Dense(2)}
        self.drop = Dropout(0.5)

    def call(self, x):
        x = self.first(x)
        for layer in self.more:
            x = layer(x)
        return self.drop(self.heads["a"](x) + self.heads["b"](x))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("BatchNormalization", "batch_normalization"),
        ("LSTM", "lstm"),
        ("MyLSTMCell", "my_lstm_cell"),
    ],
)
def test_automatic_names_are_those_of_keras(name, expected):
    assert snake_case(name) == expected


def test_names_are_unique():
    assert unique_name("some_base") == "some_base"
    assert unique_name("some_base") == "some_base_1"
    assert Dense(1, name="given").name == "given"
    assert Dense(1).name != Dense(1).name


def test_builds_on_the_first_call():
    layer = Scale()
    assert not layer.built
    assert layer.weights == []
    with pytest.raises(ValueError, match="no weights yet"):
        layer.count_params()
    y = layer(np.ones((2, 3)))
    assert layer.built
    assert layer.input_shape == (None, 3)
    assert y.shape == (2, 3)
    assert y.dtype == np.float32
    assert layer.count_params() == 4
    assert layer.factor.path.endswith("/factor")


def test_build_by_hand_and_only_once():
    layer = Dense(2)
    layer.build((None, 3))
    kernel = layer.kernel
    layer.build((None, 3))
    layer(np.ones((1, 3)))
    assert layer.kernel is kernel
    assert layer.output_shape == (None, 2)


def test_weights_in_attributes_lists_and_dictionaries():
    block = Block(4)
    block(np.ones((2, 3)))
    assert list(block.named_weights()) == [
        f"{place}/{kind}"
        for place in ("first", "more/0", "more/1", "heads/a", "heads/b")
        for kind in ("kernel", "bias")
    ]
    assert len(block.weights) == len(block.trainable_weights) == 10
    assert block.weights == list(block.named_weights().values())
    assert [place for place, _ in block.children()] == ["first", "more/0", "more/1", "heads/a", "heads/b", "drop"]


def test_weights_in_containers_of_other_kinds():
    """Ordered and default dictionaries, named tuples, lists of one's own: their layers are trained and saved too."""

    class Blocks(list):
        pass

    layer = Layer()
    layer.ordered = OrderedDict(a=Dense(2))
    layer.default = defaultdict(list, b=[Dense(2)])
    layer.named = namedtuple("Pair", "x y")(Dense(2), lm.Variable(np.ones(2, "float32"), "own"))
    layer.own = Blocks([Dense(2)])
    for inner in (layer.ordered["a"], layer.default["b"][0], layer.named.x, layer.own[0]):
        inner.build((None, 2))
    assert len(layer.weights) == len(layer.trainable_weights) == 9
    assert set(layer.named_weights().values()) == set(layer.weights)
    layer.own.append(Dense(2))
    layer.own[1].build((None, 2))
    assert len(layer.weights) == 11
    layer.trainable = False
    assert layer.trainable_weights == []


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"shape": (None, 2)}, TypeError, r"add_weight: shape must hold integers, got \(None, 2\)"),
        ({"shape": (2.5,)}, TypeError, "shape must hold integers"),
        ({"shape": (-1,)}, ValueError, r"sizes must be at least 0, got \(-1,\)"),
        ({"shape": (2,), "dtype": "int32"}, TypeError, '"float16" or "bfloat16", got \'int32\''),
    ],
)
def test_weights_that_cannot_be(arguments, error, text):
    with pytest.raises(error, match=text):
        Layer().add_weight(**arguments)
    assert Layer().add_weight(3).shape == (3,)


def test_a_shared_layer_counts_once():
    layer = Layer()
    layer.a = layer.b = Dense(2)
    layer.a.build((None, 2))
    assert len(layer.weights) == 2


def test_a_variable_in_an_attribute_is_a_weight():
    layer = Layer()
    layer.w = lm.Variable(np.ones(3, "float32"), "w")
    assert layer.weights == [layer.w]


def test_trainable_before_the_others():
    layer = Scale()
    layer(np.ones((1, 2)))
    assert [v.name for v in layer.weights] == ["factor", "count"]
    assert layer.non_trainable_weights == [layer.count]


def test_freezing():
    block = Block(4)
    block(np.ones((2, 3)))
    block.first.trainable = False
    assert len(block.trainable_weights) == 8
    block.trainable = False
    assert block.trainable_weights == []
    assert len(block.non_trainable_weights) == 10
    assert not block(np.ones((2, 3))).requires_grad
    block.trainable = True
    assert len(block.trainable_weights) == 10
    frozen = Dense(2, trainable=False)
    frozen(np.ones((1, 2)))
    assert frozen.trainable_weights == []


def test_freezing_keeps_state_out():
    layer = BatchNormalization()
    layer.build((None, 3))
    layer.trainable = False
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["gamma", "beta"]


def test_get_and_set_weights():
    layer = Dense(2)
    layer.build((None, 3))
    kernel, bias = np.arange(6.0).reshape(3, 2), np.ones(2)
    layer.set_weights([kernel, bias])
    np.testing.assert_array_equal(layer.get_weights()[0], kernel)
    layer.get_weights()[0][...] = 7  # a copy
    np.testing.assert_array_equal(layer.kernel.numpy(), kernel)


def test_set_weights_names_every_wrong_shape_and_changes_nothing():
    layer = Dense(2, name="layer")
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"layer/kernel has shape \(3, 2\), got \(2, 3\); layer/bias .* got \(3,\)"):
        layer.set_weights([np.ones((2, 3)), np.ones(3)])
    with pytest.raises(ValueError, match="has 2 weights, got 1"):
        layer.set_weights([np.ones((3, 2))])
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_reaches_the_layers_inside():
    block = Block(4)
    x = np.ones((8, 3), "float32")
    still = block(x).numpy()
    np.testing.assert_array_equal(block(x, training=False).numpy(), still)
    assert (block(x, training=True).numpy() == 0).any()
    np.testing.assert_array_equal(block(x).numpy(), still)  # and does not stay


def test_training_ends_with_an_error():
    class Broken(Layer):
        def call(self, x):
            raise KeyError("broken")

    drop = Dropout(0.9)
    with pytest.raises(KeyError):
        Broken()(np.ones((1, 1)), training=True)
    np.testing.assert_array_equal(drop(np.ones((2, 2))).numpy(), np.ones((2, 2)))


@pytest.mark.parametrize(
    "x",
    [[[1.0, 2.0, 3.0]], [[1, 2, 3]], np.ones((2, 3), "int32"), np.ones((2, 3)), np.ones((2, 3), ">f4"),
     np.ones((2, 3), "uint8"), np.asfortranarray(np.ones((2, 3), "float32")), np.ones((4, 6), "float32")[::2, ::-2]],
)  # fmt: skip
def test_inputs_are_cast(x):
    assert Dense(2)(x).dtype == np.float32


def test_a_cast_tensor_keeps_its_gradient():
    x = lm.tensor(np.ones((1, 3)), requires_grad=True)
    Dense(2)(x).sum().backward()
    assert x.grad.dtype == np.float64


def test_float64():
    layer = Dense(2, dtype="float64")
    assert layer(np.ones((1, 3), "float32")).dtype == np.float64
    assert layer.kernel.dtype == np.float64
    assert layer.dtype == "float64"


def test_refused():
    with pytest.raises(ValueError, match=r"dtype must be one of \['float16', .*\], got 'int8'"):
        Dense(2, dtype="int8")
    with pytest.raises(ValueError, match="input_shape must be positive integers"):
        Dense(2, input_shape=(0,))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        Dense(2)(np.ones((1, 2), complex))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        Dense(2)([["a", "b"]])


def test_a_constructor_that_is_inherited_is_known_by_its_names():
    """Before Python 3.11.4 inspect.signature told of `__new__` there."""

    class Wide(Block):
        pass

    assert Wide(3).get_config()["units"] == 3
    with pytest.raises(TypeError, match=r"Wide: unknown arguments unts: it takes units, and"):
        Wide(3, unts=4)


def test_unknown_arguments_are_named_with_the_known():
    with pytest.raises(TypeError, match=r"^Dense: unknown arguments activaton, unit: it takes units, activation,"):
        Dense(2, activaton="relu", unit=3)


def test_forgotten_super():
    class Forgot(Layer):
        def __init__(self):
            self.units = 3

    for x in (np.ones((1, 1), "float32"), lm.tensor([[1.0]]), lm.Input((1,))):
        with pytest.raises(RuntimeError, match=r"Forgot.__init__ must begin with super\(\).__init__\(\)"):
            Forgot()(x)


def test_errors_say_where():
    block = Block(4)
    block(np.ones((2, 3)))
    with pytest.raises(ValueError, match="dense: x") as error:
        block(np.ones((2, 5)))
    first, second = error.value.__notes__
    assert first == f"in {block.first.name} (Dense), called on x of shape (2, 5)"
    assert second == f"in {block.name} (Block), called on x of shape (2, 5)"


def test_call_is_needed():
    with pytest.raises(NotImplementedError, match="must define call"):
        Layer()(np.ones((1, 1)))


def test_config_of_a_layer_of_ones_own_is_its_arguments():
    block = Block(4, name="mine")
    assert block.get_config() == {"units": 4, "name": "mine"}
    assert Block.from_config(block.get_config()).name == "mine"


def test_config_of_a_layer_of_ones_own_whatever_its_arguments_are_called():
    class Own(Layer):
        def __init__(self, units, *, rate=0.5, **options):
            super().__init__(**options)
            self.units, self.rate = units, rate

        def call(self, x):
            return x

    config = Own(3, rate=0.1, name="mine", dtype="float64").get_config()
    assert config == {"units": 3, "rate": 0.1, "name": "mine", "dtype": "float64"}
    again = Own.from_config(config)
    assert (again.units, again.rate, again.name, again.dtype) == (3, 0.1, "mine", "float64")
    assert Own(3).get_config() == {"units": 3}

    class Plain(Layer):
        def __init__(self, kwargs=2):
            super().__init__()

    assert Plain(kwargs=7).get_config() == {"kwargs": 7}

    class Sizes(Layer):
        def __init__(self, *sizes, name=None):
            super().__init__(name=name)

    assert Sizes(name="a").get_config() == {"name": "a"}
    with pytest.raises(TypeError, match=r"a: get_config: Sizes\(...\) takes 'sizes' by place alone"):
        Sizes(3, 4, name="a").get_config()


def test_regularizers_are_losses():
    layer = Dense(1, kernel_regularizer="l2", bias_regularizer=lm.regularizers.L1(0.5), bias_initializer="ones")
    layer.build((None, 2))
    layer.kernel.assign([[1.0], [2.0]])
    assert [round(float(loss), 6) for loss in layer.losses] == [0.05, 0.5]


def test_default_output_shape_by_trial():
    assert Scale().compute_output_shape((None, 5)) == (None, 5)
    with pytest.raises(ValueError, match="cannot tell the output shape"):
        Scale().compute_output_shape((None, None))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_array_of_an_initializer_function_takes_the_layers_dtype(dtype):
    layer = Dense(2, bias_initializer=lambda shape, dtype=None: np.full(shape, 0.5), dtype=dtype)
    layer.build((None, 3))
    assert layer.bias.dtype == dtype
    assert (layer.bias.numpy() == 0.5).all()


def test_the_array_of_an_initializer_function_must_have_the_weights_shape():
    with pytest.raises(ValueError, match=r"the initializer must give \(2,\), got \(3,\)"):
        Dense(2, bias_initializer=lambda shape, dtype=None: np.zeros(3)).build((None, 3))
