"""Darknet's files: networks from .cfg, and their weights from and to .weights.

Format: Redmon 2013-2016, "Darknet: Open Source Neural Networks in C", in which YOLO's authors published networks and
weights. A .cfg is a list of sections, one a layer. A .weights is a header and float32 numbers, little-endian, layer by
layer: of a convolution its biases (or, where it is normalised, beta, gamma, moving mean and moving variance), then its
kernel, output channel by output channel (of a local layer, place by place). Nothing in it says where a layer begins:
every number must be counted.

Differs from Darknet in: batch normalisation adds 1e-5 to the variance, as Darknet does on a GPU (on a CPU 1e-6 to the
standard deviation); a [shortcut]'s layers must have one shape; [crop] and recurrent sections are refused, and so are
boxes coded as in networks later than YOLO v3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lamina import layers, ops
from lamina.applications.darknet_cfg import Section, read_darknet_cfg
from lamina.applications.darknet_weights import load_darknet_weights
from lamina.applications.yolo import decode_yolo_v1
from lamina.applications.yolo_v3 import EPSILON, decode_yolo_v3
from lamina.autograd.tensor import Tensor
from lamina.initializers import HeNormal
from lamina.models import Model

# Settings with which a section's numbers mean something else than `decode_darknet` takes them for: the value that they
# must have, and the one that a file without them means.
DECODED: dict[str, dict[str, tuple[Any, Any]]] = {
    "yolo": {"scale_x_y": (1, 1), "new_coords": (0, 0)},
    "region": {"tree": (None, None), "coords": (4, 4)},
    "detection": {"sqrt": (1, 0), "softmax": (0, 0)},
}
ACTIVATIONS = {"relu": "relu", "logistic": "sigmoid", "tanh": "tanh", "swish": "silu", "mish": "mish"}
HEADS = ("yolo", "region", "detection")


def load_darknet(cfg: str | Path, weights: str | Path | None = None, size: tuple[int, int] | None = None) -> Model:
    """The network of a .cfg.

    Args:
        cfg: the file.
        weights: the .weights that go with it, or None for random ones.
        size: height and width of images, other than the file's.

    Returns:
        Model of images (N, H, W, C) -> the outputs of its [yolo], [region] and [detection] sections (a list, if there
        are several), for `decode_darknet`; without any, that of its last section.

    Raises:
        ValueError: for files that are broken, or sections that are unknown or do not fit.

    Example:
        >>> import lamina as lm, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "small.cfg")
        >>> _ = path.write_text('''[net]
        ... width=32
        ... height=16
        ... channels=3
        ... [convolutional]
        ... batch_normalize=1
        ... filters=4
        ... size=3
        ... stride=2
        ... pad=1
        ... activation=leaky
        ... ''')
        >>> lm.applications.load_darknet(path).output_shape
        (None, 8, 16, 4)
    """
    net, *sections = read_darknet_cfg(cfg)
    height, width = size or _size(net)
    inputs = x = layers.Input((height, width, net.integer("channels", 3, 1)))
    found: list[Any] = []
    heads = []
    for number, section in enumerate(sections):
        if section.name not in BUILDERS:
            raise section.error(f"is unknown; known are {', '.join(sorted(BUILDERS))}")
        try:
            x = BUILDERS[section.name](section, x, found, number)
        except (ValueError, TypeError) as error:
            if str(error).startswith(section.file):
                raise
            raise section.error(f"(layer {number}) does not fit: {error}") from error
        found.append(x)
        if section.name in HEADS:
            heads.append(x)
    outputs = heads or [x]
    name = Path(cfg).stem.replace("-", "_")
    model = Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=name)
    used = {layer.name for layer in model.layers}
    for number, section in enumerate(sections):
        if section.name in ("convolutional", "local", "connected") and f"{section.name}_{number}" not in used:
            raise section.error(f"(layer {number}) leads to no output: its weights would have no place")
    if weights is not None:
        load_darknet_weights(model, weights)
    return model


def decode_darknet(outputs: Any, cfg: str | Path, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """The boxes in the outputs of a network that `load_darknet` built, and their scores.

    Args:
        outputs: those of the model.
        cfg: the file: its last sections say anchors and classes.
        size: height and width of the images, if other than the file's.

    Returns:
        boxes (N, M, 4): corners in widths and heights of the picture; scores (N, M, C): for `best_boxes`.

    Raises:
        ValueError: if there is no section with boxes, outputs do not fit, or boxes are coded as in later networks.

    Example:
        >>> import lamina as lm, numpy as np, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "head.cfg")
        >>> _ = path.write_text("[net]\\nwidth=64\\nheight=64\\n[yolo]\\nmask=0\\nanchors=16,32\\nclasses=3")
        >>> boxes, scores = lm.applications.decode_darknet(np.zeros((1, 2, 2, 8), "float32"), path)
        >>> boxes.numpy()[0, 0].tolist(), scores.shape
        ([0.125, 0.0, 0.375, 0.5], (1, 4, 3))
    """
    net, *sections = read_darknet_cfg(cfg)
    height, width = size or _size(net)
    heads = [section for section in sections if section.name in HEADS]
    given = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    if not heads or len(heads) != len(given):
        raise ValueError(f"{net.file}: {len(heads)} sections with boxes, {len(given)} outputs")
    boxes, scores = [], []
    for section, output in zip(heads, given, strict=True):
        _check_decoded(section)
        if section.name == "detection":
            box, score = decode_yolo_v1(output, section.integer("classes", None, 1))
        else:
            anchors, mask = _anchors(section)
            if section.name == "region":  # in cells, there
                rows, columns = output.shape[1:3]
                anchors = [(w * width / columns, h * height / rows) for w, h in anchors]
            softmax = section.name == "region" and section.integer("softmax", 0) != 0
            box, score = decode_yolo_v3([output], anchors, [mask], (height, width), "softmax" if softmax else "sigmoid")
        boxes.append(box)
        scores.append(score)
    return ops.concatenate(boxes, axis=1), ops.concatenate(scores, axis=1)


def _size(net: Section) -> tuple[int, int]:
    return net.integer("height", None, 1), net.integer("width", None, 1)


def _anchors(section: Section) -> tuple[list[tuple[float, float]], list[int]]:
    """Widths and heights of all anchors, and which of them are this section's."""
    numbers = section.numbers("anchors")
    if len(numbers) % 2:
        raise section.error(f"anchors must be pairs of width and height, got {len(numbers)} numbers")
    mask = section.integers("mask", list(range(len(numbers) // 2)))
    if any(not 0 <= i < len(numbers) // 2 for i in mask):
        raise section.error(f"mask must name some of {len(numbers) // 2} anchors, got {mask}")
    return list(zip(numbers[::2], numbers[1::2], strict=True)), mask


def _check_decoded(section: Section) -> None:
    for name, (wanted, default) in DECODED[section.name].items():
        value = section.numbers(name, [default])[0] if wanted is not None else section.settings.get(name)
        if value != wanted:
            only = f"only with {wanted}" if wanted is not None else "only without"
            raise section.error(f"with {name}={value} is not decoded, {only}")


def _activated(section: Section, x: Any, number: int, default: str = "logistic") -> Any:
    name = section.settings.get("activation", default)  # Darknet's defaults
    if name == "linear":
        return x
    if name == "leaky":
        return layers.LeakyReLU(0.1, name=f"leaky_{number}")(x)
    if name not in ACTIVATIONS:
        raise section.error(f"activation must be one of linear, leaky, {', '.join(ACTIVATIONS)}, got {name!r}")
    return layers.Activation(ACTIVATIONS[name], name=f"{name}_{number}")(x)


def _convolutional(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    size = section.integer("size", 1, 1)
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
    normalized = bool(section.integer("batch_normalize", 0))
    x = layers.Conv2D(
        section.integer("filters", 1, 1), size, section.integer("stride", 1, 1), padding=padding,
        groups=section.integer("groups", 1, 1), use_bias=not normalized, kernel_initializer=HeNormal(),
        name=f"convolutional_{number}",
    )(x)  # fmt: skip
    if normalized:
        x = layers.BatchNormalization(epsilon=EPSILON, name=f"batch_normalization_{number}")(x)
    return _activated(section, x, number)


def _local(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    size, pad = section.integer("size", 1, 1), section.integer("pad", 0)
    if pad and 2 * pad != size - 1:  # Darknet's own sizes contradict each other there
        raise section.error(f"of size {size} needs pad=0 or {size // 2}, got {pad}")
    x = layers.LocallyConnected2D(
        section.integer("filters", 1, 1), size, section.integer("stride", 1, 1), padding=pad,
        kernel_initializer=HeNormal(), name=f"local_{number}",
    )(x)  # fmt: skip
    return _activated(section, x, number)


def _connected(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    if len(x.shape) > 2:
        x = layers.Flatten(name=f"flatten_{number}")(x)
    x = layers.Dense(section.integer("output", 1, 1), kernel_initializer=HeNormal(), name=f"connected_{number}")(x)
    if section.integer("batch_normalize", 0):
        raise section.error("with batch_normalize is not read")
    return _activated(section, x, number)


def _maxpool(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    """Darknet pads by size - 1 in all, the smaller half before: what lies there never wins."""
    stride = section.integer("stride", 1, 1)
    size = section.integer("size", stride, 1)
    padding = section.integer("padding", size - 1)
    before = padding // 2
    sides = []
    for n in x.shape[1:3]:  # what no window reaches need not be there
        count = (n + padding - size) // stride + 1
        sides.append((before, max((count - 1) * stride + size - n - before, 0)))
    return layers.MaxPooling2D(size, stride, padding=tuple(sides), name=f"maxpool_{number}")(x)


def _route(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    parts = [_earlier(section, found, number, i) for i in section.integers("layers")]
    y = parts[0] if len(parts) == 1 else layers.Concatenate(name=f"route_{number}")(parts)
    groups, group = section.integer("groups", 1, 1), section.integer("group_id", 0)
    if group >= groups or y.shape[-1] % groups:
        raise section.error(f"cannot give group {group} of {groups} of {y.shape[-1]} channels")
    if groups > 1:
        share = y.shape[-1] // groups
        y = y[..., group * share : (group + 1) * share]
    return y


def _shortcut(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    others = [_earlier(section, found, number, i) for i in section.integers("from")]
    return _activated(section, layers.Add(name=f"shortcut_{number}")([x, *others]), number, "linear")


def _earlier(section: Section, found: Sequence[Any], number: int, index: int) -> Any:
    place = number + index if index < 0 else index
    if not 0 <= place < number:
        raise section.error(f"(layer {number}) refers to layer {place}, which does not come before it")
    return found[place]


def _reorg(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    """Pixels to channels, in Darknet's own order: as if the channels' numbers were already cut into blocks."""
    s = section.integer("stride", 1, 1)
    _, h, w, c = x.shape
    if c % (s * s) or h % s or w % s:
        raise section.error(f"needs multiples of {s} pixels and of {s * s} channels, got {h} x {w} x {c}")
    y = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, c // (s * s), h, s, w, s))
    y = ops.reshape(ops.transpose(y, (0, 3, 5, 1, 2, 4)), (-1, c * s * s, h // s, w // s))
    return ops.transpose(y, (0, 2, 3, 1))


def _detection(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    """YOLO v1's: all classes, then all confidences, then all boxes; here cell by cell, as `decode_yolo_v1` has them."""
    side, boxes, classes = (section.integer(name, None, 1) for name in ("side", "num", "classes"))
    cells = side * side
    if x.shape[1:] != (cells * (classes + 5 * boxes),):
        raise section.error(f"needs {cells * (classes + 5 * boxes)} numbers from a dense layer, got {x.shape[1:]}")
    kinds = ops.reshape(x[:, : cells * classes], (-1, side, side, classes))
    confidences = ops.reshape(x[:, cells * classes : cells * (classes + boxes)], (-1, side, side, boxes, 1))
    corners = ops.reshape(x[:, cells * (classes + boxes) :], (-1, side, side, boxes, 4))
    both = ops.reshape(ops.concatenate([corners, confidences], axis=-1), (-1, side, side, 5 * boxes))
    return ops.concatenate([both, kinds], axis=-1)


def _head(section: Section, x: Any, found: Sequence[Any], number: int) -> Any:
    count = len(_anchors(section)[1])
    depth = count * (5 + section.integer("classes", None, 1))
    if x.shape[-1] != depth:
        raise section.error(f"of {count} anchors needs {depth} channels, got {x.shape[-1]}")
    return layers.Activation("linear", name=f"{section.name}_{number}")(x)


BUILDERS: dict[str, Callable[[Section, Any, Sequence[Any], int], Any]] = {
    "convolutional": _convolutional,
    "local": _local,
    "connected": _connected,
    "maxpool": _maxpool,
    "route": _route,
    "shortcut": _shortcut,
    "reorg": _reorg,
    "detection": _detection,
    "yolo": _head,
    "region": _head,
    "upsample": lambda s, x, found, k: layers.UpSampling2D(s.integer("stride", 2, 1), name=f"upsample_{k}")(x),
    "avgpool": lambda s, x, found, k: layers.GlobalAveragePooling2D(keepdims=True, name=f"avgpool_{k}")(x),
    "dropout": lambda s, x, found, k: layers.Dropout(s.numbers("probability", [0.5])[0], name=f"dropout_{k}")(x),
    "softmax": lambda s, x, found, k: layers.Softmax(name=f"softmax_{k}")(x),
    "cost": lambda s, x, found, k: x,
}
