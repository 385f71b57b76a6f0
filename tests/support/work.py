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

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return made


def lines(run: Callable[[], object]) -> int:
    """The number of lines of Python that are run: a loop without a call costs these."""
    passed = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[[FrameType, str, Any], Any]:
        nonlocal passed
        passed += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        run()
    finally:
        sys.settrace(before)
    return passed
