"""Rotations under load, with mail through a real Postfix: the daemon is its milter, and a sink its next hop; there it is verified.

Some clients hand in at a time, as many messages a session as a mail server would. A message is on its way while it lies in Postfix's queue,
so the clock may be shifted by days between its signature and its arrival (Postfix's own clock is not). Each must arrive, and once.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from support.authority import Authority
from support.postfix import Postfix
from support.rotation import CLIENT, SENDER, Rotations, message
from support.servers import wait_for

_SESSION = 20  # messages
_MOST_UNDER_WAY = 200  # beyond it the clients wait: what Postfix takes and does not deliver is not its rate
_SECONDS = 60.0
_NUMBER = re.compile(rb"^Subject: ([0-9]+)\r$", re.M)


class PostfixRotations(Rotations):
    """:class:`Rotations` with a Postfix of its own. Needs root, as that does."""

    senders = 4

    def __init__(self, there: Authority, folder: Path, *, rate: float) -> None:
        super().__init__(there, folder, rate=rate)
        self.postfix = Postfix(smtpd_milters=self.daemon.milter_address)
        self.handed_in, self._counting = 0, threading.Lock()
        self._sessions = threading.local()
        self._under_way: dict[int, int] = {}  # by number, when it was handed in
        self._opened = ExitStack()
        self._receiver = threading.Thread(target=self._receive_all, daemon=True)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._opened.enter_context(self.postfix)
        except BaseException:
            super().__exit__(None, None, None)
            raise
        self._receiver.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._over.set()
            self._receiver.join(30)
            self._opened.close()

    # -- in --------------------------------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        self._sessions.client, self._sessions.left = None, 0
        try:
            super()._send_all()
        finally:
            self._leave()

    def _send(self, number: int) -> None:
        wait_for(lambda: len(self._under_way) < _MOST_UNDER_WAY, _SECONDS, "Postfix to deliver")
        if not self._sessions.left:
            self._leave()
            self._sessions.client, self._sessions.left = self.postfix.client(address=CLIENT), _SESSION
        self._under_way[number] = self.now  # it may arrive before its client has heard that it was taken
        self._sessions.client.sendmail(SENDER, ["someone@example.net"], message(number))
        self._sessions.left -= 1
        with self._counting:
            self.handed_in += 1

    def _leave(self) -> None:
        if self._sessions.client is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._sessions.client.quit()
            self._sessions.client = None

    # -- out -------------------------------------------------------------------------------------------------------------------------

    def _receive_all(self) -> None:
        while not self._over.wait(0.02):
            for arrived in self.postfix.sink.take():
                try:
                    number, since = self._handed_in(arrived.data)
                    self._take(arrived.data, since)
                    del self._under_way[number]  # who waits for it finds it verified
                except Exception as error:
                    self.troubles.append(f"a message that arrived: {error!r}")

    def _handed_in(self, signed: bytes) -> tuple[int, int]:
        """The number of a message that is on its way, and when it was handed in."""
        found = _NUMBER.search(signed)
        number = int(found[1]) if found else -1
        if number not in self._under_way:
            raise AssertionError(f"it was not sent, or has arrived before: {signed!r}")
        return number, self._under_way[number]

    def settle(self) -> None:
        """Wait until all that is on its way now has arrived."""
        now = frozenset(list(self._under_way))
        wait_for(lambda: now.isdisjoint(list(self._under_way)) or bool(self.troubles), _SECONDS, "what is on its way to arrive")

    def end(self) -> None:
        """Send no more mail; what was sent has arrived then, or is a trouble."""
        super().end()
        try:
            self.settle()
        except TimeoutError:
            self.troubles.append(f"{len(self._under_way)} messages were taken and never arrived:\n{self.postfix.log()[-5000:]}")
