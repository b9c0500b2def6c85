"""threadpoolctl: once `register()` was called, its limits hold for Lamina's threads too."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache  # once is enough
def register() -> None:
    """Makes Lamina's thread pool known to threadpoolctl (which must be installed; nothing else here needs it).

    Raises:
        ImportError: without threadpoolctl.

    Example:
        >>> import lamina as lm, threadpoolctl
        >>> from lamina import threads
        >>> threads.register()
        >>> with threadpoolctl.threadpool_limits(1, user_api="lamina"):
        ...     lm.num_threads()
        1
    """
    import threadpoolctl

    class LaminaController(threadpoolctl.LibController):  # type: ignore[misc]
        user_api = "lamina"
        internal_api = "lamina"
        filename_prefixes = ("_cpu.",)
        check_symbols = ("lamina_get_num_threads", "lamina_set_num_threads")

        def get_num_threads(self) -> Any:
            return self.dynlib.lamina_get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.lamina_set_num_threads(num_threads)

        def get_version(self) -> None:
            return None

        def set_additional_attributes(self) -> None:
            pass

    threadpoolctl.register(LaminaController)
