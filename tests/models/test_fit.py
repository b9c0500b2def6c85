"""fit with several outputs, penalties, constraints, weights by output; data in every form."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import Dense, Dropout, Input, Layer
from lamina.models import Model, Sequential

random = np.random.default_rng(0)
x = random.normal(size=(40, 4)).astype("float32")
value = random.normal(size=(40, 1)).astype("float32")
label = random.integers(0, 3, 40)


def two(outputs=list):
    """Two outputs of a layer's features, in one or another container."""
    lm.set_seed(0)
    a = Input((4,))
    hidden = Dense(6, "tanh", name="hidden")(a)
    parts = {"value": Dense(1, name="value")(hidden), "label": Dense(3, "softmax", name="label")(hidden)}
    return Model(a, parts if outputs is dict else outputs(parts.values()))


LOSSES = ["mse", "sparse_categorical_crossentropy"]


def step(model, *arguments, **kwargs):
    """The logs of one training step, and the weights after it."""
    logs = model.train_on_batch(*arguments, return_dict=True, **kwargs)
    return logs, np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.mark.parametrize("outputs", [list, tuple, dict])
def test_losses_and_metrics_in_every_form(outputs):
    found = []
    for loss in (LOSSES, tuple(LOSSES), dict(zip(["value", "label"], LOSSES, strict=True)),
                 {"label": lm.losses.SparseCategoricalCrossentropy(), "value": lm.losses.get("mse")}):  # fmt: skip
        for weights in ([1.0, 0.5], {"label": 0.5}):
            for metrics in ([["mae"], ["accuracy"]], {"value": "mae", "label": ["accuracy"]}, ["mae", "accuracy"]):
                model = two(outputs)
                model.compile(lm.optimizers.SGD(0.1), loss, loss_weights=weights, metrics=metrics)
                found.append(step(model, x, [value, label]))
                assert step(model, x, {"value": value, "label": label})[0].keys() == found[0][0].keys()
    logs, weights = found[0]
    assert list(logs) == ["loss", "value_loss", "label_loss", "value_mae", "label_accuracy"]
    assert logs["loss"] == pytest.approx(logs["value_loss"] + 0.5 * logs["label_loss"], rel=1e-6)
    for other_logs, other in found[1:]:
        assert other_logs == logs
        np.testing.assert_array_equal(other, weights)


def test_history_evaluate_and_validation():
    model = two()
    model.compile("adam", LOSSES, metrics=[None, ["accuracy"]], weighted_metrics=[["mae"], ["accuracy"]])
    assert model.metrics[0].name == "mae"
    history = model.fit(x, [value, label], batch_size=7, epochs=2, validation_split=0.2, verbose=0).history
    names = ["loss", "value_loss", "label_loss", "label_accuracy", "value_mae", "label_weighted_accuracy"]
    assert list(history) == names + [f"val_{name}" for name in names]
    result = model.evaluate(x[32:], (value[32:], label[32:]), verbose=0, return_dict=True)
    assert result == {name: pytest.approx(history[f"val_{name}"][-1]) for name in names}
    assert model.evaluate(x, [value, label], verbose=0) == list(
        model.evaluate(x, [value, label], verbose=0, return_dict=True).values()
    )
    assert [m.name for m in model.metrics] == ["accuracy", "mae", "accuracy"]
    whole = model.test_on_batch(x, [value, label], return_dict=True)
    for name, expected in model.evaluate(x, [value, label], batch_size=9, verbose=0, return_dict=True).items():
        assert whole[name] == pytest.approx(expected, rel=1e-5)


def test_an_output_without_a_loss():
    model = two()
    model.compile("sgd", ["mse", None], metrics={"label": ["accuracy"]})
    logs = model.fit(x, [value, label], verbose=0).history
    assert list(logs) == ["loss", "label_accuracy"]
    model.compile("sgd", {"label": LOSSES[1]})
    assert list(model.fit(x, [label], verbose=0).history) == ["loss"]
    before = model.get_layer("value").get_weights()
    model.fit(x, {"label": label}, verbose=0)
    np.testing.assert_array_equal(model.get_layer("value").get_weights()[0], before[0])


