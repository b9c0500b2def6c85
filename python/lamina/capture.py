"""Steps on a GPU as CUDA graphs: captured once, replayed with one launch.

A step of a small model is hundreds of launches, each of which costs the host more than the GPU. A graph is launched as
one. It is a list of kernels with their arguments: memory must stay where it is, and what changes from step to step is
read from there (see `lamina.recording`).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina import backend, recording
from lamina.autograd.structures import map_leaves
from lamina.autograd.tensor import Tensor
from lamina.autograd.variable import placement
from lamina.cuda_arrays import Cuda, Kernels
from lamina.recording import Drawn, Recorder

Array = Any
HERE = Path(__file__).parent
PLUMBING = {"backend.py", "recording.py", "capture.py", "cuda_arrays.py", "autograd/tape.py", "autograd/function.py"}
READ_ANEW = {  # kernels that read seeds from memory
    "attention_backward", "attention_forward", "dropout", "random_normal", "random_uniform", "random_words",
}  # fmt: skip


class cuda_graph:
    """A function whose kernels are captured as a CUDA graph and replayed: a training step of one's own.

    The first calls with arguments of the same shapes and dtypes run the function as it is. Then one call captures it,
    and from there on a call copies its arguments to the captured ones, tells the graph the learning rate, the number
    of the step and the streams of random numbers, and launches it. Results and weights have the bits that they would
    have without it. Arguments of other shapes (a smaller last batch) have a graph of their own.

    The function's Python code does not run in a replay: numbers, flags and lists that it reads or changes are those of
    its capture. It must use up the gradients that it makes (``optimizer.step``), and must not look at values on the
    GPU: whatever would wait for them (``loss.item()``, and what docs/devices.md lists) raises an error by name. Where
    neither an argument nor the default device is on a GPU, the function is called as it is.

    Args:
        function: takes arrays, tensors, lists, tuples and dictionaries of these; anything else among its arguments
            must be hashable, and another value has another graph. Arrays and tensors come to it as tensors on the GPU.
            It returns tensors, or lists, tuples and dictionaries of them: the graph's own, which the next call
            overwrites.
        warm_up: how many calls run as they are, at least 1: kernels are compiled and the optimizer's state is made.
        most: how many graphs are kept; calls that would need further ones run as they are.

    Raises:
        ValueError: if warm_up or most are not positive.
        RuntimeError: from the call that captures, if the function does what a graph cannot; says what.

    Example:
        >>> import lamina as lm
        >>> model, optimizer = lm.layers.Dense(1), lm.optimizers.Adam(0.01)
        >>> @lm.cuda_graph
        ... def step(x, y):
        ...     loss = lm.ops.mean_squared_error(y, model(x))
        ...     loss.backward()
        ...     optimizer.step(model.trainable_weights)
        ...     return loss
        >>> losses = [step(lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0]])).item() for _ in range(5)]
        >>> losses[-1] < losses[0]
        True
    """

    def __init__(self, function: Callable[..., Any], warm_up: int = 2, most: int = 8) -> None:
        self.function = function
        self.graphs = Graphs(warm_up, most, "cuda_graph")
        functools.update_wrapper(self, function)

    def __get__(self, owner: Any, kind: type[Any] | None = None) -> Any:
        return self if owner is None else functools.partial(self, owner)  # a method's graphs are by its object

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arrays: list[Array] = []
        key = taken_apart((args, kwargs), arrays)
        on_gpu = backend.here is not None or not all(map(backend.on_host, arrays))
        if not on_gpu or recording.state.recorder is not None:
            return self.function(*args, **kwargs)

        def run(given: list[Array]) -> Any:
            again_args, again_kwargs = put_together((args, kwargs), iter(given))
            return self.function(*again_args, **again_kwargs)

        result = self.graphs(key, arrays, run)
        return map_tensors(_off_the_tape, result)


class Graphs:
    """The graphs of one function, by the shapes of its arrays and whatever else the caller says.

    Args:
        warm_up, most: see `cuda_graph`.
        who: the caller, for errors.
    """

    def __init__(self, warm_up: int, most: int, who: str) -> None:
        for name, value in (("warm_up", warm_up), ("most", most)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{who}: {name} must be a positive integer, got {value!r}")
        self.warm_up, self.most = warm_up, most
        self._calls: dict[Any, int] = {}
        self._graphs: dict[Any, list[_Graph]] = {}

    def __call__(self, key: Any, arrays: list[Array], run: Callable[[list[Array]], Any]) -> Any:
        """run(the arrays on the GPU), or the replay of what it did for others like them."""
        key = key, tuple([(array.shape, array.dtype.str) for array in arrays])
        graphs = self._graphs.setdefault(key, [])
        for graph in list(graphs):
            if not graph.recorder.lives():
                graphs.remove(graph)
                self._calls[key] = 0
            elif graph.recorder.holds():
                return graph.replay(arrays)
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        if calls <= self.warm_up or self.count >= self.most:
            like = gpu().here
            return run([backend.moved(array, like) for array in arrays])
        graphs.append(_Graph(arrays, run))
        return graphs[-1].launch()

    def clear(self) -> None:
        """Drops all graphs and their memory."""
        self._calls.clear()
        self._graphs.clear()

    @property
    def count(self) -> int:
        """How many graphs there are."""
        return sum(map(len, self._graphs.values()))


class _Graph:
    """A captured call: the graph, its memory, and the host's part."""

    def __init__(self, arrays: list[Array], run: Callable[[list[Array]], Any]) -> None:
        device = gpu()
        cuda = device.module.cuda
        self.module = device.module
        self.inputs = [_copied(device.module, array) for array in arrays]
        self.recorder = Recorder(device.module)
        version = placement.version
        self.recorder.guard(lambda: placement.version is version, lasting=True)  # weights are where they were
        self.pool = cuda.MemoryPool()  # what is allocated during the capture stays where it is as long as this does
        stream = cuda.Stream(non_blocking=True)
        with _recording(device, self.recorder), cuda.using_allocator(self.pool.malloc), stream:
            stream.begin_capture()
            try:
                self.result = map_tensors(_off_the_tape, run(self.inputs))
                self.recorder.finish()
            except BaseException as error:
                with contextlib.suppress(Exception):  # CUDA may have ended it; what is told is the error above
                    stream.end_capture()
                if isinstance(error, RuntimeError) and not str(error).startswith("capture: "):
                    raise RuntimeError(_told(error)) from error
                raise

    def replay(self, arrays: list[Array]) -> Any:
        """The step that the host has come to, on the current stream."""
        for inside, array in zip(self.inputs, arrays, strict=True):
            inside[...] = self.module.asarray(array)
        return self.launch(again=True)

    def launch(self, again: bool = False) -> Any:
        self.recorder.launch(again)
        return self.result


