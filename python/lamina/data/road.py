"""A synthetic road, and the pictures that a camera on a car would see of it.

The road is a closed curve on flat ground, seen through a pinhole camera: each pixel below the horizon looks at one
point of the ground, and its colour is what the road has there. Nothing here was photographed. Arithmetic of + - * / and
square roots alone, so that the same seed draws the same bytes on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.data.checks import height_and_width, seed_of
from lamina.data.resample import sin_cos

Array = Any

FIELD_OF_VIEW = 0.5773502691896257  # half the picture's width over the focal length: 60 degrees
CAMERA_HEIGHT = 1.3  # metres above the ground
HORIZON = 0.22  # of the picture's height from its top
LONGEST = 1_000_000  # metres
SHARPEST = 18.0  # metres: the least radius of a bend
BEHIND, AHEAD, STEP = 6.0, 120.0, 2.0  # metres of the road that a picture looks for its points in

SKY_TOP, SKY_LOW = (96, 150, 214), (205, 222, 236)
GRASS, DIRT, ASPHALT, WHITE, YELLOW, HILL, HAZE = (
    (92, 128, 62), (140, 122, 92), (98, 98, 102), (232, 232, 226), (226, 190, 64), (88, 116, 98), (122, 146, 120),
)  # fmt: skip


class Road:
    """A closed road of two lanes on flat ground, drawn by chance (synthetic).

    Places along it are metres from its start; offsets are metres to the left of its middle line.

    Args:
        seed: of its course.
        length: about how long it is, in metres.
        width: of both lanes together, in metres.

    Attributes:
        points (n, 2): its middle line, every metre or so; directions (n, 2): where it leads there, of length 1;
        curvature (n,): 1 / radius, positive to the left; spacing, length, width: in metres; lane: the offset of the
        right lane's middle.

    Raises:
        TypeError: if the seed is no integer.
        ValueError: if it is shorter than 300 m or narrower than 4, or longer than anything sensible.

    Example:
        >>> import lamina as lm
        >>> road = lm.data.Road(seed=1)
        >>> place, direction = road.at(10.0, offset=road.lane)
        >>> road.draw(place, direction).shape
        (66, 200, 3)
        >>> [round(float(number), 1) for number in road.locate(place)]
        [10.0, -1.8]
    """

    def __init__(self, seed: int = 0, length: float = 800.0, width: float = 7.0) -> None:
        self.seed = seed_of(seed, "Road")
        if not 300 <= length < LONGEST or not 4 <= width < LONGEST:
            raise ValueError(
                f"Road: length must be at least 300 and width at least 4 metres, both below {LONGEST:,}, "
                f"got {length} and {width}"
            )
        self.width, self.lane = float(width), -float(width) / 4
        draw = np.random.default_rng([self.seed, 0x80AD])
        waves = np.arange(2, 8)
        sizes, phases = draw.uniform(0.3, 1.0, len(waves)) / waves, draw.uniform(0, 1, len(waves))
        for _ in range(40):  # flatter until the sharpest bend is wide enough
            self._lay(waves, sizes, phases, float(length))
            if np.abs(self.curvature).max() * SHARPEST <= 1:
                break
            sizes = sizes * 0.9

    def _lay(self, waves: Array, sizes: Array, phases: Array, length: float) -> None:
        """Points at even distances along r = 1 + sum of waves, as long as asked for."""
        turn = np.arange(8192) / 8192
        radius = np.ones_like(turn)
        for wave, size, phase in zip(waves, sizes, phases, strict=True):
            radius = radius + 0.5 * size * sin_cos(wave * turn + phase)[1]
        sine, cosine = sin_cos(turn)
        curve = np.stack([radius * cosine, radius * sine], 1)
        curve = np.concatenate([curve, curve[:1]])
        steps = _norm(np.diff(curve, axis=0))
        along = np.concatenate([[0.0], np.cumsum(steps)])
        curve, along = curve * (length / along[-1]), along * (length / along[-1])
        count = int(length)
        places = np.arange(count) * (length / count)
        self.points = np.stack([np.interp(places, along, curve[:, i]) for i in range(2)], 1)
        ahead, behind = np.roll(self.points, -1, 0), np.roll(self.points, 1, 0)
        self.directions = (ahead - behind) / _norm(ahead - behind)[:, None]
        self.spacing, self.length = length / count, length
        before, after = np.roll(self.directions, 2, 0), np.roll(self.directions, -2, 0)
        self.curvature = _cross(before, after) / (4 * self.spacing)

    def at(self, place: Any, offset: Any = 0.0) -> tuple[Array, Array]:
        """The point at so many metres from the start and to the left of the middle, and the direction there.

        Args:
            place: metres from the start; past the end it goes on from the start.
            offset: metres to the left.

        Returns:
            Arrays (..., 2): the point, and the direction of length 1.
        """
        number = np.asarray(place, np.float64) / self.spacing
        low = np.floor(number)
        share = (number - low)[..., None]
        i = low.astype(np.int64) % len(self.points)
        j = (i + 1) % len(self.points)
        direction = (1 - share) * self.directions[i] + share * self.directions[j]
        direction = direction / _norm(direction)[..., None]
        point = (1 - share) * self.points[i] + share * self.points[j]
        return point + np.asarray(offset, np.float64)[..., None] * _left(direction), direction

    def bend(self, place: float, ahead: float) -> float:
        """The largest curvature, without its sign, from a place to so many metres ahead."""
        first = int(place / self.spacing)
        numbers = np.arange(first, first + 1 + int(ahead / self.spacing)) % len(self.points)
        return float(np.abs(self.curvature[numbers]).max())

    def locate(self, point: Any) -> tuple[float, float]:
        """Where a point is: metres from the start, and metres to the left of the middle."""
        away = np.asarray(point, np.float64) - self.points
        i = int((away * away).sum(axis=1).argmin())
        along = float((away[i] * self.directions[i]).sum())
        offset = float(_cross(self.directions[i], away[i])) - float(self.curvature[i]) * along * along / 2
        return (i * self.spacing + along) % self.length, offset

    def draw(self, point: Any, direction: Any, size: tuple[int, int] = (66, 200), light: float = 1.0) -> Array:
        """What a camera sees that stands 1.3 m above a point and looks along a direction, 60 degrees wide.

        Args:
            point: (2,), in metres.
            direction: (2,), of length 1.
            size: (height, width) of the picture.
            light: brightness, 1 by day.

        Returns:
            Array (height, width, 3) of uint8: red, green, blue.
        """
        height, width = height_and_width(size, "draw: size")
        point, direction = np.asarray(point, np.float64), np.asarray(direction, np.float64)
        horizon = max(1, round(height * HORIZON))
        focal = width / 2 / FIELD_OF_VIEW
        columns = (np.arange(width) + 0.5 - width / 2) / focal
        picture = np.empty((height, width, 3))
        picture[:horizon] = _sky(direction, columns, horizon, self.seed)
        rows = np.arange(height - horizon) + 0.5
        ahead = np.broadcast_to((CAMERA_HEIGHT * focal / rows)[:, None], (len(rows), width))
        picture[horizon:] = self._ground(point, direction, ahead, -ahead * columns, ahead / focal)
        return np.rint(picture * light).clip(0, 255).astype(np.uint8)

    def _ground(self, point: Array, direction: Array, ahead: Array, left: Array, pixel: Array) -> Array:
        """Colours of points of the ground: so far ahead and to the left of the camera, each `pixel` metres wide."""
        place, _ = self.locate(point)
        places = place + np.arange(-BEHIND, AHEAD, STEP)
        line, ways = self.at(places)
        bends = self.curvature[(places / self.spacing).astype(np.int64) % len(self.points)]
        away = line - point
        line_ahead, line_left = (away * direction).sum(axis=1), (away * _left(direction)).sum(axis=1)
        ways_ahead, ways_left = (ways * direction).sum(axis=1), (ways * _left(direction)).sum(axis=1)
        near = _nearest(ahead, left, line_ahead, line_left)
        off_ahead, off_left = ahead - line_ahead[near], left - line_left[near]
        along = off_ahead * ways_ahead[near] + off_left * ways_left[near]
        offset = ways_ahead[near] * off_left - ways_left[near] * off_ahead - bends[near] * along * along / 2
        beyond = np.abs(along) > STEP  # of where the road was looked for
        offset = np.where(beyond, 1e3, offset)
        east = point[0] + ahead * direction[0] - left * direction[1]
        north = point[1] + ahead * direction[1] + left * direction[0]
        fine = np.clip(0.35 / pixel, 0, 1)  # grain is seen where it is larger than a pixel
        grain = (_grain(east, north, 0.25, self.seed) * fine + _grain(east, north, 3.0, self.seed + 1)) / 2
        aside, half = np.abs(offset), self.width / 2
        colour = np.array(GRASS) + grain[..., None] * np.array((26, 30, 18))
        colour = _laid(colour, np.array(DIRT) + grain[..., None] * 24, _covered(aside, 0, half + 0.7, pixel))
        colour = _laid(colour, np.array(ASPHALT) + grain[..., None] * 14, _covered(aside, 0, half, pixel))
        colour = _laid(colour, np.array(WHITE), _covered(aside, half - 0.25, 0.08, pixel))
        dash = (np.floor((places[near] + along) / 3.0) % 2 == 0) * _covered(aside, 0, 0.08, pixel)
        colour = _laid(colour, np.array(YELLOW), dash)
        return _laid(colour, np.array(HAZE), np.clip(ahead / 260 - 0.05, 0, 0.6))


def _nearest(ahead: Array, left: Array, line_ahead: Array, line_left: Array) -> Array:
    """For each point of the ground the number of the nearest point of the line."""
    x, y = ahead.astype(np.float32)[..., None], left.astype(np.float32)[..., None]
    u, v = line_ahead.astype(np.float32), line_left.astype(np.float32)
    return ((u * u + v * v) / 2 - x * u - y * v).argmin(axis=-1)


def _covered(aside: Array, middle: float, half: float, pixel: Array) -> Array:
    """How much of a pixel a stripe covers, its edges soft by the pixel's width."""
    soft = np.clip((half - np.abs(aside - middle)) / pixel + 0.5, 0, 1)
    return soft * np.minimum(1, 2 * half / pixel)


