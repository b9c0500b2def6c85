"""Arguments of another kind, or out of range: refused by name where the object is made, not later and not silently."""

import math

import pytest

import lamina as lm
from lamina import callbacks, constraints, initializers, layers, losses, metrics

NAN, INFINITE, HUGE = math.nan, math.inf, 2**40

TYPES = [
    (lambda v: layers.Dropout(0.5, noise_shape=v), "noise_shape", ["x", 3, 1.5, (1, 2.5)]),
    (lambda v: layers.AlphaDropout(0.5, noise_shape=v), "noise_shape", ["x", 3, {}]),
    (layers.Permute, "dims", [0, 1.5, None, "x", {}]),
    (lambda v: layers.EinsumDense("ab,bc->ac", 3, bias_axes=v), "bias_axes", [0, 1.5, ["c"]]),
    (lambda v: layers.Lambda(abs, arguments=v), "arguments", [3, "x", [1]]),
    (lambda v: layers.RotaryEmbedding(sequence_axis=v), "sequence_axis", [1.5, True, "x"]),
    (lambda v: layers.RotaryEmbedding(feature_axis=v), "feature_axis", [1.5, True, None]),
    (lambda v: layers.IntegerLookup(oov_token=v), "expected integers", [1.5, "x", NAN]),
    (lambda v: layers.IntegerLookup(vocabulary=v), "expected integers", [[INFINITE], [NAN]]),
    (lambda v: initializers.RandomNormal(v), "mean", ["x", None, True]),
    (lambda v: initializers.TruncatedNormal(stddev=v), "stddev", ["x", None, [1.0]]),
    (lambda v: initializers.RandomUniform(maxval=v), "maxval", ["x", None]),
    (initializers.VarianceScaling, "scale", ["x", None]), (initializers.Orthogonal, "gain", ["x", None]),
    (initializers.Constant, "value", ["x", None]),
    (lambda v: constraints.MaxNorm(axis=v), "axis", [1.5, "x", True, (0, 0.5)]),
    (constraints.MaxNorm, "max_value", ["x", None, True]),
    (lambda v: losses.CosineSimilarity(axis=v), "axis", [1.5, None, "x"]),
    (lambda v: losses.Dice(axis=v), "axis", [1.5, "x", (0, 1.5)]),
    (lambda v: losses.SparseCategoricalCrossentropy(ignore_class=v), "ignore_class", [1.5, "x", True]),
    (lambda v: metrics.Precision(top_k=v), "top_k", [1.5, "x", NAN]),
    (lambda v: metrics.Recall(class_id=v), "class_id", [1.5, "x", True]),
    (lambda v: metrics.Precision(v), "thresholds", ["x", True, ["x"]]),
    (lambda v: metrics.MeanIoU(3, ignore_class=v), "ignore_class", [1.5, "x"]),
    (lambda v: metrics.IoU(3, v), "target_class_ids", [0, "x", [1.5]]),
    (lambda v: metrics.BinaryIoU(threshold=v), "threshold", ["x", None]),
    (lambda v: metrics.PearsonCorrelation(axis=v), "axis", [1.5, None]),
    (lambda v: metrics.Perplexity(mask_token_id=v), "mask_token_id", [1.5, "x"]),
    (lambda v: metrics.FBetaScore(beta=v), "beta", ["x", None]), (lambda v: metrics.Dice(axis=v), "axis", [1.5, "x"]),
    (lambda v: callbacks.LambdaCallback(on_epoch_end=v), "on_epoch_end", [3, "x"]),
    (callbacks.EarlyStopping, "monitor", [3, None]),
    (lambda v: callbacks.ReduceLROnPlateau(min_lr=v), "min_lr", ["x", None]),
]  # fmt: skip
VALUES = [
    (lambda v: layers.BatchNormalization(epsilon=v), "epsilon", [0, -1, NAN, INFINITE]),
    (lambda v: layers.Dropout(0.5, noise_shape=v), "noise_shape", [(0, 1), (-1,)]),
    (lambda v: layers.StringLookup(output_mode=v), "output_mode", ["x", ["int"], {}]),
    (lambda v: initializers.RandomNormal(v), "mean", [NAN, INFINITE]),
    (lambda v: initializers.TruncatedNormal(stddev=v), "stddev", [NAN, INFINITE, -1]),
    (initializers.VarianceScaling, "scale", [NAN, INFINITE, 0]),
    (lambda v: initializers.VarianceScaling(distribution=v), "distribution", [3, None, "x"]),
    (lambda v: metrics.BinaryAccuracy(threshold=v), "threshold", [-1, 1.5, NAN]),
    (lambda v: metrics.BinaryIoU(threshold=v), "threshold", [-1, 1.5, NAN]),
    (lambda v: metrics.Precision(top_k=v), "top_k", [0, -1]), (metrics.AUC, "num_thresholds", [1, HUGE]),
    (lambda v: metrics.AUC(curve=v), "curve", [3, None, "x"]), (metrics.ConfusionMatrix, "num_classes", [0, HUGE]),
    (lambda v: metrics.FBetaScore(beta=v), "beta", [0, NAN, INFINITE]),
    (lambda v: callbacks.ReduceLROnPlateau(min_lr=v), "min_lr", [-1, NAN, INFINITE]),
    (lambda v: callbacks.EarlyStopping(min_delta=v), "min_delta", [NAN, INFINITE]),
    (lambda v: callbacks.CSVLogger("log.csv", separator=v), "separator", ["", "::", 3]),
]  # fmt: skip


def each(table):
    return [pytest.param(make, text, value, id=f"{i}-{text}-{value!r}"[:40])
            for i, (make, text, values) in enumerate(table) for value in values]  # fmt: skip


@pytest.mark.parametrize(("make", "text", "value"), each(TYPES))
def test_other_kinds(make, text, value):
    with pytest.raises(TypeError, match=text):
        make(value)


@pytest.mark.parametrize(("make", "text", "value"), each(VALUES))
def test_out_of_range(make, text, value):
    with pytest.raises(ValueError, match=text):
        make(value)


def test_what_is_right_is_taken():
    assert layers.Dropout(0.5, noise_shape=[None, 1]).noise_shape == (None, 1)
    assert layers.Dropout.from_config(layers.Dropout(0.5, noise_shape=(2, 1)).get_config()).noise_shape == (2, 1)
    assert lm.metrics.Dice(axis=[0, 1]).axis == (0, 1)
    assert constraints.UnitNorm([0, 1]).axis == (0, 1)
    assert constraints.MaxNorm(axis=None).axis is None
