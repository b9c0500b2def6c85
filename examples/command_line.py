"""The examples' command line: --device and --small for all, and what an example has of its own."""

import argparse
import inspect
import sys
from collections.abc import Callable
from typing import Any

import lamina as lm


def run(main: Callable[..., Any], **own: dict[str, Any]) -> None:
    """Calls an example's main with what stands on the command line.

    Args:
        main: the example; with an argument `small` it has the option --small.
        own: further options, by the names of main's arguments: what argparse's add_argument takes.
    """
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (cpu)")
    if "small" in inspect.signature(main).parameters:
        parser.add_argument("--small", action="store_true", help="less to do, and less to see")
    for name, settings in own.items():
        parser.add_argument(f"--{name}", **settings)
    chosen = vars(parser.parse_args())
    try:
        device = lm.device(chosen.pop("device"))
    except RuntimeError as error:  # one line, which says what is missing
        sys.exit(f"{parser.prog}: {error}")
    with device:
        main(**chosen)
