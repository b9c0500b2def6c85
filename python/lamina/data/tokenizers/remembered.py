"""Pieces of parts of texts, kept: most parts come again and again."""

from __future__ import annotations

from collections.abc import Callable

MOST = 1 << 16  # parts that are kept

Piece = tuple[int, int, int]  # a token's number, and from where to where it stands in the text


class Remembered(dict[str, list[Piece]]):
    """The pieces of a part, found when they are first asked for.

    Args:
        find: takes a part, gives its pieces.

    Example:
        >>> known = Remembered(lambda part: [(len(part), 0, len(part))])
        >>> known["abc"], len(known)
        ([(3, 0, 3)], 1)
    """

    def __init__(self, find: Callable[[str], list[Piece]]) -> None:
        super().__init__()
        self.find = find

    def __missing__(self, part: str) -> list[Piece]:
        if len(self) >= MOST:
            self.clear()
        pieces = self[part] = self.find(part)
        return pieces
