"""``docs/interop.md``: the matrix as a page for a mail administrator, written from what a run has seen."""

from __future__ import annotations

import re
import subprocess
import textwrap
from collections.abc import Iterable, Sequence
from importlib import metadata
from itertools import product

from support.peers import case
from support.peers.dkimpy import Dkimpy
from support.peers.matrix import ALTERED_FORMS, LIMITS, OURS, PEERS, Run, expected, letters
from support.peers.sites import SITES, Sites

_OTHERS = [name for name in PEERS if name != OURS]
_MARKS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_HOW = {
    "Zegel": ("this repository", "`zegel.sign` and `zegel.verify`; beside Postfix `zegel serve`"),
    "OpenDKIM": ("Debian `opendkim`", "its filter daemons, over their milter sockets; its resolver asks the name server of the test"),
    "Mail::DKIM": ("Debian `libmail-dkim-perl`", "its Signer and Verifier, in perl"),
    "rspamd": (
        "Debian `rspamd`",
        "the daemon with its modules dkim and dkim_signing, over HTTP; beside Postfix its proxy worker as a milter",
    ),
    "dkimpy": ("PyPI `dkimpy`", "`dkim.sign` and `dkim.DKIM.verify`"),
}
_INTRODUCTION = """\
# Does it work with what the others run?

Yes. Zegel and four programs that many mail servers sign and verify DKIM with have signed for one another: each message was signed by
one and verified by all of them, {judged} verifications in all. **Every message that Zegel signed passed wherever the other side knows
the algorithm. Of every signature that another made, Zegel said what rspamd and dkimpy say.** Nothing that was changed on the way
passed.

The tests write this page from what they see. They run on every change, and fail when they see something else than what stands here.
"""
_SENT = """\
## What was sent

Each message is signed in four forms (`c=`, for the header and for the body):
{forms}. Each of these shapes was sent in each of them:

{shapes}

OpenDKIM has the settings that Debian ships (`OversignHeaders From`) and one filter for each type of key, since a filter has one
algorithm. The others sign the fields that they sign without being told.

A body whose last line has no line end is not among them, because SMTP cannot carry it. Given to the libraries, Zegel, rspamd and
dkimpy take it as RFC 6376 3.4.3 says, as if it had one; Mail::DKIM does not with the form `simple`.
"""
_ALTERED = """\
## What was changed on the way

A plain message is changed after it was signed with each type of key, in the forms {forms}. The
number is that of the signatures that had passed before the change; none passed after it.
"""
_ADDED = """\
A second From or Subject does not break a signature that says nothing of one: such a message can pass, and its reader sees the added
field (RFC 6376 8.15). Zegel names From, To, Subject and their like once more than they are there, so that its signatures do break. And
it passes no such message when it verifies, whoever signed: where the signature itself holds, the result is `policy`.
"""
_POSTFIX = """\
## Two mail servers

Three real Postfix servers on loopback: one has `zegel serve` as its milter, one opendkim's filters, one rspamd. A user who has logged
in hands a message in at the first, which signs it and relays it to the second over SMTP. That one verifies it. The cell is what stands
in the Authentication-Results field that the second has written, for {shapes} messages, one of each shape.

{table}

Messages that were changed after they were signed (the first {changes} changes above) were handed to each receiving server too. Each
signature is a `fail` there, and a `pass` in the same message unchanged.
"""
_AGAIN = """\
## To see it yourself

On Debian, as root (Postfix needs it), in a clone of this repository:

```console
# apt-get install --no-install-recommends postfix opendkim rspamd libmail-dkim-perl knot
# make interop          # runs all this and writes this page
# git diff docs/interop.md
```

Nothing leaves the machine, and no server that runs on it is touched: each is started in a folder of its own, on free loopback ports,
and the keys are in a name server (Knot) that the tests start. What they do is in `tests/interop` and `tests/support/peers`.
"""


