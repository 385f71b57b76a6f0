"""The bounds on what one message from a stranger can make us do. They are parameters everywhere; this is their one list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one message: seconds and questions for DNS, signatures judged (RFC 6376 6.1), octets of header read, ARC sets read."""

    dns_seconds: float = 20.0
    questions: int = 100
    signatures: int = 10
    header_bytes: int = 262_144
    arc_sets: int = 50

    def __post_init__(self) -> None:
        if self.dns_seconds <= 0 or self.questions < 1 or self.signatures < 1 or self.header_bytes < 1024 or self.arc_sets < 1:
            raise ValueError("limits must be positive, and header_bytes at least 1024")
