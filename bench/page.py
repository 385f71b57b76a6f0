"""The page ``docs/benchmarks.md``: the figures of one run, what they were made with, and where the others are better."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench import authenticate, dkim, dns, judges, machine, memory, milters, peers, postfix, relay, spf


class Run(NamedTuple):
    """Everything that one run has measured."""

    bare: list[dkim.Row]
    libraries: peers.Comparison
    verdict: list[authenticate.Row]
    spf: list[spf.Row]
    dns: list[dns.Figure]
    mail: postfix.Mail
    relay: relay.Relayed
    memory: memory.Memory
    rounds: int
    load: float  # of the machine before the run began
    short: bool = False


_QUIET = 0.3
_BUSY = """
**The machine was busy with other work when this run began (load {load:.1f} on {cores} cores).** The system then shares the cores out by
thread, and a milter with a thread for each connection gets more of them than one with a single thread: compare the CPU, and take the
messages per second from a run on a quiet machine.
"""
_SHORT = """
This was a short run (`make bench SHORT=1`): fewer cases, fewer rounds and shorter ones than `make bench` has.
"""
_HEAD = """\
# Benchmarks

Zegel beside the tools that do the same work, all measured in one run on one machine. `make bench` writes this page; nothing in it is
typed by hand. Look at the ratios: they carry over to your machine better than the figures do. This run was made on {date}. The runs of
one row follow each other in turn, several rounds of them, and the best of each counts.
{short}{busy}
{machine}

The peers, as Debian and the registries ship them:

{peers}
"""

_MAIL = """\
## Postfix with Zegel, with others, with none

One Postfix, with a listener for each of them that differs in `smtpd_milters` only. `smtp-source` sends a message of {fields} header
fields and a body of 2 to 100 kB in 1 to 50 sessions at a time, a new connection for each message; what is accepted goes to
`discard`. Queue and logs lie in memory, so that no disk hides the difference. The figures are of {rounds} rounds. Keys are RSA-2048.

The CPU is what the milter's own processes use, user and system. A ratio over 1 in the first table and under 1 in the second is for
Zegel.

- Zegel is `zegel serve` as it comes: relaxed/relaxed, a log line for each message into a file, counters for Prometheus. To sign,
  `zegel.toml` has one `[[outbound.allow]]` for the network that the mail comes from.
- opendkim has what Debian packages in `/etc/opendkim.conf`: `{packaged}`. A signer has `Domain`, `Selector` and `KeyFile` on top. A
  verifier has `InternalHosts` on top, because mail from 127.0.0.1 would be signed, and `Nameservers`, and has no `TrustAnchorFile`,
  because the zone of the bench is signed by nobody. `UMask` and `RequireSafeKeys` are changed for the bench's folder. It signs
  relaxed/simple, which is less work for the body, and has no syslog to write to: both are in its favour.
- Both ask one name server on loopback (Knot), and keep its answer.

Before anything is measured, a message through each listener must arrive signed, or with `dkim=pass`.

In the second part opendkim verifies DKIM and does no more, while Zegel judges the message by SPF, DKIM, ARC and DMARC, as it comes. Who
does the same is in the third part.

### Signing

{sign}

### Verifying

{verify}
"""

_JUDGE = """\
### Judging incoming mail

The whole verdict on a message that comes from {client} with the signature of its author's domain, whose records let SPF, DKIM and DMARC
pass (`p=none`). All listen on unix sockets. `smtp-source` has no other address than 127.0.0.1, which opendmarc ignores and libspf2 passes
without a look; so a sender of the bench's own says with the PROXY protocol where the mail comes from, on all listeners.

- Zegel is `zegel serve` as it comes: it judges by SPF, DKIM, ARC and DMARC, and records each message for the reports.
- opendkim verifies as above, and behind it is opendmarc with what Debian packages in `/etc/opendmarc.conf`: `{packaged}`, and with
  `{own}` on top, so that it does SPF itself. Neither judges ARC. opendmarc has no setting for a name server: it has a `resolv.conf` of
  its own, which names the same Knot. It keeps no answers, nor records, since `HistoryFile` is not set, and has
  no syslog to write to.
- rspamd is one `rspamd_proxy` in milter mode that scans by itself, as packaged, reduced to its modules `{modules}` and to
  `milter_headers`, which writes the results. It signs no ARC. It reads all parts of a message as it does for any of its rules.

