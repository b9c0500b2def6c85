"""Counts, ratios, areas, F scores, overlaps and correlations against plain NumPy; errors; configurations."""

import numpy as np
import pytest

import lamina as lm
from lamina import metrics

RNG = np.random.default_rng(0)
N, C = 40, 3
TRUTH = (RNG.random((N, C)) > 0.6).astype(int)
SCORES = np.round(RNG.random((N, C)), 2)
LABELS, GUESSES = RNG.integers(0, C, N), RNG.integers(0, C, N)
WEIGHTS = RNG.uniform(0, 2, N)
ALL = [
    metrics.Accuracy(), metrics.BinaryAccuracy(threshold=0.3), metrics.TopKCategoricalAccuracy(k=2),
    metrics.SparseTopKCategoricalAccuracy(k=2), metrics.TruePositives(0.3), metrics.FalsePositives([0.3, 0.6]),
    metrics.TrueNegatives(), metrics.FalseNegatives(), metrics.Precision(top_k=2), metrics.Recall(class_id=1),
    metrics.SensitivityAtSpecificity(0.4, 9), metrics.SpecificityAtSensitivity(0.4), metrics.PrecisionAtRecall(0.4),
    metrics.RecallAtPrecision(0.4, class_id=2), metrics.AUC(50, "PR", "minoring"),
    metrics.AUC(thresholds=[0.2, 0.4], multi_label=True, num_labels=3, label_weights=[1.0, 2.0, 3.0]),
    metrics.ConfusionMatrix(3, "true"), metrics.FBetaScore("macro", 2.0, 0.3), metrics.F1Score(threshold=0.3),
    metrics.IoU(3, [0, 2], ignore_class=1), metrics.BinaryIoU(threshold=0.3), metrics.MeanIoU(3), metrics.Dice(axis=1),
    metrics.OneHotIoU(3, [1]), metrics.OneHotMeanIoU(3), metrics.R2Score(None, 2), metrics.CosineSimilarity(axis=0),
    metrics.PearsonCorrelation(axis=1), metrics.ConcordanceCorrelation(), metrics.Perplexity(True, 0),
    metrics.BinaryCrossentropy(from_logits=True), metrics.CategoricalCrossentropy(label_smoothing=0.1),
    metrics.SparseCategoricalCrossentropy(ignore_class=1), metrics.RootMeanSquaredError(), metrics.Sum(),
    metrics.MeanSquaredLogarithmicError(), metrics.LogCoshError(), metrics.KLDivergence(), metrics.Poisson(),
    metrics.Hinge(), metrics.SquaredHinge(), metrics.CategoricalHinge(), metrics.MeanAbsolutePercentageError(),
]  # fmt: skip


@pytest.mark.parametrize("metric", ALL, ids=lambda m: type(m).__name__)
def test_configuration_round_trip(metric):
    config = metrics.serialize(metric)
    again = metrics.get(config)
    assert type(again) is type(metric)
    assert metrics.serialize(again) == config


@pytest.mark.parametrize("thresholds", [0.5, [0.25, 0.75], [0.7, 0.2], [0.0, 0.25, 0.5, 0.75, 1.0]])
@pytest.mark.parametrize("weighted", [False, True])
def test_counts(thresholds, weighted):
    w = WEIGHTS[:, None] if weighted else np.ones((N, 1))
    several = np.atleast_1d(thresholds)
    for cls, truth, passed in (
        (metrics.TruePositives, 1, True), (metrics.FalsePositives, 0, True),
        (metrics.TrueNegatives, 0, False), (metrics.FalseNegatives, 1, False),
    ):  # fmt: skip
        metric = cls(thresholds)
        for part in (slice(0, 11), slice(11, N)):
            metric.update_state(TRUTH[part], lm.Tensor(SCORES[part]), WEIGHTS[part] if weighted else None)
        wanted = [
            (((SCORES.astype("float32") > np.float32(t)) == passed) * (truth == TRUTH) * w).sum() for t in several
        ]
        np.testing.assert_allclose(metric.result(), wanted if several.size > 1 else wanted[0])
        metric.reset_state()
        assert not np.any(metric.result())


