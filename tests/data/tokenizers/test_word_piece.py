"""WordPiece, and BERT's way to cut a text into words."""

import pytest

from lamina.data import WordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def words(text, **arguments):
    """The words of a text: those of a vocabulary in which each is a piece."""
    from lamina.data.tokenizers.basic_words import BasicWords

    return [word.text for word in BasicWords(**arguments)(text)]


def test_the_paper_s_example():
    tokenizer = WordPieceTokenizer([*SPECIAL, "un", "##aff", "##able", "jump", "##ing"])
    assert tokenizer.tokenize("UNaffable jumping") == ["un", "##aff", "##able", "jump", "##ing"]
    assert tokenizer.tokenize("unwanted") == ["[UNK]"]
    assert tokenizer.decode(tokenizer.encode("unaffable jumping").ids) == "unaffable jumping"


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("Hello, World!x", {}, ["hello", ",", "world", "!", "x"]),
        ("Hello", {"lowercase": False}, ["Hello"]),
        ("Héllo e\u0301", {}, ["hello", "e"]),
        ("Héllo", {"strip_accents": False}, ["héllo"]),
        ("Héllo", {"lowercase": False, "strip_accents": True}, ["Hello"]),
        ("ab漢字cd", {}, ["ab", "漢", "字", "cd"]),
        ("漢字", {"split_ideographs": False}, ["漢字"]),
        ("a\x00b\x0bc\u200bd\ufffde", {}, ["abcde"]),
        ("a\u00a0b\u3000c\u2028d\te\r\nf", {}, list("abcdef")),
        ("«x» – y…", {}, ["«", "x", "»", "–", "y", "…"]),
        ("$5^`~", {}, ["$", "5", "^", "`", "~"]),
        ("İI", {}, ["ii"]),
        ("", {}, []),
        ("😀", {}, ["😀"]),
    ],
)
def test_words(text, arguments, expected):
    assert words(text, **arguments) == expected


def test_offsets_point_into_the_text_as_it_was():
    tokenizer = WordPieceTokenizer([*SPECIAL, "e", "##a", "漢", "##b"])
    text = " \u200be\u0301A 漢\x00eb"
    spans = tokenizer.encode(text, add_special_tokens=False).offsets
    assert [text[begin:end] for begin, end in spans] == ["e", "A", "漢", "e", "b"]


def test_long_words_are_unknown():
    tokenizer = WordPieceTokenizer([*SPECIAL, "x", "##x"])
    assert len(tokenizer.tokenize("x" * 100)) == 100
    assert tokenizer.tokenize("x" * 101) == ["[UNK]"]
    assert WordPieceTokenizer([*SPECIAL, "x", "##x"], max_characters=2).tokenize("xx xxx") == ["x", "##x", "[UNK]"]


def test_trains_by_joining_the_most_frequent_pair():
    tokenizer = WordPieceTokenizer.train(["hug pug hugs"] * 5 + ["pun bun"], max_tokens=18)
    assert tokenizer.vocabulary[5:13] == [*"bghnpsu", "##u"]
    assert tokenizer.vocabulary[13:] == ["##n", "##g", "##s", "##ug", "hug"]
    assert tokenizer.tokenize("hugs puns") == ["hug", "##s", "p", "##u", "##n", "##s"]
    assert WordPieceTokenizer.train("ab ab abc", 100, min_frequency=3).vocabulary[-1] == "ab"
    assert WordPieceTokenizer.train("aab", 100, max_alphabet=1).vocabulary == [*SPECIAL, "a", "##a"]


def test_reads_and_writes_bert_s_vocabulary_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, "é", "\u2028", "##b"]) + "\n\n", encoding="utf-8")
    tokenizer = WordPieceTokenizer.from_vocabulary_file(path, lowercase=False)
    assert tokenizer.encode("éb").ids == [2, 5, 7, 3]
    tokenizer.save_vocabulary(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == path.read_bytes()[:-1]
    path.write_text("[PAD]\n[UNK]\na\n")
    with pytest.raises(ValueError, match=r"vocab\.txt: .*lacks start_token, '\[CLS\]'"):
        WordPieceTokenizer.from_vocabulary_file(path)
    path.write_text("[PAD]\na\na\n")
    with pytest.raises(ValueError, match=r"vocab\.txt: .*holds 'a' twice, at places 1 and 2"):
        WordPieceTokenizer.from_vocabulary_file(path)
    path.write_bytes(b"[PAD]\n\xff")
    with pytest.raises(ValueError, match=r"vocab\.txt: byte 0xff at offset 6 is no UTF-8"):
        WordPieceTokenizer.from_vocabulary_file(path)
    with pytest.raises(FileNotFoundError):
        WordPieceTokenizer.from_vocabulary_file(tmp_path / "none.txt")
