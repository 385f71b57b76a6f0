"""dkimpy, in this process, with the same zone behind its function for DNS."""

from __future__ import annotations

from pathlib import Path

import dkim
import zegel
from support.peers import answers, case
from support.proof import tags


def look_up(name: bytes | str, **_: object) -> bytes | None:
    """The TXT record of that name, as dkimpy wants it."""
    text = name.decode() if isinstance(name, bytes) else name
    records = case.zone().answer(zegel.Question(text.rstrip("."), zegel.RRType.TXT)).records
    return records[0] if records and isinstance(records[0], bytes) else None


class Dkimpy:
    """dkimpy as a :class:`~support.peers.matrix.Peer`."""

    name = "dkimpy"
    package = "dkimpy"

    def __init__(self, folder: Path, nameserver: str) -> None:
        """It needs neither."""

    def close(self) -> None:
        """Nothing runs."""

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """One signature for each key, in front."""
        header, _, body = form.encode().partition(b"/")
        for key in reversed(signer.keys):
            message = (
                dkim.sign(
                    message,
                    key.selector.encode(),
                    signer.domain.encode(),
                    case.pem(key) if key.type == "rsa" else case.seed(key),
                    canonicalize=(header, body),
                    signature_algorithm=key.algorithm.encode(),
                )
                + message
            )
        return message

    def verify(self, message: bytes) -> answers.Answers:
        """Each signature by itself, by number."""
        return answers.gather((tag.get("s", ""), _verified(message, index)) for index, tag in enumerate(tags(message)))


def _verified(message: bytes, index: int) -> str:
    """It says yes, says no, or raises what is wrong with the signature."""
    try:
        return "pass" if dkim.DKIM(message, minkey=1024).verify(index, dnsfunc=look_up) else "fail"
    except dkim.DKIMException:
        return "fail"
