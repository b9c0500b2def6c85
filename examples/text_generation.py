"""Text generation: an LSTM learns the Python manual letter by letter, and then writes on its own.

The text is CPython's `pydoc_data.topics`, 465,000 characters, or a file: python text_generation.py --text my_book.txt

Needs: pip install "lamina[demo]"
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import lamina as lm
from lamina.layers import LSTM, Dense, Embedding
from lamina.models import Sequential

LENGTH = 64  # characters of a training sample


def manual() -> str:
    from pydoc_data import topics

    return "\n".join(topics.topics[name] for name in sorted(topics.topics))


def network(symbols: int, units: int, stateful: bool = False) -> Sequential:
    """Symbols in, for each the logits of the next; a stateful one remembers what it was given in calls before."""
    return Sequential([Embedding(symbols, 32), LSTM(units, return_sequences=True, stateful=stateful), Dense(symbols)])


def windows(codes: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes cut into samples of `length`, and for each code the next one."""
    count = (len(codes) - 1) // length
    return codes[: count * length].reshape(count, length), codes[1 : count * length + 1].reshape(count, length)


def write(model: Sequential, alphabet: list[str], start: Sequence[str], length: int, temperature: float) -> list[str]:
    """Continues `start` by `length` symbols, each drawn with p ~ exp(logit / temperature)."""
    memory = network(len(alphabet), model.layers[1].units, stateful=True)
    memory.build((1, 1))
    memory.set_weights(model.get_weights())
    draw = np.random.default_rng(0)
    written = list(start)
    fed = 0
    while len(written) < len(start) + length:
        codes = np.array([[alphabet.index(symbol) for symbol in written[fed:]]])
        fed = len(written)
        logits = memory.predict_on_batch(codes)[0, -1].astype("float64") / temperature
        p = np.exp(logits - logits.max())
        written.append(alphabet[draw.choice(len(alphabet), p=p / p.sum())])
    return written


def main(small: bool = False, output: str = "text_generation.png", text: str | None = None) -> list[float]:
    from matplotlib.figure import Figure

    lm.set_seed(1)
    text = (manual() if text is None else text)[: 60_000 if small else None]
    alphabet = sorted(set(text))
    x, y = windows(np.searchsorted(alphabet, list(text)), LENGTH)
    held = len(x) * 19 // 20
    model = network(len(alphabet), units=64 if small else 256)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=lm.optimizers.Adam(0.01 if small else 3e-3), loss=loss)
    history = model.fit(x[:held], y[:held], validation_data=(x[held:], y[held:]), epochs=6 if small else 10,
                        batch_size=32, verbose=0 if small else 1).history  # fmt: skip
    perplexity = [float(np.exp(value)) for value in history["val_loss"]]
    print("perplexity of held-out text by epoch: " + ", ".join(f"{value:.2f}" for value in perplexity))
    start = text[held * LENGTH :][:20]  # of the part held out
    samples = {t: "".join(write(model, alphabet, start, 60 if small else 300, t)) for t in (0.3, 0.7, 1.0)}
    for temperature, sample in samples.items():
        print(f"\n-- temperature {temperature}\n{sample}")
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    epochs = range(1, len(perplexity) + 1)
    left.plot(epochs, np.exp(history["loss"]), "o-", label="training")
    left.plot(epochs, perplexity, "o-", label="held out")
    left.set(xlabel="epoch", title="Perplexity, of a character")
    left.legend()
    left.xaxis.get_major_locator().set_params(integer=True)
    shown = "\n".join(part for line in samples[0.7].splitlines() for part in textwrap.wrap(line, 80) or [""])
    right.text(0, 1, shown, va="top", family="monospace", fontsize=8)
    right.set_title("What it writes (temperature 0.7)")
    right.set_axis_off()
    figure.savefig(output, dpi=120)
    return perplexity


if __name__ == "__main__":
    from command_line import run

    run(main, text={"type": lambda name: Path(name).read_text(encoding="utf-8"), "help": "a text file to learn from"})
