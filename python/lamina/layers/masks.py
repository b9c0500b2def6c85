"""Masks: which steps of a sequence count. A tensor carries its mask along; layers hand it on, ops drop it.

A mask is a tensor of booleans over the first axes of what it belongs to, (N, T) for sequences: False where there is
nothing but padding.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.symbolic import SymbolicTensor, leaves_of, map_leaves
from lamina.autograd.tensor import Tensor

CARRIERS = (Tensor, SymbolicTensor)
NUMBERS = (bool, int, float, np.generic)


def masks_of(x: Any) -> Any:
    """The mask of a tensor, or those of a structure of them; None where there is none anywhere."""
    if isinstance(x, CARRIERS):
        return x._mask
    if not isinstance(x, list | tuple | dict):
        return None
    masks = map_leaves(lambda leaf: leaf._mask if isinstance(leaf, CARRIERS) else None, x)
    return masks if any(mask is not None for mask in leaves_of(masks)) else None


def with_masks(x: Any, masks: Any) -> Any:
    """The tensors with these masks (None: as they are): others on the same arrays, so that the given ones stay."""
    if masks is None:
        return x
    if isinstance(x, dict):
        return {key: with_masks(value, masks.get(key)) for key, value in x.items()}
    if isinstance(x, list | tuple):
        if not isinstance(masks, list | tuple) or len(masks) != len(x):
            raise ValueError(f"mask: expected a list of {len(x)} masks, one for each input")
        return type(x)([with_masks(value, mask) for value, mask in zip(x, masks, strict=True)])
    if isinstance(x, SymbolicTensor) or x._mask is masks:
        return x
    x = _twin(x)
    x._mask = as_mask(masks, x)
    return x


def without_mask(x: Tensor) -> Tensor:
    """The tensor without its mask: another on the same array, so that the given one stays."""
    return x if x._mask is None else _twin(x)


def _twin(x: Tensor) -> Tensor:
    """Another tensor on the same array, at the same place of the tape, without a mask."""
    if x.node is None and x.requires_grad:
        return ops.reshape(x, x.shape)  # gradients go on to the leaf
    return Tensor(x.array, x.requires_grad, x.node, x.output)


def as_mask(mask: Any, y: Any) -> Any:
    """A mask as what y carries."""
    if isinstance(mask, CARRIERS):
        return mask
    return Tensor(backend.as_array(mask, like=y.array if isinstance(y, Tensor) else None))


def hand_on(y: Any, masks: Any) -> None:
    """Gives the outputs y the masks that they do not have yet."""
    if isinstance(y, CARRIERS) and not isinstance(masks, list | tuple | dict):
        if y._mask is None:
            y._mask = as_mask(masks, y)
        return
    for tensor, mask in zip(leaves_of(y), leaves_of(masks), strict=False):
        if mask is not None and isinstance(tensor, CARRIERS) and tensor._mask is None:
            tensor._mask = as_mask(mask, tensor)


def step_mask(mask: Any, shape: tuple[int, ...], owner: str, name: str = "mask", x: Tensor | None = None) -> Any:
    """A mask as an array of booleans of the given shape, (N, T); None stays None.

    Args:
        mask: booleans, or numbers that are 0 or 1; a last axis of length 1 may be there or not.
        shape: what it must have.
        owner: the layer that asks, for the error.
        name: what the mask is called there.
        x: what it masks, on whose device it shall be; None: it stays where it is.

    Raises:
        TypeError: if it holds something else than booleans or numbers.
        ValueError: for another shape, or numbers other than 0 and 1.
    """
    if mask is None:
        return None
    given: Any = mask.array if isinstance(mask, Tensor) else np.asarray(mask)
    array: Any = given if x is None else backend.moved(given, x.array)
    if array.shape != shape:
        if array.shape != (*shape, 1):
            raise ValueError(f"{owner}: {name} must have shape {shape}, got {array.shape}")
        array = array.reshape(shape)
    return truths(array, owner, name)


def truths(array: Any, owner: str, name: str) -> Any:
    """The entries of a mask as booleans; numbers are taken where they are 0 or 1, as Keras's users write masks.

    Raises:
        TypeError: if it holds something else than booleans or numbers.
        ValueError: for numbers other than 0 and 1: those are meant to be added, or a mistake.
    """
    if array.dtype == bool:
        return array
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{owner}: {name} must hold booleans, got {array.dtype}")
    kept: Any = array != 0
    if backend.on_host(array) and (kept != array).any():
        wrong = array[kept != array].flat[0]
        raise ValueError(f"{owner}: {name} must hold booleans (or 0 and 1), got {wrong}")
    return kept


class MaskArguments:
    """Which arguments of a layer's `call` take masks.

    Attributes:
        own: whether `call` takes `mask`, that of the first argument.
        place: at which place; 0 is the first argument.
        others: for arguments x with an x_mask beside them: (x, place of x, x_mask, place of x_mask).
    """

    __slots__ = ("others", "own", "place")

    def __init__(self, call: Callable[..., Any]) -> None:
        names = list(inspect.signature(call).parameters)[1:]
        self.own = "mask" in names[1:]
        self.place = names.index("mask") if self.own else 0
        self.others = tuple(
            (name, i, f"{name}_mask", names.index(f"{name}_mask"))
            for i, name in enumerate(names)
            if f"{name}_mask" in names
        )

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The mask that the caller passed, for the arguments after the first; None if there is none."""
        if "mask" in kwargs:
            mask = kwargs["mask"]
            if isinstance(mask, list | tuple) and all(isinstance(m, NUMBERS) for m in leaves_of(mask)) and mask:
                mask = kwargs["mask"] = np.asarray(mask)  # one mask, rather than a list of masks
            return mask
        return args[self.place - 1] if self.own and len(args) >= self.place else None

    def fill(self, args: tuple[Any, ...], kwargs: dict[str, Any], mask: Any) -> None:
        """Puts in the masks that the caller did not pass."""
        if self.own and mask is not None and len(args) < self.place:
            kwargs["mask"] = mask
        for name, place, key, key_place in self.others:
            if kwargs.get(key) is None and len(args) < key_place:
                found = mask if place == 0 else masks_of(args[place - 1] if place <= len(args) else kwargs.get(name))
                if found is not None:
                    kwargs[key] = found
