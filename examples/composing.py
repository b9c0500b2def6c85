"""Composing: the network of text_generation.py on notes in place of letters. It writes a score and a WAV file.

It learns from six old tunes, in C major. A symbol is a note and its length in eighths: e2 is a quarter of E.

Needs: pip install "lamina[demo]"
"""

import wave

import numpy as np

import lamina as lm
from text_generation import network, windows, write

TUNES = """
c2 c2 g2 g2 a2 a2 g4 f2 f2 e2 e2 d2 d2 c4 g2 g2 f2 f2 e2 e2 d4 g2 g2 f2 f2 e2 e2 d4
c2 c2 g2 g2 a2 a2 g4 f2 f2 e2 e2 d2 d2 c4
e2 e2 f2 g2 g2 f2 e2 d2 c2 c2 d2 e2 e3 d1 d4 e2 e2 f2 g2 g2 f2 e2 d2 c2 c2 d2 e2 d3 c1 c4
c2 d2 e2 c2 c2 d2 e2 c2 e2 f2 g4 e2 f2 g4 g1 a1 g1 f1 e2 c2 g1 a1 g1 f1 e2 c2 c2 d2 c4 c2 d2 c4
c2 c2 c2 d2 e4 d4 c2 e2 d2 d2 c8 c2 c2 c2 d2 e4 d4 c2 e2 d2 d2 c8
e2 d2 c2 d2 e2 e2 e4 d2 d2 d4 e2 g2 g4 e2 d2 c2 d2 e2 e2 e2 e2 d2 d2 e2 d2 c8
c2 d2 e2 f2 g4 g4 a2 a2 a2 a2 g8 a2 a2 a2 a2 g8 f2 f2 f2 f2 e4 e4 d2 d2 d2 d2 c8
"""  # Twinkle; Ode to Joy; Frere Jacques; Au clair de la lune; Mary had a little lamb; Alle meine Entchen
HEIGHT = {note: i for i, note in enumerate("cdefgab")}  # steps above middle C
SEMITONES = (0, 2, 4, 5, 7, 9, 11)
RATE, EIGHTH = 22_050, 0.22  # samples a second; seconds


def sound(notes: list[str]) -> np.ndarray:
    """The melody as samples of 16 bits: four harmonics a note, that fade as a plucked string's."""
    parts = []
    for note in notes:
        t = np.arange(int(RATE * EIGHTH * int(note[1:]))) / RATE
        frequency = 261.63 * 2 ** (SEMITONES[HEIGHT[note[0]]] / 12)
        tone = sum(np.sin(2 * np.pi * k * frequency * t) / k**2 for k in range(1, 5))
        parts.append(tone * np.exp(-3 * t) * np.minimum(1, (t[-1] - t) / 0.01))
    return (np.concatenate(parts) * 16_000).astype("<i2")


def draw(notes: list[str], output: str) -> None:
    """The score: a line of the staff for every 16 notes."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse

    lines = [notes[i : i + 16] for i in range(0, len(notes), 16)]
    figure = Figure(figsize=(10, 1.5 * len(lines)), layout="constrained")
    for axes, line in zip(figure.subplots(len(lines), squeeze=False)[:, 0], lines, strict=True):
        axes.hlines([2, 4, 6, 8, 10], -1, 16, color="black", lw=0.6)  # E, G, B, D, F
        for x, note in enumerate(line):
            y, eighths = HEIGHT[note[0]], int(note[1:])
            if y == 0:
                axes.hlines(0, x - 0.4, x + 0.4, color="black", lw=0.6)  # middle C has a line of its own
            axes.add_patch(Ellipse((x, y), 0.4, 1.9, fill=eighths < 4, color="black", lw=1.2))
            if eighths < 8:
                axes.vlines(x + 0.19, y, y + 6, color="black", lw=1)
            if eighths == 1:
                axes.plot([x + 0.19, x + 0.4], [y + 6, y + 4], color="black", lw=2)
            if eighths == 3:
                axes.plot(x + 0.35, y + 0.5, ".", color="black", ms=4)
        axes.set(xlim=(-1, 16), ylim=(-2, 19))
        axes.set_axis_off()
    figure.savefig(output, dpi=120)


def main(small: bool = False, output: str = "composing") -> float:
    lm.set_seed(1)
    notes = TUNES.split()
    alphabet = sorted(set(notes))
    codes = np.array([alphabet.index(note) for note in notes])
    x, y = (np.concatenate(part) for part in zip(*(windows(codes[i:], 16) for i in range(16)), strict=True))
    model = network(len(alphabet), units=64)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=lm.optimizers.Adam(5e-3), loss=loss)
    history = model.fit(x, y, epochs=15 if small else 20, batch_size=16, verbose=0 if small else 1).history["loss"]
    print(f"perplexity of a note: {np.exp(history[0]):.1f} after one epoch, {np.exp(history[-1]):.2f} at the end")
    song = [*write(model, alphabet, ["c2"], 46, temperature=1.0), "c8"]
    print("the song: " + " ".join(song))
    with wave.open(output + ".wav", "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(sound(song).tobytes())
    draw(song, output + ".png")
    return float(np.exp(history[-1]))


if __name__ == "__main__":
    from command_line import run

    run(main)
