"""The commented ``zegel.toml`` that ``zegel init`` writes: every option, its default, and what it is for.

Defaults are written as comments without a space after the sign (``#option = value``): who wants another value takes the sign away.
"""

from __future__ import annotations

from zegel.cli.words import _


def text() -> str:
    """The text of the file, in the reader's language."""
    return (
        "\n\n".join(
            f"{part}"
            for part in (
                _head(),
                _milter(),
                _outbound(),
                _inbound(),
                _signing(),
                _dns(),
                _messages(),
                _metrics(),
                _relay(),
                _outbox(),
                _handover(),
                _limits(),
            )
        )
        + "\n"
    )


def _section(name: str, *options: tuple[str, str, str]) -> str:
    """One table: each option with its sentence above it."""
    lines = [f"[{name}]"]
    for option, default, sentence in options:
        lines += [*(f"# {line}" for line in sentence.split("\n")), f"#{option} = {default}"]
    return "\n".join(lines)


def _head() -> str:
    sentence = _(
        "The configuration of Zegel. What is commented out is the default: take the # away to change it.\n"
        "After a change: systemctl reload zegel (addresses to listen on need a restart). To see if it is right: zegel status"
    )
    return "\n".join(f"# {line}" for line in sentence.split("\n"))


def _milter() -> str:
    return _section(
        "milter",
        (
            "listen",
            '["inet:127.0.0.1:8899"]',
            _(
                "Where Postfix finds Zegel: unix:/path or inet:HOST:PORT, one or several.\n"
                'Beside Debian\'s Postfix: ["unix:/var/spool/postfix/zegel/milter.sock"], with socket_group = "postfix".'
            ),
        ),
        ("socket_group", '""', _("The group that a unix socket is given to; empty leaves it as it is.")),
        ("socket_mode", '"0660"', _("The file mode of a unix socket.")),
        ("max_connections", "1000", _("Connections at the same time; more have to wait for the mail server's next try.")),
        ("drain_seconds", "20.0", _("How long messages in progress may still take when Zegel stops, in seconds.")),
    )


def _outbound() -> str:
    general = _section(
        "outbound",
        (
            "reinjected",
            "[]",
            _(
                "Listeners behind a content filter (their milter_macro_daemon_name): their mail has been signed before.\n"
                'For example ["filter-back"].'
            ),
        ),
    )
    sentence = _(
        "Who may sign as whom. Nothing is signed for whom no [[outbound.allow]] is written. Each has exactly one of\n"
        'login (a name, or "*" for all), network, or local = true (the sendmail command on this machine), and in sign the\n'
        'senders: "example.be", ".example.be" (all names below it), "info@example.be", or "*" for all. Three examples:'
    )
    examples = (
        ('login = "*"', 'sign = ["example.be"]'),
        ('network = "192.0.2.0/24"', 'sign = ["example.be", "shop@example.org"]'),
        ("local = true", 'sign = ["example.be"]'),
    )
    shown = ["\n".join(("#[[outbound.allow]]", *(f"#{line}" for line in lines))) for lines in examples]
    return "\n".join([general, "", *(f"# {line}" for line in sentence.split("\n")), "\n\n".join(shown)])


def _inbound() -> str:
    general = _section(
        "inbound",
        (
            "authserv_id",
            '""',
            _("The name under which results are written into Authentication-Results; empty means this machine's full name."),
        ),
        (
            "mode",
            '"observe"',
            _(
                "What may happen to mail that fails DMARC: observe (only tell what would happen), quarantine (at most), or reject\n"
                "(refuse where the domain asks for it)."
            ),
        ),
        ("modes", "{}", _('The same for single domains of your own recipients: { "example.be" = "quarantine" }.')),
        *_quarantine(),
        (
            "dns_trouble",
            '"accept"',
            _("With mode reject, when DNS does not answer: accept, or defer (451, the sender tries again)."),
        ),
        ("own_domains", "[]", _("Domains that are yours besides those in the store: mail in their name from outside is flagged.")),
        (
            "relays",
            "[]",
            _('Networks of your own relays and secondary mail servers, such as ["192.0.2.0/24"]: SPF looks at who came before.'),
        ),
        ("trusted_sealers", "[]", _("Domains whose ARC seals you believe: forwarders and lists that tell truly what they saw.")),
        ("seal_as", '""', _("A domain of yours that seals (ARC) what passes and goes on to others, such as a list; empty seals nothing.")),
        ("partners", "[]", _("Domains of partners that somebody may imitate.")),
        ("look_alikes", '"mark"', _("Senders that look like a domain of yours or of a partner: off, mark, or quarantine.")),
    )
    return "\n".join([general, "", *_inbound_rule()])


