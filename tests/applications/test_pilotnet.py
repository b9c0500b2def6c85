"""PilotNet: the published count, its parts, what is refused; a little trained, it drives better than straight on."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications.pilotnet import PilotNet, preprocess_input


def test_the_papers_network():
    model = PilotNet()
    assert model.count_params() == 252_219
    shapes = [model.get_layer(f"conv{n}").output.shape[1:] for n in range(1, 6)]
    assert shapes == [(31, 98, 24), (14, 47, 36), (5, 22, 48), (3, 20, 64), (1, 18, 64)]  # the paper's figure 4
    assert model.predict(np.zeros((2, 66, 200, 3), "uint8"), verbose=0).shape == (2, 1)


def test_two_outputs():
    model = PilotNet(outputs=("steering", "throttle"))
    assert model.count_params() == 252_230
    assert [y.shape for y in model.predict(np.zeros((3, 66, 200, 3)), verbose=0)] == [(3, 1), (3, 1)]
    model.compile("adam", "mse", loss_weights={"steering": 1.0, "throttle": 0.5})
    x = np.random.default_rng(0).integers(0, 256, (4, 66, 200, 3))
    model.fit(x, {"steering": np.zeros((4, 1)), "throttle": np.ones((4, 1))}, epochs=1, verbose=0)


def test_colours():
    grey = np.full((1, 2, 2, 3), 77.0)
    np.testing.assert_allclose(preprocess_input(grey)[0, 0, 0], [77, 128, 128], atol=1e-4)
    extremes = preprocess_input(np.array(np.meshgrid(*[[0, 255]] * 3)).reshape(3, -1).T)
    assert extremes.dtype == np.float32
    assert extremes.min() >= 0
    assert extremes.max() <= 255.001
    with pytest.raises(ValueError, match="3 channels"):
        preprocess_input(np.zeros((4, 4, 1)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_shape": (60, 200, 3)}, ValueError, "height must be at least 61, got 60"),
        ({"input_shape": (66, 40, 3)}, ValueError, "width must be at least 61, got 40"),
        ({"input_shape": (66, 200)}, ValueError, r"\(height, width, channels\)"),
        ({"input_shape": (66, None, 3)}, TypeError, "width must be an integer"),
        ({"outputs": "steering"}, TypeError, "outputs must be names"),
        ({"outputs": ()}, TypeError, "outputs must be names"),
        ({"outputs": ("a", "a")}, ValueError, "different names"),
    ],
)
def test_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        PilotNet(**arguments)


def test_drives_better_than_straight_on():
    lm.set_seed(0)
    size = (66, 66)  # a narrower picture: seconds
    watched = lm.data.load_driving(240, seed=3, size=size)
    model = PilotNet((*size, 3))
    model.compile(lm.optimizers.Adam(1e-3), "mse")
    model.fit(preprocess_input(watched.images), watched.steering[:, None], epochs=8, batch_size=16, verbose=0)
    road = lm.data.Road(seed=5)  # held out

    def driver(picture):
        return model.predict(preprocess_input(picture[None]), verbose=0)[0]

    ride = lm.data.drive(road, driver, 15, size)
    straight = lm.data.drive(road, lambda picture: 0.0, 15, size)
    assert straight.interventions
    assert len(ride.interventions) < len(straight.interventions) / 4
    assert np.abs(ride.offsets).mean() < np.abs(straight.offsets).mean()


@pytest.mark.parametrize("shape", [(1, 66, 200, 1), (1, 70, 200, 3), (66, 200, 3)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="200, 3"):
        PilotNet()(np.zeros(shape, "float32"))
