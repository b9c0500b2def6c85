"""The optional CUDA module: one face with the CPU's, and a clean import where there is no GPU."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import re
import sys
from types import ModuleType

import numpy as np
import pytest

import lamina
from kernel_testing import emulated
from lamina import _cpu, backend, cuda_arrays

#: no namesake on the CPU
OWN = {"device_count", "status", "sixteen_bit", "emulator_configure", "emulator_counts", "emulator_take_accesses"}

#: What a GPU has no namesake of, and why.
CPU_ONLY = {
    "winograd_forward": "conv2d is direct on a GPU, whatever the mode: its bits are those of the CPU's direct mode",
    "winograd_backward_input": "as winograd_forward",
    "winograd_backward_kernel": "as winograd_forward",
    "conv2d_pool_forward": "a GPU takes the two ops one by one",
    "conv2d_pool_backward_kernel": "as conv2d_pool_forward",
    "word2vec": "a chain of small steps, each on the one before: it trains on the CPU, whatever the device",
    "cooccurrence": "counts words in sorted blocks on the CPU, whatever the device",
    "glove": "as word2vec",
    "all_binary": "its answer is for the host, which would wait for the GPU",
}
RUNTIME = {  # memory, threads and instruction sets of the CPU
    "contiguous", "empty", "empty_like", "isa", "isas", "measure_copy", "measure_fma", "num_threads", "pool_set_cap",
    "pool_stats", "pool_trim", "set_isa", "set_num_threads",
}  # fmt: skip


@pytest.fixture(scope="module")
def cuda() -> ModuleType:
    """The module that was built, by its file: elsewhere in the tests a stand-in may have its name."""
    spec = importlib.machinery.PathFinder.find_spec("lamina._cuda", lamina.__path__)
    if spec is None and importlib.util.find_spec("lamina_cuda13"):
        spec = importlib.util.find_spec("lamina_cuda13._cuda")
    if spec is None or spec.loader is None:
        pytest.skip("neither lamina._cuda nor lamina-cuda13 is here")
    given = sys.modules.get(spec.name)
    if getattr(given, "__file__", None):
        return given
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functions(module: ModuleType) -> dict[str, list[str]]:
    """The names of each function's arguments, from the first line of its docstring."""
    return {name: arguments(f.__doc__) for name in dir(module) if callable(f := getattr(module, name)) and f.__doc__}


def arguments(doc: str) -> list[str]:
    """Example: "f(x: array[shape=(2, 3)], stream: int = 0) -> None" has x and stream."""
    found = re.match(r"\w+\((.*)\) ->", doc.splitlines()[0])
    assert found, doc
    inside = found[1]
    while (flat := re.sub(r"\[[^\[\]]*\]|\([^()]*\)", "", inside)) != inside:  # brackets, innermost first
        inside = flat
    return [argument.split(":")[0].strip() for argument in inside.split(",") if argument.strip()]


def test_arguments_reads_a_signature() -> None:
    assert arguments("f(x: a[shape=(2, 3), b=[c, d]], y: int | None = (1, 2), stream: int = 0) -> None") == [
        "x",
        "y",
        "stream",
    ]
    assert arguments("f() -> int") == []


def test_names_and_arguments_are_those_of_the_cpu(cuda: ModuleType) -> None:
    check_names_and_arguments(cuda)


def test_names_and_arguments_of_the_emulated_module() -> None:
    check_names_and_arguments(emulated())


def check_names_and_arguments(module: ModuleType) -> None:
    cpu = functions(_cpu)
    kernels = {name: found for name, found in functions(module).items() if name not in OWN}
    assert set(cpu) - set(kernels) == set(CPU_ONLY) | RUNTIME
    for name, found in kernels.items():
        assert name in cpu, f"{name} has no namesake in lamina._cpu"
        assert name not in CPU_ONLY, f"{name} is no longer the CPU's alone"
        assert found == [*cpu[name], "stream"], name


def test_status_where_there_is_no_gpu_or_is(cuda: ModuleType) -> None:
    status = cuda.status()
    assert cuda.device_count() == status["device_count"] >= 0
    assert bool(status["message"]) == (status["device_count"] == 0)
    assert status["runtime_version"] >= 12000


def test_host_arrays_are_refused(cuda: ModuleType) -> None:
    x = np.zeros(4, np.float32)
    with pytest.raises(TypeError):
        cuda.relu_forward(x, x, 0)


def test_backend_reports_it() -> None:
    status = backend.cuda_status()
    try:
        cuda_arrays.cuda_module()
    except ImportError:
        assert status["built"] is False
        assert "not built" in status["message"]
    else:
        assert status["built"] is True
    assert status["device_count"] >= 0


def test_relu_on_the_device(cuda: ModuleType) -> None:
    if not cuda.device_count():
        pytest.skip("no GPU here")
    cupy = pytest.importorskip("cupy")
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(0).standard_normal(100_003).astype(dtype)
        x[::1000] = np.nan
        dy = np.random.default_rng(1).standard_normal(x.shape).astype(dtype)
        y, dx = np.empty_like(x), np.empty_like(x)
        _cpu.relu_forward(x, y)
        _cpu.relu_backward(y, dy, dx)
        on_device = cupy.asarray(x)
        y_device, dx_device = cupy.empty_like(on_device), cupy.empty_like(on_device)
        stream = cupy.cuda.get_current_stream().ptr
        cuda.relu_forward(on_device, y_device, stream)
        cuda.relu_backward(y_device, cupy.asarray(dy), dx_device, stream)
        np.testing.assert_array_equal(cupy.asnumpy(y_device), y)
        np.testing.assert_array_equal(cupy.asnumpy(dx_device), dx)