def test_one_loss_for_all_outputs():
    a = Input((4,))
    model = Model(a, [Dense(1, name="p")(a), Dense(1, name="q")(a)])
    model.compile("sgd", "mse")
    assert list(model.fit(x, [value, value], verbose=0).history) == ["loss", "p_loss", "q_loss"]


def test_several_outputs_of_a_subclass():
    class Both(Model):
        def __init__(self, kind):
            super().__init__()
            self.kind, self.a, self.b = kind, Dense(1), Dense(3, "softmax")

        def call(self, x):
            return {"value": self.a(x), "label": self.b(x)} if self.kind is dict else [self.a(x), self.b(x)]

    model = Both(list)
    model.compile("sgd", LOSSES, metrics=[["mae"], ["accuracy"]])
    logs = model.fit(x, [value, label], epochs=1, validation_data=(x, [value, label]), verbose=0).history
    assert list(logs)[:5] == ["loss", "output_1_loss", "output_2_loss", "output_1_mae", "output_2_accuracy"]
    model = Both(dict)
    model.compile("sgd", {"value": "mse", "label": LOSSES[1]})
    assert list(model.fit(x, {"label": label, "value": value}, verbose=0).history) == [
        "loss",
        "value_loss",
        "label_loss",
    ]


def test_weights_by_output():
    weights = random.uniform(0.5, 2, 40).astype("float32")
    ones = np.ones(40, "float32")
    forms = [[weights, None], {"value": weights}, [weights, ones]]
    results = []
    for sample_weight in forms:
        model = two()
        model.compile(lm.optimizers.SGD(0.1), LOSSES)
        results.append(step(model, x, [value, label], sample_weight=sample_weight)[1])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5, atol=1e-6)
    model = two()
    model.compile(lm.optimizers.SGD(0.1), LOSSES)
    both = step(model, x, [value, label], sample_weight=weights)[1]
    assert not np.array_equal(both, results[0])
    model.fit(x, [value, label], sample_weight={"value": weights}, batch_size=8, validation_split=0.25, verbose=0)


def test_class_weights_by_output():
    table = {0: 0.5, 2: 3.0}
    per_sample = np.array([table.get(int(c), 1.0) for c in label], "float32")
    one, other = two(), two()
    for model, arguments in ((one, {"class_weight": {"label": table}}), (other, {"sample_weight": [None, per_sample]})):
        model.compile(lm.optimizers.SGD(0.1), LOSSES)
        model.fit(x, [value, label], shuffle=False, verbose=0, **arguments)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    one.fit(x, {"value": value, "label": label}, class_weight={"label": table}, verbose=0)
    one.train_on_batch(x, [value, label], class_weight={"label": table})
    batches = [(x[:8], [value[:8], label[:8]]), (x[8:], [value[8:], label[8:]])]
    one.fit(batches.__iter__(), class_weight={"label": table}, verbose=0)


def test_class_weights_of_batches_and_columns():
    def model():
        lm.set_seed(1)
        made = Sequential([Input((4,)), Dense(3, "softmax")])
        made.compile(lm.optimizers.SGD(0.1), LOSSES[1])
        return made

    a, b, c = model(), model(), model()
    a.fit(x, label, batch_size=20, class_weight={1: 4.0}, shuffle=False, verbose=0)
    b.fit(((x[i : i + 20], label[i : i + 20]) for i in (0, 20)), class_weight={1: 4.0}, verbose=0)
    c.compile(lm.optimizers.SGD(0.1), "categorical_crossentropy")
    c.fit(x, np.eye(3, dtype="float32")[label], batch_size=20, class_weight={1: 4.0}, shuffle=False, verbose=0)
    np.testing.assert_array_equal(a.get_weights()[0], b.get_weights()[0])
    np.testing.assert_allclose(a.get_weights()[0], c.get_weights()[0], rtol=1e-5)
    with pytest.raises(ValueError, match="class_weight or sample_weight, not both"):
        b.fit(iter([(x, label, np.ones(40))]), class_weight={1: 4.0}, verbose=0)


