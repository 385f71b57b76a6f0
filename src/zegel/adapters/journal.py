"""What the daemon tells: one line for each message in the log, and counters for Prometheus. It decides nothing and keeps no message.

Mail goes on when the log does not: a line that cannot be written is counted and lost. What a stranger wrote is bounded, and cannot make
a line of its own or steer a terminal.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from zegel.arc.result import ArcStatus
from zegel.dkim.result import DkimResult
from zegel.dmarc.result import DmarcStatus
from zegel.verdict.authenticate import Verdict
from zegel.verdict.policy import Action

OUTCOMES = {Action.ACCEPT: "accepted", Action.DEFER: "deferred", Action.QUARANTINE: "quarantined", Action.REJECT: "refused"}
_MAX_SHOWN = 5
_MAX_TEXT = 400
_MAX_BLOCK = 20_000
Words = Mapping[str, object]
_NO_WORDS: Words = {}


@dataclass(frozen=True, slots=True)
class About:
    """Which message a line is about: queue id, envelope sender, how it came, and the client's address; login or site where there is one."""

    queue_id: str
    sender: str
    route: str
    client: str
    login: str = ""
    site: str = ""

    def fields(self) -> dict[str, str]:
        """The words of the log line; empty ones fall away."""
        words = {"queue_id": self.queue_id, "route": self.route, "client": self.client, "login": self.login, "site": self.site}
        return {name: _line(value) for name, value in (*words.items(), ("mail_from", self.sender)) if value}


