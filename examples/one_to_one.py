"""One to one: a picture in, its digit out. The plainest mode: no sequence on either side.

Needs: pip install "lamina[demo]"
"""

import lamina as lm
from lamina.layers import Dense, Dropout, Flatten
from lamina.models import Sequential


def main(small: bool = False, output: str = "one_to_one.png") -> float:
    lm.set_seed(1)
    (x, y), (x_test, y_test) = lm.data.digits()
    model = Sequential([
        Flatten(input_shape=x.shape[1:]),
        Dense(64, activation="relu"),
        Dropout(0.2),
        Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=10 if small else 30, verbose=0 if small else 1)
    predicted = model.predict(x_test, verbose=0).argmax(axis=1)
    accuracy = float((predicted == y_test).mean())
    print(f"one to one: {accuracy:.1%} of {len(y_test)} held-out digits are named rightly")
    draw(output, x_test, y_test, predicted)
    return accuracy


def draw(output, x, y, predicted) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    figure.suptitle("One to one: a picture in, its digit out (mistakes in red)")
    for axes, picture, true, said in zip(figure.subplots(2, 12).flat, x, y, predicted, strict=False):
        axes.imshow(picture[:, :, 0], cmap="gray_r")
        axes.set_title(str(said), color="black" if said == true else "tab:red")
        axes.set_axis_off()
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    from command_line import run

    run(main)
