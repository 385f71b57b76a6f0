"""What ``zegel.toml`` says of the mail of websites and programs: the relay, the outbox, local programs."""

from __future__ import annotations

from zegel.cli.template_section import section
from zegel.cli.words import _


def relay() -> str:
    """The table [relay]."""
    return section(
        "relay",
        ("starttls", "[]", _('Where sites log in, with STARTTLS, such as ["inet:0.0.0.0:587"]. Make sites with zegel site add.')),
        ("tls", "[]", _('The same below TLS from the first octet, such as ["inet:0.0.0.0:465"].')),
        (
            "loopback",
            "[]",
            _(
                'For programs on this machine, without TLS or login, such as ["inet:127.0.0.1:8587"]: a site is known by its network.\n'
                "Any program here that reaches it can send, and so can who comes through a proxy on this machine."
            ),
        ),
        ("certificate", '""', _("A file with the certificate and its chain (PEM); it is read again when it changes.")),
        ("key", '""', _("A file with its key; empty means that it is in the same file.")),
        ("hostname", '""', _("Your name for sites, as in the certificate; empty means this machine's full name.")),
        (
            "egress",
            "[]",
            _('The addresses that your mail leaves from, such as ["192.0.2.25"]: SPF is checked for them before mail is sent.'),
        ),
        ("max_size", "26214400", _("Octets of one message.")),
        ("max_recipients", "100", _("Recipients of one message, at most 1000.")),
        ("max_connections", "200", _("Connections at the same time.")),
        ("max_per_address", "20", _("Connections at the same time from one address; this machine has no such bound.")),
        (
            "loopback_line_ends",
            '"refuse"',
            _("Lines that end in a lone CR or LF, on the loopback listener: refuse, or mend. Elsewhere they are refused."),
        ),
    )


def outbox() -> str:
    """The table [outbox]."""
    return section(
        "outbox",
        (
            "next_hop",
            '"127.0.0.1:25"',
            _(
                "Where mail of the relay goes: HOST:PORT (this machine's Postfix, or your provider's smarthost), or mx, straight to the\n"
                "servers of each domain."
            ),
        ),
        (
            "local_servers",
            "false",
            _("With mx: whether a domain's servers may have addresses of a local network (10.0.0.0/8 and the like). This machine never."),
        ),
        (
            "tls",
            '"opportunistic"',
            _(
                "Encryption on that way: opportunistic (where it is offered), required (or nothing is sent; a smarthost's certificate\n"
                "is checked), implicit (from the first octet, port 465), off."
            ),
        ),
        ("ca_file", '""', _("A file of certificates (PEM) to check the smarthost with; empty means the system's.")),
        ("user", '""', _("The login at the smarthost; empty logs in nowhere.")),
        ("password_file", '""', _("A file with its password in the first line, which nobody else can read.")),
        ("hostname", '""', _("Your name in EHLO; empty means this machine's full name.")),
        ("expiry_days", "5.0", _("Days that a message is tried; then its site's contact is told.")),
        ("warn_hours", "4.0", _("Hours after which the contact is told that a message is late; 0 tells nobody.")),
        ("keep_days", "3.0", _("Days that zegel outbox shows what is over.")),
        ("max_bytes", "4294967296", _("Octets of mail that may wait together; past that, mail is put off (452).")),
        ("max_message_bytes", "52428800", _("Octets of one message.")),
        ("concurrency", "10", _("Connections to one destination at a time.")),
        ("language", '"en"', _("The language of what the contact of a site is told of its mail: en or nl.")),
    )


def handover() -> str:
    """The table [handover]."""
    return section(
        "handover",
        (
            "socket",
            '""',
            _(
                "Where programs of this machine hand in mail (zegel-sendmail, Django): /run/zegel/handover.sock, where they look for it;\n"
                "empty takes none."
            ),
        ),
        (
            "drop_folder",
            '""',
            _("Where they leave it while Zegel does not run: /var/spool/zegel/drop, a folder of yours with mode 1733; empty has none."),
        ),
    )
