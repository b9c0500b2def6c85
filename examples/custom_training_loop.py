"""A training loop of one's own: what `fit` does, step by step, on the handwritten digits.

Needs scikit-learn for the data: pip install "lamina[demo]".
"""

import numpy as np

import lamina as lm
from lamina.layers import Dense, Flatten
from lamina.models import Sequential

EPOCHS, BATCH = 5, 32


def main() -> float:
    lm.set_seed(3)
    (x, y), (x_test, y_test) = lm.data.digits()
    model = Sequential([Flatten(input_shape=x.shape[1:]), Dense(64, activation="relu"), Dense(10)])
    loss_function = lm.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = lm.optimizers.Adam(3e-3)
    order = np.random.default_rng(0)

    for epoch in range(EPOCHS):
        mean_loss = lm.metrics.Mean()
        for rows in np.array_split(order.permutation(len(x)), len(x) // BATCH):
            loss = loss_function(y[rows], model(x[rows], training=True))
            loss.backward()
            optimizer.step(model.trainable_weights)  # and the gradients are used up
            mean_loss.update_state(loss)
        with lm.no_grad():
            accuracy = (model(x_test).numpy().argmax(axis=1) == y_test).mean()
        print(f"epoch {epoch + 1}: loss {mean_loss.result():.3f}, test accuracy {accuracy:.1%}")
    return float(accuracy)


if __name__ == "__main__":
    from command_line import run

    run(main)
