"""plot_model: a picture of a model's graph, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.autograd.symbolic import Node, leaves_of, symbols_in
from lamina.layers.core import InputLayer
from lamina.layers.layer import Layer
from lamina.models.functional import Graph

FILLS = {"input": "#dceefb", "layer": "#f4f4f4", "op": "#fff3d6", "model": "#e4f5e4"}
DIRECTIONS = ("TB", "BT", "LR", "RL")
LINE, CHARACTER, GAP_ACROSS, GAP_ALONG = 0.19, 0.083, 0.3, 0.42  # inches


class Box:
    """One call in the picture, or (without text) a place where a long line bends."""

    place = 0.0
    depth = 0.0  # of its rank, in inches

    def __init__(self, text: str = "", kind: str = "layer", sources: Sequence[Box] = (), rank: int = 0) -> None:
        self.text, self.kind, self.sources, self.rank = text, kind, list(sources), rank

    def size(self) -> tuple[float, float]:
        lines = self.text.split("\n") if self.text else []
        if not lines:
            return 0.12, 0.0
        return max(map(len, lines)) * CHARACTER + 0.3, len(lines) * LINE + 0.16


def plot_model(
    model: Any,
    to_file: str | Path | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Any:
    """Draws the graph of a model: a box a call, lines along which tensors go.

    Args:
        model: a Model of a graph, or a Sequential that knows its inputs.
        to_file: where to write the picture, in the format of its ending (png, svg, pdf); None to write none.
        show_shapes, show_dtype: whether boxes say the shapes and dtypes of inputs and outputs.
        show_layer_names: whether they say the layers' names, not only their kinds.
        rankdir: "TB" draws from top to bottom, "LR" from left to right, "BT" and "RL" the other way round.
        expand_nested: whether models inside are drawn layer by layer.
        dpi: dots an inch.
        show_layer_activations: whether boxes say the layers' activations.
        show_trainable: whether boxes say which layers are frozen.

    Returns:
        matplotlib's Figure.

    Raises:
        ImportError: without matplotlib: pip install "lamina[demo]".
        ValueError: for a model that is no graph, or another rankdir.

    Example:
        >>> import lamina as lm
        >>> model = lm.models.Sequential([lm.layers.Input((4,)), lm.layers.Dense(2)])
        >>> figure = lm.models.plot_model(model, "model.svg", show_shapes=True)
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    if rankdir not in DIRECTIONS:
        raise ValueError(f"plot_model: rankdir must be one of {DIRECTIONS}, got {rankdir!r}")
    try:
        graph: Graph = model._of_graph("graph")
    except AttributeError as error:
        raise ValueError(f"plot_model: {error}") from None

    def label(node: Node, name: str) -> str:
        layer = node.operation
        head = type(layer).__name__ if isinstance(layer, Layer) else layer.name
        lines = [f"{name} ({head})" if show_layer_names and isinstance(layer, Layer) else head]
        activation = getattr(layer, "_activation_name", None)
        if show_layer_activations and activation is not None:
            lines.append(f"activation: {activation}")
        for what, shown in (("shape", show_shapes), ("dtype", show_dtype)):
            if shown:
                into, out = (
                    ", ".join(str(getattr(t, what)) for t in symbols_in(x)) for x in (node.inputs, node.outputs)
                )
                lines += [f"in: {into}"] * bool(into) + [f"out: {out}"]
        if show_trainable and isinstance(layer, Layer) and layer.weights and not layer.trainable:
            lines.append("frozen")
        return "\n".join(lines)

    boxes: list[Box] = []
    _collect(graph, None, boxes, label, expand_nested)
    ranks = _ranked(boxes)
    for _ in range(6):
        _untangle(ranks)
    across = rankdir in ("LR", "RL")
    places, width, height = _placed(ranks, across)
    flip_x, flip_y = rankdir == "RL", rankdir != "BT" and not across
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")

    def at(box: Box) -> tuple[float, float]:
        x, y = places[box]
        return (width - x if flip_x else x), (height - y if flip_y else y)

    for box in boxes:
        if not box.text:
            continue
        for source in box.sources:
            path = [box, source]
            while not path[-1].text:
                path.append(path[-1].sources[0])
            points = [p for b in path for p in _through(at(b), 0.0 if b.text else b.depth, rankdir)]
            _line(axes, points, [b.size() for b in (path[0], path[-1])], across)
        (x, y), (w, h) = at(box), box.size()
        corner = (x - w / 2, y - h / 2)
        style = "round,pad=0,rounding_size=0.06"
        axes.add_patch(FancyBboxPatch(corner, w, h, style, facecolor=FILLS[box.kind], edgecolor="#555555", zorder=3))
        axes.text(x, y, box.text, ha="center", va="center", fontsize=9, linespacing=1.35, zorder=4, color="#111111")
    if to_file is not None:
        figure.savefig(to_file, dpi=dpi, facecolor="white")
    return figure


