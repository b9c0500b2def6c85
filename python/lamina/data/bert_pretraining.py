"""What BERT is pre-trained on: pairs of sentences, half of them strangers to each other, and masked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.data.checks import positive, seed_of
from lamina.data.sampling import generator

Array = Any
IGNORED = -100  # the label of what is not predicted, as Hugging Face has it


def sentence_pairs(
    documents: Sequence[Sequence[Any]],
    length: int,
    cls_token_id: int,
    sep_token_id: int,
    pad_token_id: int = 0,
    random_next: float = 0.5,
    short: float = 0.1,
    seed: int = 0,
) -> dict[str, Array]:
    """Rows [CLS] A [SEP] B [SEP]: B is what follows A in its document, or begins at a random sentence of another one.

    A document gives about as many rows as its tokens fill. The border between A and B is the end of a sentence. Where
    both are too long for a row, the longer one is cut: A at its beginning, B at its end. Everything is drawn and
    gathered in whole arrays; a pass takes milliseconds, so that every epoch can have rows of its own (another seed).

    Args:
        documents: each a sequence of sentences, each a sequence of token numbers. At least two that hold tokens.
        length: tokens of a row, with the three special ones.
        cls_token_id, sep_token_id, pad_token_id: the numbers of [CLS], [SEP] and [PAD].
        random_next: the share of rows whose B is a stranger, from 0 to 1.
        short: the share of rows that are made shorter, to a random length.
        seed: of all draws.

    Returns:
        Dictionary of int64 arrays: input_ids, token_type_ids (0 for A, 1 for B) and attention_mask (1 for tokens, 0 for
        padding), (N, length); next_sentence_label (N,), 0 where B follows A, 1 where it is a stranger.

    Raises:
        ValueError: if there are fewer than two documents with tokens, none has two sentences, length is below 5, or a
            share is outside [0, 1].
        TypeError: if the seed is no integer.

    Example:
        >>> import lamina as lm
        >>> documents = [[[11, 12], [13]], [[21], [22, 23], [24]]]
        >>> pairs = lm.data.sentence_pairs(documents, 8, cls_token_id=1, sep_token_id=2, random_next=0.0, short=0.0)
        >>> pairs["input_ids"][0].tolist(), pairs["token_type_ids"][0].tolist()
        ([1, 11, 12, 2, 13, 2, 0, 0], [0, 0, 0, 0, 1, 1, 0, 0])

    Reference:
        Devlin et al. 2018, arXiv:1810.04805, appendix A.2.
    """
    if positive(length, "sentence_pairs: length") < 5:
        raise ValueError(f"sentence_pairs: length must be at least 5, for [CLS] a [SEP] b [SEP], got {length}")
    _share(random_next, "sentence_pairs: random_next")
    _share(short, "sentence_pairs: short")
    random = generator(seed_of(seed, "sentence_pairs"), 0)
    stream, ends, of_document = _flattened(documents)
    starts = np.concatenate([[0], ends])
    firsts = np.flatnonzero(np.diff(of_document, prepend=-1))  # sentences
    lasts = np.append(firsts[1:], len(ends)) - 1
    if len(firsts) < 2:
        raise ValueError(f"sentence_pairs: expected at least two documents that hold tokens, got {len(firsts)}")
    begins, stops = starts[firsts], starts[lasts + 1]  # tokens
    if not (lasts > firsts).any():
        raise ValueError("sentence_pairs: expected a document of at least two sentences, got none")

    room = length - 3
    counts = np.where(lasts > firsts, np.maximum(1, (stops - begins) // room), 0)
    document = np.repeat(np.arange(len(begins)), counts)
    number = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = begins[document] + (number + random.random(len(document))) * room
    border = np.clip(np.searchsorted(ends, wanted), firsts[document], lasts[document] - 1)  # A's last sentence
    keep = np.append(True, np.diff(border) > 0)
    document, border = document[keep], border[keep]
    count = len(border)

    strange = random.random(count) < random_next
    other = (document + random.integers(1, len(begins), count)) % len(begins)
    sentence = firsts[other] + (random.random(count) * (lasts[other] - firsts[other] + 1)).astype(np.int64)
    b_begin = np.where(strange, starts[sentence], ends[border])
    b_most = stops[np.where(strange, other, document)] - b_begin
    a_most = ends[border] - begins[document]
    rooms = np.where(random.random(count) < short, random.integers(2, room + 1, count), room)
    a_length = np.minimum(a_most, np.maximum(rooms // 2, rooms - b_most))
    b_length = np.minimum(b_most, rooms - a_length)

    place = np.arange(length) - 1  # of A's tokens
    after = place - a_length[:, None] - 1  # of B's
    in_a = (place >= 0) & (after < -1)
    in_b = (after >= 0) & (after < b_length[:, None])
    source = np.where(in_a, (ends[border] - a_length)[:, None] + place, b_begin[:, None] + after)
    input_ids = np.where(in_a | in_b, stream[np.clip(source, 0, len(stream) - 1)], pad_token_id)
    input_ids[:, 0] = cls_token_id
    input_ids[(after == -1) | (after == b_length[:, None])] = sep_token_id
    return {
        "input_ids": input_ids,
        "token_type_ids": ((after >= 0) & (after <= b_length[:, None])).astype(np.int64),
        "attention_mask": (after <= b_length[:, None]).astype(np.int64),
        "next_sentence_label": strange.astype(np.int64),
    }


def mask_tokens(
    input_ids: Array,
    mask_token_id: int,
    vocab_size: int,
    special_ids: Sequence[int],
    share: float = 0.15,
    max_predictions: int | None = None,
    continues_word: Array = None,
    seed: int = 0,
) -> dict[str, Array]:
    """Chooses tokens to be predicted: of these 80 % become [MASK], 10 % a random token, 10 % stay as they are.

    A row of n ordinary tokens has max(1, round(share n)) chosen ones; a row without ordinary tokens has none.

    Args:
        input_ids: (N, length) token numbers.
        mask_token_id: the number of [MASK].
        vocab_size: how many tokens there are.
        special_ids: the numbers that are never chosen, nor drawn as random tokens: [CLS], [SEP], [PAD], [MASK] ...
        share: of the tokens, above 0 and at most 1.
        max_predictions: how many there are at most in a row, and columns of the result; None for as many as the fullest
            row has.
        continues_word: booleans (vocab_size,), True for tokens that continue a word ("##ing"): words are then chosen as
            a whole, as long as they fit into the share. None chooses single tokens.
        seed: of all draws.

    Returns:
        Dictionary of int64 arrays: input_ids (N, length) with the changes, masked_positions (N, P) in rising order, 0
        where a row has fewer, and masked_labels (N, P), the tokens that stood there, -100 where a row has fewer.

    Raises:
        ValueError: if shapes do not fit, a number is outside the vocabulary, all of which is special, or the share is
            not in (0, 1].
        TypeError: if the seed is no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> rows = np.array([[1, 7, 8, 9, 2, 0]])  # [CLS] three tokens [SEP] [PAD]
        >>> masked = lm.data.mask_tokens(rows, mask_token_id=3, vocab_size=10, special_ids=[0, 1, 2, 3], share=0.7)
        >>> masked["input_ids"].tolist(), masked["masked_positions"].tolist(), masked["masked_labels"].tolist()
        ([[1, 7, 8, 3, 2, 0]], [[2, 3]], [[8, 9]])

    Reference:
        Devlin et al. 2018, arXiv:1810.04805, section 3.1.
    """
    input_ids = np.asarray(input_ids)
    if input_ids.ndim != 2 or input_ids.dtype.kind not in "iu":
        raise ValueError(
            f"mask_tokens: input_ids must be integers (N, length), got {input_ids.shape} of {input_ids.dtype}"
        )
    vocab_size = positive(vocab_size, "mask_tokens: vocab_size")
    if input_ids.size and not 0 <= input_ids.min() <= input_ids.max() < vocab_size:
        wrong = input_ids.min() if input_ids.min() < 0 else input_ids.max()
        raise ValueError(f"mask_tokens: input_ids must be from 0 to {vocab_size - 1}, got {wrong}")
    if not 0 <= mask_token_id < vocab_size:
        raise ValueError(f"mask_tokens: mask_token_id must be from 0 to {vocab_size - 1}, got {mask_token_id}")
    if _share(share, "mask_tokens: share") == 0:
        raise ValueError("mask_tokens: share must be above 0")
    if wrong := [number for number in special_ids if not 0 <= number < vocab_size]:
        raise ValueError(f"mask_tokens: special_ids must be from 0 to {vocab_size - 1}, got {wrong[0]}")
    special = np.isin(np.arange(vocab_size), np.asarray(special_ids, np.int64))
    ordinary = np.flatnonzero(~special)
    if not ordinary.size:
        raise ValueError(f"mask_tokens: all {vocab_size} tokens of the vocabulary are special")
    random = generator(seed_of(seed, "mask_tokens"), 1)
    rows, length = input_ids.shape

    candidates = ~special[input_ids]
    count = candidates.sum(axis=1)
    chosen = np.where(count > 0, np.maximum(1, np.round(share * count).astype(np.int64)), 0)
    if max_predictions is not None:
        chosen = np.minimum(chosen, positive(max_predictions, "mask_tokens: max_predictions"))
    keys = random.random((rows, length))
    if continues_word is not None:
        keys, chosen = _keys_of_words(input_ids, candidates, keys, chosen, np.asarray(continues_word), vocab_size)
    order = np.argsort(np.where(candidates, keys, np.inf), axis=1, kind="stable")
    columns = int(chosen.max(initial=0)) if max_predictions is None else int(max_predictions)
    positions = np.zeros((rows, columns), np.int64)
    found = min(columns, length)
    real = np.arange(columns) < chosen[:, None]
    positions[:, :found] = order[:, :found]
    positions = np.sort(np.where(real, positions, length), axis=1)
    positions = np.where(real, positions, 0)

    labels = np.where(real, np.take_along_axis(input_ids, positions, axis=1), IGNORED).astype(np.int64)
    draw, drawn = random.random(labels.shape), ordinary[random.integers(0, len(ordinary), labels.shape)]
    new = np.where(draw < 0.8, mask_token_id, np.where(draw < 0.9, drawn, labels))
    row, column = np.nonzero(real)
    masked = input_ids.astype(np.int64)
    masked[row, positions[row, column]] = new[row, column]
    return {"input_ids": masked, "masked_positions": positions, "masked_labels": labels}


def _keys_of_words(
    input_ids: Array, candidates: Array, keys: Array, chosen: Array, continues: Array, vocab_size: int
) -> tuple[Array, Array]:
    """Keys that all tokens of a word share, and how many tokens the words have that fit into `chosen` whole."""
    if continues.shape != (vocab_size,):
        raise ValueError(f"mask_tokens: continues_word must have shape ({vocab_size},), got {continues.shape}")
    rows, length = input_ids.shape
    inside = continues[input_ids].astype(bool) & candidates
    inside[:, 1:] &= candidates[:, :-1]  # a word begins after a special token
    inside[:, 0] = False
    head = np.maximum.accumulate(np.where(inside, 0, np.arange(length)), axis=1)
    keys = np.take_along_axis(keys, head, axis=1)
    order = np.argsort(np.where(candidates, keys, np.inf), axis=1, kind="stable")
    words = np.take_along_axis(head, order, axis=1)
    ends = np.ones((rows, length), bool)  # at which counts a word ends
    ends[:, :-1] = words[:, 1:] != words[:, :-1]
    counts = np.arange(1, length + 1)
    fits = ends & (counts <= chosen[:, None])
    whole = np.where(fits, counts, 0).max(axis=1, initial=0)
    return keys, np.where(whole > 0, whole, chosen)  # a word longer than the share is taken in part


def _flattened(documents: Sequence[Sequence[Any]]) -> tuple[Array, Array, Array]:
    """All tokens in one row, where each sentence ends there, and of which document it is; nothing of empty ones."""
    sentences = [np.asarray(sentence) for document in documents for sentence in document]
    of_document = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    for place, sentence in zip(of_document, sentences, strict=True):
        if sentence.size and (sentence.ndim != 1 or sentence.dtype.kind not in "iu"):
            raise ValueError(f"sentence_pairs: document {place} holds a sentence that is no sequence of integers")
    lengths = np.array([sentence.size for sentence in sentences], np.int64)
    full = lengths > 0
    stream = np.concatenate([np.zeros(0, np.int64), *[s for s in sentences if s.size]]).astype(np.int64)
    return stream, np.cumsum(lengths[full]), of_document[full]


def _share(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1, got {value!r}")
    return float(value)
