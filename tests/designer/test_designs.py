"""Designs: codes, refinement, files."""

import io

import numpy as np
import pytest

import lamina as lm
from lamina.applications import VariationalAutoencoder, dcgan_discriminator, dcgan_generator
from lamina.designer.designs import Designs, load_generator, train_generator

image = pytest.importorskip("PIL.Image")


@pytest.fixture
def designs(tmp_path):
    lm.set_seed(1)
    return Designs(dcgan_generator(6, (8, 8, 1), 4), tmp_path / "designs", low=-1.0, count=8, seed=3)


def test_pictures_are_png(designs):
    pictures = designs.pictures()
    assert len(pictures) == 8
    with image.open(io.BytesIO(pictures[0])) as picture:
        assert (picture.size, picture.mode) == ((8, 8), "L")


def test_refine_keeps_picks_and_stays_near(designs):
    before = designs.codes.copy()
    after = designs.refine([2, 5], variation=0.0).copy()
    assert (after[:2] == before[[2, 5]]).all()
    assert ((after[2:] == before[2]) | (after[2:] == before[5])).all()  # every number is one of the picks'
    near = np.abs(designs.refine([0], variation=0.3)[1:] - after[0]).mean()
    designs.codes = after.copy()
    far = np.abs(designs.refine([0], variation=1.0)[1:] - after[0]).mean()
    assert 0 < near < far
    assert designs.refine(list(range(8))).shape == (8, 6)


def test_seeds_repeat(tmp_path):
    def run():
        lm.set_seed(1)
        designs = Designs(dcgan_generator(6, (8, 8, 1), 4), tmp_path, seed=3)
        designs.refine([1, 2])
        return designs.renew(), designs.refine([0])

    for one, other in zip(run(), run(), strict=True):
        assert (one == other).all()


def test_saves_beside_what_is_there(designs):
    assert designs.saved() == []
    assert designs.save([1, 3]) == ["design_0001.png", "design_0002.png"]
    assert designs.save([1]) == ["design_0003.png"]
    (designs.folder / "design_x.png").write_bytes(b"")
    assert designs.saved() == ["design_0003.png", "design_0002.png", "design_0001.png"]
    with image.open(designs.folder / "design_0001.png") as picture:
        assert picture.size == (32, 32)


@pytest.mark.parametrize("picks", [[], [8], [-1], ["1"], [True], [0.5]])
def test_picks_that_are_not_there_are_refused(designs, picks):
    for act in (designs.refine, designs.save):
        with pytest.raises(ValueError, match="picks must be places from 0 to 7"):
            act(picks)


def test_refused(designs, tmp_path):
    for variation in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="variation must be from 0 to 1"):
            designs.refine([0], variation)
    with pytest.raises(ValueError, match="must take codes"):
        Designs(dcgan_discriminator((8, 8, 1), 4), tmp_path)


def test_models_are_loaded(tmp_path):
    lm.set_seed(1)
    generator, autoencoder = dcgan_generator(6, (8, 8, 1), 4), VariationalAutoencoder((8, 8, 1), 3, units=(8,))
    generator.save(tmp_path / "g.safetensors")
    autoencoder.save(tmp_path / "v.safetensors")
    assert load_generator(tmp_path / "v.safetensors")[0].inputs[0].shape == (None, 3)
    assert load_generator(tmp_path / "v.safetensors")[1] == 0.0
    assert load_generator(tmp_path / "g.safetensors")[1] == -1.0
    with pytest.raises(FileNotFoundError):
        load_generator(tmp_path / "none.safetensors")


def test_training_without_a_model(monkeypatch):
    load = lm.data.load_garments
    monkeypatch.setattr(lm.data, "load_garments", lambda count, **settings: load(100, **settings))
    decoder = train_generator(epochs=1, verbose=0)
    assert decoder.predict(np.zeros((2, 12), "float32"), verbose=0).shape == (2, 32, 32, 1)
