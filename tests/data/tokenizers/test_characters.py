"""Characters as tokens."""

import pytest

from lamina.data import CharacterTokenizer, Tokenizer


def test_there_and_back(tmp_path):
    tokenizer = CharacterTokenizer.train(["banana\n", "Ünï 😀"], start_token="<s>", end_token="</s>")
    assert tokenizer.vocabulary == ["<pad>", "<unk>", "<s>", "</s>", "\n", " ", "a", "b", "n", "Ü", "ï", "😀"]
    encoding = tokenizer.encode("ban 😀!")
    assert encoding.tokens == ["<s>", "b", "a", "n", " ", "😀", "<unk>", "</s>"]
    assert encoding.offsets[1:7] == [(i, i + 1) for i in range(6)]
    assert tokenizer.decode(encoding.ids) == "ban 😀"
    tokenizer.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json").encode("ban 😀!").ids == encoding.ids


def test_the_most_frequent_stay():
    assert CharacterTokenizer.train("banana", max_tokens=4).vocabulary[2:] == ["a", "n"]
    assert CharacterTokenizer.train("banana", min_frequency=2).vocabulary[2:] == ["a", "n"]


def test_a_vocabulary_of_one():
    tokenizer = CharacterTokenizer.train("aaaa", unknown_token=None, padding_token=None)
    assert tokenizer.vocabulary == ["a"]
    assert tokenizer.encode("aa").ids == [0, 0]
    with pytest.raises(KeyError, match="'b' is not among the 1 words"):
        tokenizer.encode("ab")


def test_bad_vocabularies():
    with pytest.raises(ValueError, match="must hold single characters, got 'ab'"):
        CharacterTokenizer(["<pad>", "<unk>", "ab"])
    with pytest.raises(ValueError, match="the corpus is empty"):
        CharacterTokenizer.train([])
