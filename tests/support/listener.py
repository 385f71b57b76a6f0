"""A milter that says yes to everything and keeps what the mail server told it; it speaks just enough of the protocol, by hand."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Listener:
    """Listens on a unix socket, or on a free port of loopback; ``address`` is written as Postfix writes it. A context manager."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.address = f"inet:127.0.0.1:{self._server.getsockname()[1]}"
        else:
            self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._server.bind(str(path))
            self._server.listen()
            self.address = f"unix:{path}"
        self.macros: dict[str, str] = {}
        self.connects: list[bytes] = []
        self.fields: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                packet = stream.read(struct.unpack(">I", head)[0])
                if answer := self._answer(packet[:1], packet[1:]):
                    peer.sendall(struct.pack(">I", len(answer)) + answer)

    def _answer(self, kind: bytes, rest: bytes) -> bytes:
        match kind:
            case b"O":
                return b"O" + struct.pack(">III", 6, 0, 0)
            case b"D":
                words = rest[1:].decode().split("\0")
                self.macros.update(zip(words[0::2], words[1::2], strict=False))
                return b""
            case b"A" | b"Q" | b"K":
                return b""
            case b"C":
                self.connects.append(rest)
            case b"L":
                name, value = rest.decode("utf-8", "replace").split("\0")[:2]
                self.fields.append((name, value))
        return b"c"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
