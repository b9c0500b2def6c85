"""Weight files of any origin: which name in a file is which variable, and how its array is laid out there.

A layout is a dictionary of names to `Entry`. `torch_layout` and `keras_layout` make one from layers; a file that names
things in another way gets a dictionary of its own. `load_weights` takes the layout that fits the file best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina import backend
from lamina.autograd.variable import Variable
from lamina.layers.conv import Conv
from lamina.layers.conv_transpose import ConvTranspose
from lamina.layers.core import Dense
from lamina.layers.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from lamina.layers.embedding import Embedding
from lamina.layers.layer import Layer
from lamina.models.saving import OPTIMIZER, read_arrays

Array = Any
Weights = str | Path | Mapping[str, Array] | None  # what builders take: a file, or arrays by name
Shape = tuple[int, ...]


class Entry(NamedTuple):
    """A variable, and how a file holds it: value = array.reshape(split).transpose(axes).reshape(variable.shape).

    Attributes:
        variable: what the array is for.
        shape: the shape of the file's array.
        split: the shape that it is seen in first.
        axes: the order that the axes are brought to then.
    """

    variable: Variable
    shape: Shape
    split: Shape
    axes: Shape

    def value(self, array: Array) -> Array:
        """What the variable gets for an array of the file."""
        return np.ascontiguousarray(array.reshape(self.split).transpose(self.axes)).reshape(self.variable.shape)


Layout = dict[str, Entry]


def entry(
    variable: Variable, axes: Shape | None = None, split: Shape | None = None, shape: Shape | None = None
) -> Entry:
    """How a file holds a variable.

    Args:
        variable: what the file's array is for.
        axes: the order that the array's axes are brought to; None: as they are.
        split: the shape that it is seen in before that; None: the one that gives the variable's shape.
        shape: the array's own shape; None: split.

    Returns:
        Entry.

    Raises:
        ValueError: if the sizes do not multiply to the variable's.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.weights import entry
        >>> kernel = lm.Variable(np.zeros((3, 2), "float32"))
        >>> held = entry(kernel, axes=(1, 0))
        >>> held.shape, held.value(np.arange(6).reshape(2, 3)).tolist()
        ((2, 3), [[0, 3], [1, 4], [2, 5]])
    """
    order = tuple(range(variable.ndim)) if axes is None else tuple(axes)
    if split is None:
        sizes = [0] * len(order)
        for place, axis in enumerate(order):
            sizes[axis] = variable.shape[place]
        split = tuple(sizes)
    found = Entry(variable, split if shape is None else tuple(shape), tuple(split), order)
    if len({math.prod(s) for s in (variable.shape, found.shape, found.split)}) != 1:
        raise ValueError(
            f"entry: {variable.path} has shape {variable.shape}, which is not {found.split} of {found.shape}"
        )
    return found


def torch_layout(modules: Mapping[str, Layer], flattened: Mapping[str, Shape] | None = None) -> Layout:
    """What PyTorch calls the weights of layers, and how it lays them out: kernels (O, I, H, W), matrices (O, I).

    Args:
        modules: layers by the path of PyTorch's module, as "layer1.0.conv1": convolutions (transposed and depthwise
            too), Dense, Embedding, and normalisations.
        flattened: for Dense layers behind a Flatten, the image's shape (H, W, C), by path: PyTorch flattens channels
            first.

    Returns:
        Entries by the names of a state dict.

    Raises:
        TypeError: for a layer of another kind: make its entries with `entry`.

    Example:
        >>> import lamina as lm
        >>> from lamina.applications.weights import torch_layout
        >>> layer = lm.layers.Conv2D(8, 3)
        >>> layer.build((None, 5, 5, 4))
        >>> {name: held.shape for name, held in torch_layout({"features.0": layer}).items()}
        {'features.0.weight': (8, 4, 3, 3), 'features.0.bias': (8,)}
    """
    images = flattened or {}
    layout: Layout = {}
    for path, layer in modules.items():
        for name, held in _of_layer(layer, images.get(path)).items():
            layout[f"{path}.{name}" if path else name] = held
    return layout


def _of_layer(layer: Layer, image: Shape | None) -> Layout:
    by_name: dict[str, Any] = {v.name: v for v in layer._variables}
    kernel: Any = by_name.get("kernel")
    names = {"bias": "bias"}
    found: Layout = {}
    if isinstance(layer, Dense):
        units = kernel.shape[-1]
        if image is None:
            found["weight"] = entry(kernel, (1, 0))
        else:
            height, width, channels = image
            shape = units, math.prod(image)
            found["weight"] = entry(kernel, (2, 3, 1, 0), (units, channels, height, width), shape)
    elif isinstance(layer, DepthwiseConv1D | DepthwiseConv2D):
        *taps, channels, multiplier = kernel.shape
        axes = (*range(2, 2 + len(taps)), 0, 1)
        found["weight"] = entry(kernel, axes, (channels, multiplier, *taps), (channels * multiplier, 1, *taps))
    elif isinstance(layer, Conv | ConvTranspose):
        found["weight"] = entry(kernel, (*range(2, kernel.ndim), 1, 0))
    elif isinstance(layer, Embedding):
        names = {"embeddings": "weight"}
    elif {"gamma", "beta"} & by_name.keys():
        names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    elif by_name:
        raise TypeError(f"torch_layout: no rule for {layer.name} ({type(layer).__name__}): make entries with `entry`")
    return found | {theirs: entry(by_name[ours]) for ours, theirs in names.items() if ours in by_name}


def torch_names(model: Layer, flattened: Mapping[str, Shape] | None = None) -> Layout:
    """`torch_layout` of a model whose layers have the names of PyTorch's modules.

    Args:
        model: a built model.
        flattened: see `torch_layout`.

    Returns:
        Entries by the names of a state dict.

    Example:
        >>> import lamina as lm
        >>> from lamina.applications.weights import torch_names
        >>> model = lm.models.Sequential([lm.layers.Input((2,)), lm.layers.Dense(1, name="head.fc")])
        >>> list(torch_names(model))
        ['head.fc.weight', 'head.fc.bias']
    """
    return torch_layout({layer.name: layer for layer in model.layers_inside() if layer._variables}, flattened)


def keras_layout(layers: Iterable[Layer], names: Callable[[Layer], str] = lambda layer: layer.name) -> Layout:
    """What Keras calls the weights of layers, "block1_conv1/kernel"; they are laid out as here.

    Args:
        layers: the layers.
        names: what Keras calls a layer; by default what it is called here.

    Returns:
        Entries by name.

    Example:
        >>> import lamina as lm
        >>> from lamina.applications.weights import keras_layout
        >>> layer = lm.layers.Dense(3, name="predictions")
        >>> layer.build((None, 5))
        >>> list(keras_layout([layer]))
        ['predictions/kernel', 'predictions/bias']
    """
    return {f"{names(layer)}/{v.name}": entry(v) for layer in layers for v in layer._variables}


def arrays_of(source: str | Path | Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a safetensors file, by name; arrays by name as they are.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole safetensors file.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.weights import arrays_of
        >>> arrays_of({"fc.bias": np.zeros(2)})["fc.bias"].shape
        (2,)
    """
    return dict(source) if isinstance(source, Mapping) else read_arrays(source)[0]


