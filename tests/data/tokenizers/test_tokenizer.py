"""What all tokenizers share: vocabularies, special tokens, pairs, truncation, padding, files, bad input."""

import json
import pickle

import numpy as np
import pytest

import lamina as lm
from lamina.data import Tokenizer, WordPieceTokenizer, WordTokenizer
from lamina.data.tokenizers import remembered

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def letters():
    """A WordPiece tokenizer of letters, each a word."""
    return WordPieceTokenizer([*SPECIAL, *"abcdefghijklmnop"])


def test_pairs_have_special_tokens_and_segments(letters):
    e = letters.encode("a b", "c d e", padding=10)
    assert e.tokens == ["[CLS]", "a", "b", "[SEP]", "c", "d", "e", "[SEP]", "[PAD]", "[PAD]"]
    assert e.segment_ids == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert e.mask == [1] * 8 + [0] * 2
    assert e.special_tokens_mask == [1, 0, 0, 1, 0, 0, 0, 1, 1, 1]
    assert e.offsets[1:3] == [(0, 1), (2, 3)]
    assert e.offsets[4:7] == [(0, 1), (2, 3), (4, 5)]
    assert letters.encode("a b", "c", add_special_tokens=False).tokens == ["a", "b", "c"]


def test_a_special_token_in_a_text_is_one_token(letters):
    assert letters.tokenize("a [MASK]b[SEP] [mask]") == ["a", "[MASK]", "b", "[SEP]", "[UNK]", "[UNK]", "[UNK]"]
    assert letters.encode("a [MASK] b").offsets == [(0, 0), (0, 1), (2, 8), (9, 10), (0, 0)]


@pytest.mark.parametrize(
    ("truncation", "length", "tokens"),
    [
        ("longest_first", 9, "abc/def"),
        ("longest_first", 8, "ab/def"),
        ("longest_first", 4, "/d"),
        ("longest_first", 3, "/"),
        ("only_first", 8, "a/defg"),
        ("only_second", 8, "abc/de"),
    ],
)
def test_truncation(letters, truncation, length, tokens):
    e = letters.encode("a b c", "d e f g", max_length=length, truncation=truncation)
    first, second = tokens.split("/")
    assert e.tokens == ["[CLS]", *first, "[SEP]", *second, "[SEP]"]
    assert letters.encode("a b c d", max_length=4, truncation=truncation.replace("second", "first")).tokens[1:3] == [
        "a", "b",
    ]  # fmt: skip


def test_what_cannot_be_cut_is_refused(letters):
    with pytest.raises(ValueError, match=r'truncation="only_first" cannot bring 1 \+ 5 tokens down to 3'):
        letters.encode("a", "b c d e f", max_length=6, truncation="only_first")
    with pytest.raises(ValueError, match=r"the text has 5 tokens, there is room for 3; .*cuts it"):
        letters.encode("a b c d e", max_length=5, truncation=None)
    with pytest.raises(ValueError, match="max_length 2 has no room for the special tokens"):
        letters.encode("a", "b", max_length=2)
    with pytest.raises(ValueError, match=r"truncation must be one of .* got 'both'"):
        letters.encode("a", truncation="both")
    with pytest.raises(ValueError, match="max_length must be a positive integer, got 0"):
        letters.encode("a", max_length=0)


def test_batches(letters):
    batch = letters.encode_batch(["a", "a b c"], ["d", "e"])
    assert batch.ids.dtype == np.int64
    assert batch.ids.shape == batch.segment_ids.shape == batch.mask.shape == (2, 7)
    assert batch.mask.dtype == bool
    assert batch.mask.sum(1).tolist() == [5, 7]
    assert batch.segment_ids[1].tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert batch.ids[0, 5:].tolist() == [0, 0]
    assert batch.encodings[1].tokens[5] == "e"
    assert letters.encode_batch(["a"], padding=6).ids.shape == (1, 6)
    assert letters.encode_batch([]).ids.shape == (0, 0)
    with pytest.raises(ValueError, match="a row has 5 tokens, padding is 4; max_length=4 cuts"):
        letters.encode_batch(["a b c"], padding=4)
    with pytest.raises(ValueError, match="expected as many pairs as texts, 1, got 2"):
        letters.encode_batch(["a"], ["b", "c"])
    with pytest.raises(TypeError, match="encode_batch expects a list of texts"):
        letters.encode_batch("a b")


