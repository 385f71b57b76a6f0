"""How many addresses an SPF record authorises: counted exactly, as a union, and not sampled.

A record is a list of claims, each a range of addresses that is let in or not; for one address the first claim decides (RFC 7208 4.6.2).
A sweep from the lowest address to the highest finds who decides where, so that what overlaps counts once and what a former term refuses
does not count. Ranges are pairs of numbers, the last one included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

Range = tuple[int, int]


class Claim(NamedTuple):
    """A range of addresses, and whether who is in it may send."""

    first: int
    last: int
    permits: bool


def permitted(claims: Sequence[Claim]) -> list[Range]:
    """The ranges whose first claim, in the order given, permits; they are apart and in order."""
    starting: dict[int, list[int]] = {}
    for order, claim in enumerate(claims):
        starting.setdefault(claim.first, []).append(order)
    points = sorted({*starting, *(claim.last + 1 for claim in claims)})
    found: list[Range] = []
    active: list[int] = []  # the claims that hold here, the one that decides on top; those that have ended go when they come up
    for place, point in enumerate(points):
        for order in starting.get(point, ()):
            heappush(active, order)
        while active and claims[active[0]].last < point:
            heappop(active)
        if active and claims[active[0]].permits:
            last = points[place + 1] - 1
            if found and found[-1][1] + 1 == point:
                found[-1] = (found[-1][0], last)
            else:
                found.append((point, last))
    return found


def size(ranges: Iterable[Range]) -> int:
    """How many addresses ranges that are apart hold."""
    return sum(last - first + 1 for first, last in ranges)


def size_in_networks(ranges: Iterable[Range], shift: int) -> int:
    """How many networks of ``2 ** shift`` addresses the ranges touch; they are apart and in order."""
    count, counted = 0, -1
    for first, last in ranges:
        low, high = max(first >> shift, counted + 1), last >> shift
        if high >= low:
            count += high - low + 1
            counted = high
    return count
