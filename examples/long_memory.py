"""Long memory: the sum of two numbers that were marked long ago, among many that were not (the adding problem).

LSTM and GRU learn it; the simple recurrent network does no better than to say the mean. The second plot says why: how
much the answer moves with the input of each step. Gates learn to carry that gradient back to the first steps; in the
simple network it vanishes on the way.

Needs: pip install "lamina[demo]"
Reference: Hochreiter and Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014, arXiv:1406.1078; Tallec and
Ollivier 2018, arXiv:1804.11188 (how the LSTM's gates begin).
"""

import numpy as np

import lamina as lm
from lamina.layers import GRU, LSTM, Dense, SimpleRNN
from lamina.models import Sequential

UNITS = 64
COLOURS = {"SimpleRNN": "tab:blue", "LSTM": "tab:orange", "GRU": "tab:green"}


def problem(count: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in 0..1 and marks, in the first tenth and before the middle, (count, steps, 2); the sums (count, 1)."""
    draw = np.random.default_rng(seed)
    numbers, marks = draw.uniform(0, 1, (count, steps)), np.zeros((count, steps))
    for low, high in ((0, steps // 10), (steps // 10, steps // 2)):
        marks[np.arange(count), draw.integers(low, high, count)] = 1
    sums = (numbers * marks).sum(axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=2).astype("float32"), sums.astype("float32")


def remembering(shape, dtype=None) -> np.ndarray:
    """The bias of an LSTM that begins by keeping what it has: forget gates nearly open, input gates nearly closed."""
    return np.repeat([-2.0, 3.0, 0.0, 0.0], shape[0] // 4)


def gradient_norms(model: Sequential, x: np.ndarray) -> np.ndarray:
    """The mean norm of the gradient of the answer with respect to the input of each step, (steps,)."""
    inputs = lm.tensor(x, requires_grad=True)
    model(inputs, training=False).sum().backward()
    return np.linalg.norm(inputs.grad.numpy(), axis=2).mean(axis=0)


def main(small: bool = False, output: str = "long_memory.png") -> dict[str, float]:
    from matplotlib.figure import Figure

    steps, epochs = (40, 10) if small else (100, 20)
    (x, y), (x_test, y_test) = problem(5000, steps, seed=0), problem(500, steps, seed=1)
    layers = {
        "SimpleRNN": SimpleRNN(UNITS, input_shape=(steps, 2)),
        "LSTM": LSTM(UNITS, bias_initializer=remembering, unit_forget_bias=False, input_shape=(steps, 2)),
        "GRU": GRU(UNITS, input_shape=(steps, 2)),
    }
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    learning, gradients = figure.subplots(1, 2)
    errors = {"the mean": float(y_test.var())}
    for name, layer in layers.items():
        lm.set_seed(1)
        model = Sequential([layer, Dense(1)])
        model.compile(optimizer=lm.optimizers.Adam(5e-3, clipnorm=1.0), loss="mse")
        gradients.semilogy(gradient_norms(model, x_test), ":", color=COLOURS[name], label=f"{name}, before training")
        history = model.fit(x, y, validation_data=(x_test, y_test), batch_size=50, epochs=epochs, verbose=0).history
        learning.semilogy(range(1, epochs + 1), history["val_loss"], color=COLOURS[name], label=name)
        gradients.semilogy(gradient_norms(model, x_test), color=COLOURS[name], label=name)
        errors[name] = min(history["val_loss"])
        print(f"{name:<9} after {steps} steps: mean squared error {errors[name]:.4f}")
    print(f"to say the mean: {errors['the mean']:.4f}")
    learning.axhline(errors["the mean"], color="grey", lw=0.7, ls="--", label="saying the mean")
    learning.set(title=f"Adding two of {steps} numbers: squared error", xlabel="epoch")
    gradients.set(title="Gradient of the answer by step", xlabel="step", ylim=(1e-9, 10))
    learning.xaxis.get_major_locator().set_params(integer=True)
    learning.legend()
    gradients.legend(fontsize=7)
    figure.savefig(output, dpi=120)
    return errors


if __name__ == "__main__":
    from command_line import run

    run(main)
