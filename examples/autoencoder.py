"""Autoencoders against PCA: handwritten digits through a code of few numbers and back, deep and sparse.

PCA is the best that a linear network can do. The deep autoencoder has as many numbers in its code; so has the sparse
one, whose units are rarely on. All are measured on digits that none has seen.

Needs: pip install "lamina[examples]"
"""

import numpy as np

import lamina as lm
from lamina.applications import deep_autoencoder, sparse_autoencoder

RHO = 0.05


def principal_components(x: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """The test rows, reconstructed from their first components in the space of x."""
    mean = x.mean(axis=0)
    axes = np.linalg.svd(x - mean, full_matrices=False)[2][:count]
    return (test - mean) @ axes.T @ axes + mean


def main(small: bool = False, output: str = "autoencoder.png") -> dict[str, float]:
    (x, _), (x_test, y_test) = lm.data.digits()
    x, x_test = x.reshape(-1, 64), x_test.reshape(-1, 64)
    units, codes = ((256, 128), (8, 16)) if small else ((512, 256, 128), (8, 16))
    lm.set_seed(1)
    models = {
        "deep": deep_autoencoder((64,), (*units, codes[0])),
        "sparse": sparse_autoencoder((64,), (*units, codes[1]), rho=RHO, factor=0.01),
    }
    rows, errors = {"original": x_test}, {}
    for (name, model), size in zip(models.items(), codes, strict=True):
        model.compile(lm.optimizers.Adam(1e-3), loss="mse")
        model.fit(x, x, epochs=80 if small else 100, verbose=0 if small else 1)
        rows[f"{name}, code of {size}"] = model.predict(x_test, verbose=0)
        rows[f"PCA, {size} components"] = principal_components(x, x_test, size)
    for name, found in rows.items():
        if found is not x_test:
            errors[name] = float(((found - x_test) ** 2).mean())
            print(f"{name:24s} mean squared error {errors[name]:.4f}")
    activity = models["sparse"].get_layer("encoder").predict(x_test, verbose=0)
    print(f"sparse code: mean activation {activity.mean():.3f}, aimed at {RHO}")
    draw(output, rows, errors, y_test, models["sparse"].get_layer("encoder"), x_test)
    return errors


def draw(output, rows, errors, y, encoder, x_test) -> None:
    from matplotlib.figure import Figure

    shown = [int(np.flatnonzero(y == digit)[0]) for digit in range(10)]
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(5, 2.6))
    top.suptitle("Digits that none has seen, through a code and back")
    for line, (name, pictures) in zip(top.subplots(len(rows), 1), rows.items(), strict=True):
        line.imshow(np.hstack([np.pad(pictures[i].reshape(8, 8), 1) for i in shown]), cmap="gray_r", vmin=0, vmax=1)
        title = name if name == "original" else f"{name}\nerror {errors[name]:.4f}"
        line.set_ylabel(title, rotation=0, ha="right", va="center")
        line.set_xticks([])
        line.set_yticks([])
    left, right = bottom.subplots(1, 2, width_ratios=(3, 2))
    code = encoder.predict(x_test, verbose=0)
    left.imshow(code[np.argsort(y)].T, aspect="auto", cmap="magma", vmin=0, vmax=1)
    left.set(title="the sparse code: few units are on at a time", xlabel="test digits, by class", ylabel="unit")
    right.hist(code.ravel(), bins=40, log=True, color="tab:purple")
    right.set(title=f"activations: mean {code.mean():.3f}", xlabel="activation")
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    from command_line import run

    run(main)