class _CapturingKernels(Kernels):
    """Kernels while a step is captured: numbers that change from step to step are read from device memory."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        plain = super().__getattr__(name)

        def on_stream(*args: Any, **kwargs: Any) -> Any:
            args = tuple([_on_device(name, a) if type(a) in (Drawn, tuple) else a for a in args])
            return plain(*args, **kwargs)

        self.__dict__[name] = on_stream
        return on_stream


def _on_device(name: str, value: Any) -> Any:
    """Where the numbers of the next steps will be, for a number of this one; in tuples too."""
    if type(value) is tuple:
        return tuple([_on_device(name, item) for item in value]) if Drawn in map(type, value) else value
    if type(value) is not Drawn:
        return value
    if name not in READ_ANEW:
        recording.refused(f"{name}: random numbers")
    value.used = True
    return value.cell


@contextlib.contextmanager
def _recording(device: Cuda, recorder: Recorder) -> Any:
    usual = device.kernels
    device.kernels = _CapturingKernels(usual.module, usual.cupy)
    recording.state.recorder = recorder
    try:
        yield
    finally:
        recording.state.recorder = None
        device.kernels = usual


def _told(error: RuntimeError) -> str:
    """Which function of Lamina it was that a graph cannot hold."""
    import traceback

    name = layer = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        inside = path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""
        if inside and inside not in PLUMBING:
            owner = frame.f_locals.get("self")
            of_class = "" if owner is None else type(owner).__name__ + "."
            name = f"lamina.{'.'.join(Path(inside).with_suffix('').parts)}.{of_class}{frame.f_code.co_name}"
            called = getattr(owner, "name", None)
            if inside.startswith("layers/") and isinstance(called, str):
                layer = f" in the layer {called}"
    return (
        f"capture: {name or 'the function'}{layer} waits for the GPU, or moves data, which cannot be part of a "
        f"CUDA graph ({error}); leave jit_compile and cuda_graph away"
    )


def gpu() -> Cuda:
    """The GPU that the program uses already."""
    backend.on("cuda")
    assert backend.cuda is not None
    return backend.cuda


def _off_the_tape(tensor: Tensor) -> Tensor:
    """The same array and mask, without what it was made of."""
    result = tensor.detach()
    result._mask = tensor._mask
    return result


def _copied(module: Any, array: Array) -> Array:
    inside = module.empty(array.shape, array.dtype)
    inside[...] = module.asarray(array)
    return inside


# Arguments and results


def taken_apart(value: Any, arrays: list[Array]) -> Any:
    """What of nested arguments is not arrays, to be hashed; the arrays are added to the list.

    Raises:
        TypeError: if anything is neither arrays nor hashable.
    """
    if isinstance(value, Tensor):
        arrays.append(value.array)
        return Tensor
    if backend.is_array(value):
        arrays.append(value)
        return Tensor
    if isinstance(value, list | tuple):
        return type(value), tuple([taken_apart(item, arrays) for item in value])
    if isinstance(value, dict):
        return dict, tuple([(key, taken_apart(item, arrays)) for key, item in value.items()])
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"cuda_graph: arguments must be arrays, tensors, or hashable, got {type(value).__name__}"
        ) from None
    return type(value), value


def put_together(value: Any, arrays: Any) -> Any:
    """The same arguments with tensors of other arrays."""
    if isinstance(value, Tensor) or backend.is_array(value):
        return Tensor(next(arrays))
    if isinstance(value, list | tuple):
        return type(value)([put_together(item, arrays) for item in value])
    if isinstance(value, dict):
        return {key: put_together(item, arrays) for key, item in value.items()}
    return value


def map_tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """The function of each tensor in lists, tuples and dictionaries."""
    return map_leaves(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, value)
