"""Many to many, sequence to sequence: a number in words in, its digits out.

An encoder reads "three thousand and forty-one" letter by letter; its last state is all that the decoder gets, which
writes 3041 and an end sign. In training the decoder is given the right digit before; afterwards, its own.

Needs: pip install "lamina[demo]"
"""

import numpy as np

import lamina as lm
from lamina.layers import GRU, Dense, Embedding, Input
from lamina.models import Model

WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
NAMES = WORDS.split()
LETTERS = {letter: i for i, letter in enumerate("\0 -abcdefghijklmnopqrstuvwxyz")}  # 0 is padding: it is masked
START, END, MOST = 10, 11, 10_000


def in_words(n: int) -> str:
    """The number n < 10,000 in English words."""
    if n >= 1000:
        rest = f" {'and ' if n % 1000 < 100 else ''}{in_words(n % 1000)}" if n % 1000 else ""
        return in_words(n // 1000) + " thousand" + rest
    if n >= 100:
        return in_words(n // 100) + " hundred" + (f" and {in_words(n % 100)}" if n % 100 else "")
    return NAMES[n] if n < 20 else NAMES[18 + n // 10] + (f"-{NAMES[n % 10]}" if n % 10 else "")


def encode(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The letters of each number, padded to (samples, 48), and its digits between START and END, (samples, 6)."""
    words = np.array([[LETTERS[letter] for letter in in_words(n).ljust(48, "\0")] for n in numbers])
    return words, np.array([[START, *map(int, str(n)), *[END] * (5 - len(str(n)))] for n in numbers])


def main(small: bool = False, output: str = "sequence_to_sequence.png") -> float:
    lm.set_seed(1)
    numbers = np.random.default_rng(0).permutation(MOST)
    (words, digits), (words_test, digits_test) = encode(numbers[:4000]), encode(numbers[4000:4500])
    letters, before = Input((48,), dtype="int64"), Input((None,), dtype="int64")
    summary = GRU(128)(Embedding(len(LETTERS), 16, mask_zero=True)(letters))
    written = GRU(128, return_sequences=True)(Embedding(12, 16)(before), initial_state=summary)
    model = Model([letters, before], Dense(12, activation="softmax")(written))
    model.compile(optimizer=lm.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit([words, digits[:, :-1]], digits[:, 1:], epochs=12 if small else 30, batch_size=64,
                        verbose=0 if small else 1)  # fmt: skip
    said = np.full((len(words_test), 1), START)
    for _ in range(5):
        said = np.append(said, model.predict([words_test, said], verbose=0)[:, -1:].argmax(axis=2), axis=1)
    right = float((said == digits_test).all(axis=1).mean())
    print(f"sequence to sequence: {right:.1%} of {len(said)} numbers never seen are written rightly")
    draw(output, history, numbers[4000:], said)
    return right


def draw(output, history, numbers, said) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    history.draw(left, "loss")
    left.set_title("Learning: loss")
    right.set_axis_off()
    right.set_title("Sequence to sequence: words in, digits out")
    for row, (number, digits) in enumerate(zip(numbers[:9], said, strict=False)):
        answer = "".join(str(digit) for digit in digits if digit < START)
        colour = "black" if answer == str(number) else "tab:red"
        right.text(0, 1 - (row + 1) / 10, f"{in_words(number)}: {answer}", color=colour)
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    from command_line import run

    run(main)
