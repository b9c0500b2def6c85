"""Answers found in a text: a BERT-tiny points at the words of a passage of the Python manual that answer a question.

Passages are real, CPython's `pydoc_data.topics`; questions and answers are made by rules (below), where a passage holds
one answer. Tested on other topics, none of whose sentences was learned from; the encoder is pre-trained on bare text.

Needs: pip install "lamina[demo]"
"""

import re
from typing import Any

import numpy as np

import lamina as lm
from bert_pretraining import LOGITS, manual, pretrained
from lamina.applications import BertConfig, BertForQuestionAnswering, best_spans, load_bert_weights, span_f1
from lamina.data import WordPieceTokenizer

LENGTH = 96  # tokens of question and passage
RULES = {
    "which exception is raised?": r"\b[A-Z]\w*(?:Error|Exception|Iteration|Exit|Interrupt)\b",
    "which special method is it about?": r"\b__\w+__(?=\()",
    "in which version was it changed?": r"(?<=version )\d\.\d+",
    "which constant is meant?": r'(?<=")(?:True|False|None|NotImplemented|Ellipsis)(?=")',
    "which function is called?": r'(?<=")[a-z]\w*(?=\(\))',
    "which statement is it about?": r'(?<=")\w+(?=" (?:statement|clause|keyword))',
    "which attribute is meant?": r'(?<=")\w+(?=" attribute)|(?<=\.)__\w+__(?!\()',
    "which kind of object is it about?": r"\b(?:string|integer|list|tuple|set|module|class|generator)s?\b",
}


def questions(topics: dict[str, list[str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """For each question and passage (up to four sentences) where the answer stands, in characters."""
    found = {}
    for sentences in topics.values():
        for i in range(len(sentences)):
            passage = sentences[i]
            for sentence in sentences[i + 1 : i + 4]:
                if len(passage) + len(sentence) < 260:
                    passage += " " + sentence
            for question, rule in RULES.items():
                answers = [match.span() for match in re.finditer(rule, passage)]
                if len(answers) == 1 and len(passage) < 300:
                    found[question, passage] = answers[0]
    return found


def encoded(t: WordPieceTokenizer, items: dict[tuple[str, str], tuple[int, int]]) -> tuple[dict[str, Any], Any, Any]:
    """Inputs, the first and last token of each answer (those that were cut off are left out), and the tokens."""
    batch = t.encode_batch(*zip(*items, strict=True), max_length=LENGTH, padding=LENGTH, truncation="only_second")
    offsets = np.array([row.offsets for row in batch.encodings])
    begin, end = np.array(list(items.values())).T[:, :, None]
    inside = (batch.segment_ids == 1) & (offsets[..., 1] > begin) & (offsets[..., 0] < end)
    spans = np.stack([inside.argmax(axis=1), LENGTH - 1 - inside[:, ::-1].argmax(axis=1)], axis=1)
    x = {"input_ids": batch.ids, "token_type_ids": batch.segment_ids, "attention_mask": batch.mask.astype(np.int64)}
    kept = inside.any(axis=1)
    return {k: v[kept] for k, v in x.items()}, spans[kept], [batch.encodings[i].tokens for i in np.flatnonzero(kept)]


def main(small: bool = False, output: str = "question_answering.png") -> float:
    lm.set_seed(1)
    topics = {name: [" ".join(s.split()) for s in sentences] for name, sentences in manual().items()}
    t = WordPieceTokenizer.train((s for found in topics.values() for s in found), 2000)
    tested = set(np.random.default_rng(0).permutation(list(topics))[:20].tolist())
    trained = [name for name in topics if name not in tested][: 25 if small else None]
    known = {s for name in trained for s in topics[name]}
    x, y, _ = encoded(t, questions({name: topics[name] for name in trained}))
    test = {name: [s for s in topics[name] if s not in known] for name in sorted(tested)}
    x_test, y_test, tokens = encoded(t, questions(test))
    model = BertForQuestionAnswering(BertConfig.tiny(vocab_size=len(t), max_position_embeddings=128))
    if not small:
        ids = [[t.encode(s, add_special_tokens=False).ids for s in found] for found in topics.values()]
        lm.set_seed(1)
        load_bert_weights(model, pretrained(t, ids, epochs=8, passes=6)[0], fine_tuning=True)
    lm.set_seed(2)
    model.compile(lm.optimizers.AdamW(lm.optimizers.schedules.LinearWarmup(1e-3, 50)), [LOGITS, LOGITS])
    model.fit(x, {"start_logits": y[:, 0], "end_logits": y[:, 1]}, epochs=6 if small else 10)
    logits = model.predict(x_test, verbose=0)
    spans, _ = best_spans(logits["start_logits"], logits["end_logits"], x_test["token_type_ids"], max_length=16)
    exact = (spans == y_test).all(axis=1)
    print(f"{len(y):,} questions learned; of {len(exact)} others {exact.mean():.1%} answered exactly, "
          f"F1 {span_f1(spans, y_test).mean():.3f}")  # fmt: skip
    for i in np.flatnonzero(exact)[:: max(1, exact.sum() // 5)]:
        answer = "".join(tokens[i][spans[i, 0] : spans[i, 1] + 1]).replace("##", "")
        print(t.decode(x_test["input_ids"][i]), "->", answer)
    shown = np.argmax(exact - x_test["attention_mask"].mean(axis=1))  # short, and right
    used = x_test["attention_mask"][shown].sum()
    hidden = model.get_layer("embeddings")(
        *(x_test[k][shown : shown + 1, :used] for k in ("input_ids", "token_type_ids"))
    )
    _, scores = model.get_layer("layer_1")(model.get_layer("layer_0")(hidden), return_attention_scores=True)
    lm.utils.plot_attention(scores.numpy()[0].mean(axis=0), tokens[shown][:used], tokens[shown][:used], output, dpi=80)
    return float(exact.mean())


if __name__ == "__main__":
    from command_line import run

    run(main)
