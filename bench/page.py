"""The page ``docs/benchmarks.md``: the figures of one run, what they were made with, and where the others are better."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench import dkim, machine, memory, milters, peers, postfix


class Run(NamedTuple):
    """Everything that one run has measured."""

    bare: list[dkim.Row]
    libraries: peers.Comparison
    mail: postfix.Mail
    memory: memory.Memory
    rounds: int
    load: float  # of the machine before the run began


_QUIET = 0.3
_BUSY = """
**The machine was busy with other work when this run began (load {load:.1f} on {cores} cores).** The system then shares the cores out by
thread, and a milter with a thread for each connection gets more of them than one with a single thread: compare the CPU, and take the
messages per second from a run on a quiet machine.
"""
_HEAD = """\
# Benchmarks

Zegel beside the tools that do the same work, all measured in one run on one machine. `make bench` writes this page; nothing in it is
typed by hand. Look at the ratios: they carry over to your machine better than the figures do. This run was made on {date}. The runs of
one row follow each other in turn, several rounds of them, and the best of each counts.
{busy}
{machine}

The peers, as Debian and the registries ship them:

{peers}
"""

_MAIL = """\
## Postfix with Zegel, with opendkim, with neither

One Postfix, with a listener for each of them that differs in `smtpd_milters` only. `smtp-source` sends a message of {fields} header
fields and a body of 2, 10 or 100 kB in 1, 10 or 50 sessions at a time, a new connection for each message; what is accepted goes to
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

### Signing

{sign}

### Verifying

{verify}
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
# apt-get install postfix opendkim knot util-linux libopendkim-dev gcc libmail-dkim-perl golang-go golang-github-emersion-go-msgauth-dev
# npm install mailauth                      # in any folder, which needs node
# make bench MAILAUTH=FOLDER/node_modules/mailauth
```

It takes about half an hour, runs as root (Postfix's master does), uses loopback only, and starts servers of its own in folders of its
own: your Postfix is not touched. `ZEGEL_PEERS` names the folder with the program that times the libraries. `make bench QUICK=1` takes a
few minutes and prints the tables; `make bench-memory` is the memory alone. `python -m bench.hotspots` tells where Zegel's daemon spends
its time (it needs py-spy).
"""


def write(run: Run) -> str:
    """The whole page."""
    fields = sum(1 for line in dkim.HEADER.splitlines() if line[:1] not in (b" ", b"\t"))
    packaged = "`, `".join((milters.PACKAGED + milters.TRUST_ANCHOR).splitlines())
    missing = "".join(f"\n{who} is missing: it was not installed where this page was made.\n" for who in run.libraries.missing)
    busy = _BUSY.format(load=run.load, cores=os.cpu_count()) if run.load > _QUIET else ""
    parts = [
        _HEAD.format(date=datetime.date.today(), busy=busy, machine=_pairs(machine.machine()), peers=_pairs(machine.peers())),
        _MAIL.format(
            fields=fields, rounds=run.rounds, packaged=packaged,
            sign="\n".join(postfix.lines(run.mail.table, "sign")), verify="\n".join(postfix.lines(run.mail.table, "verify")),
        ),
        _LIBRARIES.format(fields=fields, libraries="\n".join(peers.lines(run.libraries)), missing=missing).rstrip() + "\n",
        _BARE.format(bare="\n".join(dkim.lines(run.bare))),
        _MEMORY.format(memory="\n".join(memory.lines(run.memory))),
        _LOSSES.format(losses="\n".join(f"- {loss}" for loss in _losses(run)) or "Nowhere in this run."),
        _REPEAT,
    ]  # fmt: skip
    return "\n".join(parts)


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])


def _losses(run: Run) -> Iterator[str]:
    """Each figure of this run in which a peer is better than Zegel."""
    for size, row in run.libraries.timings.items():
        for who in peers.NAMES:
            for work in ("verify", "sign"):
                if who in row and (ratio := getattr(row[who], work) / getattr(row[peers.OURS], work)) < 1:
                    yield f"{who} takes {ratio:.2f} of Zegel's time to {work} {size // 1000} kB."
    for case, best in run.mail.table.items():
        for way in milters.WAYS:
            mine, other = (best[f"{name} ({way})"] for name in (milters.OURS, milters.THEIRS))
            where = f"({case.work}, {case.size // 1000} kB, {case.sessions} at a time, {way})"
            if other.rate > mine.rate:
                yield f"Postfix with opendkim takes {other.rate / mine.rate:.2f} times the messages per second {where}."
            if other.cpu < mine.cpu:
                yield f"opendkim uses {other.cpu / mine.cpu:.2f} of Zegel's CPU per message {where}."
    for way in milters.WAYS:
        ours, theirs = (run.mail.memory[f"{name} ({way})"] / 1e6 for name in (milters.OURS, milters.THEIRS))
        if theirs < ours:
            yield f"After the load of the first section opendkim held {theirs:.0f} MB of memory, Zegel {ours:.0f} MB ({way})."
