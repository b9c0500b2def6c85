"""Driving on a synthetic road: a car, an expert who steers it, pictures from the driver's seat, closed-loop drives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lamina.data.checks import check_function, height_and_width, positive, seed_of
from lamina.data.resample import sin_cos
from lamina.data.road import Road

Array = Any

WHEELBASE = 2.7  # metres between the axles
LARGEST_ANGLE = 0.35  # radians that the front wheels turn to either side: 20 degrees
TOP_SPEED, LAG = 15.0, 2.0  # metres a second at full throttle; seconds in which two thirds of a change come about
SIDEWAYS = 2.5  # metres a second squared in a bend that the expert finds comfortable
LOOK_AHEAD, LOOK_OUT = 10.0, 25.0  # metres: the point that the expert steers for; where it looks for bends
TOLERANCE, PENALTY = 1.0, 6.0  # the paper's: metres off before a human takes over, seconds that this costs


@dataclass(frozen=True)
class Car:
    """A kinematic bicycle: no tyre slips, the front wheel's angle sets the radius.

    Args:
        point: (2,) where the middle of the rear axle is, in metres.
        direction: (2,) where it points, of length 1.
        speed: metres a second.

    Example:
        >>> import lamina as lm
        >>> car = lm.data.Car((0.0, 0.0), (1.0, 0.0), speed=10.0)
        >>> for _ in range(10):
        ...     car = car.step(steering=0.0, throttle=10 / 15, seconds=0.1)
        >>> [round(float(x), 3) for x in car.point]
        [10.0, 0.0]
        >>> bool(car.step(steering=1.0, throttle=0.5, seconds=0.1).direction[1] > 0)  # to the left
        True
    """

    point: Array
    direction: Array
    speed: float = 0.0

    def step(self, steering: float, throttle: float, seconds: float) -> Car:
        """The car a moment later.

        direction' = speed tan(angle) / wheelbase, and speed' = (throttle 15 m/s - speed) / 2 s.

        Args:
            steering: the front wheels' angle as a share of its largest, 20 degrees: 1 is left, -1 right.
            throttle: from 0 to 1: the share of 15 m/s that the speed tends to.
            seconds: how much later.
        """
        steering, throttle = float(np.clip(steering, -1, 1)), float(np.clip(throttle, 0, 1))
        sine, cosine = sin_cos(LARGEST_ANGLE * steering / (2 * np.pi))
        turned = self.speed * seconds * float(sine / cosine) / WHEELBASE
        half = turn(np.asarray(self.direction, np.float64), turned / 2)
        point = np.asarray(self.point, np.float64) + self.speed * seconds * half
        speed = self.speed + (throttle * TOP_SPEED - self.speed) * min(1.0, seconds / LAG)
        return Car(point, turn(half, turned / 2), speed)


def turn(direction: Array, radians: float) -> Array:
    """A direction turned to the left."""
    sine, cosine = sin_cos(radians / (2 * np.pi))
    x, y = direction
    turned = np.stack([x * cosine - y * sine, x * sine + y * cosine])
    return turned / np.sqrt(turned[0] * turned[0] + turned[1] * turned[1])


def expert(road: Road, car: Car) -> tuple[float, float]:
    """How one steers who knows the road: for the point of the right lane 10 m ahead (pure pursuit).

    Args:
        road: where it drives.
        car: where it is; off the lane, the point ahead brings it back.

    Returns:
        steering: the front wheels' angle as a share of its largest, from -1 (right) to 1 (left).
        throttle: from 0 to 1, so that the sharpest bend of the next 25 m is driven at 2.5 m/s^2 sideways.

    Example:
        >>> import lamina as lm
        >>> road = lm.data.Road(seed=1)
        >>> steering, throttle = lm.data.expert(road, lm.data.Car(*road.at(0.0, road.lane), 10.0))
        >>> -1 <= steering <= 1, 0 < throttle <= 1
        (True, True)

    Reference:
        Coulter 1992, "Implementation of the Pure Pursuit Path Tracking Algorithm", CMU-RI-TR-92-01.
    """
    place, _ = road.locate(car.point)
    goal = road.at(place + LOOK_AHEAD, road.lane)[0] - np.asarray(car.point)
    x, y = car.direction
    left = float(x * goal[1] - y * goal[0])
    curvature = 2 * left / float(goal[0] * goal[0] + goal[1] * goal[1])
    bend = road.bend(place, LOOK_OUT)
    throttle = min(1.0, math.sqrt(SIDEWAYS / bend) / TOP_SPEED) if bend else 1.0
    return float(np.clip(_arctan(WHEELBASE * curvature) / LARGEST_ANGLE, -1, 1)), throttle


def _arctan(x: float) -> float:
    """The angle of this tangent, by its series after two halvings: the same bits everywhere."""
    for _ in range(2):
        x = x / (1 + math.sqrt(1 + x * x))
    total = 0.0
    for n in range(25, 0, -2):
        total = 1 / n - x * x * total
    return 4 * x * total


@dataclass(frozen=True)
class DrivingFrames:
    """Pictures from the driver's seat, and what the expert did there: what `load_driving` returns.

    Args:
        images: (N, H, W, 3), uint8.
        steering: (N,), float32, from -1 (right) to 1 (left).
        throttle: (N,), float32, from 0 to 1.

    Example:
        >>> import lamina as lm
        >>> frames = lm.data.load_driving(count=2)
        >>> len(frames), isinstance(frames, lm.data.DrivingFrames)
        (2, True)
    """

    images: Array
    steering: Array
    throttle: Array

    def __len__(self) -> int:
        return len(self.images)


def load_driving(
    count: int = 2000,
    seed: int = 0,
    size: tuple[int, int] = (66, 200),
    roads: int = 8,
    recovery: float = 0.6,
) -> DrivingFrames:
    """Camera pictures of synthetic roads, with the expert's steering and throttle.

    A share of the pictures is taken off the lane's middle and at a slant, as the paper's shifted and turned pictures
    are: their steering brings the car back, which a driver who never strays does not show.

    Args:
        count: how many pictures.
        seed: of the roads and places; the same seed gives the same bytes.
        size: (height, width) of the pictures.
        roads: how many roads they come from, their seeds from 1000 seed on.
        recovery: the share off the middle (up to 1.5 m to either side, up to 9 degrees turned).

    Returns:
        DrivingFrames.

    Raises:
        TypeError, ValueError: for arguments that are no such numbers.

    Example:
        >>> import lamina as lm
        >>> frames = lm.data.load_driving(count=4, seed=1)
        >>> frames.images.shape, frames.steering.shape
        ((4, 66, 200, 3), (4,))

    Reference:
        Bojarski et al. 2016, arXiv:1604.07316 (shifted and rotated pictures).
    """
    positive(count, "load_driving: count")
    if not 0 <= recovery <= 1:
        raise ValueError(f"load_driving: recovery must be from 0 to 1, got {recovery!r}")
    first = 1000 * seed_of(seed, "load_driving")
    courses = [Road(first + number) for number in range(positive(roads, "load_driving: roads"))]
    draw = np.random.default_rng([seed & 0xFFFFFFFF, 0xD21F])
    height, width = height_and_width(size, "load_driving: size")
    images = np.empty((count, height, width, 3), np.uint8)
    labels = np.empty((2, count), np.float32)
    for i in range(count):
        road = courses[i % len(courses)]
        astray = 1.0 if draw.random() < recovery else 0.1
        offset, slant = draw.uniform(-1.5, 1.5) * astray, draw.uniform(-0.15, 0.15) * astray
        place, light = draw.uniform(0, road.length), draw.uniform(0.75, 1.15)
        point, direction = road.at(place, road.lane + offset)
        car = Car(point, turn(direction, slant), TOP_SPEED / 2)
        labels[:, i] = expert(road, car)
        images[i] = road.draw(car.point, car.direction, (height, width), light)
    return DrivingFrames(images, labels[0], labels[1])


@dataclass(frozen=True)
class Drive:
    """What happened on a drive: what `drive` returns.

    Args:
        points: (steps, 2): where the car was, in metres.
        offsets: (steps,): metres to the left of its lane's middle.
        speeds: (steps,): metres a second.
        steering: (steps,): from -1 (right) to 1 (left).
        seconds: of a step.
        interventions: steps at which the car was 1 m off and was put back.
        frames: pictures of some steps, by the step's number.

    Example:
        >>> import lamina as lm, numpy as np
        >>> drive = lm.data.Drive(np.zeros((600, 2)), np.zeros(600), np.zeros(600), np.zeros(600), 0.1, [5], {})
        >>> drive.autonomy
        0.9
    """

    points: Array
    offsets: Array
    speeds: Array
    steering: Array
    seconds: float
    interventions: list[int] = field(default_factory=list)
    frames: dict[int, Array] = field(default_factory=dict)

    @property
    def autonomy(self) -> float:
        """The paper's measure: 1 - 6 s for each intervention / the time driven, 0 at least."""
        return max(0.0, 1 - PENALTY * len(self.interventions) / (len(self.offsets) * self.seconds))


