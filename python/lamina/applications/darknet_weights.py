"""Darknet's .weights: a header, and every number of every layer in the order in which the network was built."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend
from lamina.layers import BatchNormalization, Conv2D, Dense, Flatten, LocallyConnected2D
from lamina.models import Model
from lamina.models.saving import write_atomically

Array = Any
VERSION = (0, 2, 5)  # what is written: numbers of images seen have 64 bits from 0.2 on


@dataclass(frozen=True)
class Part:
    """Some numbers of a file: the variable that they go to, and the way from the file's order to ours and back."""

    layer: str
    what: str
    variable: Any
    read: Callable[[Array], Array]
    write: Callable[[Array], Array]

    @property
    def count(self) -> int:
        return math.prod(self.variable.shape)


def load_darknet_weights(model: Model, path: str | Path) -> int:
    """Takes a network's weights from a .weights of Darknet. Either all are taken or none.

    Args:
        model: what `load_darknet` built, or `YOLOv3`, `YOLOv3Tiny`, or any graph of convolutions (each without a bias
            where batch normalisation follows), locally connected and dense layers, made in the file's order.
        path: the file.

    Returns:
        How many images the weights have seen, as the file says.

    Raises:
        ValueError: if the file is cut short, named by the layer in which it ends, or too long, with the counts; if its
            header is none; if the model has other layers with weights.

    Example:
        >>> import lamina as lm, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tiny.weights")
        >>> model = lm.applications.YOLOv3Tiny((32, 32, 3), classes=1, filters=1)
        >>> lm.applications.save_darknet_weights(model, path, seen=64)
        >>> lm.applications.load_darknet_weights(model, path)
        64

    Reference:
        Redmon 2013-2016, "Darknet: Open Source Neural Networks in C".
    """
    parts = _parts(model)
    data, name = Path(path).read_bytes(), Path(path).name
    seen, numbers = _header(data, name)
    if len(numbers) % 4:
        raise ValueError(f"{name} is cut short: {len(numbers)} bytes after the header are no whole numbers of 4 bytes")
    values = np.frombuffer(numbers, "<f4")
    total, ends = sum(part.count for part in parts), 0
    for part in parts:
        ends += part.count
        if ends > len(values):
            raise ValueError(
                f"{name} is cut short: {part.what} of {part.layer}, {part.variable.shape}, needs {part.count:,} "
                f"numbers, {len(values) - ends + part.count:,} are left; {model.name} needs {total:,} in all, "
                f"the file has {len(values):,}"
            )
    if len(values) > total:
        raise ValueError(
            f"{name} is too long: after {parts[-1].layer}, the last layer, {model.name} needs no more than {total:,} "
            f"numbers, the file has {len(values):,}"
        )
    start = 0
    for part in parts:
        array = values[start : start + part.count].astype(part.variable.dtype)
        part.variable.assign(np.ascontiguousarray(part.read(array)))
        start += part.count
    return seen


def save_darknet_weights(model: Model, path: str | Path, seen: int = 0) -> None:
    """Writes a network's weights as a .weights, in float32.

    Args:
        model: see `load_darknet_weights`.
        path: the file.
        seen: how many images it was trained with.

    Raises:
        ValueError: if the model has other weights than Darknet's layers.

    Example: see `load_darknet_weights`.
        >>> import lamina as lm, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tiny.weights")
        >>> lm.applications.save_darknet_weights(lm.applications.YOLOv3Tiny((32, 32, 3), classes=1, filters=1), path)
        >>> path.stat().st_size % 4
        0

    Reference:
        Redmon 2013-2016, "Darknet: Open Source Neural Networks in C".
    """
    parts = _parts(model)
    header = np.array(VERSION, "<i4").tobytes() + np.array([seen], "<u8").tobytes()
    numbers = (part.write(backend.to_host(part.variable.array)).astype("<f4").tobytes() for part in parts)
    write_atomically(path, itertools.chain([header], numbers))


def _header(data: bytes, name: str) -> tuple[int, bytes]:
    """Images seen, and what follows."""
    if len(data) >= 12:
        major, minor, revision = np.frombuffer(data[:12], "<i4").tolist()
        if not (0 <= major < 1000 and 0 <= minor < 1000):  # from 1000 on dense layers' matrices stand on their sides
            raise ValueError(f"{name}: the header says version {major}.{minor}.{revision}, which no file read here has")
        wide = major * 10 + minor >= 2
        end = 20 if wide else 16
        if len(data) >= end:
            return int(np.frombuffer(data[12:end], "<u8" if wide else "<u4")[0]), data[end:]
    raise ValueError(f"{name} is cut short: {len(data)} bytes are no header of 16 or 20")