def test_decodes_lists_arrays_and_tensors(letters):
    for ids in ([2, 5, 6, 3], np.array([2, 5, 6, 3]), lm.tensor(np.array([2, 5, 6, 3]))):
        assert letters.decode(ids) == "a b"
    assert letters.decode([2, 5, 3], skip_special_tokens=False) == "[CLS] a [SEP]"
    assert letters.decode([]) == ""
    with pytest.raises(ValueError, match="number 21 at place 1 is outside the 21 tokens"):
        letters.decode([5, 21])
    with pytest.raises(ValueError, match="number -1 at place 0"):
        letters.decode([-1])
    with pytest.raises(TypeError, match=r"expected numbers of tokens, got 0\.5"):
        letters.decode([0.5])


def test_numbers_of_tokens(letters):
    assert (letters.padding_id, letters.unknown_id, letters.start_id, letters.end_id, letters.mask_id) == tuple(
        range(5)
    )
    assert letters.special_ids == [0, 1, 2, 3, 4]
    assert letters.token_to_id("c") == 7
    assert letters.id_to_token(7) == "c"
    assert "c" in letters
    assert "z" not in letters
    assert len(letters) == letters.vocabulary_size == 21
    with pytest.raises(ValueError, match="outside the 21 tokens"):
        letters.id_to_token(21)


def test_unknown_words_are_named_with_those_like_them():
    tokenizer = WordTokenizer(["kitchen", "mitten", "sitting", "Paris"], unknown_token=None, padding_token=None)
    with pytest.raises(KeyError, match="'kitten' is not among the 4 words of the vocabulary; near it: 'mitten', 'kitc"):
        tokenizer.token_to_id("kitten")
    with pytest.raises(KeyError, match="near it: 'Paris'"):
        tokenizer.token_to_id("PARIS")
    with pytest.raises(KeyError, match="'zzz' is not among"):
        tokenizer.encode("kitchen zzz")
    with pytest.raises(ValueError, match="has no unknown_token"):
        _ = tokenizer.unknown_id
    with pytest.raises(ValueError, match="has no padding_token"):
        tokenizer.encode_batch(["kitchen", "kitchen mitten"])


def test_broken_text_is_refused_by_place_or_replaced():
    strict = WordTokenizer(["<pad>", "<unk>", "a"])
    replacing = WordTokenizer(["<pad>", "<unk>", "a"], errors="replace")
    with pytest.raises(ValueError, match=r"WordTokenizer: byte 0xff at offset 2 is no UTF-8 \(invalid start byte\)"):
        strict.encode(b"a \xff")
    assert replacing.encode(b"a \xff").ids == [2, 1]
    with pytest.raises(ValueError, match=r"text 1: byte 0xc3 at offset 1 is no UTF-8"):
        WordTokenizer.train([b"fine", b"a\xc3"])
    with pytest.raises(ValueError, match=r"character 1, U\+D800, is half a surrogate pair"):
        strict.encode("a\ud800")
    assert replacing.encode("a\ud800").offsets == [(0, 1), (1, 2)]
    with pytest.raises(TypeError, match="expected a string, or bytes in UTF-8, got int"):
        strict.encode(7)
    with pytest.raises(ValueError, match='errors must be "strict" or "replace", got \'ignore\''):
        WordTokenizer(["a"], unknown_token=None, padding_token=None, errors="ignore")


