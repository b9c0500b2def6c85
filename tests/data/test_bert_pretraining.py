"""Pairs of sentences and masked tokens: shapes, shares, and where every token comes from."""

import numpy as np
import pytest

import lamina as lm

CLS, SEP, MASK, PAD = 1, 2, 3, 0
SPECIAL = [PAD, CLS, SEP, MASK]


def corpus(documents=40, seed=0):
    """Every token of a document is 10 + 1000 times its number + its place: a row shows where it came from."""
    draw = np.random.default_rng(seed)
    found = []
    for d in range(documents):
        lengths = draw.integers(1, 12, draw.integers(2, 30))
        tokens = 10 + 1000 * d + np.arange(lengths.sum())
        found.append(np.split(tokens, np.cumsum(lengths)[:-1]))
    return found


def parts_of(row, types):
    a = row[(types == 0) & (row > 9)]
    return a, row[(types == 1) & (row > 9)]


def test_pairs_are_what_they_say():
    documents = corpus()
    ends = {int(sentence[-1]) for document in documents for sentence in document}
    begins = {int(sentence[0]) for document in documents for sentence in document}
    pairs = lm.data.sentence_pairs(documents, 64, CLS, SEP, PAD, seed=3)
    rows, types, mask = pairs["input_ids"], pairs["token_type_ids"], pairs["attention_mask"]
    assert rows.shape == types.shape == mask.shape
    assert len(rows) == len(pairs["next_sentence_label"]) > 40
    for row, kind, seen, label in zip(rows, types, mask, pairs["next_sentence_label"], strict=True):
        a, b = parts_of(row, kind)
        assert len(a)
        assert len(b)
        assert row[0] == CLS
        filled = [CLS, *a, SEP, *b, SEP]
        assert row.tolist() == filled + [PAD] * (64 - len(filled))
        assert seen.tolist() == [1] * len(filled) + [0] * (64 - len(filled))
        assert (np.diff(a) == 1).all()
        assert (np.diff(b) == 1).all()
        assert a[-1] in ends
        assert b[0] in begins
        assert (b[0] == a[-1] + 1) == (label == 0)
        if label:
            assert b[0] // 1000 != a[0] // 1000  # of another document


def test_half_are_strangers_and_a_tenth_is_short():
    pairs = lm.data.sentence_pairs(corpus(600), 32, CLS, SEP, seed=1)
    assert abs(pairs["next_sentence_label"].mean() - 0.5) < 0.03
    full = lm.data.sentence_pairs(corpus(600), 32, CLS, SEP, seed=1, short=0.0)["attention_mask"].sum(axis=1)
    assert (full == 32).mean() > 0.6
    assert 0.03 < (full == 32).mean() - (pairs["attention_mask"].sum(axis=1) == 32).mean() < 0.12


def test_seed_decides():
    documents = corpus()
    first, again, other = (lm.data.sentence_pairs(documents, 32, CLS, SEP, seed=seed) for seed in (5, 5, 6))
    assert all((first[key] == again[key]).all() for key in first)
    assert first["input_ids"].shape != other["input_ids"].shape or (first["input_ids"] != other["input_ids"]).any()


def test_empty_sentences_and_documents_are_passed_over():
    pairs = lm.data.sentence_pairs([[[10, 11], [], [12]], [], [[]], [[20], [21]]], 16, CLS, SEP, random_next=0.0)
    assert sorted(parts_of(*row)[0][0] for row in zip(pairs["input_ids"], pairs["token_type_ids"], strict=True)) == [
        10, 20
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("documents", "settings", "text"),
    [
        ([], {}, "at least two documents that hold tokens, got 0"),
        ([[[5]], [[]]], {}, "at least two documents that hold tokens, got 1"),
        ([[[5]], [[6]]], {}, "a document of at least two sentences"),
        ([[["a"], ["b"]], [[5]]], {}, "document 0 holds a sentence that is no sequence of integers"),
        (corpus(), {"length": 4}, "length must be at least 5"),
        (corpus(), {"random_next": 1.5}, "random_next must be a number from 0 to 1, got 1.5"),
        (corpus(), {"short": -1}, "short must be a number from 0 to 1, got -1"),
    ],
)
def test_pairs_refuse(documents, settings, text):
    with pytest.raises(ValueError, match=text):
        lm.data.sentence_pairs(documents, **{"length": 32, "cls_token_id": CLS, "sep_token_id": SEP, **settings})


def rows_of(count=400, length=128, vocab=500, seed=0):
    draw = np.random.default_rng(seed)
    rows = draw.integers(4, vocab, (count, length))
    rows[:, 0] = CLS
    ends = draw.integers(5, length, count)
    rows[np.arange(length) > ends[:, None]] = PAD
    rows[np.arange(count), ends] = SEP
    return rows


