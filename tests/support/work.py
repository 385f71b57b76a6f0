"""How much work a piece of code does, counted. A bound is shown by scaling; a time would only say how busy the machine is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(run: Callable[[], object]) -> int:
    """The number of calls that are made, of Python's functions and C's."""
    made = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    _watched(run, count, sys.getprofile, sys.setprofile)
    return made


def lines(run: Callable[[], object]) -> int:
    """The number of lines of Python that are run: a loop without a call costs these."""
    passed = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[[FrameType, str, Any], Any]:
        nonlocal passed
        passed += event == "line"
        return count

    _watched(run, count, sys.gettrace, sys.settrace)
    return passed


def _watched(run: Callable[[], object], watch: Any, present: Callable[[], Any], install: Callable[[Any], None]) -> None:
    before = present()
    install(watch)
    try:
        run()
    finally:
        install(before)