def _parts(model: Model) -> list[Part]:
    """All numbers, in the file's order: that in which the layers were made."""
    nodes: dict[int, Any] = {}
    waiting = [t.node for t in model.outputs]
    while waiting:
        node = waiting.pop()
        if node is not None and node.number not in nodes:
            nodes[node.number] = node
            waiting.extend(t.node for t in node.inputs)
    ordered = [nodes[number] for number in sorted(nodes)]
    normalization: dict[int, Any] = {}
    for node in ordered:
        source = node.inputs[0].node if node.inputs else None
        if source is not None and isinstance(node.operation, BatchNormalization):
            normalization[source.number] = node.operation
    parts: list[Part] = []
    known: list[Any] = []
    for node in ordered:
        layer = node.operation
        if isinstance(layer, Conv2D):
            norm = normalization.get(node.number)
            if norm is not None and layer.bias is not None:
                raise ValueError(f"{layer.name}: in Darknet a convolution that is normalised has no bias")
            if norm is not None:
                known.append(norm)
                for what in ("beta", "gamma", "moving_mean", "moving_variance"):
                    parts.append(_plain(norm.name, what, getattr(norm, what)))
            elif layer.bias is not None:
                parts.append(_plain(layer.name, "bias", layer.bias))
            parts.append(_kernel(layer))
        elif isinstance(layer, LocallyConnected2D):
            if layer.bias is not None:
                parts.append(_by_channel(layer.name, "bias", layer.bias))
            parts.append(_local_kernel(layer, node.inputs[0].shape[3]))
        elif isinstance(layer, Dense):
            if layer.bias is not None:
                parts.append(_plain(layer.name, "bias", layer.bias))
            parts.append(_dense(layer, node.inputs[0]))
        else:
            continue
        known.append(layer)
    others = [layer.name for layer in model.layers if layer.weights and not any(layer is k for k in known)]
    if others or not parts:
        raise ValueError(f"{model.name}: Darknet's files hold convolutions, local and dense layers, here are {others}")
    return parts


def _plain(layer: str, what: str, variable: Any) -> Part:
    return Part(layer, what, variable, lambda a: a, lambda a: a.reshape(-1))


def _kernel(layer: Any) -> Part:
    height, width, inputs, filters = layer.kernel.shape
    return Part(
        layer.name, "kernel", layer.kernel,
        lambda a: a.reshape(filters, inputs, height, width).transpose(2, 3, 1, 0),
        lambda a: a.transpose(3, 2, 0, 1).reshape(-1),
    )  # fmt: skip


def _by_channel(layer: str, what: str, variable: Any) -> Part:
    """(rows, columns, channels) here, channel by channel there."""
    rows, columns, channels = variable.shape
    return Part(
        layer, what, variable,
        lambda a: a.reshape(channels, rows, columns).transpose(1, 2, 0),
        lambda a: a.transpose(2, 0, 1).reshape(-1),
    )  # fmt: skip


def _local_kernel(layer: Any, inputs: int) -> Part:
    """Place by place a kernel like a convolution's; here its taps stand in one axis."""
    places, taps, filters = layer.kernel.shape
    height, width = layer.kernel_size
    return Part(
        layer.name, "kernel", layer.kernel,
        lambda a: a.reshape(places, filters, inputs, height, width).transpose(0, 3, 4, 2, 1)
        .reshape(places, taps, filters),
        lambda a: a.reshape(places, height, width, inputs, filters).transpose(0, 4, 3, 1, 2).reshape(-1),
    )  # fmt: skip


def _dense(layer: Any, x: Any) -> Part:
    """Rows of outputs; behind a map of features the inputs are channel by channel there, pixel by pixel here."""
    inputs, units = layer.kernel.shape
    before: tuple[int, ...] = ()
    if x.node is not None and isinstance(x.node.operation, Flatten):
        before = x.node.inputs[0].shape
    h, w, c = before[1:4] if len(before) == 4 else (1, 1, inputs)
    return Part(
        layer.name, "kernel", layer.kernel,
        lambda a: a.reshape(units, c, h, w).transpose(2, 3, 1, 0).reshape(inputs, units),
        lambda a: a.reshape(h, w, c, units).transpose(3, 2, 0, 1).reshape(-1),
    )  # fmt: skip
