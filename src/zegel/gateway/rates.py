"""Bounds on how many messages an hour somebody may send: a bucket that fills again with time, for each of a bounded number of keys.

What a stranger chooses (a visitor's address) is a key too, so the table is bounded: past the bound the key that was seen longest ago is
forgotten, whose bucket is the likeliest to be full again.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

_HOUR = 3600.0
_MAX_KEYS = 20_000


class Rates:
    """Buckets of one kind. A bucket holds an hour's messages, is full at first, and gets them back evenly over an hour."""

    def __init__(self, max_keys: int = _MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # what is left, and when that was

    def take(self, key: Hashable, rate: int, now: float) -> int:
        """Take one message out; 0 when there was one, else the seconds until there is. ``rate`` 0 is no bound."""
        if not rate:
            return 0
        left, then = self._buckets.pop(key, (float(rate), now))
        left = min(float(rate), left + max(0.0, now - then) * rate / _HOUR)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) * _HOUR / rate))
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
