"""Draws docs/images/floors.svg, the picture of docs/architecture.md: ``python docs/draw_floors.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.patches import FancyBboxPatch

# Top to bottom: what a floor is called, what lives there, and what conv2d is called there.
FLOORS = [
    ("cli, designer", "lamina demo, lamina info, lamina design", "", "tab:blue"),
    ("applications", "VGG, ResNet, YOLO, BERT, GAN ...: one paper a file", "ResNet50", "tab:blue"),
    ("models", "Model, Sequential, callbacks, saving", "model.fit", "tab:blue"),
    ("layers", "Dense, Conv2D, LSTM, MultiHeadAttention ...", "Conv2D.call", "tab:blue"),
    ("metrics", "", "", "tab:blue"),
    ("losses, optimizers, activations, initializers, regularizers, constraints", "", "", "tab:blue"),
    ("random", "seeds, streams, random tensors", "", "tab:blue"),
    ("ops", "one file an op: forward and gradient", "ops.conv2d, Conv2DFunction", "tab:blue"),
    ("autograd", "Tensor, Function, the tape, symbols", "Function.apply", "tab:blue"),
    ("data", "data sets, readers, loaders", "", "tab:blue"),
    ("backend", "arrays, devices, the memory pool", "backend.empty", "tab:blue"),
    ("csrc/bind", "checks of memory, choice of dtype and instruction set", "_cpu.conv2d_forward", "tab:green"),
    ("csrc/cpu, csrc/cuda", "the kernels, once per instruction set", "conv2d_forward<v4::Target, float>", "tab:green"),
    ("csrc/ops, csrc/support", "the contracts: mathematics, shapes, order of sums", "ops/conv2d.h", "tab:green"),
]  # fmt: skip


def draw(path: Path) -> None:
    pyplot.rcParams["svg.fonttype"] = "none"
    pyplot.rcParams["svg.hashsalt"] = "lamina"  # the same file every time
    figure, axes = pyplot.subplots(figsize=(10, 7), layout="constrained")
    axes.set(xlim=(0, 10), ylim=(-len(FLOORS) - 0.1, 0.6))
    axes.axis("off")
    axes.text(0.1, 0.25, "imports run downward only", fontsize=9, style="italic")
    axes.text(7.0, 0.25, "what a convolution is called there", fontsize=9, style="italic")
    for i, (name, what, call, colour) in enumerate(FLOORS):
        y = -i - 0.85
        box = FancyBboxPatch(
            (0.1, y), 6.6, 0.8, boxstyle="round,pad=0,rounding_size=0.08", fc=colour, alpha=0.14, ec=colour
        )
        axes.add_patch(box)
        axes.text(0.25, y + (0.5 if what else 0.4), name, fontsize=10, weight="bold", va="center")
        axes.text(0.25, y + 0.2, what, fontsize=8.5, va="center")
        axes.text(7.0, y + 0.4, call, fontsize=9, family="monospace", va="center")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    target = Path(__file__).parent / "images" / "floors.svg"
    target.parent.mkdir(exist_ok=True)
    draw(target)
