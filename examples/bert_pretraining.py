"""BERT learns from bare text, masked words and pairs of sentences; then what a passage is about, from few examples.

The text is the Python manual, CPython's `pydoc_data.topics`: 465,000 characters. Pre-training sees all of it, without
labels; the classifier is given 16 passages of each of eight topics and tested on the others, with and without it.

Needs: pip install "lamina[demo]"
"""

import re
from typing import Any

import numpy as np

import lamina as lm
from lamina.applications import BertConfig, BertForPreTraining, BertForSequenceClassification, load_bert_weights
from lamina.data import WordPieceTokenizer, mask_tokens, sentence_pairs
from lamina.optimizers import schedules

LENGTH = 64
TOPICS = "assignment comparisons compound debugger formatstrings specialnames string-methods types"
LOGITS = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)


def manual() -> dict[str, list[str]]:
    """The topics, in sentences."""
    from pydoc_data import topics

    text = {name: re.sub(r"[*=~^-]{4,}", "", topics.topics[name]).strip() for name in sorted(topics.topics)}
    return {name: re.split(r"(?<=[.:?!])\s+|\n\n+", t) for name, t in text.items()}


def rows(t: WordPieceTokenizer, documents: list[Any], seeds: range) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pairs with masked tokens, for each seed all documents cut and masked anew: inputs and targets."""
    parts = []
    for seed in seeds:
        pairs = sentence_pairs(documents, LENGTH, t.start_id, t.end_id, t.padding_id, seed=seed)
        parts.append(pairs | mask_tokens(pairs["input_ids"], t.mask_id, len(t), t.special_ids, 0.15, 10, seed=seed))
    x = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return x, {"prediction_logits": x.pop("masked_labels"), "seq_relationship_logits": x.pop("next_sentence_label")}


def pretrained(tokenizer: WordPieceTokenizer, documents: list[Any], epochs: int, passes: int) -> tuple[Any, list[Any]]:
    """A BERT-tiny trained on both objectives, and what rows with other pairs and masks gave after each epoch."""
    model = BertForPreTraining(BertConfig.tiny(vocab_size=len(tokenizer), max_position_embeddings=128), True)
    held, history = rows(tokenizer, documents, range(-4, 0)), []  # four passes, so that little is left to chance
    decay = schedules.PolynomialDecay(2e-3, epochs * passes * len(held[0]["input_ids"]) // (4 * 32), 0.0)
    rate = schedules.LinearWarmup(decay, 100)
    model.compile(lm.optimizers.AdamW(rate), [LOGITS, LOGITS], metrics={"seq_relationship_logits": ["accuracy"]})
    for epoch in range(epochs):
        x, y = rows(tokenizer, documents, range(epoch * passes, (epoch + 1) * passes))
        logs = model.fit(x, y, initial_epoch=epoch, epochs=epoch + 1, validation_data=held).history
        history.append((logs["val_prediction_logits_loss"][0], logs["val_seq_relationship_logits_accuracy"][0]))
    return model, history


def classified(tokenizer: WordPieceTokenizer, streams: list[Any], start: Any, seed: int, epochs: int) -> float:
    """The share of held-out passages whose topic a classifier finds that begins with these weights, or with none."""
    cut = [np.resize(stream, (len(stream) // (LENGTH - 1), LENGTH - 1)) for stream in streams]
    ids = np.pad(np.concatenate(cut), ((0, 0), (1, 0)), constant_values=tokenizer.start_id)
    y = np.repeat(np.arange(len(cut)), [len(part) for part in cut])
    order = np.random.default_rng(seed).permutation(len(y))
    given = np.concatenate([order[y[order] == k][:16] for k in range(len(cut))])
    lm.set_seed(seed)
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": 128}
    model = BertForSequenceClassification(BertConfig.tiny(**sizes), len(cut))
    if start is not None:
        load_bert_weights(model, start, fine_tuning=True)
    model.compile(lm.optimizers.AdamW(5e-4), LOGITS, metrics=["accuracy"])
    x = {"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": np.ones_like(ids)}
    model.fit({k: v[given] for k, v in x.items()}, y[given], batch_size=16, epochs=epochs, verbose=0)
    return float(model.evaluate({k: np.delete(v, given, 0) for k, v in x.items()}, np.delete(y, given), verbose=0)[1])


def main(small: bool = False, output: str = "bert_pretraining.png") -> tuple[list[Any], list[Any]]:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    topics = {name: found for name, found in manual().items() if not small or name in TOPICS.split()}
    t = WordPieceTokenizer.train((s for found in topics.values() for s in found), 500 if small else 2000)
    ids = {n: [t.encode(s, add_special_tokens=False).ids for s in found] for n, found in topics.items()}
    model, history = pretrained(t, list(ids.values()), *((3, 1) if small else (8, 6)))
    streams, seeds = [np.concatenate(ids[name]) for name in TOPICS.split()], 1 if small else 3
    found = [[classified(t, streams, start, s, 4 if small else 20) for s in range(seeds)] for start in (model, None)]
    print("right of held-out passages, by seed: pre-trained {}, from scratch {}".format(*np.round(found, 3)))
    panels = (figure := Figure(figsize=(11, 3.5), layout="constrained")).subplots(1, 3)
    for i, title in enumerate(("loss of masked words", "accuracy of next sentence")):
        panels[i].plot(range(1, len(history) + 1), np.array(history)[:, i], "o-")
        panels[i].set(xlabel="epoch", title=f"Pre-training: {title}")
    panels[2].bar(["pre-trained", "from scratch"], np.mean(found, axis=1), color=["tab:blue", "tab:gray"])
    panels[2].plot([[0] * seeds, [1] * seeds], found, "ko", markersize=4)
    panels[2].set(ylim=(0, 1), title="Topics of passages: accuracy, by seed")
    figure.savefig(output, dpi=80)
    return history, found


if __name__ == "__main__":
    from command_line import run

    run(main)