class Penalised(Layer):
    def call(self, x):
        self.add_loss(lm.ops.sum(x * x) * 0.5)
        return x


def test_losses_that_layers_add():
    plain, added = (Sequential([Input((4,)), Dense(2, kernel_initializer="ones"), last])
                    for last in (Dropout(0.0), Penalised()))  # fmt: skip
    target = np.zeros((40, 2), "float32")
    for model in (plain, added):
        model.compile(lm.optimizers.SGD(0.01), "mse")
    y = plain(x).numpy()
    penalty = 0.5 * (y.astype("float64") ** 2).sum()
    base = plain.evaluate(x, target, batch_size=40, verbose=0)
    assert added.evaluate(x, target, batch_size=40, verbose=0) == pytest.approx(base + penalty, rel=1e-5)
    assert added.train_on_batch(x, target) == pytest.approx(base + penalty, rel=1e-5)
    assert len(added.losses) == 1
    added(x)
    added(x)
    assert len(added.losses) == 1  # of the last call alone
    plain(x)
    assert added.losses == []
    x_in = Input((4,))
    shared = Penalised()
    graph = Model(x_in, shared(x_in) + shared(x_in * 2))
    graph(x)
    assert len(graph.losses) == 2
    graph.compile("sgd", None)
    with pytest.raises(RuntimeError, match="nothing here requires gradients"):
        graph.train_on_batch(x)


def test_training_by_added_losses_alone():
    model = Sequential([Input((4,)), Dense(2), Penalised()])
    model.compile(lm.optimizers.SGD(0.01))
    losses = model.fit(x, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]

    class Wrong(Layer):
        def call(self, x):
            self.add_loss(x)
            return x

    with pytest.raises(ValueError, match=r"add_loss expects one number, got shape \(40, 4\)"):
        Wrong()(x)


def test_activity_regularizers():
    layer = Dense(2, activity_regularizer="l2", kernel_initializer="ones")
    y = layer(x).numpy().astype("float64")
    assert layer.losses[0].item() == pytest.approx(0.01 * (y**2).sum() / 40, rel=1e-5)
    assert Dense.from_config(layer.get_config()).get_config() == layer.get_config()
    assert "activity_regularizer" not in Dense(2).get_config()
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L2"


def test_constraints_hold_after_every_step():
    model = Sequential([Input((4,)), Dense(3, kernel_constraint=lambda w: np.maximum(w, 0))])
    model.compile(lm.optimizers.SGD(0.5), "mse")
    model.fit(x, np.full((40, 3), -1.0), epochs=2, verbose=0)
    assert model.get_weights()[0].min() == 0
    assert model.get_weights()[1].min() < 0
    layer = Dense(3, kernel_constraint="max_norm", bias_constraint=lm.constraints.NonNeg())
    assert Dense.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.get_config()["bias_constraint"]["class_name"] == "NonNeg"
    with pytest.raises(ValueError, match="constraints: expected"):
        Dense(3, kernel_constraint="max_nrom")


def test_data_by_number_with_an_end_of_epoch():
    class Batches:
        ends = 0

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return x[10 * i : 10 * i + 10], value[10 * i : 10 * i + 10]

        def on_epoch_end(self):
            self.ends += 1

    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    data = Batches()
    model.fit(data, epochs=3, validation_data=data, verbose=0)
    assert model.optimizer.iterations == 12
    assert data.ends == 6


def test_data_by_number_are_shuffled():
    """As in Keras: fit takes the batches in a new order each epoch, unless told otherwise; evaluate in order."""
    taken = []

    class Batches(lm.utils.PyDataset):
        def __len__(self):
            return 10

        def __getitem__(self, i):
            taken.append(i)
            return x[4 * i : 4 * i + 4], value[4 * i : 4 * i + 4]

    def order(**arguments):
        taken.clear()
        lm.set_seed(1)
        model = Sequential([Dense(1, input_shape=(4,))])
        model.compile("sgd", "mse")
        model.fit(Batches(), epochs=2, verbose=0, **arguments)
        return taken[:10], taken[10:]

    first, second = order()
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(range(10)) != first != second
    assert order() == (first, second)
    assert order(shuffle=False) == (list(range(10)), list(range(10)))
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    taken.clear()
    model.evaluate(Batches(), verbose=0)
    assert taken == list(range(10))


