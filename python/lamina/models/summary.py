"""The table that `model.summary()` prints: layers, shapes, parameters, FLOPs; and whether the network is deep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lamina.layers.layer import Layer

if TYPE_CHECKING:
    from lamina.models.model import Model


def summary_text(model: Model) -> str:
    """The table.

    Raises:
        ValueError: before the model knows its inputs.
    """
    if not model.built:
        raise ValueError(
            f"summary: {model.name} does not know its inputs yet; give input_shape, call build(input_shape) or fit it"
        )
    rows = [("Layer (type)", "Output shape", "Parameters", "FLOPs")]
    total_flops: int | None = 0
    for layer, input_shape in layer_inputs(model):
        count = flops_of(layer, input_shape)
        total_flops = None if count is None or total_flops is None else total_flops + count
        shape = _output_shape(layer, input_shape)
        parameters = f"{layer.count_params():,}" if layer.built else "not used"
        rows.append((f"{layer.name} ({type(layer).__name__})", shape, parameters, _number(count)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    rule = "-" * (sum(widths) + 6)
    trainable = sum(v.size for v in model.trainable_weights)
    total = sum(v.size for v in model.weights)
    size = sum(v.array.nbytes for v in model.weights)
    hidden = hidden_layers(model)
    return "\n".join([
        f'Model "{model.name}"', rule, lines[0], rule, *lines[1:], rule,
        f"Parameters: {total:,} ({_bytes(size)}), {trainable:,} of them trainable",
        f"FLOPs for one sample: {_number(total_flops)}",
        f"{'Deep' if hidden >= 3 else 'Shallow'} network: {hidden} hidden layer{'' if hidden == 1 else 's'}",
    ])  # fmt: skip


def layer_inputs(model: Model) -> list[tuple[Layer, Any]]:
    """The layers directly inside, each with the shape of its inputs."""
    return [(layer, layer._build_shape) for _, layer in model.children()]


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
    return [cell.ljust(width) if i < 2 else cell.rjust(width)
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