def _laid(below: Array, above: Array, covered: Array) -> Array:
    return below + covered[..., None] * (above - below)


def _grain(east: Array, north: Array, cell: float, seed: int) -> Array:
    """A number from -1 to 1 for each square of the ground, by its coordinates."""
    i = np.floor(east / cell).astype(np.int64).astype(np.uint32)
    j = np.floor(north / cell).astype(np.int64).astype(np.uint32)
    mixed = i * np.uint32(0x9E3779B1) ^ j * np.uint32(0x85EBCA77) ^ np.uint32((seed * 0xC2B2AE3D) & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    mixed = (mixed ^ (mixed >> np.uint32(12))) * np.uint32(0x297A2D39)
    return (mixed >> np.uint32(16)) / 32767.5 - 1


def _sky(direction: Array, columns: Array, rows: int, seed: int) -> Array:
    """Rows above the horizon: lighter towards it, and hills that stay where they are when the camera turns."""
    height = (rows - 0.5 - np.arange(rows)) / rows
    sky = np.array(SKY_LOW) + height[:, None, None] * (np.array(SKY_TOP) - np.array(SKY_LOW))
    looks = direction - columns[:, None] * _left(direction)
    looks = looks / _norm(looks)[:, None]
    hills = np.full(len(columns), 0.25)
    for wave in (0.7, 1.3, 2.9):
        hills = hills + 0.14 / wave * sin_cos(wave * (looks[:, 0] - 1.7 * looks[:, 1]) + seed % 97 / 97)[0]
    covered = np.clip((hills - height[:, None]) * rows + 0.5, 0, 1)
    return _laid(np.broadcast_to(sky, (rows, len(columns), 3)), np.array(HILL), covered)


def _left(direction: Array) -> Array:
    return np.stack([-direction[..., 1], direction[..., 0]], -1)


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _norm(vectors: Array) -> Array:
    return np.sqrt(vectors[..., 0] * vectors[..., 0] + vectors[..., 1] * vectors[..., 1])
