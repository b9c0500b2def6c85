"""Writes the README's table of speed out of bench/results/cpu.json: ``python bench/readme.py``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.report import mean, ratios

ROOT = Path(__file__).resolve().parents[1]
HEAD = "| work | aim | PyTorch / Lamina: mean (least to most) | PyTorch as installed |\n|---|---|---|---|\n"
RESNET_3X3 = r"^(resnet|vgg) 3x3 (?!3-)"  # strides 1: of strides 2 the name says so


def _recurrent(family: str) -> str:
    cases = r" (100x32|28x128)x\d+x128 \+", r"x512x512 \+", r" 100x1x.*\+", r" 30x32x8x32 \+"
    return " / ".join(f"{{{family}, {each}}}" for each in cases)


# What is measured, the aim, and the figures: {family: cases} is the mean, the least and the most of all of them,
# {family, cases} each for itself; cases are a regular expression.
ROWS = [
    ("products", "1.05", "{gemm: .}"),
    ("3x3 stride-1 convolutions (Winograd), forward", "2", "{conv2d: " + RESNET_3X3 + r"[^+]*$}"),
    ("the same with both gradients", "2", "{conv2d: " + RESNET_3X3 + r".*\+}"),
    ("the other convolutions of ResNet-50 and VGG-16, forward", "1.0", r"{conv2d: ^(?!\w+ 3x3 (?!3-))[^+]*$}"),
    ("the same with gradients", "1.0", r"{conv2d: ^(?!\w+ 3x3 (?!3-)).*\+}"),
    ("depthwise 3x3 to 7x7, with gradients", "1.5", r"{conv_family: ^depthwise.*\+}"),
    ("groups of 2 to 16 channels, with gradients", "1.5", r"{conv_family: ^groups.*\+}"),
    ("dilated, with gradients", "1.5", r"{conv_family: ^dilated.*\+}"),
    ("transposed, with gradients", "1.5", r"{conv_family: ^transposed.*\+}"),
    ("1-D and 3-D, with gradients", "", r"{conv_family: ^conv[13]d.*\+}"),
    ("pooling", "2", "{pool2d: .}"),
    ("batch normalisation, 50 MB", "2", "{batch_norm: .}"),
    ("other norms", "1.5", "{norms: .}"),
    ("arrays: reductions, broadcasting, take, where, power, einsum", "", "{arrays: .}"),
    ("activations, 50 MB", "2", "{activations: .}"),
    ("losses, 50 MB", "2", "{losses: .}"),
    ("optimizers", "1.5", "{optimizers: .}"),
    ("images: resize, pad, concatenate, grid_sample", "1", "{image: .}"),
    ("GRU, H 128 / H 512 / one row / small, with gradients", "1.6 / 1.25 / 6 / 6", _recurrent("gru")),
    ("LSTM, the same", "1.0 / 1.0 / 1.4 / 2", _recurrent("lstm")),
    ("SimpleRNN, the same", "2", _recurrent("simple_rnn")),
    (
        "lengths of 1 to 100 against packed sequences, LSTM / GRU, with gradients",
        "3.5",
        r"{lstm, lengths \+} / {gru, lengths \+}",
    ),
    ("attention, L 512 / L 128, with gradients", "1.25", r"{attention, x512x512x64 \+} / {attention, x128x128x64 \+}"),
    (
        "causal, L 1024 / L 4096, with gradients",
        "1.7 / 1.4",
        r"{attention, x1024x64 causal \+} / {attention, x4096x64 causal \+}",
    ),
    (
        "with dropout, with gradients; one query, forward",
        "2; 1.5",
        r"{attention, dropout.*\+}; {attention, x1x1024x64$}",
    ),
    (
        "embedding: forward; gradients, dense / sparse",
        "1.5",
        "{embedding, forward}; {embedding, 100, gradients} / {embedding, sparse}",
    ),
    (
        "embedding and a step of SGD / Adagrad / Adam / lazy Adam",
        "1.5",
        "{embedding, SGD} / {embedding, Adagrad} / {embedding, , Adam} / {embedding, lazy}",
    ),
    ("training step, LSTM 8-32-1, T = 30, batch 32, Adam", "3", "{lstm_step: ^LSTM}"),
    ("the same, GRU; SimpleRNN", "", "{lstm_step, ^GRU}; {lstm_step, ^SimpleRNN}"),
    ("training step, MLP 784-128-10, batch 32, Adam", "3", "{mlp: .}"),
    ("training step, small CNN, batch 32, Adam", "3", "{cnn: .}"),
    ("10 epochs of `fit` on 1,797 samples, against a bare loop", "3", "{fit, bare loop}"),
    ("the same, against Keras on PyTorch", "5", "{fit, Keras}"),
    (
        "ResNet-50, 224x224: inference of 1 and of 16, normalisation folded; training step of 8",
        "1.3",
        "{resnet50, inference}; {resnet50, step}",
    ),
    ("VGG-16, the same", "2", "{vgg16, inference}; {vgg16, step}"),
    (
        "BERT-base, length 128, inference of 1 / of 8: against TransformerEncoder, Hugging Face",
        "1.2",
        "{bert, batch 1,} / {bert, batch 8,}",
    ),
    (
        "Transformer, forward and backward: small / base (each without and with dropout)",
        "1.3",
        "{transformer, ^small} / {transformer, ^base}",
    ),
    ("DCGAN 64x64, training step of 32", "1.3", "{generative, dcgan}"),
    ("variational autoencoder 784-400-20, training step of 128", "2", "{generative, vae}"),
    ("Word2Vec, words a second, against gensim: skip-gram / CBOW", "2 / -", "{word2vec, skip} / {word2vec, CBOW}"),
]


def _figure(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _figures(text: str, families: dict[str, Any], key: str) -> str:
    """text with its figures filled in; nothing if a row was not measured beside that peer."""

    def fill(match: re.Match[str]) -> str:
        family, kind, cases = match.groups()
        rows = [row for row in families[family]["rows"] if re.search(cases, row["case"])]
        found = ratios(rows, key)
        if not rows or (key == "peer" and len(found) < len(rows)):
            raise ValueError(f"{family}: {len(found)} of {len(rows)} cases like {cases!r} are measured beside PyTorch")
        if not found:
            return ""
        if kind == ",":
            return ", ".join(map(_figure, found))
        return f"{mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"

    return re.sub(r"{(\w+)([:,]) (.+?)}", fill, text)


def table(results: dict[str, Any]) -> str:
    """The rows in Markdown."""
    lines = []
    for work, aim, text in ROWS:
        mean_alone = re.fullmatch(r"{\w+:[^}]*}", text)
        cells = [_figures(text, results["families"], "peer")]
        cells.append(_figures(text, results["families"], "peer_default") if mean_alone else "")
        lines.append(f"| {work} | {aim} | {' | '.join(cells)} |\n")
    return HEAD + "".join(lines)


def rewritten(readme: str, results: dict[str, Any]) -> str:
    """The README with its table anew."""
    begin = readme.index(HEAD)
    return readme[:begin] + table(results) + readme[readme.index("\n\n", begin) + 1 :]


def main() -> None:
    path = ROOT / "README.md"
    results = json.loads((ROOT / "bench/results/cpu.json").read_text("utf-8"))
    path.write_text(rewritten(path.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
