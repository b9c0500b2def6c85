"""The GPU's side of `backend`: CuPy's arrays, and lamina._cuda's kernels on CuPy's current stream.

Nothing here is imported before a program asks for the device "cuda".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import lamina

Array = Any
PLUGIN = "lamina_cuda13"  # the distribution lamina-cuda13's package
CUDA, MANAGED = 2, 13  # DLPack's numbers of devices


class Kernels:
    """The functions of lamina._cuda with the arguments of lamina._cpu's; the current stream is added behind them.

    A function is made when it is first asked for, and kept.

    Args:
        module: lamina._cuda.
        cupy: whose arrays it is given.
    """

    def __init__(self, module: ModuleType, cupy: ModuleType) -> None:
        self.module = module
        self.cupy = cupy

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        kernel = getattr(self.module, name, None)
        if kernel is None:
            raise NotImplementedError(f'{name}: there is no kernel for the device "cuda"; move the tensors to "cpu"')
        current_stream, array_type = self.cupy.cuda.get_current_stream, self.cupy.ndarray

        def on_stream(*args: Any, **kwargs: Any) -> Any:
            stream = current_stream().ptr
            if stream:
                args = tuple([_in_order(a, array_type) for a in args])
                kwargs = {key: _in_order(a, array_type) for key, a in kwargs.items()}
            return kernel(*args, stream=stream, **kwargs)

        self.__dict__[name] = on_stream
        return on_stream


def _in_order(value: Any, array_type: type[Any]) -> Any:
    """DLPack's capsule of an array for a kernel on the array's own stream, which is not the default one; in lists too.

    The module asks for an array without a word about streams. CuPy takes that for the default stream and has it wait
    for the current one: once for each array, and an error where the current one is captured.
    """
    if isinstance(value, array_type):
        return value.__dlpack__(stream=-1)  # -1: nobody waits
    if type(value) in (list, tuple):
        return type(value)([_in_order(item, array_type) for item in value])
    return value


class Cuda:
    """A GPU that is there: its array module, its kernels, and an empty array that stands for the device.

    Raises:
        RuntimeError: if something is missing: one line that says what to install.
    """

    def __init__(self) -> None:
        status = cuda_status()
        wanted = f'device "cuda": {_missing(status)}'
        if not status["built"] or not status["device_count"]:
            raise RuntimeError(wanted)
        try:
            self.module = importlib.import_module("cupy")
        except ImportError as error:
            major = status["runtime_version"] // 1000
            raise RuntimeError(
                f'device "cuda": its arrays are CuPy\'s, which cannot be imported ({error}): '
                f"pip install cupy-cuda{major}x"
            ) from None
        kernels = cuda_module()
        # The kernels that take floats of 16 bits as they are.
        self.narrow_kernels: frozenset[str] = frozenset(getattr(kernels, "sixteen_bit", tuple)())
        self.array_type: type = self.module.ndarray
        self.kernels = Kernels(kernels, self.module)
        self.here: Array = self.module.empty(0, "float32")
        capability = getattr(self.module.cuda.Device(), "compute_capability", "80")  # "75" for sm_75
        self.narrow_dtypes = ("float16", "bfloat16") if int(capability) >= 80 else ("float16",)  # that kernels know
        self.version: str = getattr(self.module, "__version__", "14")

    def check(self, dtype: Any) -> None:
        """Raises RuntimeError for bfloat16, if this CuPy has none."""
        if int(self.version.partition(".")[0]) < 14 and getattr(dtype, "name", dtype) == "bfloat16":
            raise RuntimeError(
                f'bfloat16 on the device "cuda" needs CuPy 14 or newer, this is {self.version}: '
                "pip install -U cupy-cuda13x"
            )


def cuda_module() -> ModuleType:
    """lamina._cuda; where Lamina was built without it, that of the distribution lamina-cuda13.

    Raises:
        ImportError: if there is neither, or the distribution has another version than Lamina.
    """
    try:
        return importlib.import_module("lamina._cuda")
    except ModuleNotFoundError as error:
        missing = error
    try:
        plugin = importlib.import_module(PLUGIN)
    except ModuleNotFoundError:
        raise missing from None
    if plugin.__version__ != lamina.__version__:
        raise ImportError(
            f"lamina-cuda13 {plugin.__version__} is here, for Lamina {plugin.__version__}; this is {lamina.__version__}"
        )
    return importlib.import_module(f"{PLUGIN}._cuda")


def cuda_status() -> dict[str, Any]:
    """See backend.cuda_status."""
    try:
        module = cuda_module()
    except ImportError as error:
        return {"built": False, "device_count": 0, "message": f"the CUDA module is not built ({error})"}
    return {"built": True, **module.status()}


def _missing(status: dict[str, Any]) -> str:
    """What there is not, and how to get it."""
    if not status["built"]:
        return (
            f"{status['message']}: build Lamina with pip install . --config-settings=cmake.define.LAMINA_CUDA=ON, or "
            "what it lacks with tools/build_cuda_wheel.sh"
        )
    runtime, driver = status["runtime_version"], status["driver_version"]
    if driver // 1000 < runtime // 1000 and driver:
        return (
            f"the NVIDIA driver is for CUDA {_version(driver)}, Lamina's module needs {_version(runtime)}: "
            f"install a newer driver"
        )
    return f"no NVIDIA GPU can be used ({status['message']}): a GPU and its driver must be installed"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
