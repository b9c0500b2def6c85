"""Word2Vec: what it learns, that its bits are the same everywhere, and a step beside NumPy's."""

import itertools

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from lamina.applications import Word2Vec
from lamina.applications.huffman import huffman_paths
from lamina.applications.word2vec import noise_table
from lamina.data import planted_analogies

MODES = [
    {"skip_gram": skip_gram, "hierarchical_softmax": tree, "negative": 7}
    for skip_gram in (True, False)
    for tree in (True, False)
]


@pytest.fixture(scope="module")
def corpus():
    return planted_analogies()


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_answers_planted_analogies(corpus, mode):
    sentences, questions = corpus
    model = Word2Vec(32, min_count=1, sample=0, alpha=0.05, seed=1, **mode)
    right, asked = model.fit(sentences, epochs=20, verbose=0).analogies(questions)["total"]
    assert asked == 12 * 12 * 11
    assert right > 0.8 * asked
    assert model.words_per_second > 0


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("size", [5, 100])
def test_same_bits_for_any_threads_and_instruction_set(corpus, mode, size):
    before, isa = lm.num_threads(), lm.isa()
    found = []
    try:
        for threads, name in ((1, isa), (2, isa), (3, isa), (2, "portable"), (2, "v3")):
            lm.set_num_threads(threads)
            try:
                _cpu.set_isa(name)
            except ValueError:
                continue  # not on this machine
            found.append(Word2Vec(size, seed=2, **mode).fit(corpus[0][:300], 2, verbose=0).vectors.tobytes())
    finally:
        lm.set_num_threads(before)
        _cpu.set_isa(isa)
    assert len(found) >= 4
    assert len(set(found)) == 1


def test_the_seed_decides(corpus):
    def learned(seed=None):
        return Word2Vec(8, seed=seed).fit(corpus[0][:100], 1, verbose=0).vectors

    assert (learned(1) == learned(1)).all()
    assert not (learned(1) == learned(2)).all()
    lm.set_seed(3)
    first = learned()
    lm.set_seed(3)
    assert (learned() == first).all()


@pytest.mark.parametrize("skip_gram", [True, False])
def test_a_step_along_huffman_s_tree_is_the_formula_s(skip_gram):
    """One sentence of 3 words with the widest reach: the window is known where window=1."""
    first, path, label = huffman_paths([4, 2, 1])
    draw = np.random.default_rng(0)
    inputs, outputs = draw.normal(0, 0.5, (3, 16)).astype("f"), draw.normal(0, 0.5, (2, 16)).astype("f")
    x, y = inputs.astype("d"), outputs.astype("d")
    tokens = np.array([0, 1, 2, -1], "i4")
    windows = {0: [1], 1: [0, 2], 2: [1]}
    start_x, start_y = x.copy(), y.copy()  # what errors are found with
    for centre, around in windows.items():
        steps = slice(first[centre], first[centre + 1])
        nodes, labels = path[steps], label[steps]

        def error(rows, against, labels=labels):
            return 0.1 * (labels - 1 / (1 + np.exp(-rows @ against.T)))

        if skip_gram:
            e = error(start_x[around], start_y[nodes])
            dx, dy = e @ y[nodes], e.T @ x[around]
            x[around] += dx
        else:
            mean = start_x[around].mean(0, keepdims=True)
            e = error(mean, start_y[nodes])
            dx, dy = e @ y[nodes], e.T @ mean
            x[around] += dx
        y[nodes] += dy
    _cpu.word2vec(tokens, 0, 4, 1, skip_gram, 0, None, None, first, path, label, 0.1, 0.0, 0.0, 1, 1, inputs, outputs)
    np.testing.assert_allclose(inputs, x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, y, rtol=1e-4, atol=1e-5)


def test_huffman_s_paths_are_short_for_frequent_words_and_lead_to_each():
    counts = np.random.default_rng(0).integers(1, 1000, 50)
    first, nodes, labels = huffman_paths(counts)
    lengths = np.diff(first)
    paths = {tuple(zip(nodes[a:b].tolist(), labels[a:b].tolist(), strict=True)) for a, b in itertools.pairwise(first)}
    assert len(paths) == 50
    assert all(path[0][0] == 0 for path in paths)
    assert nodes.max() == 48
    assert (0.5**lengths).sum() == 1
    entropy = -(counts / counts.sum() * np.log2(counts / counts.sum())).sum()
    assert entropy <= (lengths * counts).sum() / counts.sum() < entropy + 1


