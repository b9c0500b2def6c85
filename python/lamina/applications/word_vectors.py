"""Words and their vectors: neighbours, analogies, and the files that Word2Vec and GloVe share them in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lamina.data import files
from lamina.data.checks import positive as at_least_one
from lamina.data.near_matches import unknown_word
from lamina.data.text_files import decoded, read_text

Array = Any


class WordVectors:
    """Words, each with a vector.

    Args:
        words: the words, each once.
        vectors: their vectors (V, D); taken as float32.
        counts: how often each came (V,), if that is known.

    Raises:
        TypeError: if the words are no strings.
        ValueError: for a word that comes twice, another number of vectors or counts than of words, no words at all,
            and vectors that are not finite: where training ran away.

    Example:
        >>> from lamina.applications import WordVectors
        >>> vectors = WordVectors(["king", "queen", "man", "woman"], [[1, 1], [1, -1], [0.1, 1], [0.1, -1]])
        >>> vectors.most_similar(positive=["king", "woman"], negative=["man"], count=1)[0][0]
        'queen'
        >>> round(vectors.similarity("king", "man"), 3)
        0.774
        >>> vectors["kin"]
        Traceback (most recent call last):
        KeyError: "WordVectors: 'kin' is not among the 4 words of the vocabulary; near it: 'king'"
    """

    def __init__(self, words: Iterable[str], vectors: Any, counts: Any = None) -> None:
        self.words = list(words)
        self.vectors = np.array(vectors, np.float32, order="C")
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words) or self.vectors.size == 0:
            raise ValueError(
                f"WordVectors: vectors must have shape ({len(self.words)}, D), one a word, got {self.vectors.shape}"
            )
        self.numbers: dict[str, int] = {}
        for i, word in enumerate(self.words):
            if not isinstance(word, str):
                raise TypeError(f"WordVectors: words must be strings, got {word!r} at place {i}")
            if self.numbers.setdefault(word, i) != i:
                raise ValueError(f"WordVectors: {word!r} comes twice, at places {self.numbers[word]} and {i}")
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise ValueError(f"WordVectors: counts must have shape ({len(self.words)},), got {self.counts.shape}")
        finite = np.isfinite(self.vectors).all(1)
        if not finite.all():
            raise ValueError(f"WordVectors: the vector of {self.words[finite.argmin()]!r} is not finite")
        lengths = np.sqrt((self.vectors.astype(np.float64) ** 2).sum(1, keepdims=True))
        self.directions = (self.vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.numbers

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words, {self.vectors.shape[1]} numbers each)"

    def number(self, word: str) -> int:
        """A word's place.

        Raises:
            KeyError: if it is not there; words like it are named.
        """
        if word not in self.numbers:
            raise unknown_word(word, self.numbers, "WordVectors")
        return self.numbers[word]

    def _first(self, among: int | None) -> int:
        """How many words `among` leaves."""
        return len(self) if among is None else min(at_least_one(among, "WordVectors: among"), len(self))

    def __getitem__(self, word: str) -> Array:
        return self.vectors[self.number(word)]

    def similarity(self, word: str, other: str) -> float:
        """The cosine of the angle between two words' vectors, from -1 to 1.

        Raises:
            KeyError: for a word that is not there.
        """
        return float(self.directions[self.number(word)] @ self.directions[self.number(other)])

    def most_similar(
        self,
        positive: str | Sequence[str] | Array = (),
        negative: str | Sequence[str] = (),
        count: int = 10,
        among: int | None = None,
    ) -> list[tuple[str, float]]:
        """The nearest words by the angle to the sum of `positive` less that of `negative`, each of length 1.

        Args:
            positive: words, or one; or a vector (D,).
            negative: words, or one.
            count: how many.
            among: only the first so many words are looked at: the most frequent.

        Returns:
            (word, cosine), the nearest first; the words asked for are left out.

        Raises:
            KeyError: for a word that is not there.
            TypeError: for what is neither words nor a vector.
            ValueError: if nothing is asked for; for a vector of another length; for a count or `among` below 1.
        """
        count, first = at_least_one(count, "WordVectors: count"), self._first(among)
        if isinstance(positive, np.ndarray) and positive.dtype.kind == "f":
            target, given = np.asarray(positive, np.float32), []
            if target.shape != self.vectors.shape[1:]:
                raise ValueError(f"WordVectors: expected a vector {self.vectors.shape[1:]}, got {target.shape}")
        else:
            if not all(isinstance(one, Iterable) for one in (positive, negative)):
                raise TypeError(
                    f"WordVectors: expected words or a vector of floats, got {positive!r:.80} and {negative!r:.80}"
                )
            plus, minus = ([one] if isinstance(one, str) else list(one) for one in (positive, negative))
            given = [self.number(word) for word in [*plus, *minus]]
            if not given:
                raise ValueError("WordVectors: most_similar needs at least one word")
            signs = np.array([1] * len(plus) + [-1] * len(minus), np.float32)
            target = signs @ self.directions[given]
        length = float(np.sqrt((target.astype(np.float64) ** 2).sum()))
        cosines = self.directions[:first] @ (target / (length or 1))
        cosines[[i for i in given if i < len(cosines)]] = -np.inf
        nearest = np.argsort(-cosines, kind="stable")[:count]
        return [(self.words[i], float(cosines[i])) for i in nearest if np.isfinite(cosines[i])]

    def analogies(
        self, questions: Any, among: int | None = 300_000, ignore_case: bool = True, batch: int = 256
    ) -> dict[str, tuple[int, int]]:
        """How many questions "a is to b as c is to ?" are answered: the word nearest to b - a + c is the right one.

        Args:
            questions: the path of a file as questions-words.txt: lines ": section", and lines of four words; or
                {section: lists of four words}.
            among: only the first so many words are known: the most frequent. Questions with others are passed over.
            ignore_case: whether upper and lower case are one; the more frequent word counts.
            batch: how many questions are answered at a time.

        Returns:
            {section: (right, asked)}, and "total" last.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for a line or a question that is neither; where there are no questions; for an `among` or a
                batch below 1.
        """
        sections = questions if isinstance(questions, dict) else read_questions(questions)
        for section, rows in sections.items():
            for row in rows:
                if not isinstance(row, list | tuple) or len(row) != 4 or not all(isinstance(one, str) for one in row):
                    raise ValueError(f"WordVectors: a question must be four words, got {row!r:.80} in {section!r}")
        if not any(sections.values()):
            raise ValueError("WordVectors: analogies needs questions")
        batch, words = at_least_one(batch, "WordVectors: batch"), self.words[: self._first(among)]
        known: dict[str, int] = {}
        for i, word in enumerate(words):
            known.setdefault(word.upper() if ignore_case else word, i)
        first = np.array(sorted(known.values()))  # of words that differ by case alone, one may be the answer
        found: dict[str, tuple[int, int]] = {}
        for section, rows in sections.items():
            asked = [[known.get(word.upper() if ignore_case else word, -1) for word in row] for row in rows]
            numbers = np.array([row for row in asked if min(row) >= 0], np.int64).reshape(-1, 4)
            right = 0
            for begin in range(0, len(numbers), batch):
                a, b, c, d = numbers[begin : begin + batch].T
                cosines = (self.directions[b] - self.directions[a] + self.directions[c]) @ self.directions[first].T
                for one in (a, b, c):
                    cosines[np.arange(len(one)), np.searchsorted(first, one)] = -np.inf
                right += int((first[cosines.argmax(1)] == d).sum())
            found[section] = (right, len(numbers))
        found["total"] = (sum(right for right, _ in found.values()), sum(asked for _, asked in found.values()))
        return found

    # Files

    def save(self, path: str | os.PathLike[str], kind: str = "text") -> None:
        """Writes a file of vectors.

        Args:
            path: the file.
            kind: "text" and "binary" as the program word2vec writes them; "glove": as the program GloVe: text without
                the line of sizes.

        Raises:
            ValueError: for another kind; for words with spaces in them.
        """
        if kind not in ("text", "binary", "glove"):
            raise ValueError(f'WordVectors: kind must be "text", "binary" or "glove", got {kind!r}')
        for word in self.words:
            if not word or any(c in word for c in " \n\r\t"):
                raise ValueError(f"WordVectors: a file of vectors cannot hold the word {word!r}: it has spaces")
        with open(path, "wb") as file:
            if kind != "glove":
                file.write(f"{self.vectors.shape[0]} {self.vectors.shape[1]}\n".encode())
            for word, vector in zip(self.words, self.vectors, strict=True):
                if kind == "binary":
                    file.write(word.encode() + b" " + vector.astype("<f4").tobytes() + b"\n")
                else:
                    file.write((word + " " + " ".join(map(str, vector)) + "\n").encode())

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], kind: str = "text", errors: str = "strict", limit: int = files.LIMIT
    ) -> WordVectors:
        """Reads a file of vectors.

        Args:
            path: the file.
            kind: "text", "binary" or "glove", as in `save`.
            errors: what becomes of words that are no UTF-8: "strict" refuses them, "replace" puts U+FFFD there.
            limit: refuse files of more bytes.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for a broken file: the line or word is named.
        """
        if kind not in ("text", "binary", "glove"):
            raise ValueError(f'WordVectors: kind must be "text", "binary" or "glove", got {kind!r}')
        path = Path(path)
        if kind != "binary":
            return _read_text(path, kind == "text", errors, limit)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        files.check_size(path, "its contents", path.stat().st_size, limit)
        with path.open("rb") as file:
            return _read_binary(path, file, errors)


def read_questions(path: str | os.PathLike[str]) -> dict[str, list[list[str]]]:
    """The questions of a file as questions-words.txt: {section: lists of four words}.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a line that is neither ": section" nor four words; without questions.
    """
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = sections.setdefault("", [])
    for i, line in enumerate(read_text(path).split("\n"), start=1):
        if line.startswith(":"):
            rows = sections.setdefault(line[1:].strip(), [])
        elif line.strip():
            rows.append(line.split())
            if len(rows[-1]) != 4:
                raise ValueError(f'{path}: line {i} must be ": section" or four words, got {line!r}')
    if not any(sections.values()):
        raise ValueError(f"{path}: holds no questions")
    return {name: rows for name, rows in sections.items() if rows}


def _sizes(path: Path, line: bytes) -> tuple[int, int]:
    try:
        words, width = map(int, line.split())
        return at_least_one(words, ""), at_least_one(width, "")
    except ValueError:
        raise ValueError(
            f"{path}: must begin with a line of two numbers, of words and of values a vector, got {line[:80]!r}"
        ) from None


def _read_text(path: Path, headed: bool, errors: str, limit: int) -> WordVectors:
    lines = [line for line in read_text(path, errors, limit).split("\n") if line]
    sizes = _sizes(path, lines[0].encode() if lines else b"") if headed else None
    rows = lines[1:] if headed else lines
    if not rows or (sizes and len(rows) != sizes[0]):
        raise ValueError(f"{path}: expected words, {sizes[0] if sizes else 'one or more'}, got {len(rows)}")
    width = sizes[1] if sizes else len(rows[0].rstrip().split(" ")) - 1
    if not width:
        raise ValueError(f"{path}: line 1: expected a word and numbers, got {rows[0][:80]!r}")
    words, vectors = [], np.empty((len(rows), width), np.float32)
    for i, row in enumerate(rows):
        parts = row.rstrip().rsplit(" ", width)
        try:
            vectors[i] = np.array(parts[1:], np.float32).reshape(width)
        except ValueError:
            raise ValueError(f"{path}: line {i + 1 + headed}: expected a word and {width} numbers, got {row[:80]!r}"
                             ) from None  # fmt: skip
        words.append(parts[0])
    return _made(path, words, vectors)


def _read_binary(path: Path, file: BinaryIO, errors: str) -> WordVectors:
    count, width = _sizes(path, file.readline(100))
    begin, data = file.tell(), file.read()
    if count * (4 * width + 2) > len(data) + count:
        raise ValueError(f"{path}: is cut short: {len(data)} bytes cannot hold {count} words of {width} values")
    words, vectors, place = [], np.empty((count, width), np.float32), 0
    for i in range(count):
        space = data.find(b" ", place)
        if space < 0 or space + 1 + 4 * width > len(data):
            raise ValueError(f"{path}: is cut short at word {i} of {count}")
        word = data[place:space].lstrip(b"\n")
        words.append(decoded(word, f"{path}: word {i}, from byte {begin + space - len(word)} on", errors))
        vectors[i] = np.frombuffer(data, "<f4", width, space + 1)
        place = space + 1 + 4 * width
    return _made(path, words, vectors)


def _made(path: Path, words: list[str], vectors: Array) -> WordVectors:
    try:
        return WordVectors(words, vectors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
