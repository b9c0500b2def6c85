"""Sequential: layers one after the other."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from lamina import backend, ops
from lamina.autograd.symbolic import SymbolicTensor, symbols_in
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.layers.conv import Conv2D
from lamina.layers.core import InputLayer
from lamina.layers.layer import Layer, register
from lamina.layers.masks import with_masks
from lamina.layers.shapes import map_shapes, shapes_in
from lamina.models.functional import Graph
from lamina.models.graph_config import restore_layer, sharing, stored_layer
from lamina.models.model import Model, by_kind


@register
class Sequential(Model):
    """Layers one after the other.

    Weights are made at once if the first layer says its ``input_shape`` (or is an `Input`), else with the first data.

    Args:
        layers: the layers.
        trainable: whether training changes the weights.
        name: the model's name.

    Example:
        >>> import lamina as lm
        >>> model = lm.models.Sequential()
        >>> model.add(lm.layers.Dense(4, activation="relu", input_shape=(18,)))
        >>> model.add(lm.layers.Dense(3, activation="relu"))
        >>> model.add(lm.layers.Dense(1, activation="sigmoid"))
        >>> model.count_params()
        95
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self._layers: list[Layer] = []
        self._whole: Graph | None = None
        self._chain: list[Any] = []  # symbolic: the input, and what each layer makes of it
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Layer | SymbolicTensor) -> None:
        """Puts a layer at the end.

        Raises:
            TypeError: if it is no Layer.
            ValueError: if its name is taken, or it does not fit what comes before.
        """
        if isinstance(layer, SymbolicTensor) and isinstance(layer.node.operation, InputLayer):  # type: ignore[union-attr]
            layer = layer.node.operation  # type: ignore[union-attr]
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: add expects a Layer, got {layer!r}")
        if any(layer.name == other.name for other in self._layers):
            raise ValueError(f"{self.name}: all layers must have names of their own, there are two {layer.name!r}")
        if not self._layers and layer.batch_input_shape is not None:
            self.batch_input_shape = layer.batch_input_shape
            self._dtype = layer._dtype
        if not self._layers or (len(self._layers) == 1 and isinstance(self._layers[0], InputLayer)):
            self.autocast = layer.autocast
        self._layers.append(layer)
        shape = self._build_shape if self._build_shape is not None else self.batch_input_shape
        if shape is not None:
            self.built = False
            try:
                self.build(shape)
            except BaseException:
                self._layers.pop()
                raise
        if not self._trainable:
            layer.trainable = False

    def pop(self) -> Layer:
        """Takes the last layer off.

        Raises:
            ValueError: if there is none.
        """
        if not self._layers:
            raise ValueError(f"{self.name}: pop: there are no layers")
        layer = self._layers.pop()
        del self._chain[len(self._layers) + 1 :]
        self._whole = None
        if not self._layers:
            self.built, self._build_shape, self.batch_input_shape = False, None, None
        return layer

    @property
    def layers(self) -> list[Layer]:
        """The layers, without an `Input`."""
        return [layer for layer in self._layers if type(layer).__name__ != "InputLayer"]

    def _contents(self) -> tuple[list[Variable], list[Layer]]:
        return self._variables, self._layers

    def children(self) -> list[tuple[str, Layer]]:
        """The layers by kind and number, dense, dense_1: these places do not depend on what was made before."""
        return by_kind(self.layers)

    def _accept(self, x: Any) -> Any:
        """A first layer that takes strings or integers gets them as they are; it knows best what not to round."""
        first = next((layer for layer in self._layers if not isinstance(layer, InputLayer)), None)
        usual = first is None or ((first.autocast or isinstance(first, Model)) and not backend.is_narrow(self._dtype))
        return super()._accept(x) if first is None or usual else first._accept(x)

    @property
    def _input_dtype(self) -> Any:
        return self._layers[0]._input_dtype if self._layers and backend.is_narrow(self._dtype) else self._dtype

    def build(self, input_shape: Any = None) -> None:
        shape = self.batch_input_shape if input_shape is None else tuple(input_shape)
        if shape is None or not self._layers:
            raise ValueError(f"{self.name}: cannot be built without layers and the shape of its inputs")
        self._whole = None
        if not self._chain or self._chain[0].shape != shape:
            self._chain = [self._first_tensor(shape)]
        for layer in self._layers[len(self._chain) - 1 :]:
            x = self._chain[-1]
            self._chain.append(x if isinstance(layer, InputLayer) else layer(x))

    def _first_tensor(self, shape: Any) -> SymbolicTensor:
        first = self._layers[0]
        if isinstance(first, InputLayer) and shape == first.batch_input_shape:
            return first.tensor
        return InputLayer(batch_shape=shape, dtype=self._input_dtype, name=f"{self.name}_input").tensor

    def _of_graph(self, what: str) -> Graph:
        """Sequential runs its layers one by one; its graph is for models that take parts of it."""
        if self._whole is None and self._chain:
            self._whole = Graph(self._chain[0], self._chain[-1], self.name)
        return self._whole or super()._of_graph(what)

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is not None:
            x = with_masks(x, mask)
        expected = self.batch_input_shape
        if expected is not None and x.shape[1:] != expected[1:]:
            if len(expected) == len(x.shape) + 1 > 1 and expected[-1] == 1:  # (N,) goes for (N, 1), as in Keras
                x = ops.reshape(x, (*x.shape, 1)) if isinstance(x, Tensor) else x.reshape(*x.shape, 1)
            self._check_shape(x.shape, expected)
        layers = self._layers
        if layers and type(layers[0]) is InputLayer and expected is not None and expected[0] is None and (
                type(x) is Tensor and x.array.dtype is layers[0]._dtype):  # fmt: skip
            layers = layers[1:]  # what an Input asks for is there
        pooled = False
        for layer, after in zip_longest(layers, layers[1:]):
            if pooled:  # the layer before has done its work
                pooled = False
            elif type(layer) is Conv2D and type(x) is Tensor and layer.takes_pool(after):
                x, pooled = layer(x, pool=after), True
            else:
                x = layer(x)
        return x

    def _check_shape(self, shape: Any, expected: Any) -> None:
        if len(shape) != len(expected) or any(
            None not in (e, n) and e != n for e, n in zip(expected, shape, strict=True)
        ):
            shown = "(N, " + ", ".join(map(str, expected[1:])) + ("," if len(expected) == 2 else "") + ")"
            raise ValueError(f"{self.name}: x must have shape {shown.replace(',)', ')')}, got {shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _known_outputs(self) -> list[str] | None:
        return [self._layers[-1].name] if self._layers else ["output"]

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given, expected = shapes_in(args[0]), self.batch_input_shape
        if expected is not None:
            self._check_shape(given, expected)
        dtypes = iter(symbols_in(self._chain[-1]))  # as the layers said when it was built: numbers of bins are integers
        return map_shapes(lambda shape: (shape, next(dtypes).dtype), self.compute_output_shape(given))

    def get_config(self) -> dict[str, Any]:
        with sharing():
            layers = [stored_layer(layer) for layer in self._layers]
        config = {"name": self.name, "trainable": self._trainable, "layers": layers}
        if self._build_shape is not None:
            config["build_input_shape"] = list(self._build_shape)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        model = cls(name=config.get("name"))
        with sharing():
            for entry in config.get("layers", []):
                model.add(restore_layer(entry))
        shape = config.get("build_input_shape")
        if shape is not None and not model.built:
            model.build(tuple(shape))
        model._trainable = bool(config.get("trainable", True))  # each layer has its own by now
        return model
