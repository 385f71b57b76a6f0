"""A daemon that takes mail of sites, with a sink as its next hop: for tests, on loopback, with a certificate of its own."""

from __future__ import annotations

import datetime
import smtplib
import ssl
from pathlib import Path
from typing import Any

from support.daemon import Daemon
from support.servers import free_port
from support.sink import Sink
from zegel.adapters.certificate import self_signed
from zegel.store import sites
from zegel.store.database import Store

HOST = "mail.example.be"
_NOW = 1_790_000_000


class RelayDaemon(Daemon):
    """The daemon with all three kinds of listeners; ``relay`` is more lines of that table, ``config`` more tables."""

    def __init__(self, sink: Sink, *, relay: str = "", config: str = "") -> None:
        self.starttls_port, self.tls_port, self.loopback_port = free_port(), free_port(), free_port()
        super().__init__()
        self.certificate = self.folder / "cert.pem"
        self.certificate.write_bytes(self_signed(HOST, datetime.datetime.now(datetime.UTC)))
        self.config = (
            f'[relay]\nstarttls = ["inet:127.0.0.1:{self.starttls_port}"]\ntls = ["inet:127.0.0.1:{self.tls_port}"]\n'
            f'loopback = ["inet:127.0.0.1:{self.loopback_port}"]\ncertificate = "{self.certificate}"\nhostname = "{HOST}"\n{relay}\n'
            f'[outbox]\nnext_hop = "127.0.0.1:{sink.port}"\n{config}'
        )
        self.write_config()
        self.secrets: dict[str, str] = {}

    def add_site(self, name: str = "portal", **options: Any) -> str:
        """Add a site of example.be (whose domain must be there); its secret."""
        values: dict[str, Any] = {"address": "noreply@example.be", "contact": "beheer@example.be", **options}
        with Store.open(self.data, now=_NOW) as store, store.writing() as tx:
            _site, secret = sites.add(tx, name, now=_NOW, **values)
        self.secrets[name] = secret
        return secret

    def client(self, *, implicit: bool = False, login: str | None = None) -> smtplib.SMTP:
        """A client below TLS, which believes this certificate alone; logged in as that site."""
        context = tls_context(self.certificate)
        client: smtplib.SMTP
        if implicit:
            client = smtplib.SMTP_SSL("127.0.0.1", self.tls_port, timeout=20, context=context)
        else:
            client = smtplib.SMTP("127.0.0.1", self.starttls_port, timeout=20)
            client.starttls(context=context)
        if login is not None:
            client.login(login, self.secrets[login])
        return client


def tls_context(certificate: Path) -> ssl.SSLContext:
    """What believes that certificate, whatever name it has."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    return context
