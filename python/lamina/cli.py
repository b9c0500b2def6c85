"""The command `lamina`: demo, design and info."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import lamina
from lamina import _cpu, backend, data
from lamina.designer.designs import Designs, load_generator, train_generator
from lamina.designer.server import Server, refuse_host
from lamina.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from lamina.models import History, Sequential


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="lamina", description="Deep learning in a thin layer over compiled kernels.")
    parser.add_argument("--version", action="version", version=f"lamina {lamina.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo_parser = commands.add_parser(
        "demo", help="train a network on real handwritten digits and draw what it learned"
    )
    demo_parser.add_argument("--epochs", type=_positive, default=30, help="passes over the data (30)")
    demo_parser.add_argument("--seed", type=int, default=7, help="of all random numbers (7)")
    demo_parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (cpu)")
    demo_parser.add_argument("--output", type=Path, default=Path("lamina_demo.png"), help="the picture to write")
    design_parser = commands.add_parser("design", help="pick among generated pictures on a web page, and refine them")
    design_parser.add_argument(
        "--model",
        type=Path,
        help="a saved generator or variational autoencoder (else a small one learns drawn garments first, in seconds, "
        "and draws them with soft edges; examples/dcgan.py saves one that draws sharper ones, dcgan.safetensors)",
    )
    design_parser.add_argument(
        "--folder", type=Path, default=Path("designs"), help="where picked pictures go (designs)"
    )
    design_parser.add_argument("--host", default="127.0.0.1", help="a loopback address (127.0.0.1)")
    design_parser.add_argument("--port", type=int, default=8765, help="0 for any that is free (8765)")
    design_parser.add_argument("--seed", type=int, default=0, help="of the codes (0)")
    design_parser.add_argument(
        "--epochs", type=_positive, default=30, help="passes over the garments, without --model (30)"
    )
    commands.add_parser("info", help="say what Lamina runs on here")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "demo":
            demo(chosen.epochs, chosen.seed, chosen.output, chosen.device)
        elif chosen.command == "design":
            design(chosen.model, chosen.folder, chosen.host, chosen.port, chosen.seed, chosen.epochs)
        else:
            print(info())
    except (ImportError, OSError, OverflowError, ValueError, Unusable) as error:
        print(f"lamina {chosen.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


class Unusable(RuntimeError):
    """The device that was asked for is not there."""


def demo(epochs: int = 30, seed: int = 7, output: Path | None = None, device: str = "cpu") -> float:
    """Trains a convolutional network on scikit-learn's digits; prints what it reached, and draws it.

    Args:
        epochs: passes over the data.
        seed: of all random numbers.
        output: where to write the picture; None for none.
        device: "cpu" or "cuda".

    Returns:
        The share of right answers on the fifth of the pictures that was held out.
    """
    if output is not None and not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.parent} for the picture")
    try:
        chosen = lamina.device(device)
    except RuntimeError as error:
        raise Unusable(str(error)) from None
    with chosen:
        return _demo(epochs, seed, output)


def _demo(epochs: int, seed: int, output: Path | None) -> float:
    lamina.set_seed(seed)
    (x, y), (x_test, y_test) = data.digits()
    print(f"{len(x):,} handwritten digits to learn from, {len(x_test):,} held out; 8x8 points each\n")
    model = Sequential([
        Conv2D(32, 3, padding="same", activation="relu", input_shape=x.shape[1:]),
        BatchNormalization(momentum=0.9),
        Conv2D(32, 3, padding="same", activation="relu"),
        BatchNormalization(momentum=0.9),
        MaxPooling2D(2),
        Flatten(),
        Dropout(0.4),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    print()
    began = time.perf_counter()
    history = model.fit(x, y, epochs=epochs, batch_size=32, validation_split=0.1)
    seconds = time.perf_counter() - began
    probabilities = model.predict(x_test, verbose=0)
    accuracy = float((probabilities.argmax(axis=1) == y_test).mean())
    wrong = int((probabilities.argmax(axis=1) != y_test).sum())
    print(f"\nTrained in {seconds:.1f} s. Test accuracy: {accuracy:.2%} ({wrong} of {len(y_test)} wrong)")
    if output is not None:
        draw(output, history, x_test, y_test, probabilities)
        print(f"Picture: {output}")
    return accuracy


def draw(output: Path, history: History, x: Any, y: Any, probabilities: Any) -> None:
    """Draws learning curves, the confusion matrix, and pictures with predictions: the wrong ones first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.6), layout="constrained")
    figure.suptitle("Lamina: a convolutional network on handwritten digits", fontsize=14)
    above, below = list(figure.subfigures(2, 1, height_ratios=(1.25, 1)))  # type: ignore[arg-type]
    loss, accuracy, confusion = above.subplots(1, 3)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        history.draw(axes, name)
        axes.set_title(f"Learning: {name}")
    predicted = probabilities.argmax(axis=1)
    _draw_confusion(confusion, y, predicted)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != y)
    unsure = np.flatnonzero(predicted == y)[np.argsort(confidence[predicted == y], kind="stable")]
    sure = [int(np.flatnonzero((predicted == y) & (y == digit))[0]) for digit in range(10) if (y == digit).any()]
    first = [*wrong[:8], *unsure[: 20 - len(wrong[:8]) - len(sure)]]
    below.suptitle("Held-out digits: mistakes in red, the least sure right answers in grey, then one of each in blue")
    for axes, index in zip(below.subplots(2, 10).flat, [*first, *sure], strict=False):
        colour = "tab:red" if predicted[index] != y[index] else "tab:blue" if index in sure else "dimgrey"
        axes.imshow(x[index, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
        said = f"{predicted[index]}" + (f", is {y[index]}" if predicted[index] != y[index] else "")
        axes.set_title(f"{said}\n{confidence[index]:.0%}", fontsize=10, color=colour)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(colour)
    figure.savefig(output, dpi=120)


def _draw_confusion(axes: Any, y: Any, predicted: Any) -> None:
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (y, predicted), 1)
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts):
        axes.text(j, i, counts[i, j], ha="center", va="center", fontsize=8,
                  color="white" if i == j else "tab:red", fontweight=None if i == j else "bold")  # fmt: skip
    axes.set(xticks=range(10), yticks=range(10), xlabel="predicted", ylabel="true")
    axes.set_title(f"Confusion: {np.trace(counts)} of {counts.sum()} right")


