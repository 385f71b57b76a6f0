"""What holds for all tests: no example of Hypothesis has a time to keep, for a machine that is busy is no fault of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
