"""Words as tokens."""

import pytest

from lamina.data import WordTokenizer

TEXT = "The cat, the dog; the CAT's dog."


def test_learns_the_most_frequent_words_first():
    tokenizer = WordTokenizer.train(TEXT)
    assert tokenizer.vocabulary == ["<pad>", "<unk>", "the", "cat", "dog", ",", ";", "'", "s", "."]
    assert WordTokenizer.train(TEXT, min_frequency=2).vocabulary[2:] == ["the", "cat", "dog"]
    assert WordTokenizer.train(TEXT, max_tokens=4).vocabulary == ["<pad>", "<unk>", "the", "cat"]
    assert WordTokenizer.train(TEXT, lowercase=False).vocabulary[2:5] == ["the", "dog", "The"]
    assert WordTokenizer.train([TEXT, "a\nb"], split="whitespace").vocabulary[2:] == [
        "the", "cat,", "dog;", "cat's", "dog.", "a", "b",
    ]  # fmt: skip


def test_there_and_back():
    tokenizer = WordTokenizer.train(TEXT, start_token="<s>", end_token="</s>")
    encoding = tokenizer.encode("the dog, the bird.")
    assert encoding.tokens == ["<s>", "the", "dog", ",", "the", "<unk>", ".", "</s>"]
    assert encoding.offsets[3:6] == [(7, 8), (9, 12), (13, 17)]
    assert tokenizer.decode(encoding.ids) == "the dog, the."
    assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == "<s> the dog, the <unk>. </s>"


def test_a_letter_that_grows_when_small_keeps_its_place():
    tokenizer = WordTokenizer.train(["İstanbul x"])
    assert tokenizer.encode("İstanbul x").offsets == [(0, 8), (9, 10)]
    assert tokenizer.encode("İstanbul x").ids == [2, 3]


def test_bad_arguments():
    with pytest.raises(ValueError, match='split must be "words" or "whitespace", got \'lines\''):
        WordTokenizer.train(TEXT, split="lines")
    with pytest.raises(ValueError, match="no token is left: the most frequent comes 3 times, min_frequency is 4"):
        WordTokenizer.train(TEXT, min_frequency=4)
    with pytest.raises(ValueError, match="min_frequency must be a positive integer, got 0"):
        WordTokenizer.train(TEXT, min_frequency=0)
    with pytest.raises(TypeError, match="expected texts, or one, got int"):
        WordTokenizer.train(3)
