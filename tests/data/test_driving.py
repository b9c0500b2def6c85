"""The road, its pictures, the car, the expert and the drives."""

import numpy as np
import pytest

import lamina as lm
from lamina.data import driving
from lamina.data.road import CAMERA_HEIGHT, FIELD_OF_VIEW, GRASS, HORIZON, SHARPEST, Road


@pytest.fixture(scope="module")
def road():
    return Road(seed=4)


@pytest.mark.parametrize("seed", range(6))
def test_a_road_is_closed_and_its_bends_are_wide_enough(seed):
    road = Road(seed, length=700.0)
    steps = np.linalg.norm(np.diff(np.concatenate([road.points, road.points[:1]]), axis=0), axis=1)
    np.testing.assert_allclose(steps, road.spacing, rtol=0.02)
    assert steps.sum() == pytest.approx(700, rel=0.01)
    assert np.abs(road.curvature).max() <= 1 / SHARPEST
    assert road.curvature.sum() * road.spacing == pytest.approx(2 * np.pi, rel=0.01)  # once around
    np.testing.assert_allclose(np.linalg.norm(road.directions, axis=1), 1, rtol=1e-12)


def test_the_same_seed_draws_the_same_bytes(road):
    again, other = Road(seed=4), Road(seed=5)
    np.testing.assert_array_equal(road.points, again.points)
    assert not np.array_equal(road.points, other.points)
    place = road.at(33.0, road.lane)
    np.testing.assert_array_equal(road.draw(*place), again.draw(*place))
    a, b = lm.data.load_driving(3, seed=8), lm.data.load_driving(3, seed=8)
    for x, y in ((a.images, b.images), (a.steering, b.steering), (a.throttle, b.throttle)):
        np.testing.assert_array_equal(x, y)
    assert not np.array_equal(a.images, lm.data.load_driving(3, seed=9).images)


@pytest.mark.parametrize("offset", [-4.0, -1.75, 0.0, 2.0])
def test_locate_finds_what_at_gave(road, offset):
    for place in np.linspace(0.5, road.length - 1, 37):
        point, direction = road.at(place, offset)
        found = road.locate(point)
        assert found[0] == pytest.approx(place, abs=0.2)
        assert found[1] == pytest.approx(offset, abs=0.03)
        assert direction @ direction == pytest.approx(1)


