"""What Tensor's operators call. The ops live a floor above; `lamina.ops` fills these names when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Operator = Callable[..., Any]
add: Operator
subtract: Operator
multiply: Operator
divide: Operator
power: Operator
negative: Operator
matmul: Operator
getitem: Operator
sum: Operator
mean: Operator
max: Operator
min: Operator
reshape: Operator
transpose: Operator
cast: Operator
convert: Operator
equal: Operator
not_equal: Operator
less: Operator
less_equal: Operator
greater: Operator
greater_equal: Operator
mod: Operator
floor_divide: Operator
bitwise_and: Operator
bitwise_or: Operator
bitwise_xor: Operator
bitwise_not: Operator
abs: Operator
to: Operator


def bind(**ops: Operator) -> None:
    """Gives the operators their ops."""
    unknown = ops.keys() - __annotations__.keys()
    if unknown:
        raise ValueError(f"operators.bind: unknown operators {sorted(unknown)}")
    globals().update(ops)
