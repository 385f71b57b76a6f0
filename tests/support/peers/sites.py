"""Three mail servers on loopback, each a real Postfix with another program beside it: Zegel, opendkim's filters, rspamd as a milter.

Mail goes from one to the other over SMTP: handed in at the first by a user who has logged in, signed there, relayed, checked by the second
and delivered to its sink, where its Authentication-Results field is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from support.daemon import Daemon, allow
from support.peers import answers, case
from support.peers.matrix import OURS, Run
from support.peers.opendkim import OpenDkim
from support.peers.rspamd import Rspamd
from support.postfix import Postfix

SITES = (OURS, OpenDkim.name, Rspamd.name)
_OPENDKIM_FORM = "relaxed/simple"  # as Debian ships it


class Site:
    """One mail server: ``domain`` is what it receives mail for, and its name in its Authentication-Results fields is ``mx.`` and that."""

    def __init__(self, domain: str, postfix: Postfix) -> None:
        self.domain, self.postfix = domain, postfix
        self.authserv_id = f"mx.{domain}"

    def route(self, others: list[Site]) -> None:
        """Relay mail for the other sites to them; all else goes to the sink. Postfix reads this when the first mail comes."""
        table = "".join(f"{other.domain} smtp:[127.0.0.1]:{other.postfix.smtp_port}\n" for other in others)
        (self.postfix.config / "routes").write_text(table)

    def send(self, messages: Sequence[bytes], signer: case.Signer, other: Site) -> list[bytes]:
        """Hand messages in here for somebody there, one after the other without waiting; as they have arrived there, in the same order."""
        before = len(other.postfix.sink.messages)
        with self.postfix.client(submission=True, login="joe", address="192.0.2.77") as session:
            for number, message in enumerate(messages):
                session.sendmail(f"joe@{signer.domain}", f"{number}@{other.domain}", message, ["BODY=8BITMIME"])
        arrived = other.postfix.sink.wait(before + len(messages))[before:]
        return [message.data for message in sorted(arrived, key=lambda message: int(message.recipients[0].partition("@")[0]))]

    def receive(self, message: bytes) -> bytes:
        """Hand a message in as a stranger does; as it has arrived."""
        before = len(self.postfix.sink.messages)
        self.postfix.send(message, sender="stranger@example.net", recipients=[f"suzie@{self.domain}"], address="192.0.2.99")
        return self.postfix.sink.wait(before + 1)[-1].data

    def results(self, message: bytes) -> answers.Answers:
        """What this site has written of an arrived message."""
        return answers.authentication_results(message, self.authserv_id)


def _postfix(domain: str, inbound: str, outbound: str) -> Postfix:
    return Postfix(
        smtpd_milters=inbound,
        submission={"smtpd_milters": outbound},
        settings={
            "myhostname": f"mx.{domain}",
            "milter_macro_daemon_name": f"mx.{domain}",
            "myorigin": domain,
            "transport_maps": "texthash:$config_directory/routes",
        },
    )


@contextmanager
def _zegel(run: Run, domain: str) -> Iterator[Postfix]:
    config = allow("joe", [signer.domain for signer in case.signers()])
    daemon = Daemon(config, authserv_id=f"mx.{domain}", nameserver=run.nameserver)
    for signer in case.signers():
        for key in signer.keys:
            daemon.hold(key)
    with daemon, _postfix(domain, daemon.milter_address, daemon.milter_address) as postfix:
        yield postfix


@contextmanager
def _opendkim(run: Run, domain: str) -> Iterator[Postfix]:
    peer = run.peer(OpenDkim.name)
    assert isinstance(peer, OpenDkim)
    signing = ", ".join(f"unix:{peer.signer(selector, _OPENDKIM_FORM)}" for selector in ("ed25519", "rsa"))
    with _postfix(domain, f"unix:{peer.verifier(f'mx.{domain}')}", signing) as postfix:
        yield postfix


@contextmanager
def _rspamd(run: Run, domain: str) -> Iterator[Postfix]:
    peer = run.peer(Rspamd.name)
    assert isinstance(peer, Rspamd)
    address = f"inet:127.0.0.1:{peer.milter_port}"
    with _postfix(domain, address, address) as postfix:
        yield postfix


_MAKERS = {OURS: (_zegel, "zegel.example"), OpenDkim.name: (_opendkim, "opendkim.example"), Rspamd.name: (_rspamd, "rspamd.example")}


class Sites:
    """The mail servers, running, and what has been seen at them."""

    def __init__(self, run: Run) -> None:
        self._seen: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {}
        # All of them at once, since each must know the others' ports.
        self._sites = {name: Site(domain, run.enter(maker(run, domain))) for name, (maker, domain) in _MAKERS.items()}
        for site in self._sites.values():
            site.route([other for other in self._sites.values() if other is not site])

    def site(self, name: str) -> Site:
        """The one that has that program beside it."""
        return self._sites[name]

    def seen(self, by: str, verifier: str, keys: str) -> dict[str, tuple[str, ...]]:
        """For each shape what the receiving site has written of each signature of the sending one."""
        if (by, verifier, keys) not in self._seen:
            signer = next(signer for signer in case.signers() if signer.name == keys)
            messages = [case.message(shape, signer) for shape in case.SHAPES]
            arrived = self.site(by).send(messages, signer, self.site(verifier))
            results = [self.site(verifier).results(message) for message in arrived]
            words = [tuple(" ".join(each.get(selector, ["no result"])) for selector in signer.selectors) for each in results]
            self._seen[by, verifier, keys] = dict(zip(case.SHAPES, words, strict=True))
        return self._seen[by, verifier, keys]
