"""Models in files. One file, "m.safetensors": weights by their places, architecture and training as JSON beside them.

A file is written whole or not at all: under another name in the same folder, flushed to the disk, then renamed over the
old one. No code is ever loaded from a file: it names layer classes, and only Lamina's own and those that the caller
passes as custom_objects are found.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import backend, losses, metrics, optimizers, random
from lamina.layers.layer import Layer, call_state, class_named
from lamina.layers.shapes import is_shape
from lamina.models import compiling
from lamina.models.graph_config import sharing

if TYPE_CHECKING:
    from lamina.models.model import Model

Array = Any

FORMAT = 1
OPTIMIZER = "optimizer/"  # what the names of the optimizer's arrays begin with
DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16"}


def save_model(model: Model, filepath: str | Path, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """``model.save(filepath)``: architecture, weights and optimizer in one file.

    Args:
        model: the model.
        filepath: its name, ending in ".safetensors".
        overwrite: whether a file of this name may be replaced.
        include_optimizer: whether the optimizer's state goes with it.

    Raises:
        FileExistsError: if the file is there and overwrite is False.
        OSError: if it cannot be written; a file that was there stays as it was.
        ValueError: if a part of the model cannot be told in JSON (a function of your own), or for another name.

    Example:
        >>> import lamina as lm
        >>> model = lm.models.Sequential([lm.layers.Input((3,)), lm.layers.Dense(2)])
        >>> lm.models.save_model(model, "model.safetensors")
    """
    names = model.named_weights()
    arrays = {name: v.array for name, v in names.items()}
    description: dict[str, Any] = {
        "format": FORMAT,
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "input_shape": model._build_shape,
        "random": {"state": random.get_state(), "layers": layer_streams(model)},
        "frozen": [name for name, v in names.items() if v.trainable and not v.requires_grad],
    }
    if model.compiled and include_optimizer:
        try:
            description["compile"] = _compile_config(model)
        except ValueError as error:
            warnings.warn(f"save: how the model was compiled is left out: {error}", UserWarning, stacklevel=3)
        else:
            description["iterations"] = model.optimizer.iterations
            arrays |= {OPTIMIZER + name: array for name, array in model.optimizer.get_state(names).items()}
    try:
        text = json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"save: the configuration of {model.name} is not JSON ({error}); a layer of your own must define "
            "get_config with values that are"
        ) from None
    _write(filepath, arrays, {"lamina": text}, overwrite)


def to_json(model: Model, **kwargs: Any) -> str:
    """See Model.to_json."""
    description = {
        "format": FORMAT,
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "input_shape": model._build_shape,
    }
    try:
        return json.dumps(description, **{"allow_nan": False, **kwargs})
    except (TypeError, ValueError) as error:
        raise ValueError(f"to_json: the configuration of {model.name} is not JSON ({error})") from None


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `Model.to_json` told of, with weights at their first values. It names classes; no code is run.

    Args:
        json_string: the text.
        custom_objects: layer and model classes, and activation functions, of your own, by name.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: if the text tells of no model, or names unknown classes.

    Example:
        >>> import lamina as lm
        >>> text = lm.models.Sequential([lm.layers.Input((3,)), lm.layers.Dense(2)]).to_json()
        >>> lm.models.model_from_json(text).count_params()
        8
    """
    try:
        description = json.loads(json_string)
        description["class_name"], description["config"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("model_from_json: expected what Model.to_json gave") from None
    return _restored(description, custom_objects, "model_from_json")


def _restored(description: dict[str, Any], custom_objects: dict[str, Any] | None, who: str) -> Any:
    """The model of a description, built where its inputs are known."""
    name = description["class_name"]
    before = call_state.custom_objects
    call_state.custom_objects = {**before, **(custom_objects or {})}
    try:
        with _told(f"{who}: {name} cannot be made from its configuration"), sharing():
            model = class_named(name).from_config(description["config"])
            if not isinstance(model, Layer):
                raise ValueError(f"{who}: {name} is no Layer")
            shape = description.get("input_shape")
            if shape is not None and not model.built:
                model.build(tuple(shape) if is_shape(shape) else shape)
    finally:
        call_state.custom_objects = before
    return model


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever goes wrong with what a file tells of is a ValueError that says so."""
    try:
        yield
    except (TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{what}: {type(error).__name__}: {error}") from error


def load_model(
    filepath: str | Path,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    restore_random: bool = False,
) -> Any:
    """The model that `Model.save` wrote: architecture, weights, and how it was compiled, with the optimizer's state.

    Args:
        filepath: the file.
        custom_objects: layer and model classes, and activation functions, of your own, by name.
        compile: whether to compile the model as it was.
        safe_mode: True: no code is ever loaded from a file.
        restore_random: whether random numbers go on from where they were when the model was saved: training then
            gives the bits that it would have given without the break.

    Returns:
        The model, of the class that was saved.

    Raises:
        ValueError: if the file is cut short, is no model, names unknown classes, or its weights do not fit; if
            safe_mode is False.
        OSError: if it cannot be read.

    Example:
        >>> import lamina as lm
        >>> model = lm.models.Sequential([lm.layers.Input((3,)), lm.layers.Dense(2)])
        >>> model.save("model.safetensors")
        >>> lm.models.load_model("model.safetensors").count_params()
        8
    """
    path = filepath
    if not safe_mode:
        raise ValueError("load_model: safe_mode must be True: no code is ever loaded from a file; pass custom_objects")
    arrays, metadata = read_arrays(path)
    try:
        description = json.loads(metadata["lamina"])
        description["class_name"], description["config"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(
            f"load_model: {path} holds no Lamina model; for weights alone build the model and call load_weights"
        ) from None
    if description.get("format") != FORMAT:
        raise ValueError(f"load_model: {path} has format {description.get('format')!r}, expected {FORMAT}")
    model = _restored(description, custom_objects, "load_model")
    _assign(model, arrays, path, skip_mismatch=False)
    names = model.named_weights()
    with _told(f"load_model: {path} is damaged"):
        for name in description.get("frozen", []):
            if name in names:
                names[name].requires_grad = False
        if compile and description.get("compile"):
            _compile(model, description, arrays)
        if restore_random and "random" in description:
            random.set_state(description["random"]["state"])
            set_layer_streams(model, description["random"]["layers"])
    return model


def save_weights(model: Model, path: str | Path, overwrite: bool = True) -> None:
    """See Model.save_weights."""
    _write(path, {name: v.array for name, v in model.named_weights().items()}, {}, overwrite)


def load_weights(model: Model, path: str | Path, skip_mismatch: bool = False) -> None:
    """See Model.load_weights."""
    if not model.built:
        raise ValueError(
            f"load_weights: {model.name} has no weights yet; give input_shape, call build(input_shape) or call it"
        )
    _assign(model, read_arrays(path)[0], path, skip_mismatch)


def _assign(model: Layer, arrays: dict[str, Array], path: str | Path, skip_mismatch: bool) -> None:
    names = model.named_weights()
    stored = {name: array for name, array in arrays.items() if not name.startswith(OPTIMIZER)}
    wrong = [f"{name} is missing" for name in names if name not in stored]
    wrong += [f"{name} is not in the model" for name in stored if name not in names]
    wrong += [
        f"{name} must have shape {names[name].shape}, got {array.shape}"
        for name, array in stored.items()
        if name in names and array.shape != names[name].shape
    ]
    wrong += [f"{name} holds {array.dtype}" for name, array in stored.items() if array.dtype.kind not in "fV"]
    if wrong and not skip_mismatch:
        raise ValueError(f"weights of {path} do not fit {model.name}: " + "; ".join(wrong))
    for name, array in stored.items():
        if name in names and array.shape == names[name].shape:
            names[name].assign(backend.cast(array, names[name].dtype))


def save_state(model: Model, path: str | Path, note: dict[str, Any], extra: dict[str, Array]) -> None:
    """Writes the weights, the optimizer's state, some more arrays and a note in JSON: what training goes on from."""
    names = model.named_weights()
    arrays = {f"weights/{name}": v.array for name, v in names.items()}
    arrays |= {OPTIMIZER + name: array for name, array in model.optimizer.get_state(names).items()}
    shape = model._build_shape
    text = json.dumps({"format": FORMAT, "input_shape": shape, "note": note})  # NaN and all
    _write(path, arrays | extra, {"lamina_state": text}, True)


def load_state(model: Model, path: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Takes back what `save_state` wrote; returns the note and all arrays.

    Raises:
        ValueError: if the file is of another kind, or another model.
    """
    arrays, metadata = read_arrays(path)
    try:
        description = json.loads(metadata["lamina_state"])
        note, shape = description["note"], description["input_shape"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path} holds no state of training") from None
    if not model.built and shape is not None:
        model.build(tuple(shape) if isinstance(shape, list) and is_shape(shape) else shape)
    if not model.weights and shape is not None:  # layers that are built as data come to them
        model.build(shape)
    weights = {name.removeprefix("weights/"): a for name, a in arrays.items() if name.startswith("weights/")}
    _assign(model, weights, path, skip_mismatch=False)
    state = {name.removeprefix(OPTIMIZER): a for name, a in arrays.items() if name.startswith(OPTIMIZER)}
    model.optimizer.set_state(state, model.named_weights())
    return note, arrays


def layer_streams(model: Layer) -> list[int]:
    """How many random numbers the layers with a seed of their own have drawn, layer by layer."""
    return [layer._calls for layer in model.layers_inside() if isinstance(getattr(layer, "_calls", None), int)]


def set_layer_streams(model: Layer, counts: list[int]) -> None:
    """Takes back what `layer_streams` told."""
    layers = [layer for layer in model.layers_inside() if isinstance(getattr(layer, "_calls", None), int)]
    for layer, count in zip(layers, counts, strict=True):
        layer._calls = int(count)


def _compile_config(model: Model) -> dict[str, Any]:
    objective = model._compiled
    assert objective is not None
    return {
        "optimizer": optimizers.serialize(model.optimizer),
        "loss": compiling.each(lambda loss: None if loss is None else losses.serialize(loss), objective.loss),
        "loss_weights": objective.loss_weights,
        "metrics": compiling.each(_metric_config, objective.metrics),
        "weighted_metrics": compiling.each(_metric_config, objective.weighted_metrics),
    }


def _metric_config(metric: Any) -> Any:
    if metric is None:
        return None
    return metrics.serialize(metric) if isinstance(metric, metrics.Metric) else metric.name


def _compile(model: Any, description: dict[str, Any], arrays: dict[str, Array]) -> None:
    model.compile(**description["compile"], auto_scale_loss=False)  # the optimizer is wrapped already where it was
    model.optimizer.iterations = int(description.get("iterations", 0))
    state = {name.removeprefix(OPTIMIZER): a for name, a in arrays.items() if name.startswith(OPTIMIZER)}
    model.optimizer.set_state(state, model.named_weights())


def read_arrays(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """All arrays and the metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(str(path), framework="numpy") as file, open(path, "rb") as raw:
            json.loads(raw.read(int.from_bytes(raw.read(8), "little")), object_pairs_hook=_each_once)
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no safetensors file, or not a whole one: {error}") from None


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    """Raises ValueError where a header has a name twice: which of the two counts would be the reader's choice."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"its header names {max(names, key=names.count)!r} twice")


def _write(path: str | Path, arrays: dict[str, Array], metadata: dict[str, str], overwrite: bool) -> None:
    """A safetensors file: 8 bytes of length, a JSON header of names, shapes and places, then the arrays."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f'save: the file name must end in ".safetensors", got {str(path)!r}')
    if path.exists() and not overwrite:
        raise FileExistsError(f"save: {path} is there already")
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    position = 0
    blocks = []
    for name, array in arrays.items():
        block = np.ascontiguousarray(backend.to_host(array))  # at least one-dimensional
        dtype = DTYPES[block.dtype.name]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [position, position + block.nbytes]}
        position += block.nbytes
        blocks.append(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at multiples of 8 bytes
    write_atomically(
        path, [len(text).to_bytes(8, "little"), text, *[b.reshape(-1).view(np.uint8).data for b in blocks]]
    )


def write_atomically(path: str | Path, blocks: Iterable[bytes | memoryview]) -> None:
    """Writes a file whole or not at all, whatever happens: a full disk, a crash, a kill.

    Raises:
        OSError: if it cannot be written; what was there before is untouched then.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.add_note(f"{path} was not changed")
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
