"""What metrics of texts share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def pairs_of_texts(y_true: Any, y_pred: Any, name: str) -> Iterator[tuple[list[str], str]]:
    """For each prediction its references, of which there may be several.

    Raises:
        TypeError: for anything but strings.
        ValueError: for another number of references than of predictions, or none for one.
    """
    if isinstance(y_true, str) or isinstance(y_pred, str):
        raise TypeError(f"{name}: expected lists of texts, got one text")
    y_true, y_pred = list(y_true), list(y_pred)
    if len(y_true) != len(y_pred):
        raise ValueError(f"{name}: expected as many references as predictions, {len(y_pred)}, got {len(y_true)}")
    for i, (truth, prediction) in enumerate(zip(y_true, y_pred, strict=True)):
        references = [truth] if isinstance(truth, str) else list(truth)
        for text in (*references, prediction):
            if not isinstance(text, str):
                raise TypeError(f"{name}: expected texts, got {text!r} at place {i}")
        if not references:
            raise ValueError(f"{name}: there is no reference at place {i}")
        yield references, str(prediction)
