"""clone_model: the same architecture with weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.autograd.symbolic import SymbolicTensor, leaves_of, map_leaves
from lamina.layers.core import InputLayer
from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.models.sequential import Sequential


def clone_model(model: Model, input_tensors: Any = None, clone_function: Callable[[Layer], Layer] | None = None) -> Any:
    """A model of the same layers, made anew: with weights of its own, at their first values.

    Args:
        model: a Sequential, or a Model of a graph.
        input_tensors: symbolic tensors to build on instead of new inputs, in the order of ``model.inputs``.
        clone_function: what makes a layer out of each one, inputs excepted; by default from its configuration. It may
            give the layer itself, which is shared then.

    Returns:
        Model of the same kind.

    Raises:
        ValueError: for a model that is no graph, or another number of input tensors.
        TypeError: if clone_function gives something else than a Layer.

    Example:
        >>> import lamina as lm
        >>> model = lm.models.Sequential([lm.layers.Input((3,)), lm.layers.Dense(2)])
        >>> lm.models.clone_model(model).count_params()
        8
    """
    if not isinstance(model, Model) or (type(model) is not Sequential and model._graph is None):
        raise ValueError(f"clone_model: model must be a Sequential or made of a graph, got {model!r}")

    def clone(layer: Layer) -> Layer:
        if isinstance(layer, InputLayer) or clone_function is None:
            made = type(layer).from_config(layer.get_config())
        else:
            made = clone_function(layer)
        if not isinstance(made, Layer):
            raise TypeError(f"clone_model: clone_function must give a Layer, got {made!r}")
        return made

    given = None if input_tensors is None else leaves_of(input_tensors)
    if given is not None and any(not isinstance(t, SymbolicTensor) for t in given):
        raise ValueError("clone_model: input_tensors must be symbolic tensors, as Input gives them")
    if isinstance(model, Sequential):
        if given is not None and len(given) != 1:
            raise ValueError(f"clone_model: {model.name} has one input, got {len(given)} input tensors")
        layers = [layer for layer in model._layers if given is None or not isinstance(layer, InputLayer)]
        copy = Sequential([*(given or []), *[clone(layer) for layer in layers]], model.trainable, model.name)
        if not copy.built and model._build_shape is not None:
            copy.build(model._build_shape)
        return copy
    graph: Any = model._graph
    swap = {layer: clone(layer) for layer in graph.layers}
    if given is None:
        fresh = []
        for tensor in graph.flat_inputs:
            layer = swap.get(tensor.node.operation)
            if not isinstance(layer, InputLayer):  # an input from the middle of another graph
                layer = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            fresh.append(layer.tensor)
    elif len(given) != len(graph.flat_inputs):
        raise ValueError(
            f"clone_model: {model.name} has {len(graph.flat_inputs)} inputs, got {len(given)} input tensors"
        )
    else:
        fresh = given
    outputs = graph.apply(fresh, swap=swap)
    rest = list(fresh)
    return Model(map_leaves(lambda _: rest.pop(0), graph.inputs), outputs, name=model.name, trainable=model.trainable)
