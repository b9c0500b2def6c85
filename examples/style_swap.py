"""Style swap: one encoder, two decoders. Plain garments are drawn anew with stripes, and the other way round.

The principle of face swaps: both sets of pictures go through one encoder, disguised so that it cannot tell whose they
are; each set has a decoder of its own, and a picture is swapped by the other set's. No garment is in both sets. A
classifier of drawn pictures says whether a swapped one is the same kind of garment in the other style. The garments
are synthetic (drawn).

Needs: pip install "lamina[examples]"
"""

import numpy as np

import lamina as lm
from lamina.applications import SharedAutoencoder
from lamina.layers import Conv2D, Dense, Flatten
from lamina.models import Sequential

KINDS = len(lm.data.garments.GARMENTS)


def garments(count: int, style: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, and classes: a kind in plain, or KINDS more in stripes."""
    images, labels, _ = lm.data.load_garments(count, style=style, seed=seed)
    return images.astype("float32") / 255, labels + KINDS * (style == "striped")


def disguised(x: np.ndarray, seed: int) -> np.ndarray:
    """The pictures with dark lines drawn at random across: the encoder shall not go by those."""
    draw = np.random.default_rng(seed)
    many, phase, depth = (draw.uniform(*bounds, (len(x), 1)) for bounds in ((4, 14), (0, 1), (0, 1)))
    dark = np.sin(2 * np.pi * (many * np.linspace(0, 1, x.shape[1]) + phase)) > 0
    return (x * (1 - depth * dark)[:, :, None, None]).astype("float32")


def judge(x: np.ndarray, y: np.ndarray) -> Sequential:
    """A classifier of kinds and styles, of pictures that were drawn, not swapped."""
    model = Sequential([
        Conv2D(16, 3, strides=2, padding="same", activation="relu", input_shape=x.shape[1:]),
        Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        Flatten(),
        Dense(2 * KINDS, activation="softmax"),
    ])  # fmt: skip
    model.compile(lm.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=8, verbose=0)
    return model


def main(small: bool = False, output: str = "style_swap.png") -> dict[str, float]:
    lm.set_seed(1)
    count = 1000 if small else 4000
    (plain, plain_kinds), (striped, striped_kinds) = (
        garments(count, "plain", seed=0),
        garments(count, "striped", seed=1),
    )
    plain_test, kinds = garments(200, "plain", seed=2)
    striped_test, _ = garments(200, "striped", seed=2)  # the same garments in the other style
    pair = SharedAutoencoder(plain.shape[1:], latent=24, filters=(16, 32))
    pair.model.compile(lm.optimizers.Adam(2e-3), loss="mse")
    pictures = [plain, striped]
    hidden = [disguised(part, seed) for seed, part in enumerate(pictures)]
    pair.model.fit(hidden, pictures, epochs=20 if small else 30, verbose=0 if small else 1)
    to_striped, to_plain = pair.a_to_b(plain_test), pair.b_to_a(striped_test)
    classifier = judge(np.concatenate(pictures), np.concatenate([plain_kinds, striped_kinds]))
    result = {}
    for name, swapped, style in (("plain to striped", to_striped, KINDS), ("striped to plain", to_plain, 0),
                                 ("drawn striped", striped_test, KINDS), ("drawn plain", plain_test, 0)):  # fmt: skip
        found = classifier.predict(swapped, verbose=0).argmax(axis=1)
        result[name] = float((found == kinds + style).mean())
        print(f"{name:17s} seen by the judge as that kind in that style: {result[name]:.1%}")
    result["error"] = float(((to_plain - plain_test) ** 2).mean())
    print(f"striped to plain: mean squared error to the true picture {result['error']:.4f}")
    rows = {"plain": plain_test, "as striped": to_striped, "truth": striped_test,
            "striped": striped_test, "as plain": to_plain, "the truth": plain_test}  # fmt: skip
    draw(output, rows)
    return result


def draw(output, rows) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    figure.suptitle("One encoder, two decoders: garments (synthetic) that none has seen, drawn anew by the other set's")
    for axes, (name, pictures) in zip(figure.subplots(len(rows), 1), rows.items(), strict=True):
        axes.imshow(np.hstack([np.pad(picture[:, :, 0], 1) for picture in pictures[:14]]), cmap="gray", vmin=0, vmax=1)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
