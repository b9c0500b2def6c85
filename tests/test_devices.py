"""Devices: where tensors are and go, DLPack, what is refused, and what is said where there is no GPU."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import lamina as lm
from lamina import backend, cli, cuda_arrays


def on_gpu(value, **kwargs):
    return lm.tensor(value, device="cuda", **kwargs)


# Tensors


def test_tensors_go_to_and_fro():
    x = lm.tensor([1.0, 2.0])
    assert x.to("cpu") is x is x.cpu()
    y = x.cuda()
    assert (y.device, y.dtype, y.shape, y.numpy().tolist()) == ("cuda", np.float32, (2,), [1.0, 2.0])
    assert y.to("cuda") is y is y.cuda()
    assert y.to("gpu:0") is y
    assert type(y.cpu().array) is np.ndarray
    assert np.asarray(y).tolist() == [1.0, 2.0]
    assert repr(y) == "tensor([1., 2.], dtype=float32)"
    assert lm.tensor(y).device == "cuda"
    assert lm.tensor(y, device="cpu").device == "cpu"
    assert lm.tensor(y.array).array is y.array


def test_gradients_flow_back_to_where_they_came_from():
    x = lm.tensor([1.0, 2.0], requires_grad=True)
    (x.to("cuda") * 3.0).sum().backward()
    assert x.grad.device == "cpu"
    assert x.grad.numpy().tolist() == [3.0, 3.0]
    y = on_gpu([1.0, 2.0], requires_grad=True)
    (y.cpu() * y.cpu()).sum().backward()
    assert y.grad.device == "cuda"
    assert y.grad.numpy().tolist() == [2.0, 4.0]


def test_variables_stay_themselves():
    w = lm.Variable([1.0, 2.0])
    (w * w).sum().backward()
    w.place("cuda")
    assert w.device == w.grad.device == "cuda"
    w.assign([3.0, 4.0])
    w.assign_add(np.float32([1.0, 1.0]))
    w.assign_sub(lm.tensor([0.5, 0.5]))
    w.grad = [1.0, 2.0]
    assert w.numpy().tolist() == [3.5, 4.5]
    assert w.grad.numpy().tolist() == [1.0, 2.0]
    assert w.device == w.grad.device == "cuda"


def test_what_is_no_tensor_yet_goes_where_the_others_are():
    x = on_gpu([[1.0, 2.0]])
    for y in (x + 1, 2 - x, x * [1.0, 2.0], np.float32([3.0, 4.0]) / x, x @ np.eye(2, dtype="float32"), x > 1, x**2,
              lm.ops.where([True, False], x, 0.0), lm.ops.clip(x, 0, 1), lm.ops.concatenate([x, x]), x[:, [0, 0]],
              lm.ops.softmax_cross_entropy(x, [1]), lm.ops.take(x, [0], 1)):  # fmt: skip
        assert y.device == "cuda"
    assert (x + 1).numpy().tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize(("call", "message"), [
    (lambda x, y: x @ y, "matmul: a is on cuda, b on cpu: move one with .to(...)"),
    (lambda x, y: y + x, "add: a is on cpu, b on cuda: move one with .to(...)"),
    (lambda x, y: x > y, "greater: a is on cuda, b on cpu"),
    (lambda x, y: lm.ops.dense(x, y), "dense: x is on cuda, kernel on cpu"),
    (lambda x, y: lm.ops.concatenate([x, y]), "concatenate: .* is on cuda, .* on cpu"),
    (lambda x, y: lm.ops.mean_squared_error(y, x), "mean_squared_error: .* is on cuda, y_true on cpu"),
    (lambda x, y: x[y.astype("int64")], "getitem: x is on cuda, key on cpu"),
    (lambda x, y: lm.ops.where(y > 0, x, x), "where: condition is on cpu, a on cuda"),
    (lambda x, y: lm.layers.Dense(2)(x) + lm.layers.Dense(2)(y), "add: a is on cuda, b on cpu"),
    (lambda x, y: lm.Tensor(x.array, True).backward(y), "backward: tensor is on cuda, gradient on cpu"),
])  # fmt: skip
def test_mixed_devices_are_refused_by_name(call, message):
    x, y = on_gpu([[1.0, 2.0], [3.0, 4.0]]), lm.tensor([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(TypeError, match=message.replace("(...)", r"\(\.\.\.\)")):
        call(x, y)


def test_unknown_devices():
    for call in (lambda: lm.tensor([1.0], device="tpu"), lambda: lm.device("tpu"), lambda: lm.tensor([1.0]).to("tpu"),
                 lambda: lm.layers.Dense(1).to("tpu")):  # fmt: skip
        with pytest.raises(ValueError, match='expected device "cpu" or "cuda", got \'tpu\''):
            call()


def test_a_device_is_set_until_another_is():
    try:
        assert repr(lm.device("cuda")) == 'device("cuda")'
        assert lm.tensor([1.0]).device == "cuda"
        with lm.device("cpu"):
            assert lm.tensor([1.0]).device == "cpu"
        assert lm.ops.one_hot([1], 2).device == lm.ops.sine_positions(2, 2).device == "cuda"
        assert lm.random.truncated_normal((3,)).device == lm.random.permutation(3).device == "cuda"
    finally:
        lm.device("cpu")
    assert lm.tensor([1.0]).device == "cpu"


def test_kernels_are_made_once_and_missing_ones_are_named():
    face = backend.kernels(on_gpu([1.0]).array)
    assert face.relu_forward is face.relu_forward
    with pytest.raises(NotImplementedError, match='no_such_kernel: there is no kernel for the device "cuda"'):
        face.no_such_kernel(1)


# DLPack


def test_dlpack_shares_memory_on_the_cpu():
    array = np.zeros(3, np.float32)
    x = lm.from_dlpack(array)
    array[1] = 7
    assert x.numpy().tolist() == [0.0, 7.0, 0.0]
    assert np.shares_memory(np.from_dlpack(x), array)
    with pytest.raises(TypeError, match="from_dlpack: expected an array with __dlpack__, got list"):
        lm.from_dlpack([1.0])


def test_dlpack_shares_memory_on_the_device():
    x = on_gpu([1.0, 2.0])
    assert x.__dlpack_device__() == (2, 0)
    y = lm.from_dlpack(x)
    assert y.device == "cuda"
    y.array[0] = 5
    assert x.numpy().tolist() == [5.0, 2.0]
    assert lm.from_dlpack(x.array).device == "cuda"
    assert lm.tensor(x.array).device == "cuda"


# What is said where something is missing


def module(**status):
    found = ModuleType("lamina._cuda")
    found.status = lambda: {
        "device_count": 1, "message": "", "runtime_version": 13000, "driver_version": 13000, **status
    }  # fmt: skip
    return found


@pytest.mark.parametrize(("kernels", "cupy", "message"), [
    (None, None, "the CUDA module is not built .*: build Lamina with pip install"),
    (module(device_count=0, message="no CUDA-capable device is detected", driver_version=0), None,
     "no NVIDIA GPU can be used .no CUDA-capable device is detected.: a GPU and its driver must be installed"),
    (module(device_count=0, message="insufficient", driver_version=12040), None,
     "the NVIDIA driver is for CUDA 12.4, Lamina's module needs 13.0: install a newer driver"),
    (module(), None, "its arrays are CuPy's, which cannot be imported .*: pip install cupy-cuda13x"),
])  # fmt: skip
def test_one_line_says_what_to_install(monkeypatch, kernels, cupy, message):
    monkeypatch.setattr(backend, "cuda", None)
    monkeypatch.setitem(sys.modules, "lamina._cuda", kernels)
    monkeypatch.setitem(sys.modules, "lamina_cuda13", None)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for call in (lambda: lm.device("cuda"), lambda: lm.tensor([1.0], device="cuda"),
                 lambda: lm.layers.Dense(1).to("cuda")):  # fmt: skip
        with pytest.raises(RuntimeError, match='^device "cuda": ' + message) as found:
            call()
        assert "\n" not in str(found.value)
    assert lm.tensor([1.0]).device == "cpu"


def test_cuda_is_not_looked_for_before_it_is_asked_for():
    code = (
        "import lamina, sys; lamina.ops.relu([1.0]); print([m for m in ('cupy', 'lamina._cuda') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_info_shows_the_devices():
    assert "device           cpu, cuda" in cli.info()


def test_the_package_of_arrays_is_cupy():
    assert cuda_arrays.Cuda().here.shape == (0,)


def test_pad_sequences_of_tensors_on_a_gpu():
    rows = [lm.tensor([1, 2]).to("cuda"), lm.tensor([3]).to("cuda")]
    assert lm.utils.pad_sequences(rows).tolist() == [[1, 2], [0, 3]]