def test_read_text(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9\r\nb\xff\rc")
    assert lm.data.read_text(file, errors="replace") == "café\nb\ufffd\nc"
    with pytest.raises(ValueError, match=r"a\.txt: byte 0xff at offset 11 is no UTF-8"):
        lm.data.read_text(file)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        lm.data.read_text(tmp_path / "b.txt")
    with pytest.raises(ValueError, match="limit"):
        lm.data.read_text(file, limit=3)


@pytest.mark.parametrize(
    ("vocabulary", "error", "match"),
    [
        ([], ValueError, "the vocabulary is empty"),
        ("abc", TypeError, "must be a list of tokens, got str"),
        (["a", 3], TypeError, "must hold strings, got 3 at place 1"),
        (["a", "b", "a"], ValueError, "holds 'a' twice, at places 0 and 2"),
        (["a"], ValueError, "the vocabulary lacks unknown_token, '<unk>'"),
    ],
)
def test_bad_vocabularies(vocabulary, error, match):
    with pytest.raises(error, match=match):
        WordTokenizer(vocabulary)


def test_a_vocabulary_of_one():
    tokenizer = WordTokenizer(["<unk>"], padding_token=None)
    assert tokenizer.encode("anything goes").ids == [0, 0]
    assert tokenizer.decode([0, 0]) == ""


@pytest.mark.parametrize("kind", [WordTokenizer, WordPieceTokenizer])
@pytest.mark.parametrize("texts", [[], [""], "", ["  \n"]])
def test_an_empty_corpus_is_refused(kind, texts):
    with pytest.raises(ValueError, match=f"{kind.__name__}: the corpus is empty"):
        kind.train(texts)


def test_saved_and_loaded(tmp_path):
    words = WordTokenizer.train("Ünï a b a", lowercase=False, start_token="<s>", special_tokens=["<x>"])
    pieces = WordPieceTokenizer.train("ab ab abc", 20, lowercase=False, strip_accents=True)
    for tokenizer in (words, pieces):
        tokenizer.save(tmp_path / "t.json")
        loaded = Tokenizer.load(tmp_path / "t.json")
        assert type(loaded) is type(tokenizer)
        assert loaded.vocabulary == tokenizer.vocabulary
        assert loaded.get_config() == tokenizer.get_config()
        assert loaded.encode("Ünï <x>ab").ids == tokenizer.encode("Ünï <x>ab").ids
    with pytest.raises(ValueError, match="holds a WordPieceTokenizer, expected a WordTokenizer"):
        WordTokenizer.load(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        Tokenizer.load(tmp_path / "t.json")
    for broken in ('{"format": "x"}', '{"format": "lamina tokenizer 1", "class": "WordTokenizer"}', "[]"):
        (tmp_path / "t.json").write_text(broken)
        with pytest.raises(ValueError, match="is no saved tokenizer"):
            Tokenizer.load(tmp_path / "t.json")
    contents = {"format": "lamina tokenizer 1", "class": "WordTokenizer", "config": {}}
    for vocabulary, message in ((["a", "a"], "the vocabulary holds 'a' twice"), ([], "the vocabulary is empty")):
        (tmp_path / "t.json").write_text(json.dumps({**contents, "vocabulary": vocabulary}))
        with pytest.raises(ValueError, match=rf"t\.json: WordTokenizer: .*{message}"):
            Tokenizer.load(tmp_path / "t.json")


def test_pieces_are_remembered_and_forgotten(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 2)
    asked = []
    known = remembered.Remembered(lambda part: asked.append(part) or [(len(asked), 0, 1)])
    assert [known[part] for part in "aba"] == [[(1, 0, 1)], [(2, 0, 1)], [(1, 0, 1)]]
    assert known["c"] == [(3, 0, 1)]  # full: all are forgotten
    assert known["a"] == [(4, 0, 1)]
    assert asked == ["a", "b", "c", "a"]
    tokenizer = WordPieceTokenizer.train("ab ab abc", 20)
    again = pickle.loads(pickle.dumps(tokenizer))  # with what it remembers
    assert again.tokenize("abc ab") == tokenizer.tokenize("abc ab")