def test_the_picture_is_a_perspective_of_the_ground(road):
    """The white line at the road's right edge is where the pinhole camera's formula says."""
    straight = int(np.argmin(np.convolve(np.abs(np.tile(road.curvature, 2)), np.ones(30), "valid")[:700]))
    point, direction = road.at(straight * road.spacing, 0.0)
    height, width = 132, 400
    picture = road.draw(point, direction, (height, width)).astype(int)
    focal, horizon = width / 2 / FIELD_OF_VIEW, round(height * HORIZON)
    for row in (height - 20, height - 40, height - 60):
        ahead = CAMERA_HEIGHT * focal / (row + 0.5 - horizon)
        edge = width / 2 + (road.width / 2 - 0.25) * focal / ahead
        if edge >= width - 2:
            continue
        found = int(picture[row, width // 2 + 20 :].min(axis=1).argmax()) + width // 2 + 20
        assert abs(found - edge) < 0.02 * width
    near = road.draw(*road.at(straight * road.spacing, 30.0), (height, width))[height - 8 :].reshape(-1, 3)
    np.testing.assert_allclose(near.mean(axis=0), GRASS, atol=12)


def test_light(road):
    place = road.at(0.0)
    np.testing.assert_allclose(road.draw(*place, light=0.5), road.draw(*place).astype(float) / 2, atol=0.51)


def test_a_car_that_holds_its_wheel_drives_a_circle():
    steering, speed = 0.6, 9.0
    radius = driving.WHEELBASE / np.tan(driving.LARGEST_ANGLE * steering)
    car = lm.data.Car((0.0, 0.0), (1.0, 0.0), speed)
    points = []
    for _ in range(500):
        car = car.step(steering, speed / driving.TOP_SPEED, 0.05)
        points.append(car.point)
    np.testing.assert_allclose(np.linalg.norm(np.array(points) - [0, radius], axis=1), radius, rtol=2e-3)
    assert car.speed == pytest.approx(speed)
    assert lm.data.Car((0, 0), (1, 0), 0.0).step(0, 5, 0.1).speed == pytest.approx(0.75)  # throttle is cut to 1


def test_arctan_and_turn():
    for x in (-3.0, -0.4, 0.0, 1e-3, 0.2, 1.0):
        assert driving._arctan(x) == pytest.approx(np.arctan(x), abs=1e-9)
    np.testing.assert_allclose(driving.turn(np.array([1.0, 0.0]), 0.3), [np.cos(0.3), np.sin(0.3)], rtol=1e-12)


def test_the_expert_keeps_to_the_lane_and_comes_back_to_it(road):
    car = lm.data.Car(*road.at(0.0, road.lane + 1.5), 8.0)
    assert lm.data.expert(road, car)[0] < lm.data.expert(road, lm.data.Car(*road.at(0.0, road.lane), 8.0))[0]
    offsets, speeds = [], []
    for _ in range(600):
        steering, throttle = lm.data.expert(road, car)
        car = car.step(steering, throttle, 0.1)
        offsets.append(road.locate(car.point)[1] - road.lane)
        speeds.append(car.speed)
    assert np.abs(offsets[50:]).max() < 0.6
    assert max(speeds) - min(speeds) > 2  # slower in bends


def test_recovery_pictures_show_more_steering():
    usual, astray = (lm.data.load_driving(150, seed=2, size=(12, 36), recovery=r) for r in (0.0, 1.0))
    assert astray.steering.std() > 1.2 * usual.steering.std()
    assert usual.images.shape == (150, 12, 36, 3)
    assert usual.throttle.min() > 0.2
    assert usual.throttle.max() <= 1


def test_a_drive(road):
    seen = []

    def driver(picture):
        seen.append(picture.shape)
        return 0.0, 0.5

    ride = lm.data.drive(road, driver, 30, size=(12, 36), keep=10)
    assert set(seen) == {(12, 36, 3)}
    assert ride.points.shape == (300, 2)
    assert list(ride.frames) == list(range(0, 300, 10))
    assert ride.interventions
    assert (ride.offsets[ride.interventions] == 0).all()  # put back
    assert np.abs(ride.offsets).max() <= 1
    assert ride.autonomy == max(0.0, 1 - 6 * len(ride.interventions) / 30)
    np.testing.assert_allclose(ride.speeds, 7.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Road(seed=1.5), TypeError, "seed must be an integer"),
        (lambda: Road(length=100), ValueError, "at least 300"),
        (lambda: Road(width=float("nan")), ValueError, "width at least 4"),
        (lambda: Road(length=float("inf")), ValueError, "below 1,000,000, got inf"),
        (lambda: Road().draw((0, 0), (1, 0), (0, 10)), ValueError, "draw: size's height and width must be a positive"),
        (lambda: lm.data.load_driving(0), ValueError, "load_driving: count must be a positive"),
        (lambda: lm.data.load_driving(1, recovery=2), ValueError, "recovery must be from 0 to 1"),
        (lambda: lm.data.load_driving(1, size=(10, 0)), ValueError, "load_driving: size"),
        (lambda: lm.data.load_driving(1, size=10), ValueError, r"size must be \(height, width\), got 10"),
        (lambda: lm.data.load_driving(1, roads=0), ValueError, "load_driving: roads"),
        (lambda: lm.data.drive(Road(), 3), TypeError, "drive: expected a function"),
        (lambda: lm.data.drive(Road(), lambda x: (1, 2, 3), size=(8, 8)), ValueError, "one|steering, or steering"),
        (lambda: lm.data.drive(Road(), lambda x: float("nan"), size=(8, 8)), ValueError, "must give steering"),
        (lambda: lm.data.drive(Road(), lambda x: 0.0, seconds=float("inf")), ValueError, "finite, got 0.1 and inf"),
        (lambda: lm.data.drive(Road(), lambda x: 0.0, seconds=float("nan")), ValueError, "finite, got 0.1 and nan"),
        (lambda: lm.data.drive(Road(), lambda x: 0.0, seconds=0), ValueError, "at least one step"),
    ],
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