def test_masking_is_15_percent_at_80_10_10():
    rows = rows_of()
    masked = lm.data.mask_tokens(rows, MASK, 500, SPECIAL, seed=2)
    positions, labels, new = masked["masked_positions"], masked["masked_labels"], masked["input_ids"]
    real = labels != -100
    ordinary = (rows > 3).sum(axis=1)
    assert (real.sum(axis=1) == np.maximum(1, np.round(0.15 * ordinary))).all()
    row, column = np.nonzero(real)
    place = positions[row, column]
    assert (rows[row, place] == labels[real]).all()
    assert (labels[real] > 3).all()
    assert all((np.diff(p[r]) > 0).all() for p, r in zip(positions, real, strict=True))
    untouched = np.ones(rows.shape, bool)
    untouched[row, place] = False
    assert (new[untouched] == rows[untouched]).all()
    now = new[row, place]
    assert abs((now == MASK).mean() - 0.8) < 0.02
    assert abs((now == labels[real]).mean() - 0.1) < 0.015
    changed = now[(now != MASK) & (now != labels[real])]
    assert abs(len(changed) / len(now) - 0.1) < 0.015
    assert (changed > 3).all()
    assert len(set(place.tolist())) > 100  # all over the row


def test_masking_goes_by_the_seed():
    rows = rows_of(20)
    first, again, other = (lm.data.mask_tokens(rows, MASK, 500, SPECIAL, seed=seed) for seed in (5, 5, 6))
    assert all((first[key] == again[key]).all() for key in first)
    assert (first["input_ids"] != other["input_ids"]).any()


def test_max_predictions_are_columns():
    masked = lm.data.mask_tokens(rows_of(20), MASK, 500, SPECIAL, max_predictions=5)
    assert masked["masked_positions"].shape == (20, 5)
    assert ((masked["masked_labels"] != -100).sum(axis=1) <= 5).all()
    assert lm.data.mask_tokens(rows_of(3, 16), MASK, 500, SPECIAL, max_predictions=40)["masked_labels"].shape == (3, 40)


def test_rows_of_padding_have_nothing_to_predict():
    masked = lm.data.mask_tokens(np.zeros((2, 8), np.int64), MASK, 10, SPECIAL)
    assert masked["masked_labels"].shape == (2, 0)
    assert not masked["input_ids"].any()


def test_whole_words():
    rows = rows_of(vocab=100)
    continues = np.arange(100) >= 60
    masked = lm.data.mask_tokens(rows, MASK, 100, SPECIAL, continues_word=continues, seed=4)
    whole_rows = 0
    for row, positions, labels in zip(rows, masked["masked_positions"], masked["masked_labels"], strict=True):
        chosen = set(positions[labels != -100].tolist())
        ordinary = (row > 3).sum()
        assert 1 <= len(chosen) <= max(1, round(0.15 * ordinary))
        words = np.cumsum(~((row >= 60) & (np.roll(row, 1) > 3)))
        met = {int(words[p]) for p in chosen}
        whole = set(np.flatnonzero(np.isin(words, list(met)) & (row > 3)).tolist())
        assert whole == chosen or len(met) == 1  # one word alone may be longer than the row's share
        whole_rows += whole == chosen
    assert whole_rows > 380
    alone = lm.data.mask_tokens(rows, MASK, 100, SPECIAL, continues_word=np.zeros(100, bool), seed=4)
    plain = lm.data.mask_tokens(rows, MASK, 100, SPECIAL, seed=4)
    assert (alone["input_ids"] == plain["input_ids"]).all()


@pytest.mark.parametrize(
    ("rows", "settings", "text"),
    [
        (np.zeros(3, int), {}, r"input_ids must be integers \(N, length\), got \(3,\)"),
        (np.zeros((2, 3)), {}, "got .2, 3. of float64"),
        (np.full((2, 3), 10), {}, "input_ids must be from 0 to 9, got 10"),
        (np.full((2, 3), -1), {}, "input_ids must be from 0 to 9, got -1"),
        (np.ones((2, 3), int), {"mask_token_id": 10}, "mask_token_id must be from 0 to 9, got 10"),
        (np.ones((2, 3), int), {"share": 0}, "share must be above 0"),
        (np.ones((2, 3), int), {"share": 2}, "share must be a number from 0 to 1, got 2"),
        (np.ones((2, 3), int), {"max_predictions": 0}, "max_predictions must be a positive integer, got 0"),
        (np.ones((2, 3), int), {"special_ids": [0, 10]}, "special_ids must be from 0 to 9, got 10"),
        (np.ones((2, 3), int), {"special_ids": range(10)}, "all 10 tokens of the vocabulary are special"),
        (np.ones((2, 3), int), {"continues_word": [True]}, r"continues_word must have shape \(10,\), got \(1,\)"),
    ],
)
def test_masking_refuses(rows, settings, text):
    with pytest.raises(ValueError, match=text):
        lm.data.mask_tokens(rows, **{"mask_token_id": MASK, "vocab_size": 10, "special_ids": SPECIAL, **settings})