def _quarantine() -> tuple[tuple[str, str, str], ...]:
    return (
        (
            "quarantine",
            '"header"',
            _(
                "How a message is quarantined: header (a field for the mail store to sort by), hold (in the mail server's hold queue),\n"
                "or keep (by Zegel, until you release it: zegel quarantine)."
            ),
        ),
        ("quarantine_days", "30", _("With keep: for how many days.")),
        (
            "quarantine_bytes",
            "1073741824",
            _("With keep: how many octets in all; beyond that what would be quarantined is deferred (451)."),
        ),
        ("quarantine_header", '"X-Zegel-Quarantine"', _("The name of that field; copies that others wrote are removed.")),
    )


def _inbound_rule() -> list[str]:
    sentence = _(
        "What you know better than the policies: a network or sender of yours, a host that forwards to you, or a mailing list.\n"
        "kind is network, sender, forwarder or list; who says so and why are told wherever the rule decides. An example:"
    )
    example = (
        "[[inbound.rule]]",
        'kind = "list"',
        'who = "postmaster"',
        'why = "our town\'s mailing list changes the subject"',
        'networks = ["192.0.2.25/32"]',
        'domains = ["lists.example.org"]',
        "since = 2026-11-01",
        "until = 2027-06-30",
    )
    return [*(f"# {line}" for line in sentence.split("\n")), *(f"#{line}" for line in example)]


def _signing() -> str:
    return _section(
        "signing",
        (
            "canonicalization",
            '"relaxed/relaxed"',
            _(
                "How much a signature bears of what servers do on the way, for header and body: relaxed/relaxed, relaxed/simple,\n"
                "simple/relaxed or simple/simple."
            ),
        ),
        ("expire", "0", _("Seconds that a signature holds (x=), at least 3600, for example 1209600 for two weeks; 0 sets no end.")),
    )


def _dns() -> str:
    return _section(
        "dns",
        ("nameservers", "[]", _('Addresses of name servers, asked in order, for example ["127.0.0.1"]; empty means the system\'s.')),
        ("timeout", "2.0", _("Seconds to wait for one answer.")),
        ("tries", "2", _("How often each server is asked.")),
        ("trust_ad", "false", _("Believe a resolver on this machine when it says that an answer is signed with DNSSEC.")),
        ("zone", '""', _("A zone file to answer from instead of DNS: for tests, offline.")),
    )


def _messages() -> str:
    return _section(
        "messages",
        ("record", "true", _("Write down what became of each message: see it with zegel message list.")),
        ("keep_days", "30", _("Days that this is kept.")),
        ("story_days", "14", _("Days that the story of each verdict is kept, question by question; 0 keeps none.")),
        (
            "hash_addresses",
            "false",
            _(
                "Keep no address of a person: a keyed hash stands in its place, by which it is still found. Domains stay.\n"
                "It holds for what is recorded from then on."
            ),
        ),
        ("subject", "false", _("Also keep the subject of each message.")),
    )


def _metrics() -> str:
    return _section("metrics", ("listen", '"127.0.0.1:9199"', _("Where Prometheus reads /metrics; empty switches it off.")))


def _relay() -> str:
    return _section(
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


def _outbox() -> str:
    return _section(
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
    )


def _handover() -> str:
    return _section(
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


def _limits() -> str:
    return _section(
        "limits",
        ("dns_seconds", "20.0", _("Seconds that all questions to DNS for one message may take together.")),
        ("questions", "100", _("Questions to DNS for one message.")),
        ("signatures", "10", _("Signatures that are checked in one message.")),
        ("header_bytes", "262144", _("Bytes of header that are read.")),
        ("arc_sets", "50", _("ARC sets that are read.")),
    )
