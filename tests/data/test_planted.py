"""The synthetic corpus of analogies."""

import pytest

import lamina as lm


def test_words_stand_with_their_country_s_and_their_kind_s():
    sentences, questions = lm.data.planted_analogies(50, countries=3, seed=1)
    own = 0
    for words in sentences:
        kind, country = words[3][:-1], words[3][-1]
        own += sum(word.startswith((f"sign{country}_", f"{kind}_sign")) for word in words)
    assert 0.7 < own / (6 * 50) < 0.9
    assert len(questions) == 12
    assert all(len(rows) == 6 for rows in questions.values())
    assert sentences == lm.data.planted_analogies(50, countries=3, seed=1)[0]
    assert sentences != lm.data.planted_analogies(50, countries=3, seed=2)[0]


def test_bad_arguments():
    with pytest.raises(ValueError, match="sentences must be a positive integer"):
        lm.data.planted_analogies(0)
    with pytest.raises(TypeError, match="seed must be an integer"):
        lm.data.planted_analogies(1, seed=None)
