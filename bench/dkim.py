"""DKIM signing and verifying over the bare cost: SHA-256 of the body plus one primitive of the cryptography library.

``python -m bench.dkim``. All variants run interleaved in one process, and the best of many rounds counts, so that the
ratios hold on a busy machine. Keys are loaded before; DNS is an offline zone, whose answer is the same object every time.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

import zegel

NOW = 1_790_000_000
HEADER = b"""\
Received: from client7.example.org (client7.example.org [192.0.2.77])
\tby mx.example.com (Postfix) with ESMTPS id 4TgQxY2zK1z9sWd
\tfor <suzie@example.com>; Sat, 21 Nov 2026 09:12:44 +0100 (CET)
Received: from [10.1.2.3] (unknown [10.1.2.3])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\tby client7.example.org (Postfix) with ESMTPSA id 4TgQxX5hDkz3c;
\tSat, 21 Nov 2026 09:12:43 +0100 (CET)
Return-Path: <bounce+17384@example.org>
X-Original-To: suzie@example.com
Delivered-To: suzie@example.com
Date: Sat, 21 Nov 2026 09:12:42 +0100
From: Joe SixPack <joe@example.org>
Sender: Desk <desk@example.org>
Reply-To: Joe SixPack <joe@example.org>
To: Suzie Q <suzie@example.com>,
\tBert <bert@example.com>
Cc: Office <office@example.com>
Subject: Minutes of the meeting of 20 November, and two questions about
\tthe plan for January
Message-ID: <20261121081242.7F3A@example.org>
In-Reply-To: <20261120154411.112B@example.com>
References: <20261119101010.9001@example.org>
\t<20261120154411.112B@example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"; format=flowed
Content-Transfer-Encoding: quoted-printable
User-Agent: Mailer/7.2
List-Id: Minutes <minutes.example.org>
List-Unsubscribe: <https://example.org/u/17384>, <mailto:leave@example.org>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Precedence: list
""".replace(b"\n", b"\r\n")
LINE = b"The quick brown fox jumps over the lazy dog, and then it does so again=2E\r\n"


class Row(NamedTuple):
    """One line of the table: what is measured, ours and bare in seconds."""

    name: str
    size: int
    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def message(size: int) -> tuple[bytes, bytes]:
    """A message of about ``size`` octets of body, and that body."""
    lines = [LINE if number % 9 else b"\r\n" for number in range(size // 67 + 1)]
    body = b"".join(lines)[: size - 2].rstrip(b"\r\n") + b"\r\n"
    return HEADER + b"\r\n" + body, body


def bare_signing(key: zegel.Key, body: bytes) -> Callable[[], object]:
    """The cost that nobody can avoid: one hash of the body, one signature."""
    private = serialization.load_pem_private_key(key.private_key if isinstance(key.private_key, bytes) else b"", None)
    data = HEADER
    if isinstance(private, rsa.RSAPrivateKey):
        pad, sha = padding.PKCS1v15(), hashes.SHA256()
        return lambda: (hashlib.sha256(body).digest(), private.sign(data, pad, sha))
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise TypeError("a key of neither kind")
    return lambda: (hashlib.sha256(body).digest(), private.sign(hashlib.sha256(data).digest()))


def bare_verifying(key: zegel.Key, body: bytes) -> Callable[[], object]:
    """The same for a receiver: one hash of the body, one verification."""
    private = serialization.load_pem_private_key(key.private_key if isinstance(key.private_key, bytes) else b"", None)
    data = HEADER
    if isinstance(private, rsa.RSAPrivateKey):
        pad, sha = padding.PKCS1v15(), hashes.SHA256()
        public, signature = private.public_key(), private.sign(data, pad, sha)
        return lambda: (hashlib.sha256(body).digest(), public.verify(signature, data, pad, sha))
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise TypeError("a key of neither kind")
    ed_public, ed_signature = private.public_key(), private.sign(hashlib.sha256(data).digest())
    return lambda: (hashlib.sha256(body).digest(), ed_public.verify(ed_signature, hashlib.sha256(data).digest()))


def best(runs: list[Callable[[], object]], seconds: float) -> list[float]:
    """The best time of one call of each, the calls interleaved in small batches until the time is up."""
    times = [float("inf")] * len(runs)
    end = time.perf_counter() + seconds
    gc.disable()
    try:
        while time.perf_counter() < end:
            for index, run in enumerate(runs):
                for _ in range(5):
                    start = time.perf_counter()
                    run()
                    times[index] = min(times[index], time.perf_counter() - start)
    finally:
        gc.enable()
    return times


def measure(seconds: float) -> list[Row]:
    """All rows of the table; ``seconds`` is spent on each group of four."""
    rows: list[Row] = []
    for kind in ("rsa2048", "ed25519"):
        key = zegel.Key.generate("example.org", "bench", "rsa2048" if kind == "rsa2048" else "ed25519")
        zone = zegel.Zone.from_dict({(key.name, "TXT"): [key.record]})
        for size in (1_000, 10_000, 100_000):
            plain, body = message(size)
            signed = zegel.sign(plain, key, now=NOW) + plain
            (result,) = zegel.verify(signed, resolver=zone, now=NOW)
            if result.status != "pass":
                raise RuntimeError(f"the bench's own message does not verify: {result.explanation}")
            runs: list[Callable[[], object]] = [
                lambda plain=plain, key=key: zegel.sign(plain, key, now=NOW),  # type: ignore[misc]
                bare_signing(key, body),
                lambda signed=signed, zone=zone: zegel.verify(signed, resolver=zone, now=NOW),  # type: ignore[misc]
                bare_verifying(key, body),
            ]
            ours_sign, bare_sign, ours_verify, bare_verify = best(runs, seconds)
            rows.append(Row(f"sign {kind}", size, ours_sign, bare_sign))
            rows.append(Row(f"verify {kind}", size, ours_verify, bare_verify))
    return rows


def lines(rows: list[Row]) -> list[str]:
    """The figures as a table of Markdown, RSA first."""
    out = ["| | body | Zegel, µs | bare, µs | ratio |", "|---|---:|---:|---:|---:|"]
    ordered = sorted(rows, key=lambda row: (not row.name.endswith("rsa2048"), row.name, row.size))
    cells = [(row.name, f"{row.size // 1000} kB", f"{row.ours * 1e6:.1f}", f"{row.bare * 1e6:.1f}", f"{row.ratio:.2f}") for row in ordered]
    return out + [f"| {' | '.join(row)} |" for row in cells]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each group of measurements (default 3)")
    print("\n".join(lines(measure(parser.parse_args().seconds))))


if __name__ == "__main__":
    main()
