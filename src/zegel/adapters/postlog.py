"""What the courier tells: lines in the log and counters, through the daemon's journal. It decides nothing and keeps no message."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from zegel.adapters.journal import Journal

_MAX_TEXT = 400


class PostLog:
    """The lines and counters of one outbox."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        registry = journal.registry
        self._taken = Counter("zegel_outbox_messages", "Messages taken into the outbox", registry=registry)
        self._tries = Counter("zegel_outbox_tries", "Tries of recipients, by what came of them", ("outcome",), registry=registry)
        self._doubts = Counter(
            "zegel_outbox_in_doubt",
            "Recipients whose next hop gave no answer to the end of a message: they may get it twice",
            registry=registry,
        )
        self._notices = Counter("zegel_outbox_notices", "Notices to the contacts of sites, by kind", ("kind",), registry=registry)
        self.waiting = Gauge("zegel_outbox_waiting", "Recipients that mail waits for in the outbox", registry=registry)
        self._up = Gauge("zegel_next_hop_up", "0 while the next hop is down as a whole, else 1", registry=registry)
        self._up.set(1)
        self._trouble, self._is_down = "", False

    def taken(self, messages: int) -> None:
        """So many messages are on disk."""
        self._taken.inc(messages)

    def delivered(self, queue_id: str, site: str, recipients: int, server: str, answer: str) -> None:
        """The next hop has taken a message for so many recipients."""
        self._tries.labels("delivered").inc(recipients)
        self._line("delivered", queue_id, site, recipients, server, answer)

    def put_off(self, queue_id: str, site: str, recipients: int, server: str, answer: str) -> None:
        """It is tried again later."""
        self._tries.labels("put_off").inc(recipients)
        self._line("put off", queue_id, site, recipients, server, answer)

    def failed(self, queue_id: str, site: str, recipients: int, server: str, answer: str) -> None:
        """It is not tried again."""
        self._tries.labels("failed").inc(recipients)
        self._line("not delivered", queue_id, site, recipients, server, answer)

    def doubt(self, recipients: int) -> None:
        """So many recipients may get a message twice."""
        self._doubts.inc(recipients)

    def notice(self, kind: str, about: str, queue_id: str) -> None:
        """A contact is told of a message that is late or failed; the notice has a queue id of its own."""
        self._notices.labels(kind).inc()
        self.journal.note("notice", kind=kind, about=about, queue_id=queue_id)

    def untold(self, queue_id: str, site: str) -> None:
        """A message failed, and there is nobody to tell: a notice itself, or mail without a sender."""
        self._notices.labels("nobody").inc()
        self.journal.note("nobody is told of what was not delivered", queue_id=queue_id, site=site)

    def down(self, said: str) -> None:
        """The next hop is down as a whole; told once."""
        self._up.set(0)
        if not self._is_down:
            self._is_down = True
            event = "the next hop cannot be reached; mail waits in the outbox, and nobody is told of single messages"
            self.journal.alert(event, answer=said[:_MAX_TEXT])

    def held(self, route: str, said: str) -> None:
        """A destination could not be reached, and is left alone for a while."""
        self.journal.note("destination cannot be reached", destination=route, answer=said[:_MAX_TEXT])

    def up(self) -> None:
        """It is back."""
        self._up.set(1)
        if self._is_down:
            self._is_down = False
            self.journal.note("the next hop is reached again")

    def trouble(self, error: BaseException) -> None:
        """The outbox cannot be read or written now; told once, not at each try."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.journal.alert("the outbox cannot be used now; mail is not lost, and is tried again", error=str(error)[:_MAX_TEXT])

    def well(self) -> None:
        """It can be used."""
        self._trouble = ""

    def _line(self, event: str, queue_id: str, site: str, recipients: int, server: str, answer: str) -> None:
        words: dict[str, object] = {"queue_id": queue_id, "recipients": recipients}
        if site:
            words["site"] = site
        if server:
            words["server"] = server
        self.journal.note(event, **words, answer=answer[:_MAX_TEXT])
