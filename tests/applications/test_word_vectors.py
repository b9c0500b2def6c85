"""Words and their vectors: neighbours, analogies, files."""

import numpy as np
import pytest

from lamina.applications import WordVectors

WORDS = ["king", "queen", "man", "woman", "King"]
ROWS = [[1, 1], [1, -1], [0.1, 1], [0.1, -1], [1, 0.5]]


@pytest.fixture
def vectors():
    return WordVectors(WORDS, ROWS)


def test_neighbours(vectors):
    assert [word for word, _ in vectors.most_similar("king", count=2)] == ["King", "man"]
    assert vectors.most_similar("king", count=9)[-1][0] == "woman"
    assert len(vectors.most_similar("king", count=9)) == 4
    assert vectors.most_similar("woman", among=2)[0][0] == "queen"
    assert vectors.most_similar(np.array([0.0, -1.0]), count=1)[0][0] == "woman"
    assert vectors.similarity("king", "queen") == pytest.approx(0, abs=1e-6)
    assert vectors.similarity("man", "man") == pytest.approx(1)
    assert "man" in vectors
    assert "men" not in vectors


def test_analogies(vectors, tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text(": royal\nman king woman queen\nMAN KING WOMAN Queen\nman king boy prince\n: none\nx y z w\n")
    assert vectors.analogies(file) == {"royal": (2, 2), "none": (0, 0), "total": (2, 2)}
    assert vectors.analogies(file, ignore_case=False)["total"] == (1, 1)
    assert vectors.analogies(file, among=3)["total"] == (0, 0)
    file.write_text(": royal\nman king woman\n")
    with pytest.raises(ValueError, match='line 2 must be ": section" or four words'):
        vectors.analogies(file)
    file.write_text(": royal\n")
    with pytest.raises(ValueError, match="holds no questions"):
        vectors.analogies(file)


def test_unknown_words(vectors):
    for ask in (vectors.__getitem__, vectors.most_similar, lambda word: vectors.similarity("man", word)):
        with pytest.raises(KeyError, match="'womn' is not among the 5 words of the vocabulary; near it: 'woman'"):
            ask("womn")
    with pytest.raises(KeyError, match="near it: 'king'"):
        vectors["kingg"]
    with pytest.raises(KeyError, match="near it: 'woman'"):
        vectors["WOMMAN"]
    with pytest.raises(ValueError, match="needs at least one word"):
        vectors.most_similar()
    with pytest.raises(ValueError, match=r"expected a vector \(2,\), got \(3,\)"):
        vectors.most_similar(np.zeros(3))


@pytest.mark.parametrize("kind", ["text", "binary", "glove"])
def test_files_give_back_every_bit(kind, tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (4, 7)).astype("f")
    saved = WordVectors(["a", "ü", "日本", "x" * 300], rows)
    saved.save(tmp_path / "v", kind)
    loaded = WordVectors.load(tmp_path / "v", kind)
    assert loaded.words == saved.words
    assert (loaded.vectors == rows).all()
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / "w", kind)
    with pytest.raises(ValueError, match="limit"):
        WordVectors.load(tmp_path / "v", kind, limit=10)


@pytest.mark.parametrize(
    ("kind", "contents", "match"),
    [
        ("text", b"a 1 2\n", "must begin with a line of two numbers"),
        ("text", b"2 2\na 1 2\n", "expected words, 2, got 1"),
        ("text", b"1 2\na 1 x\n", "line 2: expected a word and 2 numbers, got 'a 1 x'"),
        ("text", b"1 2\na 1\n", "line 2: expected a word and 2 numbers"),
        ("text", b"2 1\na 1\na 2\n", "'a' comes twice, at places 0 and 1"),
        ("text", b"1 1\n\xff 1\n", "byte 0xff at offset 4 is no UTF-8"),
        ("glove", b"", "expected words, one or more, got 0"),
        ("glove", b"a\n", "line 1: expected a word and numbers, got 'a'"),
        ("text", b"1 2\na 1 nan\n", "the vector of 'a' is not finite"),
        ("glove", b"a 1 2\nb 1\n", "line 2: expected a word and 2 numbers"),
        ("binary", b"2 2\na ", "is cut short"),
        ("binary", b"99999999 99999999\na ", "is cut short"),
        ("binary", b"1 1\n\xff \0\0\0\0\n", "word 0, from byte 4 on: byte 0xff at offset 0 is no UTF-8"),
        ("binary", b"", "must begin with a line of two numbers"),
    ],
)
def test_broken_files(kind, contents, match, tmp_path):
    (tmp_path / "v").write_bytes(contents)
    with pytest.raises(ValueError, match=match):
        WordVectors.load(tmp_path / "v", kind)


def test_bad_arguments(vectors, tmp_path):
    with pytest.raises(ValueError, match=r"vectors must have shape \(2, D\)"):
        WordVectors(["a", "b"], [[1, 2]])
    with pytest.raises(ValueError, match="'a' comes twice"):
        WordVectors(["a", "a"], [[1], [2]])
    with pytest.raises(TypeError, match="words must be strings, got 3 at place 0"):
        WordVectors([3], [[1]])
    with pytest.raises(ValueError, match=r"counts must have shape \(2,\), got \(1,\)"):
        WordVectors(["a", "b"], [[1], [2]], counts=[3])
    with pytest.raises(ValueError, match="the vector of 'b' is not finite"):
        WordVectors(["a", "b"], [[1], [np.inf]])
    with pytest.raises(TypeError, match="expected words or a vector of floats, got 3"):
        vectors.most_similar(3)
    for arguments in ({"count": 0}, {"among": -2}):
        with pytest.raises(ValueError, match="must be a positive integer"):
            vectors.most_similar("king", **arguments)
    for questions, match in (({}, "needs questions"), ({"a": [["man", "king", "boy"]]}, "must be four words")):
        with pytest.raises(ValueError, match=match):
            vectors.analogies(questions)
    for call in (vectors.save, WordVectors.load):
        with pytest.raises(ValueError, match='kind must be "text", "binary" or "glove"'):
            call(tmp_path / "v", "json")
    with pytest.raises(ValueError, match="cannot hold the word 'a b'"):
        WordVectors(["a b"], [[1]]).save(tmp_path / "v")