def _collect(graph: Graph, outer: Any, boxes: list[Box], label: Any, expand: bool) -> dict[int, Box]:
    """A box for each call; returns the box of each tensor."""
    made: dict[int, Box] = dict(outer or {})
    for node in graph.nodes:
        layer = node.operation
        if outer is not None and isinstance(layer, InputLayer):
            continue
        inner = getattr(layer, "_graph", None) or (layer._of_graph("graph") if hasattr(layer, "_chain") else None)
        if expand and inner is not None:
            sources = {id(t): made[id(s)] for t, s in zip(inner.flat_inputs, node.inputs, strict=True)}
            found = _collect(inner, sources, boxes, label, expand)
            for t, u in zip(leaves_of(node.outputs), leaves_of(inner.outputs), strict=True):
                made[id(t)] = found[id(u)]
            continue
        kind = "input" if isinstance(layer, InputLayer) else "op" if not isinstance(layer, Layer) else "layer"
        box = Box(label(node, graph.node_names[node]), "model" if inner is not None else kind)
        box.sources = list(dict.fromkeys(made[id(t)] for t in node.inputs if id(t) in made))
        boxes.append(box)
        made |= {id(t): box for t in symbols_in(node.outputs)}
    return made


def _ranked(boxes: list[Box]) -> list[list[Box]]:
    """The boxes by rank, each below all that it takes from; long lines get a bend in every rank between."""
    for box in boxes:
        box.rank = 1 + max((s.rank for s in box.sources), default=-1)
    for box in reversed(boxes):  # inputs come down to where they are needed
        users = [b.rank for b in boxes if box in b.sources]
        if not box.sources and users:
            box.rank = min(users) - 1
    ranks: list[list[Box]] = [[] for _ in range(1 + max(box.rank for box in boxes))]
    for box in boxes:
        for i, source in enumerate(box.sources):
            for number in range(source.rank + 1, box.rank):
                source = Box(sources=[source], rank=number)
                ranks[number].append(source)
            box.sources[i] = source
        ranks[box.rank].append(box)
    for rank in ranks:
        for i, box in enumerate(rank):
            box.place = i - len(rank) / 2
    return ranks


def _untangle(ranks: list[list[Box]]) -> None:
    """One sweep down and one up: each box as near as can be to the middle of its neighbours."""
    users: dict[Box, list[Box]] = {}
    for rank in ranks:
        for box in rank:
            for source in box.sources:
                users.setdefault(source, []).append(box)
    for order, neighbours in ((ranks, lambda b: b.sources), (ranks[::-1], lambda b: users.get(b, []))):
        for rank in order:
            for box in rank:
                near = neighbours(box)
                if near:
                    box.place = sum(b.place for b in near) / len(near)
            rank.sort(key=lambda b: b.place)
            for i, box in enumerate(rank):
                box.place = i - (len(rank) - 1) / 2


def _placed(ranks: list[list[Box]], across: bool) -> tuple[dict[Box, tuple[float, float]], float, float]:
    """The middle of each box, and the size of the picture, in inches."""
    places: dict[Box, tuple[float, float]] = {}
    long, broad = (0, 1) if across else (1, 0)
    spans = [sum(b.size()[broad] for b in rank) + GAP_ACROSS * (len(rank) - 1) for rank in ranks]
    breadth = max(spans) + 0.4
    along = 0.2
    for rank, span in zip(ranks, spans, strict=True):
        depth = max(b.size()[long] for b in rank)
        for box in rank:
            box.depth = depth
        beside = (breadth - span) / 2
        for box in rank:
            size = box.size()[broad]
            places[box] = (along + depth / 2, beside + size / 2) if across else (beside + size / 2, along + depth / 2)
            beside += size + GAP_ACROSS
        along += depth + GAP_ALONG
    length = along - GAP_ALONG + 0.2
    return places, (length if across else breadth), (breadth if across else length)


def _through(point: tuple[float, float], depth: float, rankdir: str) -> list[tuple[float, float]]:
    """A point; or where a line enters and leaves a rank of this depth, walked against the arrows."""
    x, y = point
    half = {"TB": (0, -depth / 2), "BT": (0, depth / 2), "LR": (depth / 2, 0), "RL": (-depth / 2, 0)}[rankdir]
    return [(x + half[0], y + half[1]), (x - half[0], y - half[1])] if depth else [point]


def _line(axes: Any, points: list[tuple[float, float]], sizes: list[tuple[float, float]], across: bool) -> None:
    """A line from the last point to the first, from edge to edge of their boxes, with an arrow's head."""
    i = 0 if across else 1
    points = points[::-1]
    ends = [list(points[0]), list(points[-1])]
    sign = 1 if points[-1][i] > points[0][i] else -1
    ends[0][i] += sign * sizes[1][i] / 2
    ends[1][i] -= sign * sizes[0][i] / 2
    path = [tuple(ends[0]), *points[1:-1], tuple(ends[1])]
    axes.plot([x for x, _ in path[:-1]], [y for _, y in path[:-1]], color="#555555", linewidth=1, zorder=1)
    style = {"arrowstyle": "-|>", "color": "#555555", "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=path[-1], xytext=path[-2], arrowprops=style, zorder=2)