def test_a_float64_model_of_two_outputs():
    a = Input((4,), dtype="float64")
    model = Model(a, [Dense(1, dtype="float64", name="p")(a), Dense(1, name="q")(a)])
    model.compile("sgd", "mse")
    assert model(x)[0].dtype == np.float64
    assert np.isfinite(model.fit(x, [value, value], verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"loss": ["mse"]}, r"loss must have one entry for each of the outputs \['value', 'label'\], got 1"),
        ({"loss": ["mse"] * 3}, "got 3"),
        ({"loss": {"value": "mse", "other": "mse"}}, r"loss has unknown names \['other'\]; the outputs are"),
        ({"loss": LOSSES, "loss_weights": [1.0]}, "loss_weights must have one entry"),
        ({"loss": LOSSES, "loss_weights": {"x": 1.0}}, r"loss_weights has unknown names \['x'\]"),
        ({"loss": LOSSES, "loss_weights": 0.5}, "loss_weights must be a list or a dictionary"),
        ({"loss": LOSSES, "loss_weights": [1.0, float("nan")]}, "loss_weights must be finite numbers"),
        ({"loss": LOSSES, "metrics": ["mae"]}, "metrics must have one entry for each"),
        ({"loss": LOSSES, "metrics": "mae"}, "metrics must be a list or a dictionary"),
        ({"loss": LOSSES, "metrics": {"labels": ["mae"]}}, r"metrics has unknown names \['labels'\]"),
        ({"loss": LOSSES, "weighted_metrics": {"labels": ["mae"]}}, "weighted_metrics has unknown names"),
        ({"loss": ["mse", "msee"]}, "losses: expected"),
    ],
)
def test_what_compile_refuses(arguments, text):
    with pytest.raises(ValueError, match=text):
        two().compile("sgd", **arguments)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m: m.fit(x, value, verbose=0), r"y must hold targets for the outputs \['value', 'label'\], got one"),
        (lambda m: m.fit(x, [value], verbose=0), r"y must have one entry for each of the outputs .*, got 1"),
        (lambda m: m.fit(x, {"value": value, "labels": label}, verbose=0), r"y has unknown names \['labels'\]"),
        (lambda m: m.fit(x, {"value": value}, verbose=0), "the loss of the output 'label' needs targets"),
        (lambda m: m.fit(x, [value, label[:-1]], verbose=0), "as many samples"),
        (lambda m: m.fit([x, x], [value, label], verbose=0), r"expected one input, .*\(None, 4\), got 2 of shapes"),
        (lambda m: m.fit({"input": x, "b": x}, [value, label], verbose=0), "got a dictionary of"),
        (lambda m: m.fit(x[:0], [value[:0], label[:0]], verbose=0), "there are no samples"),
        (lambda m: m.fit(x, [label, value], verbose=0), "class numbers|must have the shape of"),
        (lambda m: m.fit(x, [value, label], sample_weight=[np.ones(40)], verbose=0), "sample_weight must have one"),
        (lambda m: m.fit(x, [value, label], sample_weight={"a": np.ones(40)}, verbose=0), "sample_weight has unknown"),
        (lambda m: m.fit(x, [value, label], class_weight={0: 1.0}, verbose=0), "class_weight for several outputs"),
        (lambda m: m.fit(x, [value, label], class_weight={"l": {0: 1.0}}, verbose=0), "class_weight has unknown"),
        (lambda m: m.fit(x, [value, label], class_weight={"label": {0: -1.0}}, verbose=0), "class_weight must hold"),
        (lambda m: m.fit(x, [value, label], class_weight={"label": {0: "a"}}, verbose=0), "class_weight must hold"),
        (lambda m: m.fit(x, [value, label], class_weight={"value": {}}, validation_data=(x,) * 4, verbose=0),
         "validation_data must be"),
        (lambda m: m.fit(iter([(x, [value, label])]), validation_split=0.5, verbose=0), "validation_split needs"),
        (lambda m: m.fit(iter([]), verbose=0), "no batch in epoch 1"),
        (lambda m: m.train_on_batch(x, [value]), "y must have one entry"),
    ],
)  # fmt: skip
def test_what_fit_refuses(call, text):
    model = two()
    model.compile("sgd", LOSSES)
    with pytest.raises(ValueError, match=text):
        call(model)


