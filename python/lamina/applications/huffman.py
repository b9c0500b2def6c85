"""Huffman's tree: short paths to frequent words."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

Array = Any


def huffman_paths(counts: Any) -> tuple[Array, Array, Array]:
    """The way from the root to each word: inner nodes, and at each whether to go left (label 1) or right (0).

    The two rarest are joined, again and again; of equally frequent ones the word or node made first.

    Args:
        counts: how often each of at least two words comes (V,).

    Returns:
        first (V + 1,), int64, and nodes, int32, and labels, uint8: word w's path is nodes[first[w]], ...,
        nodes[first[w + 1] - 1]. Node 0 is the root, of V - 1.

    Example:
        >>> from lamina.applications.huffman import huffman_paths
        >>> first, nodes, labels = huffman_paths([5, 2, 1])
        >>> first.tolist(), nodes.tolist(), labels.tolist()
        ([0, 1, 3, 5], [0, 0, 1, 0, 1], [0, 1, 0, 1, 1])

    Reference:
        Huffman 1952, "A Method for the Construction of Minimum-Redundancy Codes".
    """
    words = len(counts)
    queue = [(int(count), i) for i, count in enumerate(counts)]
    heapq.heapify(queue)
    parent, label = [0] * (2 * words - 1), [0] * (2 * words - 1)
    for made in range(words, 2 * words - 1):
        (a, left), (b, right) = heapq.heappop(queue), heapq.heappop(queue)
        parent[left] = parent[right] = made
        label[left], label[right] = 1, 0
        heapq.heappush(queue, (a + b, made))
    root = 2 * words - 2
    first, nodes, labels = [0], [], []
    for word in range(words):
        place, path = word, []
        while place != root:
            path.append((root - parent[place], label[place]))
            place = parent[place]
        nodes += [node for node, _ in reversed(path)]
        labels += [to_left for _, to_left in reversed(path)]
        first.append(len(nodes))
    return np.array(first, np.int64), np.array(nodes, np.int32), np.array(labels, np.uint8)
