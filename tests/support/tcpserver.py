"""A TCP server of the tests that ends whole: when it is closed, no connection is served any more and no thread of it is left."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any

_END_SECONDS = 10.0


class TcpServer(socketserver.ThreadingTCPServer):
    """One thread for each connection; :meth:`server_close` ends those too. Call ``shutdown`` before it."""

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        self._talks: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread; keep a second handle of its connection, as TLS takes the first one over."""
        thread = threading.Thread(target=self._talk, args=(request, client_address), daemon=True)
        with self._guard:
            self._talks[thread] = request.dup()
        thread.start()

    def _talk(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._talks.pop(threading.current_thread()).close()

    def server_close(self) -> None:
        """Close the port and all connections, and wait for their threads. Raises RuntimeError when one goes on."""
        super().server_close()
        with self._guard:
            threads = list(self._talks)
            for connection in self._talks.values():
                with contextlib.suppress(OSError):  # the client has gone
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_END_SECONDS)
        if any(thread.is_alive() for thread in threads):
            raise RuntimeError("a connection of a server of the tests is still served")
