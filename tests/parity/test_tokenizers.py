"""Tokenizers beside Hugging Face's `tokenizers`, on the same vocabularies, over odd texts; and what they learn."""

from __future__ import annotations

import json
import random
from pydoc_data.topics import topics

import pytest

from lamina.data import BytePairTokenizer, WordPieceTokenizer

peer = pytest.importorskip("tokenizers")

TEXTS = list(topics.values())
ODD = [
    "", "  ", " \n ", "Héllo wörld naïve café", "e\u0301a\u0300 b", "日本語 漢字abc", "emoji 😀👨‍👩‍👧 ok",
    "a\x00b\x0bc\x1cd\x7f",
    "\u200bzero\ufeff width", "x" * 99, "x" * 100, "x" * 101 + " y", "ab" * 3000, "[MASK] hello[SEP]there [CLS]",
    "don't won't I'm $5.00 a_b #x we'll they'd", "DON'T 'S", "ẞß İI ıi ΑΣΣ ΣΑΣ", "한국어 조선말",
    "ǅ ﬁ ①²½Ⅷ 三", "\ufffd a\ufffdb",
    "tab\tnew\nline\r\n  two   three    ", "a\u0301\u0327 \u0327\u0301", "ก็ไทย",
    "हिन्दी", "עִבְרִית", "العربية ٣", "\U0002a700",
    "«quote» ‘x’ “y” — – …", "[mask] [Mask]", "a\u2028b\u2029c\u3000d\x85e", "\u0301start", "1234567 12a34 1,000.5",
    "<|endoftext|>x <|endoftext|>", "def f(x):\n    return x**2  # square\n", "\xa0\xa0x\xa0",
]  # fmt: skip


def same(ours, theirs, text, pair=None):
    e, f = theirs.encode(text, pair), ours.encode(text, pair)
    assert f.tokens == e.tokens, text
    assert f.ids == e.ids
    assert f.offsets == e.offsets, text
    assert f.segment_ids == e.type_ids
    assert f.special_tokens_mask == e.special_tokens_mask
    assert ours.decode(f.ids) == theirs.decode(e.ids)


@pytest.fixture(scope="module")
def vocab(tmp_path_factory):
    """A vocabulary file as BERT's, learned here."""
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    WordPieceTokenizer.train(TEXTS, 2000).save_vocabulary(path)
    return str(path)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
def test_word_piece(vocab, lowercase, strip_accents):
    theirs = peer.BertWordPieceTokenizer(vocab, lowercase=lowercase, strip_accents=strip_accents)
    ours = WordPieceTokenizer.from_vocabulary_file(vocab, lowercase=lowercase, strip_accents=strip_accents)
    for text in [*ODD, *TEXTS[::5]]:
        same(ours, theirs, text)


def test_pairs_cut_and_padded(vocab):
    theirs, ours = peer.BertWordPieceTokenizer(vocab), WordPieceTokenizer.from_vocabulary_file(vocab)
    theirs.enable_padding(length=40, pad_id=ours.padding_id)
    draw = random.Random(0)
    whole = " ".join(TEXTS)
    for _ in range(300):
        starts = [draw.randrange(len(whole) - 60) for _ in range(2)]
        text, pair = (whole[start : start + draw.randrange(60)] for start in starts)
        truncation, length = draw.choice(["longest_first", "only_first", "only_second"]), draw.randrange(4, 40)
        theirs.enable_truncation(length, strategy=truncation)
        try:
            e = theirs.encode(text, pair)
        except Exception:  # theirs leaves at least one token of a text that it cuts
            assert truncation != "longest_first"
            continue
        f = ours.encode(text, pair, max_length=length, truncation=truncation, padding=40)
        assert (f.ids, f.segment_ids, f.mask, f.offsets) == (e.ids, e.type_ids, e.attention_mask, e.offsets)


def test_word_piece_learns_the_same_pieces():
    """Theirs breaks ties as its hash table has the pairs, in another order every time: so the pieces that it learns
    every time are compared, and those that it ever learned."""

    def theirs():
        tokenizer = peer.BertWordPieceTokenizer(lowercase=True)
        tokenizer.train_from_iterator(TEXTS, vocab_size=2000, min_frequency=2, show_progress=False)
        return set(tokenizer.get_vocab())

    runs = [theirs() for _ in range(8)]
    ours = set(WordPieceTokenizer.train(TEXTS, 2000).vocabulary)
    assert len(ours) == len(runs[0])
    assert len(set.intersection(*runs) - ours) <= 5
    assert len(ours - set.union(*runs)) <= 5


@pytest.mark.parametrize("add_prefix_space", [False, True])
def test_byte_level(add_prefix_space, tmp_path):
    ours = BytePairTokenizer.train(
        TEXTS, 1500, end_token=None, add_prefix_space=add_prefix_space, special_tokens=["<|endoftext|>"]
    )
    theirs = peer.ByteLevelBPETokenizer(add_prefix_space=add_prefix_space)
    theirs.train_from_iterator(
        TEXTS, vocab_size=1500, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False
    )
    assert sorted(theirs.get_vocab(), key=theirs.get_vocab().get) == ours.vocabulary
    for text in [*ODD, *TEXTS[::5]]:
        same(ours, theirs, text)
        assert add_prefix_space or "<|" in text or ours.decode(ours.encode(text).ids) == text

    files = str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")
    ours.save_files(*files)
    theirs = peer.ByteLevelBPETokenizer(*files, add_prefix_space=add_prefix_space)
    theirs.save_model(str(tmp_path), "theirs")
    again = BytePairTokenizer.from_files(tmp_path / "theirs-vocab.json", tmp_path / "theirs-merges.txt")
    assert again.vocabulary == ours.vocabulary
    assert again.merges == ours.merges


@pytest.mark.parametrize("suffix", ["</w>", ""])
def test_plain_byte_pairs(suffix):
    ending = {"end_of_word_suffix": suffix} if suffix else {}
    theirs = peer.Tokenizer(peer.models.BPE(unk_token="<unk>", **ending))
    theirs.pre_tokenizer = peer.pre_tokenizers.Split(peer.Regex(r"\s+"), "removed")
    theirs.decoder = peer.decoders.BPEDecoder(suffix=suffix) if suffix else None
    trainer = peer.trainers.BpeTrainer(
        vocab_size=1500, min_frequency=2, special_tokens=["<unk>"], show_progress=False, **ending
    )
    theirs.train_from_iterator(TEXTS, trainer)
    ours = BytePairTokenizer.train(TEXTS, 1500, byte_level=False, suffix=suffix, unknown_token="<unk>")
    assert len(set(theirs.get_vocab()) ^ set(ours.vocabulary)) <= 6  # ties, as with WordPiece
    merges = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    vocabulary = sorted(theirs.get_vocab(), key=theirs.get_vocab().get)
    ours = BytePairTokenizer(vocabulary, merges, byte_level=False, suffix=suffix, unknown_token="<unk>")
    for text in [*ODD, *TEXTS[::5]]:
        same(ours, theirs, text)