def load_weights(
    model: Layer,
    source: str | Path | Mapping[str, Array],
    layouts: Mapping[str, Layout] | None = None,
    ignore: Iterable[str] = (),
    origin: str = "",
) -> None:
    """Gives a model the weights of a file, whoever wrote it; nothing changes unless all fit.

    Of Lamina's own names, Keras's (by the layers' names) and the layouts given, those are taken that the file shares
    most names with. PyTorch's counters, "num_batches_tracked", and the state of an optimizer are passed over.

    Args:
        model: a built model.
        source: a safetensors file, or arrays by name.
        layouts: other ways of naming the weights, by what errors call them ("torchvision").
        ignore: what names begin with that the file may hold beyond the model, as "fc." of a top that is left out.
        origin: where arrays by name come from, for errors.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if names are missing, unknown or of another shape: all are listed.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.weights import load_weights, torch_layout
        >>> model = lm.models.Sequential([lm.layers.Input((2,)), lm.layers.Dense(1)])
        >>> arrays = {"fc.weight": np.ones((1, 2), "float32"), "fc.bias": np.ones(1, "float32")}
        >>> load_weights(model, arrays, {"PyTorch": torch_layout({"fc": model.layers[0]})})
        >>> model.predict(np.ones((1, 2), "float32"), verbose=0).item()
        3.0
    """
    given = arrays_of(source)
    path = origin if isinstance(source, Mapping) else source
    said = f"weights of {path} do" if path else "these weights do"
    arrays = {
        name: np.asarray(array)
        for name, array in given.items()
        if not name.startswith(OPTIMIZER) and not name.endswith("num_batches_tracked")
    }
    own = {name: entry(v) for name, v in model.named_weights().items()}
    known = {"Lamina": own, "Keras": keras_layout(model.layers_inside()), **(layouts or {})}
    kind, layout = max(known.items(), key=lambda item: len(item[1].keys() & arrays.keys()))
    skipped = tuple(ignore)
    extra = [name for name in arrays if name not in layout and not (skipped and name.startswith(skipped))]
    wrong = [f"{name} is missing" for name in layout if name not in arrays]
    wrong += [f"{name} is not in the model" for name in extra]
    for name, held in layout.items():
        if name in arrays and arrays[name].shape != held.shape:
            wrong.append(f"{name} must have shape {held.shape}, got {arrays[name].shape}")
        elif name in arrays and arrays[name].dtype.kind not in "fV":
            wrong.append(f"{name} must hold floats, got {arrays[name].dtype}")
    if wrong:
        raise ValueError(f"{said} not fit {model.name}, by the names of {kind}: " + "; ".join(wrong))
    for name, held in layout.items():
        held.variable.assign(backend.cast(held.value(arrays[name]), held.variable.dtype))
