"""A generative adversarial network of handwritten digits, trained until the judge can no longer tell.

Training stops by itself when the discriminator's accuracy has stayed within 0.1 of one half. A classifier that learned
on real digits says which ones were invented. Writes gan.gif, the same codes epoch by epoch.

Needs: pip install "lamina[examples,images]"
"""

import numpy as np

import lamina as lm
from lamina.applications import GAN, EqualJudges, SampleGrid
from lamina.layers import BatchNormalization, Dense, Dropout, Flatten, GaussianNoise, LeakyReLU, Reshape
from lamina.models import Sequential
from variational_autoencoder import judge

LATENT = 16


def networks() -> tuple[Sequential, Sequential]:
    """A discriminator that sees digits through noise, and a generator."""
    discriminator = Sequential([
        GaussianNoise(0.3, input_shape=(8, 8, 1)),
        Flatten(),
        Dense(128),
        LeakyReLU(0.2),
        Dropout(0.3),
        Dense(64),
        LeakyReLU(0.2),
        Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    generator = Sequential([
        Dense(128, activation="relu", input_shape=(LATENT,)),
        BatchNormalization(momentum=0.9),
        Dense(256, activation="relu"),
        BatchNormalization(momentum=0.9),
        Dense(64, activation="tanh"),
        Reshape((8, 8, 1)),
    ])  # fmt: skip
    return discriminator, generator


def main(small: bool = False, output: str = "gan.png") -> dict:
    lm.set_seed(1)
    (x, y), _ = lm.data.digits()
    classifier = judge(x, y, epochs=10 if small else 25)
    gan = GAN(*networks(), latent=LATENT)
    adams = [lm.optimizers.Adam(rate, beta_1=0.5) for rate in (2e-4, 4e-4)]
    gan.compile(*adams, label_smoothing=0.1)
    stop = EqualJudges(margin=0.1, patience=10 if small else 50, start=20 if small else 300)
    grid = SampleGrid(gif="gan.gif", rows=5, columns=12, every=5 if small else 20)
    history = gan.fit(x * 2 - 1, epochs=60 if small else 600, batch_size=64, verbose=0 if small else 1,
                      callbacks=[stop, grid])  # fmt: skip
    samples = gan.sample(1000, seed=3)
    chances = classifier.predict((samples + 1) / 2, verbose=0)
    logs = history.history
    result = {
        "stopped": stop.stopped_epoch,
        "d_accuracy": float(np.mean(logs["d_accuracy"][-10:])),
        "confidence": float(chances.max(axis=1).mean()),
        "classes": np.bincount(chances.argmax(axis=1), minlength=10) / len(chances),
    }
    print(f"{len(logs['d_loss'])} epochs; in the last 10 the judge was right in {result['d_accuracy']:.1%} of cases")
    print(f"A classifier of real digits is sure to {result['confidence']:.1%}. Shares of the invented digits:",
          *(f"{digit}: {share:.1%}" for digit, share in enumerate(result["classes"])))  # fmt: skip
    draw(output, samples, logs)
    return result


def draw(output, samples, logs) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    grid, curve = figure.subplots(1, 2, width_ratios=(1, 1.3))
    lines = [np.hstack([np.pad(picture[:, :, 0], 1, constant_values=-1) for picture in samples[i : i + 12]])
             for i in range(0, 144, 12)]  # fmt: skip
    grid.imshow(np.vstack(lines), cmap="gray_r")
    grid.set_axis_off()
    grid.set_title("invented digits")
    for name, label in (("accuracy_real", "on real"), ("accuracy_fake", "on invented"), ("d_accuracy", "both")):
        curve.plot(logs[name], lw=2 if name == "d_accuracy" else 0.8, label=label)
    curve.axhspan(0.4, 0.6, color="black", alpha=0.08)
    curve.set(title="how often the judge is right", xlabel="epoch", ylim=(0, 1))
    curve.legend()
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