def test_noise_is_drawn_by_counts_to_the_power():
    counts = np.array([1000, 100, 10, 10, 1])
    share, other = noise_table(counts, 0.75)
    likely = share / 2**32 / 5
    np.add.at(likely, other, (1 - share / 2**32) / 5)
    np.testing.assert_allclose(likely, counts**0.75 / (counts**0.75).sum(), rtol=1e-6)


def test_frequent_words_are_thinned_out():
    sentences = [["often"] * 20 + [f"rare{i % 50}"] for i in range(500)]
    model = Word2Vec(8, sample=1e-2, seed=0)
    model.fit(sentences, 1, verbose=0)
    kept = model._sampled(model._corpus)
    share = 20 / 21
    assert (kept == 0).sum() / 10_000 == pytest.approx(np.sqrt(1e-2 / share) + 1e-2 / share, rel=0.1)
    assert (kept == -1).sum() == 500
    assert (kept > 0).sum() == 500  # 1 / 1050 of the words each


def test_bad_corpora():
    with pytest.raises(ValueError, match="the corpus is empty"):
        Word2Vec().fit([])
    with pytest.raises(ValueError, match="at least two different words are needed, 1 of 1 come 5 times or more: a"):
        Word2Vec().fit(["a a a a a a"])
    with pytest.raises(ValueError, match="0 of 2 come 5 times or more: the most frequent comes 2"):
        Word2Vec().fit(["a b", "a"])
    with pytest.raises(TypeError, match="expected a list of sentences, got str"):
        Word2Vec().fit("a b c")
    with pytest.raises(TypeError, match="sentence 1 must be a string or a list of words, got 3"):
        Word2Vec().fit(["a", 3])
    with pytest.raises(ValueError, match=r"sentence 0: byte 0xff at offset 2 is no UTF-8"):
        Word2Vec().fit([b"a \xff"])
    with pytest.raises(ValueError, match="the vector of 'a' is not finite"):
        Word2Vec(8, min_count=1, alpha=1e30).fit(["a b c d"] * 50, verbose=0)
    with pytest.raises(ValueError, match="has learned nothing yet"):
        _ = Word2Vec().vectors


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"vector_size": 0}, "vector_size must be a positive integer"),
        ({"window": 0}, "window must be a positive integer"),
        ({"negative": 0}, "negative must be from 1 to 1000 without hierarchical_softmax"),
        ({"sample": -1}, "sample must be at least 0"),
        ({"alpha": 0}, "alpha must be above 0"),
        ({"min_alpha": 1}, "min_alpha must be from 0 to alpha"),
        ({"noise_exponent": 400}, "noise_exponent must be from -10 to 10"),
        ({"min_count": 0}, "min_count must be a positive integer"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        Word2Vec(**arguments)
    with pytest.raises(ValueError, match="epochs must be a positive integer"):
        Word2Vec().fit(["a b"], epochs=0)


def test_the_kernel_refuses_what_would_stray():
    row = np.zeros((2, 16), "f")
    tokens, first, path, label = np.array([0, 1, -1], "i4"), np.array([0, 1, 2]), np.zeros(2, "i4"), np.zeros(2, "u1")

    def call(tokens=tokens, begin=0, end=3, path=path, width=row):
        _cpu.word2vec(tokens, begin, end, 1, True, 0, None, None, first, path, label, 0.1, 0, 0, 1, 1, width, row[:1])

    call()
    for bad in ({"tokens": tokens + 1}, {"path": path + 1}):
        with pytest.raises(IndexError, match="out of range"):
            call(**bad)
    for bad in ({"begin": 1}, {"end": 4}, {"width": np.zeros((2, 8), "f")}):
        with pytest.raises(ValueError, match="word2vec"):
            call(**bad)
