"""GloVe: counts, what it learns, its bits, and one step beside NumPy's."""

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from lamina.applications import Glove
from lamina.applications.glove import cooccurrences
from lamina.data import planted_analogies


@pytest.fixture(scope="module")
def corpus():
    return planted_analogies()


def test_counts_are_those_of_a_plain_loop():
    draw = np.random.default_rng(0)
    tokens = draw.integers(-1, 40, 500).astype("i4")
    tokens[-1] = -1
    expected = np.zeros((40, 40))
    for p, word in enumerate(tokens):
        for d in range(1, 8):
            if word < 0 or p + d >= len(tokens) or (tokens[p : p + d + 1] < 0).any():
                break
            expected[word, tokens[p + d]] += 1 / d
            expected[tokens[p + d], word] += 1 / d
    found = np.zeros((40, 40))
    rows, columns, counts = cooccurrences(tokens, 40, 7)
    found[rows, columns] = counts
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (counts > 0).all()
    assert (found == found.T).all()
    assert len(counts) == (expected > 0).sum()


def test_a_step_is_the_formula_s():
    draw = np.random.default_rng(0)
    w, c = draw.normal(0, 0.5, (2, 3, 16)).astype("f")
    w[:, 8], c[:, 7] = 1, 1
    w[:, 9:] = c[:, 9:] = 0
    squares = np.ones((2, 3, 16), "f") * 2
    rows, columns = np.array([0, 2], "i4"), np.array([1, 1], "i4")
    target, weight = np.array([0.3, -1], "f"), np.array([1, 0.5], "f")
    x, y, qx, qy = (a.astype("d") for a in (w, c, *squares))
    d = [float(x[i] @ y[j] - t) for i, j, t in zip(rows, columns, target, strict=True)]
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        gx, gy = 0.05 * weight[k] * d[k] * y[j], 0.05 * weight[k] * d[k] * x[i]
        x[i] -= gx / np.sqrt(qx[i])
        y[j] -= gy / np.sqrt(qy[j])
        qx[i] += gx**2
        qy[j] += gy**2
        x[i, 8] = y[j, 7] = 1
    loss = _cpu.glove(rows, columns, target, weight, 7, 0.05, w, c, squares[0], squares[1])
    assert loss == pytest.approx(0.5 * sum(weight * np.square(d)), rel=1e-5)
    for found, expected in zip((w, c, *squares), (x, y, qx, qy), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_answers_planted_analogies_and_the_loss_falls(corpus):
    sentences, questions = corpus
    model = Glove(32, window=6, min_count=1, x_max=10, seed=1)
    right, asked = model.fit(sentences, epochs=30, verbose=0).analogies(questions)["total"]
    assert right > 0.8 * asked
    assert len(model.losses) == 30
    assert (np.diff(model.losses) < 0).all()
    assert model.words_per_second > 0


@pytest.mark.parametrize("size", [5, 100])
def test_same_bits_for_any_threads_and_instruction_set(corpus, size):
    before, isa = lm.num_threads(), lm.isa()
    found = []
    try:
        for threads, name in ((1, isa), (2, isa), (3, isa), (2, "portable"), (2, "v3")):
            lm.set_num_threads(threads)
            try:
                _cpu.set_isa(name)
            except ValueError:
                continue  # not on this machine
            model = Glove(size, seed=2)
            found.append((model.fit(corpus[0][:300], 2, verbose=0).vectors.tobytes(), *model.losses))
    finally:
        lm.set_num_threads(before)
        _cpu.set_isa(isa)
    assert len(found) >= 4
    assert len(set(found)) == 1


def test_bad_input():
    with pytest.raises(ValueError, match="Glove: the corpus is empty"):
        Glove().fit([])
    with pytest.raises(ValueError, match="at least two different words are needed"):
        Glove().fit(["a a a a a"])
    model = Glove(min_count=1)
    model.fit(["a b", "b a"], epochs=1, verbose=0)
    with pytest.raises(ValueError, match="no two words stand in one sentence"):
        model.fit(["c", "d"])
    assert model.vectors.words == ["a", "b"]  # as learned before
    with pytest.raises(ValueError, match="has learned nothing yet"):
        _ = Glove().vectors
    for arguments in ({"window": 21}, {"window": 0}, {"x_max": 0}, {"alpha": -1}, {"learning_rate": 0}):
        with pytest.raises(ValueError, match=f"Glove: {next(iter(arguments))} must be"):
            Glove(**arguments)
    row = np.zeros((2, 16), "f")
    one = np.zeros(1, "f")
    with pytest.raises(IndexError, match="a word is out of range"):
        _cpu.glove(np.array([2], "i4"), np.array([0], "i4"), one, one, 7, 0.05, row, row, row, row)
    with pytest.raises(ValueError, match="two wider than vectors"):
        _cpu.glove(np.array([0], "i4"), np.array([0], "i4"), one, one, 15, 0.05, row, row, row, row)
    with pytest.raises(IndexError, match="cooccurrence: a token or a place is out of range"):
        cooccurrences(np.array([0, -2, -1], "i4"), 3, 2)