def render(run: Run, sites: Sites) -> str:
    """The whole page."""
    peers = [[name, *_HOW[name], f"`{version(name)}`"] for name in PEERS]
    parts = [_INTRODUCTION.format(judged=f"{_judged(run):,}"), "## The peers\n", _table(["", "from", "asked through", "version"], peers)]
    parts.append("## Who signs, who verifies\n\nThe number is that of the messages that passed. The small numbers are the notes below.\n")
    for signer in case.signers():
        title = "Both: two signatures" if signer.name == "both" else signer.name
        rows = [[by, *(_cell(run, by, verifier, signer.name) for verifier in PEERS)] for by in PEERS]
        parts += [f"### {title}\n", _table(["signed by, verified by →", *PEERS], rows)]
    parts += ["### Notes\n", "".join(_note(number, limit.words) for number, limit in enumerate(LIMITS, 1))]
    parts += [_SENT.format(forms=_listed(case.FORMS), shapes="\n".join(f"- {shape}" for shape in case.SHAPES))]
    parts += [_ALTERED.format(forms=_listed(ALTERED_FORMS)), _altered(run), _ADDED]
    parts += [_POSTFIX.format(shapes=len(case.SHAPES), changes=len(case.CHANGES), table=_sites(sites)), _AGAIN]
    return "\n".join(parts)


def unversioned(text: str) -> str:
    """A page without the versions of the peers, which may change without anything else."""
    return re.sub(r"\| `[^`]*` \|$", "| |", text, flags=re.MULTILINE)


def version(name: str) -> str:
    """The version of a peer, as Debian or Python tells it."""
    if name in (OURS, Dkimpy.name):
        return metadata.version(PEERS[name].package)
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", PEERS[name].package], capture_output=True, text=True, check=False)
    return done.stdout or "not from Debian"


def _judged(run: Run) -> int:
    """How many times a message was verified by somebody."""
    signed = [letter for by, signer in product(PEERS, case.signers()) for letter in letters(by, signer.name) if run.signed(letter)]
    return len([run.seen(letter, verifier) for letter, verifier in product(signed, PEERS)])


def _cell(run: Run, by: str, verifier: str, keys: str) -> str:
    """How many messages passed, how many by one signature of two, and the limits that were met."""
    whole = half = 0
    numbers: set[int] = set()
    for letter in letters(by, keys):
        said = run.seen(letter, verifier)
        whole += set(said) == {"pass"}
        half += "pass" in said and set(said) != {"pass"}
        numbers.update(expected(letter, verifier)[1])
    words = [f"pass ({whole})"] * bool(whole) + [f"pass by RSA ({half})"] * bool(half)
    marks = " ".join(str(number).translate(_MARKS) for number in sorted(numbers))
    return f"{', '.join(words) or 'n.a.'} {marks}".strip()


def _altered(run: Run) -> str:
    """Both ways for each peer: how many signatures that had passed are refused after the change."""

    def refused(by: str, verifier: str, name: str) -> str:
        said = [run.altered(by, verifier, signer.name) for signer in case.signers()]
        words = [word for each in said for (_, change), judged in each.items() if change == name for word in judged]
        return f"refused ({len(words)})" if "pass" not in words else f"PASSED ({words.count('pass')})"

    ways = [(OURS, other) for other in _OTHERS] + [(other, OURS) for other in _OTHERS]
    rows = [[name, *(refused(by, verifier, name) for by, verifier in ways)] for name in {**case.CHANGES, **case.ADDED}]
    return _table(["signed by → verified by", *(f"{by} → {verifier}" for by, verifier in ways)], rows)


def _sites(sites: Sites) -> str:
    ways = [(OURS, other) for other in SITES if other != OURS] + [(other, OURS) for other in SITES if other != OURS]
    rows = []
    for by, verifier in ways:
        cells = []
        for signer in case.signers():
            said = sites.seen(by, verifier, signer.name).values()
            cells.append(f"pass ({sum(set(words) == {'pass'} for words in said)})")
        rows.append([f"Postfix with {by} → Postfix with {verifier}", *cells])
    return _table(["signed at → verified at", *(signer.name for signer in case.signers())], rows).rstrip("\n")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines).replace("|  |", "| |") + "\n"


def _note(number: int, words: str) -> str:
    return textwrap.fill(words, 140, initial_indent=f"{number}. ", subsequent_indent="   ") + "\n"


def _listed(forms: Sequence[str]) -> str:
    quoted = [f"`{form}`" for form in forms]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
