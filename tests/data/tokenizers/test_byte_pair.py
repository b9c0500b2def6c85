"""Byte-pair encoding, over bytes and over characters."""

import json

import pytest

from lamina.data import BytePairTokenizer, Tokenizer
from lamina.data.tokenizers import byte_level

TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest widest"


def parts(text):
    return [part for _, part in byte_level.parts(text)]


def test_the_paper_s_example():
    """Sennrich et al.: e s, es t, est </w>, l o, lo w, ..."""
    tokenizer = BytePairTokenizer.train(TEXT, 30, byte_level=False, suffix="</w>", unknown_token="<unk>")
    assert ("es", "t</w>") in tokenizer.merges
    assert tokenizer.tokenize("lowest") == ["lo", "w", "est</w>"]
    assert tokenizer.decode(tokenizer.encode("lowest low").ids) == "lowest low"
    assert tokenizer.tokenize("lox") == ["lo", "<unk>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello world", ["Hello", " world"]),
        ("it's they'll", ["it", "'s", " they", "'ll"]),
        ("a  b", ["a", " ", " b"]),
        ("a \n", ["a", " \n"]),
        ("x1,000 ?!", ["x", "1", ",", "000", " ?!"]),
        ("a_b", ["a", "_", "b"]),
        ("naïve Ⅷ½ 三", ["naïve", " Ⅷ½", " 三"]),
        ("a\u3000\u3000b", ["a", "\u3000", "\u3000", "b"]),
        ("e\u0301", ["e", "\u0301"]),
        ("", []),
    ],
)
def test_parts_by_gpt_2_s_pattern(text, expected):
    assert parts(text) == expected


def test_the_pattern_for_ascii_is_that_for_all_scripts():
    text = "".join(map(chr, range(128))) + " it's 5\t\n don't  " + "".join(map(chr, range(127, -1, -1)))
    assert byte_level._plain.findall(text) == byte_level._of_all_scripts().findall(text)


def test_any_text_comes_back():
    tokenizer = BytePairTokenizer.train(TEXT, 300)
    text = "naïve 日本語 😀\x00\n\t low  lowest\u200b"
    encoding = tokenizer.encode(text)
    assert tokenizer.decode(encoding.ids) == text
    assert encoding.offsets[2:5] == [(2, 3), (2, 3), (3, 4)]  # ï is two bytes
    assert tokenizer.tokenize("ï") == ["Ã", "¯"]
    assert tokenizer.decode(encoding.ids[:3]) == "na\ufffd"  # half of it
    assert tokenizer.encode("").ids == []


def test_the_earliest_merge_comes_first():
    tokenizer = BytePairTokenizer(["a", "b", "bc", "c", "ab", "abc"], [("b", "c"), ("a", "b"), ("a", "bc")])
    assert tokenizer.tokenize("abc") == ["abc"]
    assert tokenizer.tokenize("ababc") == ["ab", "abc"]
    assert len(tokenizer.tokenize("ab" * 20_000)) == 20_000


def test_a_space_before_the_text():
    tokenizer = BytePairTokenizer.train(TEXT, 300, add_prefix_space=True)
    assert tokenizer.tokenize("low low") == tokenizer.tokenize(" low low") == ["Ġlow", "Ġlow"]
    assert tokenizer.encode("low low").offsets == [(0, 3), (3, 7)]
    assert tokenizer.decode(tokenizer.encode("low").ids) == " low"


def test_files(tmp_path):
    tokenizer = BytePairTokenizer.train(TEXT, 290, special_tokens=["<|endoftext|>"])
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    tokenizer.save_files(vocabulary, merges)
    again = BytePairTokenizer.from_files(vocabulary, merges, special_tokens=["<|endoftext|>"])
    assert (again.vocabulary, again.merges) == (tokenizer.vocabulary, tokenizer.merges)
    assert again.tokenize("low<|endoftext|> é") == tokenizer.tokenize("low<|endoftext|> é")
    tokenizer.save(tmp_path / "all.json")
    assert Tokenizer.load(tmp_path / "all.json").get_config() == tokenizer.get_config()

    merges.write_text("#version: 0.2\nl o\nq qqq\n")
    with pytest.raises(ValueError, match=r"merges\.txt: BytePairTokenizer: the vocabulary lacks 'qqq' of merge 1"):
        BytePairTokenizer.from_files(vocabulary, merges)
    merges.write_text("#version: 0.2\nl o\nl o w\n")
    with pytest.raises(ValueError, match=r"merges\.txt: line 3 must hold two tokens, got 'l o w'"):
        BytePairTokenizer.from_files(vocabulary, merges)
    vocabulary.write_text(json.dumps({"a": 0, "b": 2}))
    with pytest.raises(ValueError, match=r"vocab\.json: must give each token a number, from 0 on, without gaps"):
        BytePairTokenizer.from_files(vocabulary, merges)
    vocabulary.write_text("{")
    with pytest.raises(ValueError, match=r"vocab\.json: is no JSON"):
        BytePairTokenizer.from_files(vocabulary, merges)


def test_bad_arguments():
    with pytest.raises(ValueError, match="lacks 'ab' of merge 0, a \\+ b"):
        BytePairTokenizer(["a", "b"], [("a", "b")])
    with pytest.raises(ValueError, match="merge 0 must be a pair of tokens"):
        BytePairTokenizer(["a", "b"], [("a", "b", "c")])
    with pytest.raises(KeyError, match="'c' is not among the 2 words"):
        BytePairTokenizer(["a", "b"], [], byte_level=False, suffix="").encode("abc")
    for texts in ([], "", [""]):
        for byte_level_ in (True, False):
            with pytest.raises(ValueError, match="BytePairTokenizer: the corpus is empty"):
                BytePairTokenizer.train(texts, byte_level=byte_level_, add_prefix_space=True)
    with pytest.raises(ValueError, match="max_tokens must be a positive integer, got 0"):
        BytePairTokenizer.train("a", 0)
