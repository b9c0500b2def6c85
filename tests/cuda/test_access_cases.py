"""The cases whose memory accesses are counted (bench/gpu_accesses.py) are calls of kernels: each still runs."""

from __future__ import annotations

import os

import pytest

from bench.gpu_access_cases import CASES
from kernel_testing import emulated


@pytest.mark.skipif(bool(os.environ.get("LAMINA_SANITIZED")), reason="the kernels' own tests say more")
@pytest.mark.parametrize("title", CASES)
def test_a_case_runs(title: str) -> None:
    name, arguments = CASES[title]()
    getattr(emulated(), name)(**arguments, stream=0)
