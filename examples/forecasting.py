"""Forecasting in four steps: pre-process, build, train, evaluate. LSTM and GRU against the naive forecasts.

Real series that come with statsmodels: yearly sunspots and weekly CO2 at Mauna Loa; or a column of your own CSV file,
of prices or weather: python forecasting.py --csv weather.csv --column temperature --season 365

Needs: pip install "lamina[examples]"
"""

import numpy as np

import lamina as lm
from lamina.layers import GRU, LSTM, Dense
from lamina.models import Sequential


def series(name: str) -> np.ndarray:
    """A series of statsmodels; weeks without a measurement are drawn straight between their neighbours."""
    from statsmodels import datasets

    values = getattr(datasets, name).load_pandas().data[{"sunspots": "SUNACTIVITY", "co2": "co2"}[name]]
    return values.interpolate().to_numpy()


def windows(values: np.ndarray, past: int, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of `past` values, the values after, both as distances from the last value in `scale`, and that one."""
    stretches = np.lib.stride_tricks.sliding_window_view(values, past + 1)
    last = stretches[:, past - 1, None]
    relative = ((stretches - last) / scale).astype("float32")
    return relative[:, :past, None], relative[:, past:], last[:, 0]


def forecast(values: np.ndarray, season: int, layer: type, epochs: int) -> tuple[np.ndarray, dict[str, float]]:
    """The last fifth of the series, forecast one step ahead, and each method's mean absolute error there."""
    # Pre-process: the split is chronological, and the scale is that of the past alone.
    past, split = 2 * season, int(len(values) * 0.8)
    scale = float(np.abs(np.diff(values[:split])).mean())
    x, y, last = windows(values, past, scale)
    train = split - past  # windows whose next value lies before the split
    # Build
    model = Sequential([layer(32, input_shape=(past, 1)), Dense(1)])
    model.compile(optimizer=lm.optimizers.Adam(3e-3), loss="mae")
    # Train: the last tenth of the past says when to stop.
    stop = lm.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    held = train * 9 // 10
    newest = (x[held:train], y[held:train])
    model.fit(x[:held], y[:held], validation_data=newest, epochs=epochs, callbacks=[stop], verbose=0)
    # Evaluate
    predicted = last[train:] + model.predict(x[train:], verbose=0)[:, 0] * scale
    truth = values[split:]
    error = {
        layer.__name__: float(np.abs(predicted - truth).mean()),
        "last value": float(np.abs(last[train:] - truth).mean()),
        "last season": float(np.abs(values[split - season : -season] - truth).mean()),
    }
    return predicted, error


def main(small: bool = False, output: str = "forecasting.png", csv=None, column=None, season=None) -> dict[str, dict]:
    from matplotlib.figure import Figure

    if csv is None:
        work = {"sunspots": (series("sunspots"), 11), "co2": (series("co2"), 52)}
    else:
        work = {column: (np.genfromtxt(csv, delimiter=",", names=True)[column], season)}
    figure = Figure(figsize=(10, 3.6 * len(work)), layout="constrained")
    errors: dict[str, dict] = {}
    rows = figure.subplots(len(work), squeeze=False)[:, 0]
    for axes, (name, (values, season)) in zip(rows, work.items(), strict=True):
        errors[name] = {}
        for layer in (LSTM, GRU):
            lm.set_seed(1)
            predicted, error = forecast(values, season, layer, epochs=25 if small else 100)
            errors[name].update(error)
            axes.plot(np.arange(len(values) - len(predicted), len(values)), predicted, lw=1, label=layer.__name__)
        shown = range(len(values) - 3 * len(predicted) // 2, len(values))
        axes.plot(shown, values[shown.start :], color="black", lw=0.7, zorder=0, label="truth")
        axes.set_title(f"{name}: mean absolute error " + ", ".join(f"{k} {v:.3g}" for k, v in errors[name].items()))
        axes.set_xlabel("step of the series")
        axes.legend()
        print(name + ": " + ", ".join(f"{method} {error:.4g}" for method, error in errors[name].items()))
    figure.savefig(output, dpi=120)
    return errors


if __name__ == "__main__":
    from command_line import run

    run(
        main,
        csv={"help": "a file with a line of names on top"},
        column={"help": "which column of it"},
        season={"type": int, "default": 12, "help": "the length of its season, in lines (12)"},
    )
