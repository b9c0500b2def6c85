"""einsum: products summed over named axes."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor, as_tensor_list
from lamina.ops.arithmetic import number_tensor, operands
from lamina.ops.contraction import Labels, contract, ordered
from lamina.ops.matrices import diagonal
from lamina.ops.reductions import sum as total
from lamina.ops.shapes import reshape


def _parsed(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[Labels], Labels]:
    """The labels of each operand's axes and of the result's. Those of an ellipsis are no letters of the alphabet."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(shapes)}")
    found = []
    most = 0
    for term, shape in zip(terms, shapes, strict=True):
        before, ellipsis, after = term.partition("...")
        named = before + after
        if not all(c.isascii() and c.isalpha() for c in named):
            raise ValueError(f"einsum: expected letters, ',', '...' and '->' in subscripts, got {subscripts!r}")
        more = len(shape) - len(named)
        if more < 0 or (more and not ellipsis):
            raise ValueError(f"einsum: {term!r} does not name the axes of shape {shape}")
        most = max(most, more)
        found.append([*before, *[chr(0x100 + i) for i in reversed(range(more))], *after])
    broad = [chr(0x100 + i) for i in reversed(range(most))]
    if not arrow:
        every = [c for labels in found for c in labels if c not in broad]
        return found, broad + sorted({c for c in every if every.count(c) == 1})
    before, ellipsis, after = right.partition("...")
    result = [*before, *(broad if ellipsis else []), *after]
    known = {c for labels in found for c in labels}
    if len(set(result)) != len(result) or not set(before + after) <= known:
        raise ValueError(f"einsum: the result must name axes of the operands, each once, got {subscripts!r}")
    return found, result


def einsum(subscripts: str, *operands_: Any) -> Tensor:
    """Einstein's summation: products of tensors whose axes are named by letters, summed over those left out.

    Two operands at a time are brought to one batched product of matrices, from left to right; so an order of operands
    that keeps what lies between small is faster.

    Args:
        subscripts: the axes' letters, operand by operand, and after "->" those of the result: "bij,bjk->bik". A letter
            twice in an operand takes the diagonal; "..." stands for further axes, which broadcast. Without "->" the
            result has the letters that occur once, in the order of the alphabet.
        *operands_: tensors of one dtype; float32, float64 or integers.

    Returns:
        Tensor.

    Raises:
        ValueError: if the subscripts make no sense or do not fit the shapes.
        TypeError: if subscripts are no string, or dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.einsum("ij,j->i", lm.tensor([[1.0, 2.0], [3.0, 4.0]]), lm.tensor([1.0, -1.0])).numpy().tolist()
        [-1.0, -1.0]
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: subscripts must be a string, got {type(subscripts).__name__}")
    if not operands_:
        raise ValueError("einsum: expected at least one operand")
    tensors = [number_tensor(t, "einsum") for t in as_tensor_list(operands_)]
    for i in range(1, len(tensors)):
        tensors[0], tensors[i] = operands("einsum", tensors[0], tensors[i])
    for i in range(1, len(tensors)):  # the first may have become a float
        tensors[0], tensors[i] = operands("einsum", tensors[0], tensors[i])
    labels, result = _parsed(subscripts, [t.shape for t in tensors])
    sizes: dict[str, int] = {}
    for names, t in zip(labels, tensors, strict=True):
        for c, n in zip(names, t.shape, strict=True):
            if sizes.setdefault(c, n) == 1:
                sizes[c] = n
            elif n not in (1, sizes[c]):
                what = "the axes of '...'" if c > "z" else f"axis {c!r}"
                raise ValueError(f"einsum: {what} has sizes {sizes[c]} and {n} in {subscripts!r}")
    x, names = _plain(tensors[0], labels[0], sizes, result + [c for rest in labels[1:] for c in rest])
    for i in range(1, len(tensors)):
        later = result + [c for rest in labels[i + 1 :] for c in rest]
        other, other_names = _plain(tensors[i], labels[i], sizes, later + names)
        x = _summed(x, names, later + other_names)
        names = [c for c in names if c in later + other_names]
        x, names = contract(x, names, other, other_names, later)
    x = _summed(x, names, result)
    names = [c for c in names if c in result]
    missing = [c for c in result if c not in names]  # of size 1 wherever they were
    if missing:
        x = reshape(x, (*x.shape, *[1] * len(missing)))
    return ordered(x, names + missing, result)


def _plain(x: Tensor, names: Labels, sizes: dict[str, int], needed: Labels) -> tuple[Tensor, Labels]:
    """Every label once (diagonals), none that is of size 1 here (all others decide), summed over what nobody needs."""
    names = list(names)
    while len(set(names)) != len(names):
        c = next(c for c in names if names.count(c) > 1)
        first = names.index(c)
        second = names.index(c, first + 1)
        if x.shape[first] != x.shape[second]:
            raise ValueError(f"einsum: axes {c!r} of one operand must have one size, got shape {x.shape}")
        x = diagonal(x, 0, first, second)
        names = [n for i, n in enumerate(names) if i not in (first, second)] + [c]
    wide = [i for i, c in enumerate(names) if x.shape[i] != 1]
    if len(wide) != len(names):
        x, names = reshape(x, tuple([x.shape[i] for i in wide])), [names[i] for i in wide]
    return _summed(x, names, needed), [c for c in names if c in needed]


def _summed(x: Tensor, names: Labels, needed: Labels) -> Tensor:
    axes = tuple([i for i, c in enumerate(names) if c not in needed])
    return total(x, axes) if axes else x
