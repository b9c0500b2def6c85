"""Weights of torch.nn.Transformer as those of TransformerBody, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lamina.autograd.variable import Variable
from lamina.layers.cached_attention import CachedMultiHeadAttention
from lamina.models.model import Model

Array = np.ndarray[Any, Any]


def load_torch_transformer(model: Model, state: Mapping[str, Any], prefix: str = "") -> None:
    """Gives a Transformer's blocks the weights of a torch.nn.Transformer; nothing changes unless all fit.

    Args:
        model: made by `TransformerBody`, or another of the Transformers: the blocks and final norms are set.
        state: arrays (or PyTorch's tensors) by name, as ``state_dict()`` gives them and safetensors hold them.
        prefix: what stands before the names ("transformer." where it is part of another module).

    Raises:
        KeyError: if an array is missing; names it.
        ValueError: if an array has another shape, or names beyond those of the model begin with the prefix's
            "encoder." or "decoder."; names them.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.TransformerBody(1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> state = lm.applications.torch_transformer_state(model)
        >>> state["encoder.layers.0.self_attn.in_proj_weight"].shape
        (24, 8)
        >>> lm.applications.load_torch_transformer(model, state)
    """
    used, fitting = set(), []
    for name, variables in _places(model):
        key = prefix + name
        if key not in state:
            raise KeyError(f"load_torch_transformer: there is no {key!r} among the {len(state)} arrays")
        used.add(key)
        parts = np.split(np.asarray(state[key]), len(variables)) if len(variables) > 1 else [np.asarray(state[key])]
        for variable, part in zip(variables, parts, strict=True):
            turned = np.ascontiguousarray(part.T)
            if turned.size != variable.array.size or (turned.ndim == 2 and turned.shape[0] not in _sides(variable)):
                raise ValueError(f"load_torch_transformer: {key} of shape {np.shape(state[key])} does not fit "
                                 f"{variable.path} of shape {variable.shape}")  # fmt: skip
            fitting.append((variable, turned.reshape(variable.shape)))
    parts_of_it = (f"{prefix}encoder.", f"{prefix}decoder.")
    if left := sorted(key for key in state if key.startswith(parts_of_it) and key not in used):
        raise ValueError(f"load_torch_transformer: {model.name} has no place for {', '.join(left[:5])}")
    for variable, array in fitting:
        variable.assign(array)


def torch_transformer_state(model: Model) -> dict[str, Array]:
    """The weights of a Transformer's blocks under the names, and in the shapes, of torch.nn.Transformer.

    Args:
        model: see `load_torch_transformer`.

    Returns:
        Arrays by name, for ``torch.nn.Transformer(...).load_state_dict`` once they are tensors.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.TransformerBody(1, hidden_dim=8, num_heads=2, intermediate_dim=16)
        >>> len(lm.applications.torch_transformer_state(model))
        34
    """
    state = {}
    for name, variables in _places(model):
        parts = [_turned(variable.numpy(), name) for variable in variables]
        state[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return state


def _sides(variable: Variable) -> tuple[int, ...]:
    """How many rows the variable may have as a matrix: all axes but the last in one, or but the first."""
    shape = variable.shape
    return shape[0], int(np.prod(shape[:-1]))


def _turned(array: Array, name: str) -> Array:
    """A kernel (in, ..., out) as PyTorch's (out, in); a bias as a vector."""
    if name.endswith("bias") or array.ndim == 1:
        return array.reshape(-1)
    matrix = array.reshape(-1, array.shape[-1]) if name.endswith("out_proj.weight") else array.reshape(len(array), -1)
    return np.ascontiguousarray(matrix.T)


def _places(model: Model) -> Iterator[tuple[str, list[Variable]]]:
    """PyTorch's names, each with the variables that it stacks."""
    layer: Any
    for layer in model.layers:
        side, _, number = layer.name.partition("_")
        if side not in ("encoder", "decoder"):
            continue
        if number == "norm":
            yield from _norm(f"{side}.norm", layer)
            continue
        place = f"{side}.layers.{number}"
        yield from _attention(f"{place}.self_attn", layer.self_attention_layer)
        yield from _norm(f"{place}.norm1", layer.self_attention_layer_norm)
        if layer.cross_attention_layer is not None:
            yield from _attention(f"{place}.multihead_attn", layer.cross_attention_layer)
            yield from _norm(f"{place}.norm2", layer.cross_attention_layer_norm)
        for name, dense in (("1", layer.feedforward_intermediate_dense), ("2", layer.feedforward_output_dense)):
            yield f"{place}.linear{name}.weight", [dense.kernel]
            yield f"{place}.linear{name}.bias", [dense.bias]
        yield from _norm(f"{place}.norm{2 if side == 'encoder' else 3}", layer.feedforward_layer_norm)


def _attention(name: str, layer: CachedMultiHeadAttention) -> Iterator[tuple[str, list[Variable]]]:
    inner = (layer.query_dense, layer.key_dense, layer.value_dense)
    yield f"{name}.in_proj_weight", [dense.kernel for dense in inner]
    yield f"{name}.in_proj_bias", [dense.bias for dense in inner]
    yield f"{name}.out_proj.weight", [layer.output_dense.kernel]
    yield f"{name}.out_proj.bias", [layer.output_dense.bias]


def _norm(name: str, layer: Any) -> Iterator[tuple[str, list[Variable]]]:
    yield f"{name}.weight", [layer.gamma]
    yield f"{name}.bias", [layer.beta]
