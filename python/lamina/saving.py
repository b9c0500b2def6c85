"""Saving and loading, and classes of one's own in saved models, under Keras's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from lamina.layers.layer import call_state, registry, remember_own
from lamina.models.saving import load_model as load_model
from lamina.models.saving import save_model as save_model

Own = TypeVar("Own")


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Own], Own]:
    """Makes a layer or model class, or an activation function, known to `load_model` by its name: a decorator.

    Args:
        package: has no say: names are Python's.
        name: a second name that it goes by.

    Raises:
        ValueError: if the name is that of one of Lamina's own layers.

    Example:
        >>> import lamina as lm
        >>> @lm.saving.register_keras_serializable()
        ... class Twice(lm.layers.Layer):
        ...     def call(self, x):
        ...         return x * 2
        >>> model = lm.Sequential([lm.Input((3,)), Twice()])
        >>> lm.models.model_from_json(model.to_json()).predict([[1.0, 2.0, 3.0]], verbose=0).tolist()
        [[2.0, 4.0, 6.0]]
    """

    def remember(item: Own) -> Own:
        for known in (item.__name__, name):  # type: ignore[attr-defined]
            if known in registry and registry[known] is not item:
                raise ValueError(f"register_keras_serializable: {known!r} is one of Lamina's own layers")
            if known is not None:
                remember_own(known, item)
        return item

    return remember


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any]) -> Iterator[None]:
    """Inside of the ``with`` block, loaded models may name these classes and functions.

    Args:
        custom_objects: layer and model classes, and activation functions, by name.

    Example:
        >>> import lamina as lm
        >>> class Half(lm.layers.Layer):
        ...     def call(self, x):
        ...         return x / 2
        >>> text = lm.Sequential([lm.Input((3,)), Half()]).to_json()
        >>> with lm.saving.custom_object_scope({"Half": Half}):
        ...     model = lm.models.model_from_json(text)
        >>> model.count_params()
        0
    """
    before = call_state.custom_objects
    call_state.custom_objects = {**before, **custom_objects}
    try:
        yield
    finally:
        call_state.custom_objects = before