def test_several_targets_for_one_output():
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", ["mse"], metrics={model.layers[-1].name: ["mae"]}, loss_weights=[2.0])
    plain = model.evaluate(x, [value], verbose=0, return_dict=True)
    assert list(plain) == ["loss", "mae"]
    assert plain["loss"] == pytest.approx(2 * float(((model(x).numpy() - value) ** 2).mean()), rel=1e-5)
    with pytest.raises(ValueError, match=r"there is one output.*got 2 arrays"):
        model.fit(x, [value, value], verbose=0)
    with pytest.raises(ValueError, match=r"there is one output.*entries for"):
        model.fit(x, {"a": value, "b": value}, verbose=0)
    with pytest.raises(TypeError, match="class_weight must be a dictionary"):
        model.fit(x, value, class_weight=[1, 2], verbose=0)


@pytest.mark.parametrize("weights", [np.float32(0.5), [np.float32(0.5)], np.array([0.5]).tolist()])
def test_loss_weights_of_numpy_are_saved(tmp_path, weights):
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", "mse", loss_weights=weights)
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    assert again.evaluate(x, value, verbose=0) == model.evaluate(x, value, verbose=0)


@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_own_classes_with_the_names_of_laminas_are_not_saved_as_those(tmp_path, kind):
    class Dice(lm.losses.Loss):
        def call(self, y_true, y_pred):
            return lm.ops.abs(y_pred - y_true)

    class Precision(lm.metrics.MeanSquaredError):
        pass

    own = {"loss": Dice()} if kind == "loss" else {"loss": "mse", "metrics": [Precision()]}
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", **own)
    with pytest.warns(UserWarning, match="how the model was compiled is left out: .* cannot be saved"):
        model.save(tmp_path / "m.safetensors")
    assert not lm.models.load_model(tmp_path / "m.safetensors").compiled


def test_saved_with_several_losses(tmp_path):
    model = two()
    model.compile("adam", LOSSES, loss_weights={"label": 0.5}, metrics={"label": ["accuracy"]})
    model.fit(x, [value, label], verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    assert again.evaluate(x, [value, label], verbose=0) == model.evaluate(x, [value, label], verbose=0)


def test_weights_are_gathered_anew_when_layers_change():
    """What is gathered once for all steps follows every way in which layers and weights come and go."""

    class Growing(Model):
        def __init__(self):
            super().__init__()
            self.blocks = [Dense(4)]
            self.heads = {"a": Dense(1)}

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.heads["a"](x)

    model = Growing()
    model.compile("sgd", "mse")
    model.train_on_batch(x, value)
    assert len(model.weights) == 4
    ready = Dense(4)
    ready.build((None, 4))
    model.weights  # noqa: B018
    model.blocks.append(ready)
    assert len(model.weights) == 6
    model.train_on_batch(x, value)
    model.heads["b"] = ready
    assert len(model.weights) == 6
    model.blocks.pop()
    model.heads.pop("b")
    assert len(model.weights) == 4
    model.extra = ready
    assert len(model.weights) == 6
    del model.extra
    assert len(model.weights) == 4
    model.blocks[0].trainable = False
    assert len(model.trainable_weights) == 2
    model.blocks[0].kernel.requires_grad = True
    assert len(model.trainable_weights) == 3
    model.blocks[0] = ready
    assert model.weights[0] is ready.kernel
