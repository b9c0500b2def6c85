"""simple_rnn, lstm and gru beside torch.nn.RNN, LSTM and GRU. Skipped unless torch is installed (".[parity]")."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")

LAYERS = {"simple_rnn": ("RNN", "rnn"), "lstm": ("LSTM", "lstm"), "gru": ("GRU", "gru")}
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-9)], ids=["32", "64"])
NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def close(got: Any, wanted: Any, tolerance: float) -> None:
    wanted = wanted.detach().numpy() if hasattr(wanted, "detach") else wanted
    assert got.shape == wanted.shape
    assert np.abs(got.numpy() - wanted).max(initial=0) <= tolerance * max(1, np.abs(wanted).max(initial=0))


def converted(kind: str, layer: Any, suffix: str = "", gradients: bool = False) -> list[np.ndarray[Any, Any]]:
    """The weights of one direction, or their gradients: the sum of both biases has the gradient of either."""
    given = [getattr(layer, name + suffix) for name in NAMES if hasattr(layer, name + suffix)]
    arrays = [(p.grad if gradients else p).detach().numpy() for p in given]
    if gradients and kind != "gru" and len(arrays) == 4:
        arrays[3] = np.zeros_like(arrays[3])
    return getattr(lm.layers, f"from_torch_{LAYERS[kind][1]}")(*arrays)


def values(*shape: int, dtype: Any) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def run_torch(layer: Any, x: Any, state: Any, lengths: Any, time_major: bool) -> tuple[Any, tuple[Any, ...]]:
    rnn = torch.nn.utils.rnn
    if lengths is not None:
        x = rnn.pack_padded_sequence(x, lengths, batch_first=not time_major, enforce_sorted=False)
    y, last = layer(x, state)
    if lengths is not None:
        y = rnn.pad_packed_sequence(y, batch_first=not time_major, total_length=7)[0]
    return y, last if isinstance(last, tuple) else (last,)


@DTYPES
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("count", "units", "options"),
    [
        (5, 19, {}),
        (1, 1, {}),
        (33, 16, {"bias": False}),
        (6, 21, {"lengths": True}),
        (4, 40, {"time_major": True}),
        (6, 9, {"lengths": True, "time_major": True}),
        (5, 19, {"bidirectional": True}),
        (7, 8, {"bidirectional": True, "lengths": True}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_beside_torch(kind: str, count: int, units: int, options: dict[str, Any], dtype: Any, tolerance: float) -> None:
    torch.manual_seed(0)
    both, time_major = options.get("bidirectional", False), options.get("time_major", False)
    layer = getattr(torch.nn, LAYERS[kind][0])(
        3, units, batch_first=not time_major, bidirectional=both, bias=options.get("bias", True),
        dtype=getattr(torch, np.dtype(dtype).name),
    )  # fmt: skip
    lengths = np.random.default_rng(0).integers(1, 8, count) if "lengths" in options else None
    x = values(*((7, count) if time_major else (count, 7)), 3, dtype=dtype)
    states = [values(1 + both, count, units, dtype=dtype) * scale for scale in ((0.5, 1) if kind == "lstm" else (0.5,))]

    peer_x = torch.from_numpy(x).requires_grad_()
    peer_states = tuple(torch.from_numpy(s).requires_grad_() for s in states)
    given = None if lengths is None else torch.from_numpy(lengths)
    peer_y, peer_last = run_torch(layer, peer_x, peer_states if kind == "lstm" else peer_states[0], given, time_major)
    (peer_y**2).sum().add(sum((s**2).sum() for s in peer_last)).backward()

    ours = lm.tensor(x, requires_grad=True)
    directions = []
    for i, suffix in enumerate(("", "_reverse")[: 1 + both]):
        weights = [lm.tensor(w, requires_grad=True) for w in converted(kind, layer, suffix)]
        start = [lm.tensor(s[i], requires_grad=True) for s in states]
        directions.append((weights, start, suffix))
    rest = {"lengths": lengths, "time_major": time_major, "zero_output_for_mask": True}
    starts = [tuple(d[1]) if kind == "lstm" else d[1][0] for d in directions]
    if both:
        function = getattr(lm.ops, f"bidirectional_{kind}")
        results = function(ours, directions[0][0], directions[1][0], starts, **rest)
    else:
        (weights, _, _), bias = directions[0], ()
        results = (getattr(lm.ops, kind)(ours, *weights, *bias, initial_state=starts[0], **rest),)
    total = lm.ops.sum(ours * 0)
    for i, (y, *last) in enumerate(results):
        close(y, peer_y[..., i * units : (i + 1) * units], tolerance)
        for got, wanted in zip(last, peer_last, strict=True):
            close(got, wanted[i], tolerance)
        total = total + sum((t * t).sum() for t in (y, *last))
    total.backward()
    close(ours.grad, peer_x.grad, tolerance)
    for i, (weights, start, suffix) in enumerate(directions):
        for w, wanted in zip(weights, converted(kind, layer, suffix, gradients=True), strict=True):
            close(w.grad, wanted, 4 * tolerance)
        for s, wanted in zip(start, peer_states, strict=True):
            close(s.grad, wanted.grad[i], tolerance)


@pytest.mark.parametrize("kind", LAYERS)
def test_wrong_shapes_are_refused(kind: str) -> None:
    convert = getattr(lm.layers, f"from_torch_{LAYERS[kind][1]}")
    with pytest.raises(ValueError, match="expected weight_ih"):
        convert(np.ones((7, 3)), np.ones((12, 4)))
