"""What 1x1 convolutions save: GoogLeNet, which learns to read handwritten digits, and its blocks without them.

In a block of GoogLeNet a 1x1 convolution makes a map thinner before the 3x3 and the 5x5 see it, and another thins what
the pool gives. Here each of the nine blocks stands beside the one that the paper calls naive, of the same outputs but
for the pool's, which are as many as came in: parameters, multiplications, and the time that both take. A bottleneck of
ResNet-50 stands beside two 3x3 convolutions of its width. Then GoogLeNet learns, with both auxiliary classifiers.

Needs: pip install "lamina[demo]"
Reference: Szegedy et al. 2014, arXiv:1409.4842; He et al. 2015, arXiv:1512.03385.
"""

import time

import numpy as np

import lamina as lm
from lamina.applications.inception import BLOCKS
from lamina.layers import Concatenate, Conv2D, Input, MaxPooling2D

SIDES = {"3": 28, "4": 14, "5": 7}  # pixels of a block's map, for images of 224 x 224


def block(name: str, thinned: bool, inputs: int) -> lm.Model:
    """A block of GoogLeNet, or its naive form."""
    one, before_three, three, before_five, five, behind_pool = BLOCKS[name]
    side = SIDES[name[len("inception")]]
    x = Input((side, side, inputs))

    def convolve(y: lm.Tensor, filters: int, size: int) -> lm.Tensor:
        return Conv2D(filters, size, padding="same", activation="relu")(y)

    pool = MaxPooling2D(3, 1, padding="same")(x)
    branches = [
        convolve(x, one, 1),
        convolve(convolve(x, before_three, 1) if thinned else x, three, 3),
        convolve(convolve(x, before_five, 1) if thinned else x, five, 5),
        convolve(pool, behind_pool, 1) if thinned else pool,
    ]
    return lm.Model(x, Concatenate()(branches))


def residual(bottleneck: bool) -> lm.Model:
    """What is added in a block of ResNet-50's first stage, or two 3x3 convolutions of the same width."""
    y = x = Input((56, 56, 256))
    for filters, size in ((64, 1), (64, 3), (256, 1)) if bottleneck else ((256, 3), (256, 3)):
        y = Conv2D(filters, size, padding="same", activation="relu")(y)
    return lm.Model(x, y)


def costs(model: lm.Model, runs: int) -> tuple[int, int, float]:
    """Parameters, multiplications for an image, and seconds for one (the best of some runs)."""
    convolutions = [layer for layer in model.layers if isinstance(layer, Conv2D)]
    pixels = int(np.prod(model.input_shape[1:3]))
    x = np.random.default_rng(0).random((1, *model.input_shape[1:]), "float32")
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        model.predict(x, verbose=0)
        times.append(time.perf_counter() - start)
    return model.count_params(), pixels * sum(layer.kernel.size for layer in convolutions), min(times)


def main(small: bool = False, output: str = "inception_one_by_one.png") -> dict[str, float]:
    from matplotlib.figure import Figure

    lm.set_seed(0)
    rows, inputs, runs = {}, 192, 3 if small else 30
    for name, channels in BLOCKS.items():
        rows[name] = costs(block(name, True, inputs), runs), costs(block(name, False, inputs), runs)
        inputs = channels[0] + channels[2] + channels[4] + channels[5]
    rows["bottleneck"] = costs(residual(True), runs), costs(residual(False), runs)
    saved = {name: np.array(naive) / np.array(thin) for name, (thin, naive) in rows.items()}
    for name, (thin, naive) in rows.items():
        print(f"{name:12} {naive[1] / 1e6:6.0f} -> {thin[1] / 1e6:5.0f} million multiplications, "
              f"{saved[name][0]:.1f} times fewer parameters, {saved[name][2]:.1f} times as fast")  # fmt: skip
    (x, y), (x_test, y_test) = lm.data.digits()
    x, x_test = (np.kron(images, np.ones((1, 4, 4, 1), "float32")) for images in (x, x_test))  # 32 x 32 pixels
    model = lm.applications.InceptionV1(classes=10, input_shape=(32, 32, 1), auxiliary=True)
    x, y, epochs, batch = (x[:480], y[:480], 4, 32) if small else (x, y, 8, 32)
    rate = lm.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(x) // batch))
    model.compile(lm.optimizers.Adam(rate), ["sparse_categorical_crossentropy"] * 3, loss_weights=[1, 0.3, 0.3])
    model.fit(x, [y] * 3, batch, epochs, verbose=0 if small else 1)
    accuracy = float((model.predict(x_test, verbose=0)[0].argmax(axis=1) == y_test).mean())
    print(f"GoogLeNet reads {accuracy:.1%} of {len(y_test)} digits held out rightly")
    axes = (figure := Figure(figsize=(9, 4), layout="constrained")).subplots()
    for i, label in enumerate(("parameters", "multiplications", "time")):
        axes.bar(np.arange(len(saved)) + 0.27 * (i - 1), [s[i] for s in saved.values()], 0.25, label=label)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(saved)), [name.removeprefix("inception") for name in saved])
    axes.set(ylabel="without 1x1 convolutions over with", title="What 1x1 convolutions save in GoogLeNet and ResNet-50")
    axes.legend()
    figure.savefig(output, dpi=90)
    return {"multiplications": float(min(s[1] for s in saved.values())), "accuracy": accuracy}


if __name__ == "__main__":
    from command_line import run

    run(main)
