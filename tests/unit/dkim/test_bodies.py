"""One pass over a body, however many want its hash."""

from __future__ import annotations

import hashlib

import pytest

from zegel.dkim.bodies import Bodies


def test_each_wish_has_one_hash() -> None:
    bodies = Bodies()
    simple, relaxed, part = bodies.want("simple"), bodies.want("relaxed"), bodies.want("relaxed", 3)
    assert (bodies.needed, Bodies().needed) == (True, False)
    assert bodies.want("relaxed", 3) is part
    assert len({id(body) for body in (simple, relaxed, part)}) == 3
    for chunk in (b"a  b \r", b"\n\r\n", b"\r\n"):
        bodies.feed(chunk)
    bodies.finish()
    bodies.finish()
    assert simple.digest() == hashlib.sha256(b"a  b \r\n").digest()
    assert relaxed.digest() == hashlib.sha256(b"a b\r\n").digest()
    assert (part.digest(), part.length) == (hashlib.sha256(b"a b").digest(), 5)


def test_a_wish_comes_before_the_body() -> None:
    bodies = Bodies()
    first = bodies.want("simple")
    bodies.feed(b"x")
    assert bodies.want("simple") is first
    with pytest.raises(RuntimeError):
        bodies.want("relaxed")


def test_an_empty_body() -> None:
    bodies = Bodies()
    simple, relaxed = bodies.want("simple"), bodies.want("relaxed")
    bodies.finish()
    assert (simple.digest(), relaxed.digest()) == (hashlib.sha256(b"\r\n").digest(), hashlib.sha256(b"").digest())