def test_area_is_that_of_ranks():
    scores = RNG.random(300)
    truth = RNG.random(300) < scores
    pairs = scores[truth][:, None] - scores[~truth][None]
    assert metrics.AUC(20_000)(truth, scores) == pytest.approx((pairs > 0).mean(), abs=1e-3)
    assert metrics.AUC(20_000, from_logits=True)(truth, np.log(scores / (1 - scores))) == pytest.approx(
        (pairs > 0).mean(), abs=1e-3
    )
    best = metrics.AUC(curve="PR")
    assert best([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == pytest.approx(1, abs=1e-6)
    best.reset_state()
    assert best.result() == 0


def test_confusion_matrix():
    metric = metrics.ConfusionMatrix(C)
    wanted = np.zeros((C, C))
    np.add.at(wanted, (LABELS, GUESSES), 1)
    np.testing.assert_array_equal(metric(LABELS, GUESSES), wanted)
    np.testing.assert_array_equal(metric(LABELS[:, None], GUESSES[:, None]), 2 * wanted)
    scores = np.eye(C)[GUESSES]
    np.testing.assert_array_equal(metrics.ConfusionMatrix(C)(np.eye(C)[LABELS], scores), wanted)
    np.testing.assert_array_equal(metrics.ConfusionMatrix(C)(LABELS, scores), wanted)
    for normalize, axis in (("true", 1), ("pred", 0), ("all", None)):
        got = metrics.ConfusionMatrix(C, normalize)(LABELS, GUESSES)
        np.testing.assert_allclose(got, wanted / wanted.sum(axis, keepdims=True))
    with pytest.raises(ValueError, match=r"y_true must hold class numbers in \[0, 3\), got 3"):
        metric([0, 3], [0, 1])
    with pytest.raises(ValueError, match=r"y_pred must hold class numbers in \[0, 3\), got -1"):
        metric([0, 1], [0, -1])


def test_overlaps():
    share = [((k == LABELS) & (k == GUESSES)).sum() / ((k == LABELS) | (k == GUESSES)).sum() for k in range(C)]
    assert metrics.MeanIoU(C)(LABELS, GUESSES) == pytest.approx(np.mean(share))
    assert metrics.IoU(C, [2])(LABELS, GUESSES) == pytest.approx(share[2])
    assert metrics.IoU(C, [0])(LABELS, GUESSES, 0.5 * np.ones(N)) == pytest.approx(share[0])
    assert metrics.Dice()(TRUTH, SCORES) == pytest.approx(2 * (TRUTH * SCORES).sum() / (TRUTH.sum() + SCORES.sum()))


def test_perplexity():
    logits, tokens = RNG.normal(size=(4, 5, C)), RNG.integers(0, C, (4, 5))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    own = -np.log(np.take_along_axis(p, tokens[..., None], -1)[..., 0])
    assert metrics.Perplexity(from_logits=True)(tokens, logits) == pytest.approx(np.exp(own.mean()))
    assert metrics.Perplexity()(tokens, p) == pytest.approx(np.exp(own.mean()))
    metric = metrics.Perplexity(from_logits=True, mask_token_id=0)
    metric.update_state(tokens[:2], logits[:2])
    metric.update_state(tokens[2:], logits[2:])
    assert metric.result() == pytest.approx(np.exp(own[tokens != 0].mean()))


def test_r2():
    t, p = RNG.normal(size=(N, 2)), RNG.normal(size=(N, 2))
    wanted = 1 - ((t - p) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)
    metric = metrics.R2Score(None)
    for part in (slice(0, 7), slice(7, N)):
        metric.update_state(t[part], p[part])
    np.testing.assert_allclose(metric.result(), wanted)
    assert metrics.R2Score()(t[:, 0], p[:, 0]) == pytest.approx(wanted[0])


def test_masks():
    metric = metrics.SparseCategoricalAccuracy()
    scores, mask = np.eye(C)[GUESSES], RNG.random(N) > 0.5
    metric.update_state(LABELS, scores, mask=mask)
    assert metric.result() == pytest.approx((LABELS == GUESSES)[mask].mean())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.Precision(thresholds=1.5), "thresholds must be in"),
        (lambda: metrics.Precision(top_k=9)(TRUTH, SCORES), "top_k must be from 1 to 3"),
        (lambda: metrics.Recall(class_id=3)(TRUTH, SCORES), "class_id 3 is out of range"),
        (lambda: metrics.Recall()(TRUTH[:5], SCORES), "y_true must have y_pred's shape"),
        (lambda: metrics.Recall()(TRUTH, SCORES, np.ones(3)), "sample_weight must have"),
        (lambda: metrics.SensitivityAtSpecificity(1.5), "specificity must be in"),
        (lambda: metrics.PrecisionAtRecall(0.5, 0), "num_thresholds must be at least 1"),
        (lambda: metrics.AUC(1), "num_thresholds must be at least 2"),
        (lambda: metrics.AUC(curve="DET"), "curve must be one of"),
        (lambda: metrics.AUC(summation_method="simpson"), "summation_method must be one of"),
        (lambda: metrics.AUC(num_labels=3), "num_labels is for"),
        (lambda: metrics.AUC(multi_label=True)(TRUTH[:, 0], SCORES[:, 0]), "y_pred must have shape"),
        (lambda: metrics.AUC(label_weights=[1.0])(TRUTH, SCORES), "label_weights must have shape"),
        (lambda: metrics.FBetaScore(average="mean"), "average must be"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be above 0"),
        (lambda: metrics.F1Score(threshold=2.0), "threshold must be"),
        (lambda: metrics.F1Score()(LABELS, SCORES), "one shape"),
        (lambda: metrics.IoU(3, [3]), "target_class_ids must be in"),
        (lambda: metrics.MeanIoU(3)([0, 5], [0, 1]), "got 5"),
        (
            lambda: metrics.MeanIoU(3)(np.zeros((2, 3)), np.zeros((3, 2))),
            r"must have y_pred's shape \(3, 2\), got \(2, 3\)",
        ),
        (lambda: metrics.MeanIoU(3)([0.0, np.nan], [0, 1]), "y_true must hold class numbers in .*, got nan"),
        (lambda: metrics.ConfusionMatrix(3)([0, 1], [0.0, np.nan]), "y_pred must hold class numbers in .*, got nan"),
        (lambda: metrics.SparseTopKCategoricalAccuracy(2)(LABELS * np.nan, SCORES), "class numbers in .*, got nan"),
        (lambda: metrics.SparseCategoricalCrossentropy()(LABELS * np.nan, SCORES), "class numbers, got nan"),
        (lambda: metrics.Perplexity()(LABELS + 0.5, SCORES), "y_true must hold class numbers, got"),
        (lambda: metrics.R2Score("mean"), "class_aggregation must be"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors must be at least 0"),
        (lambda: metrics.SparseTopKCategoricalAccuracy(4)(LABELS, SCORES), "k must be at most 3"),
        (lambda: metrics.SparseTopKCategoricalAccuracy(2)(LABELS + 3, SCORES), "class numbers in"),
        (lambda: metrics.TopKCategoricalAccuracy(0), "k must be at least 1"),
        (lambda: metrics.ConfusionMatrix(0), "num_classes must be at least 1"),
        (lambda: metrics.ConfusionMatrix(2, "rows"), "normalize must be"),
        (lambda: metrics.get("MeanIoU"), "MeanIoU needs num_classes"),
        (lambda: metrics.SparseCategoricalCrossentropy()(LABELS + 3, SCORES), "labels must be in"),
    ],
)
def test_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("make", [
    lambda n: metrics.ConfusionMatrix(n), lambda n: metrics.MeanIoU(n), lambda n: metrics.IoU(n, [0]),
    lambda n: metrics.AUC(n), lambda n: metrics.PrecisionAtRecall(0.5, n), lambda n: metrics.R2Score(num_regressors=n),
    lambda n: metrics.TopKCategoricalAccuracy(n),
])  # fmt: skip
@pytest.mark.parametrize("wrong", [2.5, "3", True, None])
def test_numbers_that_are_no_integers(make, wrong):
    with pytest.raises(TypeError, match="must be an integer, got"):
        make(wrong)


def test_nan_is_never_among_the_largest():
    scores = np.array([[np.nan, 1.0, 2.0], [np.nan] * 3, [0.0, 1.0, 2.0]])
    for k, right in ((1, [0, 0, 1]), (2, [1, 0, 1]), (3, [1, 0, 1])):
        found = metrics.sparse_top_k_categorical_accuracy([2, 0, 2], scores, k=k).numpy().tolist()
        assert found == right


def test_empty_batches_and_no_batches():
    for metric in (metrics.Precision(), metrics.AUC(), metrics.MeanSquaredError(), metrics.F1Score("micro")):
        assert metric.result() == 0
        metric.update_state(np.zeros((0, 2)), np.zeros((0, 2)))
        assert metric.result() == 0


def test_scores_of_nan_are_above_no_threshold():
    scores, truth = np.array([np.nan, 0.9, np.nan, 0.1]), np.array([1, 1, 0, 0])
    for thresholds in (0.5, [0.2, 0.7], [0.0, 0.25, 0.5, 0.75, 1.0]):
        column = np.atleast_1d(thresholds)[:, None]
        for cls, wanted in ((metrics.TruePositives, (scores[1:2] > column).sum(-1)),
                            (metrics.FalsePositives, (scores[3:] > column).sum(-1))):  # fmt: skip
            np.testing.assert_array_equal(np.atleast_1d(cls(thresholds)(truth, scores)), wanted)
        assert np.all(np.asarray(metrics.FalseNegatives(thresholds)(truth, scores)) >= 1)
    assert metrics.AUC(thresholds=[0.3])([1, 0], [np.nan, 0.5]) == metrics.AUC()([1, 0], [np.nan, 0.5]) == 0
