"""Summarising: a headline from the first lines below it, by a Transformer.

The sections of Python's own help texts (`pydoc_data.topics`, 168 of them in Python 3.11) with the headings that their
authors gave them: the encoder reads the first words of a section, the decoder writes its heading. So few texts are far
too few to learn English from: what the network says of sections that it never saw shows how far one comes with them.

Needs: pip install "lamina[demo]"
"""

import re
from pydoc_data.topics import topics

import numpy as np

import lamina as lm
from lamina.applications import Transformer, attention_to_source, generate
from lamina.data import BytePairTokenizer

HEADING = re.compile(r"^([^\n]{4,60})\n([*=~\"^-])\2{3,}\n\n", re.MULTILINE)


def sections() -> list[tuple[str, str]]:
    """(first 60 words, heading) of each section, once."""
    found = {}
    for text in topics.values():
        places = list(HEADING.finditer(text))
        for place, after in zip(places, [*places[1:], None], strict=True):
            words = text[place.end() : after.start() if after else None].split()
            if len(words) > 8:
                found[" ".join(words[:60])] = place[1]
    return list(found.items())


def main(small: bool = False, output: str = "summarising.png") -> dict[str, float]:
    lm.set_seed(1)
    pairs = sections()
    order = np.random.default_rng(0).permutation(len(pairs))
    texts, headings = [pairs[i][0] for i in order], [pairs[i][1] for i in order]
    kept = len(pairs) * 9 // 10
    tokenizer = BytePairTokenizer.train(texts[:kept] + headings[:kept], 1500, padding_token="<pad>", start_token="<s>",
                                        end_token="</s>")  # fmt: skip
    source = tokenizer.encode_batch(texts, max_length=16 if small else 96).ids
    target = tokenizer.encode_batch(headings).ids
    model = Transformer(len(tokenizer), num_layers=2, hidden_dim=128, num_heads=4, intermediate_dim=256, dropout=0.3,
                        normalize_first=True, sequence_length=128)  # fmt: skip
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0, label_smoothing=0.1)
    model.compile(lm.optimizers.Adam(lm.optimizers.schedules.InverseSquareRoot(128, 200, 0.4)), loss)
    history = model.fit([source[:kept], target[:kept, :-1]], target[:kept, 1:], batch_size=16,
                        epochs=8 if small else 40, verbose=0 if small else 1,
                        validation_data=([source[kept:], target[kept:, :-1]], target[kept:, 1:]))  # fmt: skip
    ends = {"start_token": tokenizer.start_id, "end_token": tokenizer.end_id}
    said = generate(model, source, max_length=20, method="greedy" if small else "beam", **ends)
    written = [tokenizer.decode(row) for row in said]
    lead = [" ".join(text.split()[:4]) for text in texts]
    for i in range(kept, min(kept + 6, len(pairs))):
        print(f"{texts[i][:70]}...\n  said: {written[i]}\n  is: {headings[i]}")
    result = {"trained": lm.metrics.RougeL()(headings[:kept], written[:kept]),
              "never seen": lm.metrics.RougeL()(headings[kept:], written[kept:]),
              "lead": lm.metrics.RougeL()(headings[kept:], lead[kept:])}  # fmt: skip
    print(", ".join(f"ROUGE-L {name}: {value:.2f}" for name, value in result.items()))
    draw(output, history, model, tokenizer, source[kept], said[kept])
    return {**result, "loss": history.history["loss"][-1] / history.history["loss"][0]}


def draw(output, history, model, tokenizer, source, said) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    learning, looks = figure.subplots(1, 2, width_ratios=(1, 3))
    history.draw(learning, "loss")
    learning.set_title("Learning: loss")
    inputs, written = source[source > 0][:40], said[said > 0]
    scores = attention_to_source(model, inputs[None], written[None])[0].mean(axis=0)[:-1]
    looks.imshow(scores, cmap="Blues", aspect="auto")
    looks.set_xticks(range(len(inputs)), [tokenizer.decode([t], False) for t in inputs], rotation=90)
    looks.set_yticks(range(len(written) - 1), [tokenizer.decode([t], False) for t in written[1:]])
    looks.set_title("Where the decoder looks to write each piece of a headline it never saw")
    figure.savefig(output, dpi=90)


if __name__ == "__main__":
    from command_line import run

    run(main)