class Journal:
    """The log and the counters of one daemon."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        if not structlog.is_configured():
            set_up_log()  # a command with a journal of its own: the library's own way of showing a fault is not for us
        self._log = structlog.get_logger("zegel")
        self._children: dict[tuple[object, ...], Counter] = {}
        self._messages = Counter("zegel_messages", "Messages seen, by route and outcome", ("route", "outcome"), registry=self.registry)
        self._unsigned = Counter("zegel_not_signed", "Outbound messages left unsigned, by reason", ("reason",), registry=self.registry)
        self._signatures = Counter("zegel_signatures", "Signatures made, by domain", ("domain",), registry=self.registry)
        self._results = Counter(
            "zegel_dkim_results", "Signatures verified, by result and reason", ("result", "reason"), registry=self.registry
        )
        self._spf = Counter(
            "zegel_spf_results", "Messages from outside, by the SPF result of the sender", ("result",), registry=self.registry
        )
        self._dmarc = Counter(
            "zegel_dmarc_results", "Messages from outside, by DMARC result and policy", ("result", "policy"), registry=self.registry
        )
        self._would = Counter(
            "zegel_would", "What would happen to messages from outside in the mode reject", ("outcome", "reason"), registry=self.registry
        )
        self._forged = Counter(
            "zegel_forged_results", "Authentication-Results fields in our name that were removed", registry=self.registry
        )
        self._logins = Counter("zegel_logins_failed", "Logins of sites that failed, by reason", ("reason",), registry=self.registry)
        self._broken = Counter(
            "zegel_submissions_broken", "Submissions refused for how the client spoke, by reason", ("reason",), registry=self.registry
        )
        self._faults = Counter("zegel_faults", "Our own faults; each deferred its message", registry=self.registry)
        self._lost = Counter("zegel_log_lines_lost", "Log lines that could not be written", registry=self.registry)
        self._recorded = Counter("zegel_recorded", "Messages written to the store", registry=self.registry)
        self._unrecorded = Counter(
            "zegel_not_recorded", "Messages that are not in the store, by reason; their mail went on", ("reason",), registry=self.registry
        )
        self.waiting = Gauge("zegel_records_waiting", "Messages that wait to be written to the store", registry=self.registry)
        self.generation = Gauge("zegel_generation", "The generation of the store that signs now", registry=self.registry)
        self.keys = Gauge("zegel_active_keys", "Keys that sign now", registry=self.registry)
        self.troubled_keys = Gauge("zegel_troubled_keys", "Keys whose record is not as it should be in DNS", registry=self.registry)

    def _child(self, counter: Counter, *labels: str) -> Counter:
        """The counter of these labels; to look it up is dearer than to count. There are as many as the counter itself keeps."""
        key = (counter, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        return child

    def signed(self, about: About, names: Sequence[str], domain: str, *, warning: str = "", words: Words = _NO_WORDS) -> None:
        """A message was signed with these keys (DNS names). ``warning``: why a hop may break the signature; ``words`` are told besides."""
        self._child(self._messages, about.route, "signed").inc()
        self._child(self._signatures, domain).inc(len(names))
        extra = {"warning": f"a hop may break this signature: {warning}"} if warning else {}
        self._write("signed", {**about.fields(), "keys": ",".join(names), **_lines(words), **extra})

    def not_signed(self, about: About, reason: str, sentence: str, *, words: Words = _NO_WORDS) -> None:
        """An outbound message leaves as it is."""
        self._child(self._messages, about.route, "not_signed").inc()
        self._child(self._unsigned, reason).inc()
        self._write(_line(sentence), {**about.fields(), "reason": reason, **_lines(words)})

    def refused(self, about: About, reason: str, sentence: str) -> None:
        """A message is refused: for good, or until the client comes again."""
        self._child(self._messages, about.route, "refused").inc()
        self._write(_line(sentence), {**about.fields(), "reason": reason})

    def verified(self, about: About, verdict: Verdict, forged: int) -> None:
        """A message from outside was checked; ``forged`` fields in our name were removed."""
        disposition, dmarc = verdict.disposition, verdict.dmarc
        outcome = OUTCOMES[disposition.action]
        self._child(self._messages, about.route, outcome).inc()
        self._child(self._would, OUTCOMES[disposition.would], disposition.reason.id).inc()
        self._child(self._spf, verdict.spf.mail_from.status).inc()
        self._child(self._dmarc, dmarc.status, dmarc.applied or "").inc()
        for result in verdict.dkim:
            self._child(self._results, result.status, result.reason.id).inc()
        words: dict[str, object] = {"outcome": outcome, "reason": disposition.reason.id, "from": disposition.domain or "-"}
        if disposition.would is not disposition.action:
            words["would"] = OUTCOMES[disposition.would]
        if disposition.marks:
            words["marks"] = ",".join(mark.id for mark in disposition.marks)
        words["dmarc"] = dmarc.status if dmarc.status is DmarcStatus.PASS else f"{dmarc.status} ({_line(dmarc.explanation)})"
        words["spf"] = f"{verdict.spf.mail_from.status} {_line(verdict.spf.mail_from.domain or '-')}"
        words["dkim"] = "; ".join(map(_short, verdict.dkim[:_MAX_SHOWN])) or "none"
        if verdict.arc.status is not ArcStatus.NONE:
            words["arc"] = verdict.arc.status
        if forged:
            self._forged.inc(forged)
            words["forged_results_removed"] = forged
        self._write("verified", {**about.fields(), **words})

    def login_failed(self, client: str, site: str, reason: str, failures: int) -> None:
        """A login failed. ``site`` is empty where there is none of that name: what stood there may be a secret in the wrong place."""
        self._child(self._logins, reason).inc()
        words = {"client": _line(client), "site": site, "reason": reason, "failures": failures}
        self._write("login failed", {name: value for name, value in words.items() if value})

    def connection_refused(self, client: str, site: str, reason: str) -> None:
        """What a client said is no mail: its form is refused, or it did what no honest one does."""
        self._child(self._broken, reason).inc()
        words = {"client": _line(client), "site": site, "reason": reason}
        self._write("submission refused", {name: value for name, value in words.items() if value})

    def recorded(self, messages: int) -> None:
        """So many messages were written to the store."""
        self._recorded.inc(messages)

    def not_recorded(self, reason: str, messages: int = 1) -> None:
        """So many messages are not in the store, and will not be."""
        self._unrecorded.labels(reason).inc(messages)

    def fault(self, error: BaseException) -> None:
        """Something of ours went wrong. What it was about has been deferred, never judged."""
        self._faults.inc()
        # Plain tracebacks: the pretty ones show local variables, and a private key is one of those.
        trace = _block("".join(traceback.format_exception(error)))
        words = {"error": f"{type(error).__name__}: {_line(str(error))}", "exception": trace}
        self._write("fault", words, level=logging.ERROR)

    def note(self, event: str, **words: object) -> None:
        """Something about the daemon itself."""
        self._write(event, _lines(words))

    def alert(self, event: str, **words: object) -> None:
        """Something that somebody has to look after."""
        self._write(event, _lines(words), level=logging.ERROR)

    def alarm(self, event: str, **words: object) -> None:
        """Something that a person has to see to; what it is about goes on meanwhile."""
        self._write(event, {name: _line(str(value)) for name, value in words.items()}, level=logging.WARNING)

    def _write(self, event: str, words: Mapping[str, object], *, level: int = logging.INFO) -> None:
        try:
            self._log.log(level, event, **words)
        except (OSError, ValueError):  # a pipe without a reader, a full disk, a closed file
            self._lost.inc()


def set_up_log(*, terminal: bool | None = None) -> None:
    """Write the log to standard output: for people on a terminal, as key=value lines otherwise (journald keeps the time)."""
    shown = sys.stdout.isatty() if terminal is None else terminal
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(pad_event_to=0, pad_level=False, sort_keys=False, exception_formatter=structlog.dev.plain_traceback)
        if shown
        else structlog.processors.LogfmtRenderer(key_order=["event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *([structlog.processors.TimeStamper(fmt="%H:%M:%S")] if shown else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(),  # a line in one write, where printing takes two
        cache_logger_on_first_use=True,
    )


def _short(result: DkimResult) -> str:
    who = f" d={result.domain} s={result.selector}" if result.domain else ""
    return f"{result.status}{who} ({_line(result.explanation)})"


def _lines(words: Mapping[str, object]) -> dict[str, object]:
    return {name: _line(value) if isinstance(value, str) else value for name, value in words.items()}


def _line(text: str) -> str:
    """One line of bounded length: a log line must not be broken by what a stranger wrote."""
    shown = text[:_MAX_TEXT]
    return shown if shown.isprintable() else "".join(char if char.isprintable() else "?" for char in shown)


def _block(text: str) -> str:
    """Lines of ours, such as a traceback, in which an error may say what a stranger wrote."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text[-_MAX_BLOCK:]).rstrip("\n")
