"""Word2Vec beside gensim's: files both ways, analogies scored alike, the quality of neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.applications import Word2Vec, WordVectors
from lamina.applications.word2vec import noise_table
from lamina.data import planted_analogies

gensim = pytest.importorskip("gensim")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # it leaves files open
]


@pytest.fixture(scope="module")
def lee():
    """gensim's own test corpus: 300 news articles."""
    from gensim.test.utils import datapath
    from gensim.utils import simple_preprocess

    with open(datapath("lee_background.cor"), encoding="latin-1") as file:
        return [simple_preprocess(line) for line in file]


def theirs(sentences, **arguments):
    """gensim's model: one worker and a seed, so that it is the same in every run."""
    return gensim.models.Word2Vec(sentences, workers=1, seed=1, **arguments)


@pytest.mark.parametrize("binary", [False, True])
def test_each_reads_the_other_s_files(binary, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (5, 7)).astype("f")
    words = ["a", "ü", "日本", "end", "x" * 50]
    kind = "binary" if binary else "text"
    WordVectors(words, rows).save(tmp_path / "ours", kind)
    read = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert read.index_to_key == words
    assert (read.vectors == rows).all()
    read.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    again = WordVectors.load(tmp_path / "theirs", kind)
    assert again.words == words
    assert (again.vectors == rows).all()


def test_glove_s_files(tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (5, 7)).astype("f")
    WordVectors(list("abcde"), rows).save(tmp_path / "ours", "glove")
    read = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=False, no_header=True)
    assert (read.vectors == rows).all()


def test_neighbours_and_analogies_are_theirs_on_the_same_vectors(lee, tmp_path):
    from gensim.test.utils import datapath

    model = theirs(lee, vector_size=50, epochs=5, sg=1)
    ours = WordVectors(model.wv.index_to_key, model.wv.vectors)
    for ask in ({"positive": ["war"]}, {"positive": ["king", "woman"], "negative": ["man"]}, {"positive": "israel"}):
        if all(word in ours for word in ask["positive"]):
            found, expected = ours.most_similar(**ask), model.wv.most_similar(**ask)
            assert [word for word, _ in found] == [word for word, _ in expected]
            np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], atol=1e-5)
    assert ours.similarity("war", "the") == pytest.approx(float(model.wv.similarity("war", "the")), abs=1e-5)
    _, sections = model.wv.evaluate_word_analogies(datapath("questions-words.txt"), dummy4unknown=False)
    found = ours.analogies(datapath("questions-words.txt"))
    for section in sections[:-1]:
        right, asked = found.get(section["section"], (0, 0))
        assert asked == len(section["correct"]) + len(section["incorrect"])
        assert abs(right - len(section["correct"])) <= 1  # theirs ranks in float32, in another order of sums


def test_noise_is_theirs(lee):
    model = theirs(lee, vector_size=5, epochs=1)
    share, other = noise_table([model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key], 0.75)
    likely = share / 2**32 / len(share)
    np.add.at(likely, other, (1 - share / 2**32) / len(share))
    np.testing.assert_allclose(np.cumsum(likely), model.cum_table / model.cum_table[-1], atol=1e-6)


@pytest.mark.parametrize(("sg", "hs"), [(1, 0), (1, 1), (0, 0), (0, 1)])
def test_planted_analogies_as_good_as_theirs(sg, hs):
    sentences, questions = planted_analogies(2000)
    model = theirs(sentences, vector_size=32, min_count=1, sample=0, alpha=0.05, epochs=10, sg=sg, hs=hs,
                   negative=0 if hs else 5)  # fmt: skip
    expected = WordVectors(model.wv.index_to_key, model.wv.vectors).analogies(questions)["total"]
    ours = Word2Vec(
        32, min_count=1, sample=0, alpha=0.05, skip_gram=bool(sg), hierarchical_softmax=bool(hs), seed=1
    ).fit(sentences, 10, verbose=0)
    found = ours.analogies(questions)["total"]
    print(f"sg={sg} hs={hs}: {found[0]} of {found[1]} right, gensim {expected[0]}")
    assert found[0] >= expected[0] - 0.05 * expected[1]


def agreement(one, other, words, count=10):
    """The share of a word's nearest neighbours that two models agree on, the mean over words."""
    return np.mean([
        len(
            {w for w, _ in one.most_similar(word, count=count, among=400)}
            & {w for w, _ in other.most_similar(word, count=count, among=400)}
        )
        / count
        for word in words
    ])  # fmt: skip


def test_neighbours_on_their_corpus_agree_with_theirs_as_theirs_do_with_themselves(lee):
    def peer(seed):
        model = gensim.models.Word2Vec(lee, vector_size=50, min_count=5, sg=1, epochs=20, workers=1, seed=seed)
        return WordVectors(model.wv.index_to_key, model.wv.vectors)

    first, second = peer(1), peer(2)
    ours = Word2Vec(50, min_count=5, seed=1).fit(lee, 20, verbose=0)
    words = first.words[20:220]
    own, with_theirs = agreement(first, second, words), agreement(ours, first, words)
    print(f"neighbours shared: gensim with another seed {own:.3f}, with ours {with_theirs:.3f}")
    assert with_theirs > own - 0.1
