"""Debian's Mail::DKIM, in a perl that reads messages from a pipe. It asks a real name server. Its release here knows no Ed25519."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.peers import answers, case
from support.servers import require, unavailable

_PROGRAM = Path(__file__).with_name("maildkim.pl")


class MailDkim:
    """Mail::DKIM as a :class:`~support.peers.matrix.Peer`, from construction to ``close``."""

    name = "Mail::DKIM"
    package = "libmail-dkim-perl"

    def __init__(self, folder: Path, nameserver: str) -> None:
        perl = require("perl")
        if subprocess.run([perl, "-MMail::DKIM", "-e", "1"], capture_output=True, check=False).returncode:
            unavailable("Mail::DKIM is not installed; on Debian, apt-get install libmail-dkim-perl")
        self._folder = folder
        for signer in case.signers():
            for key in signer.keys:
                (folder / f"{key.selector}.{signer.domain}.pem").write_bytes(case.pem(key))
        self._process = subprocess.Popen(
            [perl, str(_PROGRAM), *nameserver.split(":")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)

    def _ask(self, words: str, message: bytes) -> list[bytes]:
        """The lines of its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        verb, _, rest = words.partition(" ")
        self._process.stdin.write(f"{verb} {len(message)} {rest}\n".encode() + message)
        lines: list[bytes] = []
        while (line := self._process.stdout.readline()) != b".\n":
            if not line:
                raise RuntimeError(f"perl ended after {lines}")
            lines.append(line)
        return lines

    # -- a peer ----------------------------------------------------------------------------------------------------------------------

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """One signature for each key, in front. Raises :class:`~support.peers.answers.Refused` for an algorithm that it has not."""
        for key in reversed(signer.keys):
            file = self._folder / f"{key.selector}.{signer.domain}.pem"
            first, *field = self._ask(f"sign {key.algorithm} {signer.domain} {key.selector} {form} {file}", message)
            if not first.startswith(b"field "):
                raise answers.Refused(first.decode().removeprefix("error ").strip())
            message = b"".join(field).removesuffix(b"\n") + b"\r\n" + message
        return message

    def verify(self, message: bytes) -> answers.Answers:
        """Its results. RFC 8601's word for what it calls invalid is permerror."""
        pairs = [line.decode().split(" ", 3)[1:3] for line in self._ask("verify", message)]
        return answers.gather((selector, "permerror" if result == "invalid" else result) for selector, result in pairs)

    def details(self, message: bytes) -> dict[str, str]:
        """What it says of each signature, by selector, in its own words."""
        parts = [line.decode().split(" ", 3) for line in self._ask("verify", message)]
        return {selector: detail.strip() for _, selector, _, detail in parts}