def drive(
    road: Road,
    driver: Callable[[Array], Any],
    seconds: float = 60.0,
    size: tuple[int, int] = (66, 200),
    step: float = 0.1,
    keep: int = 50,
) -> Drive:
    """Drives in closed loop: the driver sees what the camera sees after what it did before.

    Where the car is more than 1 m off its lane's middle it is put back, as a human would take over.

    Args:
        road: where to drive, from its start, in the right lane.
        driver: takes a picture (H, W, 3) of uint8; gives steering, or steering and throttle. With steering alone the
            expert has the throttle.
        seconds: how long.
        size: (height, width) of the pictures.
        step: seconds between pictures.
        keep: the pictures of every so many steps are kept.

    Returns:
        Drive.

    Raises:
        TypeError: if the driver cannot be called.
        ValueError: if it gives anything but one or two finite numbers; for seconds that are not finite, or less than
            a step.

    Example:
        >>> import lamina as lm
        >>> straight = lm.data.drive(lm.data.Road(seed=1), lambda picture: 0.0, seconds=10)
        >>> len(straight.offsets), straight.autonomy < 1
        (100, True)

    Reference:
        Bojarski et al. 2016, arXiv:1604.07316 (interventions and autonomy).
    """
    check_function(driver, "drive")
    positive(keep, "drive: keep")
    if not 0 < step <= seconds < math.inf:
        raise ValueError(
            f"drive: step must be positive, seconds at least one step and finite, got {step} and {seconds}"
        )
    car = Car(*road.at(0.0, road.lane), TOP_SPEED / 2)
    rows: list[tuple[float, ...]] = []
    interventions: list[int] = []
    frames: dict[int, Array] = {}
    for number in range(round(seconds / step)):
        place, offset = road.locate(car.point)
        if abs(offset - road.lane) > TOLERANCE:
            interventions.append(number)
            car = replace(Car(*road.at(place, road.lane)), speed=car.speed)
            offset = road.lane
        picture = road.draw(car.point, car.direction, size)
        if number % keep == 0:
            frames[number] = picture
        said = np.asarray(driver(picture), np.float64).reshape(-1)
        if len(said) not in (1, 2) or not np.isfinite(said).all():
            raise ValueError(f"drive: the driver must give steering, or steering and throttle, got {said.tolist()}")
        throttle = said[1] if len(said) == 2 else expert(road, car)[1]
        rows.append((*car.point, offset - road.lane, car.speed, said[0]))
        car = car.step(float(said[0]), float(throttle), step)
    table = np.array(rows)
    return Drive(table[:, :2], table[:, 2], table[:, 3], table[:, 4], step, interventions, frames)
