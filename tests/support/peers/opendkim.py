"""Debian's opendkim: its real filter daemons, spoken to over their milter sockets, with keys in a real name server.

One daemon signs with one algorithm and in one canonicalization, so there is one for each that is asked for, started when it is. Two
signatures are made as on a real site, by two filters one behind the other.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.mta import Mta
from support.peers import answers, case
from support.servers import listens, require, wait_for

AUTHSERV_ID = "opendkim.example.net"
_OUTSIDE, _INSIDE = "192.0.2.1", "192.0.2.25"
_COMMON = "Socket local:{socket}\nUMask 000\nBackground no\nSyslog no\nRequireSafeKeys no\nInternalHosts " + _INSIDE + "\n"


class OpenDkim:
    """opendkim as a :class:`~support.peers.matrix.Peer`; ``close`` ends its daemons."""

    name = "OpenDKIM"
    package = "opendkim"

    def __init__(self, folder: Path, nameserver: str) -> None:
        self._program = require("opendkim")
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._sockets: dict[tuple[str, ...], Path] = {}
        self._sessions: dict[Path, Mta] = {}
        # Not by ResolverConfiguration: with it a filter was seen to die (signal 11) when messages came side by side.
        self._nameserver = nameserver.replace(":", "@")
        for signer in case.signers():
            for key in signer.keys:
                path = folder / f"{key.selector}.{signer.domain}.pem"
                path.write_bytes(case.pem(key))
                path.chmod(0o600)

    # -- its daemons -----------------------------------------------------------------------------------------------------------------

    def verifier(self, authserv_id: str = AUTHSERV_ID) -> Path:
        """The socket of the filter that verifies and writes under that name."""
        return self._daemon(("verify", authserv_id), f"Mode v\nAuthservID {authserv_id}\nNameservers {self._nameserver}\n")

    def signer(self, selector: str, form: str) -> Path:
        """The socket of the filter that signs with one type of key, for each domain that has one."""
        keys, table = self._folder / f"{selector}.keys", self._folder / f"{selector}.signing"
        domains = [signer.domain for signer in case.signers() if selector in signer.selectors]
        keys.write_text("".join(f"{domain} {domain}:{selector}:{self._folder}/{selector}.{domain}.pem\n" for domain in domains))
        table.write_text("".join(f"*@{domain} {domain}\n" for domain in domains))
        text = f"Mode s\nOversignHeaders From\nSignatureAlgorithm {selector}-sha256\nCanonicalization {form}\n"
        text += f"KeyTable file:{keys}\nSigningTable refile:{table}\n"
        return self._daemon(("sign", selector, form), text)

    def _daemon(self, purpose: tuple[str, ...], text: str) -> Path:
        if purpose not in self._sockets:
            file = self._folder / ("-".join(purpose).replace("/", "-") + ".conf")
            log, socket = file.with_suffix(".log"), file.with_suffix(".sock")
            file.write_text(_COMMON.format(socket=socket) + text)
            with log.open("wb") as stream:
                process = subprocess.Popen([self._program, "-f", "-x", str(file)], stdout=stream, stderr=stream)
            self._processes.append(process)
            wait_for(lambda: process.poll() is not None or listens(socket), what="opendkim listens")
            if process.poll() is not None:
                raise RuntimeError(f"opendkim ended: {log.read_text('utf-8', 'replace')}")
            self._sockets[purpose] = socket
        return self._sockets[purpose]

    def _session(self, socket: Path, address: str) -> Mta:
        """A connection to a filter, kept for the messages to come, as Postfix keeps one for an SMTP client."""
        if socket not in self._sessions:
            session = self._sessions[socket] = Mta(str(socket))
            refusal = session.open(address=address)
            assert refusal is None, refusal
        return self._sessions[socket]

    def close(self) -> None:
        """End what was started. Not by SIGTERM, for which libmilter looks every five seconds; there is nothing that they must save."""
        for session in self._sessions.values():
            session.close()
        for process in self._processes:
            process.kill()
            process.wait(20)

    # -- a peer ----------------------------------------------------------------------------------------------------------------------

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """The message as the filters leave it, the last key's first, so that the first one's signature is on top."""
        for selector in reversed(signer.selectors):
            done = self._session(self.signer(selector, form), _INSIDE).send(message, f"joe@{signer.domain}")
            assert done.action in ("accept", "continue"), done
            message = done.message
        return message

    def verify(self, message: bytes) -> answers.Answers:
        """What its Authentication-Results field says."""
        done = self._session(self.verifier(), _OUTSIDE).send(message)
        assert done.action in ("accept", "continue"), done
        return answers.authentication_results(done.message, AUTHSERV_ID)
