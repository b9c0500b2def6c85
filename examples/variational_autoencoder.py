"""A variational autoencoder of handwritten digits: new digits, judged by a classifier that learned on real ones.

Also draws a map of a code of two numbers, and digits on the way from one to another.

Needs: pip install "lamina[examples]"
"""

import numpy as np

import lamina as lm
from lamina.applications import VariationalAutoencoder
from lamina.layers import Conv2D, Dense, Dropout, Flatten
from lamina.models import Sequential


def judge(x: np.ndarray, y: np.ndarray, epochs: int) -> Sequential:
    """A classifier of real digits."""
    model = Sequential([
        Conv2D(32, 3, padding="same", activation="relu", input_shape=x.shape[1:]),
        Conv2D(64, 3, strides=2, padding="same", activation="relu"),
        Flatten(),
        Dropout(0.3),
        Dense(64, activation="relu"),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(lm.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=epochs, verbose=0)
    return model


def main(small: bool = False, output: str = "variational_autoencoder.png") -> dict:
    lm.set_seed(1)
    (x, y), (x_test, y_test) = lm.data.digits()
    classifier = judge(x, y, epochs=10 if small else 25)
    models = {}
    for latent in (8, 2):
        model = models[latent] = VariationalAutoencoder(x.shape[1:], latent, units=(256, 128))
        model.compile(lm.optimizers.Adam(1e-3))
        epochs = 40 if small else 150
        model.fit(x, x, epochs=epochs, batch_size=64, validation_data=(x_test, x_test), verbose=0 if small else 1)
    samples = models[8].sample(1000, seed=3)
    chances = classifier.predict(samples, verbose=0)
    result = {
        "negative_elbo": models[8].evaluate(x_test, x_test, verbose=0),
        "accuracy_on_real": classifier.evaluate(x_test, y_test, verbose=0)[1],
        "confidence": float(chances.max(axis=1).mean()),
        "confidence_on_real": float(classifier.predict(x_test, verbose=0).max(axis=1).mean()),
        "classes": np.bincount(chances.argmax(axis=1), minlength=10) / len(chances),
    }
    print(f"-ELBO of held-out digits, with the codes' means: {result['negative_elbo']:.2f} nats")
    print(
        f"The judge is right on {result['accuracy_on_real']:.1%} of held-out real digits, and sure to "
        f"{result['confidence_on_real']:.1%} of them; of 1000 new ones it is sure to {result['confidence']:.1%}."
    )
    print(
        "Shares of the new digits by class:",
        *(f"{digit}: {share:.1%}" for digit, share in enumerate(result["classes"])),
    )
    draw(output, models, samples, chances, (x_test, y_test))
    return result


def draw(output, models, samples, chances, test) -> None:
    from matplotlib.figure import Figure

    x, y = test
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    grid, plane, spread, path = figure.subplots(2, 2).flat
    lines = [np.hstack([np.pad(picture[:, :, 0], 1) for picture in samples[i : i + 12]]) for i in range(0, 120, 12)]
    grid.imshow(np.vstack(lines), cmap="gray_r")
    grid.set_title(f"new digits; the judge is sure to {chances.max(axis=1).mean():.1%}")
    side = np.linspace(-2.2, 2.2, 14, dtype="float32")
    codes = np.stack(np.meshgrid(side, side[::-1]), axis=-1).reshape(-1, 2)
    pictures = models[2].decoder.predict(codes, verbose=0)[..., 0].reshape(14, 14, 8, 8)
    plane.imshow(pictures.transpose(0, 2, 1, 3).reshape(112, 112), cmap="gray_r", extent=(-2.4, 2.4, -2.4, 2.4))
    plane.set_title("a map: what each code of two numbers stands for")
    means, _ = models[2].encoder.predict(x, verbose=0)
    dots = spread.scatter(*means.T, c=y, cmap="tab10", vmin=-0.5, vmax=9.5, s=8)
    spread.set_title("where held-out digits lie on it")
    figure.colorbar(dots, ax=spread, ticks=range(10))
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    ends = [[x[np.flatnonzero(y == digit)[0]] for digit in pair] for pair in pairs]
    ways = [np.hstack([np.pad(step[:, :, 0], 1) for step in models[8].interpolate(*pair, steps=10)]) for pair in ends]
    path.imshow(np.vstack(ways), cmap="gray_r")
    path.set_title("on the way from one held-out digit to another")
    for axes in (grid, path):
        axes.set_axis_off()
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
