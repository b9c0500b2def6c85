"""What every test may count on: the ISA and the number of threads are as they were."""

import pytest

import lamina


@pytest.fixture(autouse=True)
def _runtime_restored():
    isa, threads = lamina.isa(), lamina.num_threads()
    yield
    lamina.set_isa(isa)
    if lamina.num_threads() != threads:
        lamina.set_num_threads(threads)
