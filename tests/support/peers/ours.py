"""Zegel through its front door, as one among the others."""

from __future__ import annotations

from pathlib import Path

import zegel
from support.peers import answers, case


class Zegel:
    """Zegel as a :class:`~support.peers.matrix.Peer`."""

    name = "Zegel"
    package = "zegel"

    def __init__(self, folder: Path, nameserver: str) -> None:
        """It needs neither."""

    def close(self) -> None:
        """Nothing runs."""

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """One signature for each key, in front."""
        return zegel.sign(message, list(signer.keys), canonicalization=form) + message

    def verify(self, message: bytes) -> answers.Answers:
        """The status of each signature."""
        return answers.gather((result.selector or "", str(result.status)) for result in zegel.verify(message, resolver=case.zone()))