The CPU is that of all processes of each, opendkim and opendmarc together. Before anything is measured, a message through each listener
must arrive with `dkim=pass`, `spf=pass` (of MAIL FROM) and `dmarc=pass`.

{judge}

What they held in the end, all processes of each (what processes share is counted in each of them):

{held}
"""

_RELAY = """\
## The relay

Programs hand in mail of {size} kB over {sessions} connections that stay open. It is signed, and on disk before it is accepted: by Zegel's
relay, and by Postfix with the milter of opendkim, set up as above. Both have their files on the same disk, which does {fsyncs:.0f} fsyncs
of 10 kB in a second, and both hand the mail on to Postfix's `smtp-sink`. Below TLS, Zegel's client logs in; Postfix's need not.

While many wait to be accepted Zegel sends little, so its mail is through later than it is accepted; both are told. The CPU is that of
all processes of each until all is handed on, user and system. A ratio over 1 is for Zegel, but for the CPU under 1.

{relay}
"""

_VERDICT = """\
## The whole verdict on one message

`authenticate` on a message of {size} kB, DNS warm and in the process, on one core.

{verdict}
"""

_SPF = """\
## SPF beside pyspf

Evaluations per second, DNS in the process for both. One identity is MAIL FROM; both are HELO and MAIL FROM, as a receiver checks them: one
call of Zegel, two of pyspf. A ratio over 1 is for Zegel.

{spf}
"""

_DNS = """\
## A DNS question

Processor time of the side that asks, in the loop that the daemon has (uvloop). The name server is a process that sends a ready answer; the
hostile reply is read from memory. A ratio over 1 is for Zegel.

{dns}
"""

_LIBRARIES = """\
## The libraries

One thread on one core, the same messages for all: {fields} header fields, relaxed/relaxed, RSA-2048, DNS answered in the process. A
key is loaded once where the library can do so; libopendkim, mailauth and dkimpy take it as text and read it for each message. Behind
each figure stands how often Zegel's time it is: over 1 is for Zegel.

libopendkim has `MinKeyBits 1024`, as the daemon sets it. The peers sign eight header fields; mailauth has a longer list of its own. The
first row of Zegel signs those eight, the second what it signs by default, which covers more fields and also forbids that fields be
added. All verify the message that Zegel has signed in its default way.

{libraries}
{missing}
"""

_BARE = """\
## Over the bare cost

What nobody can avoid is one SHA-256 of the body and one primitive of the cryptography library. This is how far Zegel is from that.

{bare}
"""

_MEMORY = """\
## Memory

`zegel serve` while a message of 100 MB goes through it in the pieces that Postfix sends, and after many small ones: signed, verified,
with a key that no DNS knows (a new name each time, so that the cache of answers fills; it ends at 20,000), and given up half way.

{memory}
"""

_LOSSES = """\
## Where the others are better

{losses}
"""

_REPEAT = """\
## How to repeat it

```console
# apt-get install postfix opendkim opendmarc rspamd knot util-linux
# apt-get install libopendkim-dev gcc libmail-dkim-perl golang-go golang-github-emersion-go-msgauth-dev
# npm install mailauth                      # in any folder, which needs node
# make bench MAILAUTH=FOLDER/node_modules/mailauth
```

