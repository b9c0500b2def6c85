"""The table that `model.summary()` prints: layers, shapes, parameters, FLOPs; and whether the network is deep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lamina.autograd.symbolic import map_leaves
from lamina.layers.layer import Layer
from lamina.layers.shapes import shapes_in

if TYPE_CHECKING:
    from lamina.models.model import Model


def summary_text(model: Model, expand_nested: bool = False, show_trainable: bool = False) -> str:
    """The table.

    Args:
        model: the model.
        expand_nested: whether the layers of models inside have rows of their own.
        show_trainable: whether a column says which layers are trained.

    Raises:
        ValueError: before the model knows its inputs.
    """
    if not model.built:
        raise ValueError(
            f"summary: {model.name} does not know its inputs yet; give input_shape, call build(input_shape) or fit it"
        )
    graph = model._graph
    head = ["Layer (type)", "Output shape", "Parameters", "FLOPs"]
    if show_trainable:
        head.append("Trainable")
    rows = [tuple(head if graph is None else [*head, "Connected to"])]
    total_flops: int | None = 0
    seen: set[int] = set()
    for layer, input_shape, shown, sources in calls_of(model):
        count = 0 if layer is None else flops_of(layer, input_shape)
        total_flops = None if count is None or total_flops is None else total_flops + count
        if layer is None:
            cells = [shown[0], str(shown[1]), "0", "0"]
        else:
            parameters = f"{layer.count_params():,}" if layer.built else "not used"
            shape = _output_shape(layer, input_shape) if shown[1] is None else str(shown[1])
            name = f"{layer.name} ({type(layer).__name__})"
            cells = [name, shape, parameters if id(layer) not in seen else "shared", _number(count)]
            seen.add(id(layer))
        if show_trainable:
            cells.append("" if layer is None or not layer.weights else "yes" if layer.trainable_weights else "no")
        rows.append(tuple(cells if graph is None else [*cells, ", ".join(sources)]))
        if expand_nested and layer is not None:
            for depth, inner in _inside(layer, 1):
                parameters = f"{inner.count_params():,}" if inner.built else "not used"
                shape = _output_shape(inner, inner._build_shape)
                name = f"{'  ' * depth}{inner.name} ({type(inner).__name__})"
                cells = [name, shape, f"({parameters})", ""]
                if show_trainable:
                    cells.append("" if not inner.weights else "yes" if inner.trainable_weights else "no")
                rows.append(tuple(cells if graph is None else [*cells, ""]))
    columns = len(rows[0])
    widths = [max(len(row[i]) for row in rows) for i in range(columns)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    rule = "-" * (sum(widths) + 2 * (columns - 1))
    trainable = sum(v.size for v in model.trainable_weights)
    total = sum(v.size for v in model.weights)
    size = sum(v.array.nbytes for v in model.weights)
    hidden = hidden_layers(model)
    return "\n".join([
        f'Model "{model.name}"', rule, lines[0], rule, *lines[1:], rule,
        f"Parameters: {total:,} ({_bytes(size)}), {trainable:,} of them trainable",
        f"FLOPs for one sample: {_number(total_flops)}",
        f"{'Deep' if hidden >= 3 else 'Shallow'} network: {hidden} hidden layer{'' if hidden == 1 else 's'}",
        *_policies(model),
    ])  # fmt: skip


def _policies(model: Model) -> list[str]:
    """In which dtypes the layers with weights compute, where that is not float32 throughout."""
    inside = [layer for layer in model.layers_inside() if layer._variables]
    found = dict.fromkeys((layer.compute_dtype, layer.variable_dtype) for layer in inside)
    if all(compute == "float32" for compute, _ in found):
        return []
    return [f"Computes in {compute}, weights in {variable}" for compute, variable in found]


def _inside(layer: Layer, depth: int) -> Iterator[tuple[int, Layer]]:
    """The layers of a layer and those inside of these, with how deep they lie; their parameters are in the layer's."""
    for _, inner in layer.children():
        yield depth, inner
        yield from _inside(inner, depth + 1)


def calls_of(model: Model) -> list[tuple[Layer | None, Any, tuple[str, Any], list[str]]]:
    """The rows: the layer (None for an op), the shape of its inputs, what is shown, and where the inputs come from."""
    graph = model._graph
    if graph is None:
        return [(layer, layer._build_shape, (layer.name, None), []) for _, layer in model.children()]
    rows: list[tuple[Layer | None, Any, tuple[str, Any], list[str]]] = []
    for node in graph.nodes:
        name = graph.node_names[node]
        layer = node.operation if isinstance(node.operation, Layer) else None
        given = shapes_in(node.args[0]) if node.args else layer._build_shape if layer is not None else None
        label = name if layer is not None else f"{name} (op)"
        shape = map_leaves(lambda t: t.shape, node.outputs)
        sources = list(dict.fromkeys(graph.source(t) for t in node.inputs))
        rows.append((layer, given, (label, shape), sources))
    return rows


def flops_of(layer: Layer, input_shape: Any) -> int | None:
    """Floating-point operations for one sample; None where a size is not known."""
    if not layer.built:
        return 0
    try:
        return layer.flops(input_shape)
    except (TypeError, ValueError):  # sizes of None
        return None


def hidden_layers(layer: Layer) -> int:
    """How many layers of units lie before the last: those with a kernel, less one. From 3 on a network is deep."""
    return max(0, _with_kernel(layer, set()) - 1)


def _with_kernel(layer: Layer, seen: set[int]) -> int:
    if id(layer) in seen:
        return 0
    seen.add(id(layer))
    own = any(v.trainable and v.ndim >= 2 for v in layer._variables)
    return int(own) + sum(_with_kernel(child, seen) for _, child in layer.children())


def _output_shape(layer: Layer, input_shape: Any) -> str:
    if not layer.built:
        return "?"
    try:
        return str(layer.compute_output_shape(input_shape))
    except (TypeError, ValueError):
        return "?"


def _cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [cell.rjust(width) if i in (2, 3) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _bytes(n: int) -> str:
    size = float(n)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
