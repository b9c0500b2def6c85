"""plot_attention: which queries look at which keys, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor

CELL, LEAST, MOST = 0.28, 2.2, 9.0  # inches


def plot_attention(
    scores: Any,
    queries: Sequence[Any] | None = None,
    keys: Sequence[Any] | None = None,
    path: str | Path | None = "attention.png",
    dpi: int = 150,
) -> Any:
    """Draws attention scores: a row a query, a column a key, the darker the more a query looks there.

    Args:
        scores: (queries, keys), or (heads, queries, keys) for a panel a head: one sample of what an attention layer
            gives with return_attention_scores=True.
        queries: what to write beside the rows (words, say); None for their numbers.
        keys: what to write above the columns.
        path: where to write the picture, in the format of its ending (png, svg, pdf); None to write none.
        dpi: dots an inch.

    Returns:
        matplotlib's Figure.

    Raises:
        ValueError: if scores have another number of axes or no values, or there are not as many words as rows or
            columns.
        ImportError: without matplotlib: pip install "lamina[demo]".

    Example:
        >>> import lamina as lm
        >>> figure = lm.utils.plot_attention([[0.9, 0.1], [0.5, 0.5]], ["a", "b"], ["c", "d"], path=None)
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['a', 'b']
    """
    array = backend.to_host(backend.as_array(scores.array if isinstance(scores, Tensor) else scores))
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(
            f"plot_attention: scores must have shape (queries, keys) or (heads, queries, keys), got {array.shape}"
        )
    heads = array if array.ndim == 3 else array[None]
    for name, labels, count in (("queries", queries, heads.shape[1]), ("keys", keys, heads.shape[2])):
        if labels is not None and len(labels) != count:
            raise ValueError(f"plot_attention: {name} must be {count} words, got {len(labels)}")
    from matplotlib.figure import Figure

    columns = math.ceil(math.sqrt(len(heads)))
    rows = math.ceil(len(heads) / columns)
    width, height = (min(MOST, max(LEAST, CELL * n + 1)) for n in (heads.shape[2], heads.shape[1]))
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    for number, head in enumerate(heads):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(head, cmap="Blues", vmin=0.0, vmax=max(1e-12, float(head.max())), aspect="auto")
        axes.xaxis.tick_top()
        if keys is not None:
            axes.set_xticks(range(len(keys)), [str(word) for word in keys], rotation=90)
        if queries is not None:
            axes.set_yticks(range(len(queries)), [str(word) for word in queries])
        if len(heads) > 1:
            axes.set_xlabel(f"head {number}")
    if path is not None:
        figure.savefig(path, dpi=dpi)
    return figure