It takes about half an hour, runs as root (Postfix's master does), uses loopback only, and starts servers of its own in folders of its
own: your Postfix is not touched. `ZEGEL_PEERS` names the folder with the program that times the libraries. `make bench SHORT=1` writes
the page from a run of some minutes; `make bench QUICK=1` is shorter and prints the tables; `make bench-memory` is the memory alone.
`python -m bench.hotspots` tells where Zegel's daemon spends its time (it needs py-spy).
"""


def write(run: Run) -> str:
    """The whole page."""
    fields = sum(1 for line in dkim.HEADER.splitlines() if line[:1] not in (b" ", b"\t"))
    packaged = "`, `".join((milters.PACKAGED + milters.TRUST_ANCHOR).splitlines())
    missing = "".join(f"\n{who} is missing: it was not installed where this page was made.\n" for who in run.libraries.missing)
    busy = _BUSY.format(load=run.load, cores=os.cpu_count()) if run.load > _QUIET else ""
    parts = [
        _HEAD.format(
            date=datetime.date.today(), short=_SHORT if run.short else "", busy=busy,
            machine=_pairs(machine.machine()), peers=_pairs(machine.peers()),
        ),
        _MAIL.format(
            fields=fields, rounds=run.rounds, packaged=packaged,
            sign="\n".join(postfix.lines(run.mail.table, "sign")), verify="\n".join(postfix.lines(run.mail.table, "verify")),
        ),
        _judged(run.mail),
        _RELAY.format(
            size=relay.SIZE // 1000, sessions=relay.SESSIONS, fsyncs=run.relay.fsyncs, relay="\n".join(relay.lines(run.relay))
        ),
        _VERDICT.format(size=authenticate.SIZE // 1000, verdict="\n".join(authenticate.lines(run.verdict))),
        _SPF.format(spf="\n".join(spf.lines(run.spf))),
        _DNS.format(dns="\n".join(dns.lines(run.dns))),
        _LIBRARIES.format(fields=fields, libraries="\n".join(peers.lines(run.libraries)), missing=missing).rstrip() + "\n",
        _BARE.format(bare="\n".join(dkim.lines(run.bare))),
        _MEMORY.format(memory="\n".join(memory.lines(run.memory))),
        _LOSSES.format(losses="\n".join(f"- {loss}" for loss in _losses(run)) or "Nowhere in this run."),
        _REPEAT,
    ]  # fmt: skip
    return "\n".join(parts)


def _judged(mail: postfix.Mail) -> str:
    return _JUDGE.format(
        client=milters.CLIENT, packaged="`, `".join(judges.PACKAGED.splitlines()), own=judges.SELF, modules="`, `".join(judges.MODULES),
        judge="\n".join(postfix.lines(mail.table, "judge")), held="\n".join(postfix.held(mail, "judge")),
    )  # fmt: skip


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])


def _losses(run: Run) -> Iterator[str]:
    """Each figure of this run in which a peer is better than Zegel."""
    for size, row in run.libraries.timings.items():
        for who in peers.NAMES:
            for work in ("verify", "sign"):
                if who in row and (ratio := getattr(row[who], work) / getattr(row[peers.OURS], work)) < 1:
                    yield f"{who} takes {ratio:.2f} of Zegel's time to {work} {size // 1000} kB."
    yield from _behind(run.mail)
    yield from _behind_relay(run.relay)
    for one in run.spf:
        for ours, theirs, what in ((one.ours, one.theirs, "one identity"), (one.ours_both, one.theirs_both, "both identities")):
            if theirs < ours:
                yield f"pyspf takes {theirs / ours:.2f} of Zegel's time for {what} ({one.name})."
    for figure in run.dns:
        if figure.other < figure.ours:
            yield f"{figure.other_way} takes {figure.other / figure.ours:.2f} of Zegel's time ({figure.what})."


def _behind_relay(found: relay.Relayed) -> Iterator[str]:
    for mode, sides in found.table.items():
        ours, theirs = sides[relay.OURS], sides[relay.THEIRS]
        for what, mine, other in (("accepts", ours.rate, theirs.rate), ("hands on", ours.through, theirs.through)):
            if other > mine:
                yield f"{relay.THEIRS} {what} {other / mine:.2f} times the messages per second of Zegel's relay ({mode})."
        if theirs.cpu < ours.cpu:
            yield f"{relay.THEIRS} uses {theirs.cpu / ours.cpu:.2f} of the CPU per message of Zegel's relay ({mode})."


def _behind(mail: postfix.Mail) -> Iterator[str]:
    """The same of the milters."""
    for case, best in mail.table.items():
        where = f"({case.work}, {case.size // 1000} kB, {case.sessions} at a time)"
        for ours, title in _pairings(case.work):
            mine, other = best[ours], best[title]
            if other.rate > mine.rate:
                yield f"Postfix with {title} takes {other.rate / mine.rate:.2f} times the messages per second of {ours} {where}."
            if other.cpu < mine.cpu:
                yield f"{title} uses {other.cpu / mine.cpu:.2f} of the CPU per message of {ours} {where}."
    for ours, title in dict.fromkeys(pair for work in milters.WORKS for pair in _pairings(work)):
        held, theirs = (mail.memory[name] / 1e6 for name in (ours, title))
        if theirs < held:
            yield f"After the load of its section {title} held {theirs:.0f} MB of memory, {ours} {held:.0f} MB."


def _pairings(work: milters.Work) -> Iterator[tuple[str, str]]:
    for pair in milters.rivals(work):
        for title in pair.theirs:
            yield pair.ours, title
