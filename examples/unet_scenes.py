"""U-Net names the class of every pixel of scenes that it has never seen, in coloured masks.

The scenes, shapes on a noisy background, are synthetic: lamina.data.load_scenes draws them, and knows each pixel's
class. Every pass shows them changed: flipped, moved and zoomed together with their masks.

Needs: pip install "lamina[demo]"
Reference: Ronneberger, Fischer & Brox 2015, arXiv:1505.04597.
"""

import numpy as np

import lamina as lm

Augment, LabelledImage = lm.data.Augment, lm.data.LabelledImage


def main(small: bool = False, output: str = "unet_scenes.png") -> float:
    lm.set_seed(0)
    size, count, epochs, batch = ((48, 48), 200, 12, 8) if small else ((96, 96), 1000, 14, 16)
    scenes = lm.data.load_scenes(count, size, seed=0)
    unseen = lm.data.load_scenes(40 if small else 200, size, seed=0, held_out=True)
    names = ["background", *scenes.class_names]
    augment = Augment(flip=0.5, zoom=(0.9, 1.2), shift=0.1, brightness=0.05, fill=128, seed=0)

    def prepared(image: np.ndarray, semantic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = augment(LabelledImage(image, semantic=semantic))
        return seen.image.astype("float32") / 255, seen.semantic.astype("int64")

    data = lm.data.Dataset.from_arrays((scenes.images, scenes.semantic)).shuffle(seed=0).map(prepared).batch(batch)
    x_unseen, y_unseen = unseen.images.astype("float32") / 255, unseen.semantic.astype("int64")
    model = lm.applications.UNet(
        (*size, 3), len(names), filters=8 if small else 12, depth=3, padding="same", batch_normalization=True
    )
    model.compile(
        optimizer=lm.optimizers.Adam(lm.optimizers.schedules.CosineDecay(0.01, epochs * count // batch)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", lm.metrics.MeanIoU(len(names), name="mean_iou", sparse_y_pred=False)],
    )
    model.fit(data, epochs=epochs, validation_data=(x_unseen, y_unseen), verbose=0 if small else 1)
    answers = model.predict(x_unseen, verbose=0).argmax(axis=-1)
    report = lm.metrics.segmentation_report(y_unseen, answers, len(names), names)
    print(f"{model.count_params():,} parameters, {len(answers)} scenes held out\n{report}")
    title = f"U-Net: mean IoU {report.mean_iou:.3f} on scenes held out"
    lm.utils.plot_segmentation(unseen.images[:6], answers[:6], y_unseen[:6], names, output, title=title)
    return report.mean_iou


if __name__ == "__main__":
    from command_line import run

    run(main)