def design(model: Path | None, folder: Path, host: str, port: int, seed: int = 0, epochs: int = 30) -> None:
    """Serves the designer's page until the program is interrupted.

    Args:
        model: a saved generator or variational autoencoder; None to train one on drawn garments (synthetic).
        folder: where picked pictures are saved.
        host: a loopback address.
        port: 0 for any that is free.
        seed: of the codes.
        epochs: passes over the garments, without a model.

    Raises:
        ValueError: for an address that others can reach, or a model of another kind.
    """
    if model is None:
        refuse_host(host)
        print("No --model: a small variational autoencoder learns drawn (synthetic) garments first.")
        generator, low = train_generator(epochs), 0.0
    else:
        generator, low = load_generator(model)
    with Server(Designs(generator, folder, low=low, seed=seed), host, port) as server:
        print(f"The designer is at {server.url} - Ctrl+C ends it.", flush=True)
        server.serve_forever()


def info() -> str:
    """What Lamina runs on: version, instruction sets, threads, memory pool, CUDA."""
    status = backend.cuda_status()
    devices = status["device_count"]
    cuda = f"{devices} device{'' if devices == 1 else 's'}" if devices else str(status["message"])
    usable = True
    try:
        backend.on("cuda")
    except RuntimeError as error:
        usable = False
        cuda = str(error).removeprefix('device "cuda": ')
    pool = ", ".join(f"{name} {value:,}" for name, value in _cpu.pool_stats().items())
    rows = {
        "lamina": lamina.__version__,
        "Python": sys.version.split()[0],
        "NumPy": np.__version__,
        "instruction set": f"{lamina.isa()} (this processor has {', '.join(_cpu.isas())})",
        "threads": str(lamina.num_threads()),
        "memory pool": pool,
        "device": "cpu, cuda" if usable else "cpu",
        "CUDA": cuda,
    }
    return "\n".join(f"{name:<16} {value}" for name, value in rows.items())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
