"""A ResNet-18 reads handwritten digits: 1,797 real ones, 8 x 8 points each, a fifth of them held out.

For images this small the stem is one 3x3 convolution without pooling, as in the paper's networks for CIFAR-10. While it
learns, every picture is moved, turned and zoomed a little each time it is shown.

Needs: pip install "lamina[demo]"
Reference: He et al. 2015, arXiv:1512.03385.
"""

import numpy as np

import lamina as lm
from lamina.layers import Input, RandomRotation, RandomTranslation, RandomZoom


def main(small: bool = False, output: str = "resnet_digits.png") -> float:
    lm.set_seed(0)
    (x, y), (x_test, y_test) = lm.data.digits()
    x, y = (x[:480], y[:480]) if small else (x, y)
    epochs, batch = (4 if small else 24), 32
    images = Input((8, 8, 1))
    moved = RandomTranslation(0.1, 0.1, fill_mode="constant")(images)
    moved = RandomZoom(0.1, fill_mode="constant")(RandomRotation(0.03, fill_mode="constant")(moved))
    network = lm.applications.ResNet18(classes=10, input_shape=(8, 8, 1), small_input=True)
    model = lm.Model(images, network(moved))
    rate = lm.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(x) // batch))
    model.compile(
        optimizer=lm.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(x, y, batch, epochs, validation_data=(x_test, y_test), verbose=0 if small else 1).history
    shares = model.predict(x_test, verbose=0)
    read = shares.argmax(axis=1)
    accuracy = float((read == y_test).mean())
    print(f"{model.count_params():,} parameters; {accuracy:.1%} of {len(read)} digits held out are read rightly")
    draw(history, x_test, y_test, shares, f"ResNet-18: {accuracy:.1%} of {len(read)} digits held out", output)
    return accuracy


def draw(history: dict, x: np.ndarray, y: np.ndarray, shares: np.ndarray, title: str, output: str) -> None:
    """How it learnt, and the digits that it was least sure of; below each, what it read and how surely."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.6))
    axes = left.subplots()
    for name, label in (("accuracy", "learning"), ("val_accuracy", "held out")):
        axes.plot(range(1, len(history[name]) + 1), 100 * np.array(history[name]), ".-", label=label)
    axes.set(xlabel="epoch", ylabel="read rightly, %", title=title)
    axes.legend()
    hardest = np.argsort(shares[np.arange(len(y)), y])[:14]
    right.suptitle("The 14 it was least sure of (red: misread)")
    for axes, i in zip(right.subplots(2, 7).flat, hardest, strict=True):
        axes.imshow(x[i, ..., 0], cmap="gray_r")
        read = shares[i].argmax()
        said = f"{read}: {shares[i, read]:.0%}" if read == y[i] else f"{read}: {shares[i, read]:.0%}\ntruly {y[i]}"
        axes.set_xlabel(said, color="black" if read == y[i] else "tab:red")
        axes.set(xticks=[], yticks=[])
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    from command_line import run

    run(main)
