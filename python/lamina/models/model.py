"""Model: a layer that is trained, predicts, tells of itself, and is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina import backend
from lamina.autograd.symbolic import SymbolicTensor, map_leaves
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import Variable
from lamina.layers.layer import Layer, register
from lamina.layers.naming import snake_case, unique_name
from lamina.layers.shapes import shape_leaves, shape_of_batch
from lamina.models import saving
from lamina.models.batches import placed
from lamina.models.functional import Graph, from_config
from lamina.models.predicting import Predictor
from lamina.models.summary import summary_text


@register
class Model(Predictor):
    """A layer that is trained. Made of a graph, ``Model(inputs, outputs)``; or subclassed, with layers made in
    ``__init__`` and used in ``call``.

    Args:
        inputs: symbolic tensors, as `lamina.layers.Input` gives them: one, or a list, tuple or dictionary of them.
        outputs: the same: what layers and ops called on the inputs gave.
        name: the model's name.
        trainable: whether training changes the weights.
        dtype: "float32" or "float64", for a subclass; a graph has the dtypes of its inputs and layers.

    Raises:
        TypeError: if inputs or outputs are no symbolic tensors.
        ValueError: if an output does not come from the inputs, or two layers have one name.

    Example of a graph with two inputs:
        >>> import lamina as lm, numpy as np
        >>> picture, age = lm.layers.Input((8, 8, 1), name="picture"), lm.layers.Input((1,), name="age")
        >>> x = lm.layers.Flatten()(picture)
        >>> x = lm.ops.concatenate([x, age / 100], axis=-1)
        >>> model = lm.models.Model([picture, age], lm.layers.Dense(2, activation="softmax")(x))
        >>> model.predict([np.ones((3, 8, 8, 1)), np.ones((3, 1))], verbose=0).shape
        (3, 2)

    Example of a subclass:
        >>> import lamina as lm, numpy as np
        >>> class Network(lm.models.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = lm.layers.Dense(8, activation="relu")
        ...         self.out = lm.layers.Dense(1)
        ...     def call(self, x):
        ...         return self.out(self.hidden(x))
        >>> model = Network()
        >>> model.compile(optimizer="adam", loss="mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2, verbose=0)
        >>> model.predict(np.ones((3, 2)), verbose=0).shape
        (3, 1)
    """

    _graph: Graph | None = None
    _tells_shape = False  # but for those made of a graph
    _takes_step_mask = True

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        *,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        if type(self) is Model and name is None and inputs is not None:
            name = unique_name("functional")
        super().__init__(name=name, dtype=dtype)
        if inputs is None and outputs is None:
            self._trainable = bool(trainable)
            return
        if inputs is None or outputs is None:
            raise ValueError(f"{self.name}: a model of a graph needs inputs and outputs")
        graph = self._graph = Graph(inputs, outputs, self.name)
        self._tells_shape = True
        first = graph.flat_inputs[0].dtype
        self._dtype = first if backend.is_float(first) else self._dtype
        self._build_shape = shape_of_symbols(inputs)
        self.built = True
        if not trainable:
            self.trainable = False

    def build(self, input_shape: Any) -> None:
        """Makes all weights for inputs of this shape, (None, ...), by calling the model on zeros."""
        if self._graph is not None:
            return
        if input_shape is None:
            raise ValueError(f"{self.name}: build needs the shape of the inputs, (None, ...)")
        with no_grad():
            self.call(_zeros(input_shape, self._dtype, self._like))

    def _build_for(self, x: Any) -> None:
        if type(self).build is Model.build:  # the layers inside are built as the data come to them
            self._build_shape, self.built = shape_of_batch(x), True
        else:
            super()._build_for(x)

    def to(self, device: str) -> Any:
        super().to(device)
        if self._compiled is not None:
            for metric in self._compiled.all_metrics():
                for variable in getattr(metric, "variables", ()):
                    variable.place(device)
        return self

    # The graph

    def call(self, x: Any, mask: Any = None) -> Any:
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")
        return self._graph.run(x if mask is None else self._graph.with_masks(x, mask))

    def _mask_outputs(self, x: Any, y: Any, mask: Any) -> None:
        """The layers inside have done so, but for a subclass that says it has a mask of its own."""
        if self.supports_masking:
            super()._mask_outputs(x, y, mask)

    def _accept(self, x: Any) -> Any:
        return placed(x, self._device) if self._graph is not None else super()._accept(x)  # a graph knows its dtypes

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that go in."""
        return list(self._of_graph("inputs").flat_inputs)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors that come out."""
        return list(self._of_graph("outputs").flat_outputs)

    @property
    def input(self) -> Any:
        """What goes in, in the structure that the model was made with."""
        return self._of_graph("input").inputs

    @property
    def output(self) -> Any:
        """What comes out, in the structure that the model was made with."""
        return self._of_graph("output").outputs

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs: those that dictionaries of data go by."""
        return list(self._of_graph("input_names").input_names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: those that losses, metrics and logs go by."""
        return list(self._of_graph("output_names").output_names)

    def _known_outputs(self) -> list[str] | None:
        return None if self._graph is None else self._graph.output_names

    def _of_graph(self, what: str) -> Graph:
        if self._graph is None:
            raise AttributeError(
                f"{self.name} has no {what}: it is no graph of layers, or does not know its inputs yet"
            )
        return self._graph

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._graph is None:
            return super().compute_output_shape(input_shape)
        shapes = shape_leaves(input_shape)
        declared = [t.shape for t in self._graph.flat_inputs]
        if shapes == declared:
            return shape_of_symbols(self._graph.outputs)
        if len(shapes) != len(declared):
            raise ValueError(f"{self.name}: expected shapes of {len(declared)} inputs, got {input_shape}")
        return shape_of_symbols(self._graph.for_shapes(shapes))

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._graph is None:
            return super()._output_specs(args, kwargs)
        given = self._graph.accept_symbols(args[0])
        outputs = self._graph.outputs if given is None else self._graph.for_shapes(given)
        return map_leaves(lambda t: (t.shape, t.dtype), outputs)

    def _contents(self) -> tuple[list[Variable], list[Any]]:
        variables, layers = super()._contents()
        if self._graph is not None:
            layers = list(dict.fromkeys([*self._graph.layers, *layers]))
        return variables, layers

    def children(self) -> list[tuple[str, Any]]:
        if self._graph is None:
            return super().children()
        inside = set(self._graph.layers)
        return by_kind(self._graph.layers) + [child for child in super().children() if child[1] not in inside]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes: of a graph, its layers and calls."""
        if self._graph is None or type(self) is not Model:
            return super().get_config()
        return {"name": self.name, "trainable": self._trainable, **self._graph.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model made from what `get_config` gave."""
        if cls is not Model:
            return super().from_config(config)
        try:
            inputs, outputs = from_config(config)
        except (KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"Model: the configuration is no graph ({error!r})") from None
        model = cls(inputs, outputs, name=config.get("name"))
        model._trainable = bool(config.get("trainable", True))
        return model

    def reset_states(self) -> None:
        """Has all stateful layers inside begin anew with the next batch."""
        for layer in self.layers_inside():
            if layer is not self and hasattr(layer, "reset_state"):
                layer.reset_state()

    # Words and files

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return [layer for _, layer in self.children()]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place.

        Raises:
            ValueError: if there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"get_layer: {self.name} has {len(layers)} layers, got index {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"get_layer: {self.name} has {[layer.name for layer in layers]}, got {name!r}")

    def flops(self, input_shape: Any) -> int:
        """Floating-point operations for one sample; a layer that is called twice counts twice."""
        if self._graph is not None:
            return sum(
                node.operation.flops(shape_of_symbols(node.args[0]))
                for node in self._graph.nodes
                if isinstance(node.operation, Layer) and node.args
            )
        return sum(layer.flops(layer._build_shape) for layer in self.layers)

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
    ) -> None:
        """Prints layers, output shapes, parameters, FLOPs, and whether the network is shallow or deep.

        Args:
            line_length, positions: have no say: columns are as wide as what stands in them.
            print_fn: what takes the text; by default it is printed.
            expand_nested: whether the layers of models inside are shown too.
            show_trainable: whether a column says which layers are trained.

        Raises:
            ValueError: before the model knows its inputs.
        """
        (print if print_fn is None else print_fn)(summary_text(self, expand_nested, show_trainable))

    def to_json(self, **kwargs: Any) -> str:
        """The architecture, without weights, as JSON: `lamina.models.model_from_json` takes it back.

        Args:
            **kwargs: of json.dumps, as indent=2.

        Raises:
            ValueError: if a part of the model cannot be told in JSON (a function of your own).
        """
        return saving.to_json(self, **kwargs)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives, in order; known once data came."""
        return list(self._check_compiled("metrics_names").logs())

    def save(self, filepath: str | Path, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Writes architecture, weights and optimizer to one file, "m.safetensors": whole, or not at all.

        Raises:
            FileExistsError: if the file is there and overwrite is False.
            OSError: if it cannot be written; a file that was there stays as it was.
            ValueError: if a part of the model cannot be told in JSON (a function of your own).
        """
        saving.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the weights alone, by their places in the model."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False) -> None:
        """Reads weights that `save` or `save_weights` wrote.

        Args:
            filepath: the file.
            skip_mismatch: whether to leave alone weights that are missing or differ in shape.

        Raises:
            ValueError: if names or shapes differ; all are listed, and nothing is changed.
        """
        saving.load_weights(self, filepath, skip_mismatch)


def by_kind(layers: list[Layer]) -> list[tuple[str, Layer]]:
    """Layers by kind and number, dense, dense_1: these places do not depend on what was made before."""
    counts: dict[str, int] = {}
    result = []
    for layer in layers:
        base = snake_case(type(layer).__name__)
        count = counts[base] = counts.get(base, -1) + 1
        result.append((f"{base}_{count}" if count else base, layer))
    return result


def shape_of_symbols(structure: Any) -> Any:
    """The shapes of symbolic tensors, in their structure."""
    return map_leaves(lambda t: t.shape, structure)


def _zeros(shape: Any, dtype: Any, like: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _zeros(value, dtype, like) for key, value in shape.items()}
    if any(isinstance(n, list | tuple) for n in shape):
        return [_zeros(s, dtype, like) for s in shape]
    return Tensor(backend.zeros(tuple([1 if n is None else n for n in shape]), dtype, like=like))
