"""Translation by a Transformer: numbers and dates, English to German.

The encoder reads "forty-one thousand and six" or "March 5, 1984", the decoder writes "einundvierzigtausendsechs" or
"5. März 1984". The pairs are synthetic, made by the functions below; those that are tested were never seen in training.

Needs: pip install "lamina[demo]"
"""

import datetime

import numpy as np

import lamina as lm
from lamina.applications import Transformer, attention_to_source, generate
from lamina.data import BytePairTokenizer
from sequence_to_sequence import in_words

WORDS = """
null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn
neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig
Januar Februar März April Mai Juni Juli August September Oktober November Dezember
"""
NAMES = WORDS.split()
UNITS, TENS, MONTHS = NAMES[:20], NAMES[18:28], NAMES[28:]
FORMATS = ("%B {d}, %Y", "{d} %B %Y", "%Y-%m-%d", "%m/%d/%Y")


def german(n: int, last: str = "s") -> str:
    """The number n < 1,000,000 in German words; a one at the end is "eins", before anything else "ein"."""
    if n >= 1000:
        return german(n // 1000, "") + "tausend" + (german(n % 1000) if n % 1000 else "")
    if n >= 100:
        return UNITS[n // 100] + "hundert" + (german(n % 100, last) if n % 100 else "")
    if n < 20:
        return UNITS[n] + (last if n == 1 else "")
    return (UNITS[n % 10] + "und" if n % 10 else "") + TENS[n // 10]


def pairs(count: int, seed: int) -> tuple[list[str], list[str]]:
    """As many English texts, each one different, and what they are in German: two of three are numbers."""
    draw, found = np.random.default_rng(seed), dict[str, str]()
    while len(found) < count:
        n = int(10 ** draw.uniform(0, 6))
        day = datetime.date(1900, 1, 1) + datetime.timedelta(int(draw.integers(73_000)))
        if len(found) % 3:
            found[in_words(n)] = german(n)
        else:
            text = day.strftime(FORMATS[n % 4].format(d=day.day))
            found[text] = f"{day.day}. {MONTHS[day.month - 1]} {day.year}"
    order = draw.permutation(count)
    return [list(found)[i] for i in order], [list(found.values())[i] for i in order]


def main(small: bool = False, output: str = "translation.png") -> float:
    lm.set_seed(1)
    count, tested, epochs = (2000, 60, 7) if small else (20_000, 1000, 8)
    sources, targets = pairs(count + tested, seed=0)
    tokenizer = BytePairTokenizer.train(sources + targets, 200, byte_level=False, padding_token="<pad>",
                                        start_token="<s>", end_token="</s>")  # fmt: skip
    source, target = tokenizer.encode_batch(sources).ids[:, 1:], tokenizer.encode_batch(targets).ids
    model = Transformer(len(tokenizer), num_layers=2, hidden_dim=64 if small else 128, num_heads=4, dropout=0.0,
                        intermediate_dim=512, normalize_first=True, sequence_length=64)  # fmt: skip
    rate = lm.optimizers.schedules.InverseSquareRoot(128, warmup_steps=100 if small else 400, factor=0.5)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0, label_smoothing=0.1)
    model.compile(lm.optimizers.Adam(rate, beta_2=0.98, epsilon=1e-9), loss)
    history = model.fit([source[:count], target[:count, :-1]], target[:count, 1:], batch_size=64, epochs=epochs,
                        verbose=0 if small else 1)  # fmt: skip
    said = generate(model, source[count:], start_token=tokenizer.start_id, end_token=tokenizer.end_id)
    texts = [tokenizer.decode(row) for row in said]
    right = float(np.mean([text == wanted for text, wanted in zip(texts, targets[count:], strict=True)]))
    print(*(f"{a}: {b}" for a, b in zip(sources[count:][:6], texts, strict=False)), sep="\n")
    bleu = lm.metrics.Bleu()(targets[count:], texts)
    print(f"translation: {right:.1%} of {tested} texts never seen are translated rightly; BLEU {bleu:.2f}")
    draw(output, history, model, tokenizer, source[count:], said)
    return right


def draw(output, history, model, tokenizer, source, said) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    learning, looks = figure.subplots(1, 2, width_ratios=(1, 2))
    history.draw(learning, "loss")
    learning.set_title("Learning: loss")
    i = max(range(len(said)), key=lambda i: (source[i] > 0).sum())  # the longest
    inputs, written = source[i][source[i] > 0], said[i][said[i] > 0]
    scores = attention_to_source(model, inputs[None], written[None])[0].mean(axis=0)[:-1]
    names = [[tokenizer.id_to_token(t).replace("</w>", "") for t in row] for row in (inputs, written[1:])]
    looks.imshow(scores, cmap="Blues", aspect="auto")
    looks.set_xticks(range(len(inputs)), names[0], rotation=90)
    looks.set_yticks(range(len(written) - 1), names[1])
    looks.set_title("Where the decoder looks to write each piece")
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    from command_line import run

    run(main)
