"""Batch normalisation folded into the convolution before it: a network for inference alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.symbolic import Node, map_leaves, record, symbols_in
from lamina.layers.conv import Conv, Conv2D
from lamina.layers.conv_transpose import ConvTranspose
from lamina.layers.core import Dense, InputLayer
from lamina.layers.layer import Layer
from lamina.layers.normalization import BatchNormalization
from lamina.models.fusing import Chain, Readers, fused, is_relu, simple, sum_of_two
from lamina.models.model import Model


def fold_batch_norm(model: Model) -> Model:
    """A copy of a model for inference, whose convolutions do the work of the normalisation behind them.

    Out of y = gamma (x * kernel + bias - mean) / sqrt(variance + epsilon) + beta become one kernel and one bias, which
    are rounded once; a relu that follows becomes the convolution's. Where a sum comes between, as at the end of a
    residual block, a 1x1 convolution on the CPU does the sum and the relu as it writes; behind other convolutions
    normalisation stays, which does them in the same pass. Convolutions of every kind and Dense layers are folded, in
    models inside too.

    Args:
        model: a Sequential, or a Model of a graph. It stays as it is.

    Returns:
        Model with weights of its own, frozen: training it would not move the statistics.

    Raises:
        AttributeError: for a model that is no graph.

    Example:
        >>> import lamina as lm, numpy as np
        >>> layers = [lm.layers.Conv2D(4, 3), lm.layers.BatchNormalization(), lm.layers.ReLU()]
        >>> model = lm.models.Sequential([lm.layers.Input((8, 8, 3)), *layers])
        >>> folded = lm.models.fold_batch_norm(model)
        >>> [layer.name.split("_")[0] for layer in folded.layers]
        ['input', 'conv2d']
        >>> x = np.ones((1, 8, 8, 3), "float32")
        >>> np.allclose(folded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
        True
    """
    graph = model._of_graph("graph to fold")
    readers = Readers(graph.nodes, graph.flat_outputs)
    summing = {  # these do a sum in the same pass
        call.nodes[0]
        for call in fused([n for n in graph.nodes if not isinstance(n.operation, InputLayer)], graph.flat_outputs)
        if isinstance(call, Chain) and any(sum_of_two(n) for n in call.nodes)
    }
    calls: dict[Any, int] = {}
    for node in graph.nodes:
        calls[node.operation] = calls.get(node.operation, 0) + 1
    values: dict[int, Any] = {}
    copies: dict[Layer, Layer] = {}
    done: set[Node] = set()
    for tensor in graph.flat_inputs:
        values[id(tensor)] = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=graph.source(tensor)).tensor
    for node in graph.nodes:
        operation = node.operation
        if isinstance(operation, InputLayer) or node in done:
            continue
        args, kwargs = map_leaves(lambda leaf: values.get(id(leaf), leaf), (node.args, node.kwargs))
        normal = _normalization_behind(node, readers, calls)
        normal = None if normal in summing and not _sums(operation, normal.operation) else normal
        if not isinstance(operation, Layer):
            result, last = record(operation.name, args, kwargs), node
        elif normal is not None:
            after = readers.only(normal)
            relu = after if after is not None and simple(after) and is_relu(after.operation) else None
            layer, last = _folded(operation, normal.operation, relu is not None), relu or normal
            done.update((normal, last))
            result = layer(*args)
        else:
            copies.setdefault(operation, _copied(operation))
            result, last = copies[operation](*args, **kwargs), node
        for old, new in zip(symbols_in(last.outputs), symbols_in(result), strict=True):
            values[id(old)] = new
    inputs = map_leaves(lambda t: values[id(t)], graph.inputs)
    outputs = map_leaves(lambda t: values[id(t)], graph.outputs)
    return Model(inputs, outputs, name=model.name, trainable=False)


def _normalization_behind(node: Node, readers: Readers, calls: dict[Any, int]) -> Node | None:
    """The call of a BatchNormalization that can be folded into this one."""
    layer = node.operation
    foldable = isinstance(layer, Conv | ConvTranspose | Dense) and simple(node) and calls[layer] == 1
    if not foldable or layer._activation_name != "linear" or layer.activity_regularizer is not None:
        return None
    after = readers.only(node)
    if after is None or type(after.operation) is not BatchNormalization or not simple(after):
        return None
    if calls[after.operation] > 1 or not after.operation.takes_sum():
        return None
    return after


def _sums(layer: Any, normal: Any) -> bool:
    """Whether a convolution can do the sum that its normalisation does."""
    return type(layer) is Conv2D and layer.takes_sum(normal)


def _folded(layer: Any, normal: Any, relu: bool) -> Layer:
    """The layer with the normalisation in its kernel and bias."""
    config = {**layer.get_config(), "use_bias": True, "activation": "relu" if relu else "linear"}
    made = type(layer).from_config(config)
    made.build(layer._build_shape)
    statistics: Any = (
        None if v is None else backend.to_host(v.array).astype(np.float64)
        for v in (normal.moving_mean, normal.moving_variance, normal.gamma, normal.beta)
    )
    mean, variance, gamma, beta = statistics
    scale = 1 / np.sqrt(variance + normal.epsilon)
    if gamma is not None:
        scale = scale * gamma
    bias: Any = 0 if layer.bias is None else backend.to_host(layer.bias.array).astype(np.float64)
    kernel, dtype = backend.to_host(layer.kernel.array).astype(np.float64), layer.kernel.array.dtype
    wide = scale[:, None] if isinstance(layer, ConvTranspose) else scale  # filters come before channels there
    made.kernel.assign((kernel * wide).astype(dtype))
    made.bias.assign(((bias - mean) * scale + (0 if beta is None else beta)).astype(dtype))
    return made


def _copied(layer: Layer) -> Layer:
    """The same layer with weights of its own."""
    if isinstance(layer, Model):
        return fold_batch_norm(layer)
    made = type(layer).from_config(layer.get_config())
    if layer.built:
        made.build(layer._build_shape)
        made.set_weights(layer.get_weights())
    return made
