"""A small DCGAN that designs garments: pictures of 32x32, trained in minutes. Writes dcgan.gif, an epoch a frame.

The garments are synthetic (drawn); with a folder of the files of Fashion-MNIST, --folder learns from those instead. A
classifier of the garments gives features, whose Frechet distance to those of held-out garments must fall.

Needs: pip install "lamina[examples,images]"
"""

import numpy as np

import lamina as lm
from lamina.applications import GAN, EqualJudges, SampleGrid, dcgan_discriminator, dcgan_generator, dcgan_optimizer
from lamina.layers import Conv2D, Dense, Flatten, GaussianNoise
from lamina.models import Sequential

LATENT = 32


def garments(folder, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of 32x32 from -1 to 1, and classes."""
    if folder is None:
        images, labels, _ = lm.data.load_garments(count, size=32, seed=0)
    else:
        (images, labels), _ = lm.data.read_mnist(folder)
        images, labels = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))[:count], labels[:count]
    return images.astype("float32") / 127.5 - 1, labels


class Distance(lm.callbacks.Callback):
    """The Frechet distance of the samples' features to those of held-out garments, after some epochs."""

    def __init__(self, features, held, every: int) -> None:
        self.features, self.every, self.found = features, every, {}
        self.real = features.predict(held, verbose=0)

    def on_epoch_end(self, epoch, logs=None) -> None:
        if (epoch + 1) % self.every == 0 or epoch == 0:
            samples = self.features.predict(self.model.sample(len(self.real), seed=1), verbose=0)
            self.found[epoch + 1] = lm.metrics.frechet_distance(self.real, samples)


def main(small: bool = False, output: str = "dcgan.png", folder=None) -> dict:
    lm.set_seed(1)
    x, y = garments(folder, 1200 if small else 4500)
    held, x, y = x[:500], x[500:], y[500:]
    classifier = Sequential([
        Conv2D(16, 3, strides=2, padding="same", activation="relu", input_shape=x.shape[1:]),
        Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        Flatten(),
        Dense(32, activation="relu", name="features"),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    classifier.compile(lm.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    classifier.fit(x, y, epochs=5, verbose=0)
    features = lm.Model(classifier.inputs, classifier.get_layer("features").output)
    filters = 8 if small else 16
    generator = dcgan_generator(LATENT, x.shape[1:], filters)
    noise = GaussianNoise(0.1, input_shape=x.shape[1:])  # on real and invented pictures alike
    gan = GAN(Sequential([noise, dcgan_discriminator(x.shape[1:], filters, dropout=0.5)]), generator, LATENT)
    gan.compile(dcgan_optimizer(1e-4), dcgan_optimizer(4e-4), label_smoothing=0.1)
    distance = Distance(features, held, every=2)
    stop = EqualJudges(margin=0.1, patience=40, start=20)
    grid = SampleGrid(gif="dcgan.gif", rows=4, columns=8, every=1 if small else 3, scale=1)
    logs = gan.fit(x, epochs=6 if small else 60, batch_size=32 if small else 64, verbose=0 if small else 1,
                   callbacks=[distance, stop, grid]).history  # fmt: skip
    generator.save("dcgan.safetensors")
    chances = classifier.predict(gan.sample(1000, seed=3), verbose=0)
    result = {"distance": distance.found, "d_accuracy": float(np.mean(logs["d_accuracy"][-10:])),
              "confidence": float(chances.max(axis=1).mean()),
              "classes": np.bincount(chances.argmax(axis=1), minlength=10) / len(chances)}  # fmt: skip
    print("Frechet distance by epoch:", *(f"{epoch}: {value:.1f}" for epoch, value in distance.found.items()))
    print(
        f"In the last 10 epochs the judge was right in {result['d_accuracy']:.1%} of cases; the classifier is sure "
        f"to {result['confidence']:.1%}; shares of the kinds:",
        *(f"{share:.1%}" for share in result["classes"]),
    )
    draw(output, gan.sample(60, seed=3), logs, distance.found)
    return result


def draw(output, samples, logs, distance) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    grid, judge, frechet = figure.subplots(1, 3, width_ratios=(1.6, 1, 1))
    grid.imshow(lm.applications.gan_callbacks.tiled(samples, rows=6), cmap="gray")
    grid.set_axis_off()
    judge.plot(logs["d_accuracy"])
    judge.axhspan(0.4, 0.6, color="black", alpha=0.08)
    judge.set(title="how often the judge is right", xlabel="epoch", ylim=(0, 1))
    frechet.semilogy(list(distance), list(distance.values()), marker="o")
    frechet.set(title="Frechet distance to held-out ones", xlabel="epoch")
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main, folder={"help": "a folder with the files of Fashion-MNIST"})
