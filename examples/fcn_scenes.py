"""A fully convolutional network names the class of every pixel of scenes that it has never seen, in coloured masks.

In the form of FCN-8s: a classifier without dense layers gives coarse scores; transposed convolutions, which begin as
bilinear interpolation, enlarge them twice, and scores of earlier pools are added on the way. The backbone is a narrow
VGG with three pools (lamina.applications.FCN8s is the paper's, on VGG-16). The scenes are synthetic.

Needs: pip install "lamina[demo]"
Reference: Long, Shelhamer & Darrell 2015, arXiv:1411.4038.
"""

import lamina as lm
from lamina.layers import Activation, Add, BatchNormalization, Conv2D, Conv2DTranspose, Input, MaxPooling2D


def fcn(input_shape: tuple[int, int, int], classes: int, filters: int) -> lm.Model:
    """Scores at strides of 8, 4 and 2, each enlarged twice and added to the next."""

    def convolve(x: lm.Tensor, channels: int, size: int = 3) -> lm.Tensor:
        x = Conv2D(channels, size, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return Activation("relu")(BatchNormalization(momentum=0.9)(x))

    def enlarged(scores: lm.Tensor) -> lm.Tensor:
        up = Conv2DTranspose(classes, 4, strides=2, padding="same", use_bias=False, kernel_initializer="bilinear")
        return up(scores)

    x = inputs = Input(input_shape)
    pools = []
    for block in range(3):
        for _ in range(2):
            x = convolve(x, filters << block)
        x = MaxPooling2D(2)(x)
        pools.append(x)
    x = convolve(convolve(x, filters * 8, 5), filters * 8, 1)  # "fc6" and "fc7", as convolutions
    scores = Conv2D(classes, 1, kernel_initializer="zeros")(x)
    for pool in pools[1::-1]:
        scores = Add()([enlarged(scores), Conv2D(classes, 1, kernel_initializer="zeros")(pool)])
    return lm.Model(inputs, Activation("softmax")(enlarged(scores)))


def main(small: bool = False, output: str = "fcn_scenes.png") -> float:
    lm.set_seed(0)
    size, count, epochs, batch = ((48, 48), 200, 12, 8) if small else ((96, 96), 1000, 16, 16)
    scenes = lm.data.load_scenes(count, size, seed=0)
    unseen = lm.data.load_scenes(40 if small else 200, size, seed=0, held_out=True)
    names = ["background", *scenes.class_names]
    x, y, x_unseen, y_unseen = (
        part for of in (scenes, unseen) for part in (of.images.astype("float32") / 255, of.semantic.astype("int64"))
    )
    model = fcn((*size, 3), len(names), filters=12 if small else 24)
    model.compile(
        optimizer=lm.optimizers.Adam(lm.optimizers.schedules.CosineDecay(0.01, epochs * len(x) // batch)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x, y, batch, epochs, validation_data=(x_unseen, y_unseen), verbose=0 if small else 1)
    answers = model.predict(x_unseen, verbose=0).argmax(axis=-1)
    report = lm.metrics.segmentation_report(y_unseen, answers, len(names), names)
    print(f"{model.count_params():,} parameters, {len(answers)} scenes held out\n{report}")
    title = f"FCN: mean IoU {report.mean_iou:.3f} on scenes held out"
    lm.utils.plot_segmentation(unseen.images[:6], answers[:6], y_unseen[:6], names, output, title=title)
    return report.mean_iou


if __name__ == "__main__":
    from command_line import run

    run(main)
