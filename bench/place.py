"""Where the arrays of the cases go: `ours.tensor` and `peer.tensor` ask here. A CPU benchmark leaves it as it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Place:
    """
    Attributes:
        ours: Lamina's device, "cpu" or "cuda".
        peer: PyTorch's.
        dtype: of what is float32 in the cases: "float32", "bfloat16" or "float16".
    """

    ours: str = "cpu"
    peer: str = "cpu"
    dtype: str = "float32"


PLACE = Place()
