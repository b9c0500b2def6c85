"""What every test may count on: a device "cuda" (a GPU, or its stand-in); settings are as they were."""

import pytest

import device_stand_in
import lamina

device_stand_in.at_hand()


@pytest.fixture(autouse=True)
def _runtime_restored():
    isa, threads = lamina.isa(), lamina.num_threads()
    yield
    lamina.set_isa(isa)
    if lamina.num_threads() != threads:
        lamina.set_num_threads(threads)
