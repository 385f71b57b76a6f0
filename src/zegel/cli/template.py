"""The commented ``zegel.toml`` that ``zegel init`` writes: every option, its default, and what it is for.

Defaults are written as comments without a space after the sign (``#option = value``): who wants another value takes the sign away.
"""

from __future__ import annotations

from zegel.cli import template_dns, template_relay
from zegel.cli.template_section import section
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
                template_dns.keys(),
                template_dns.check(),
                template_dns.dns(),
                template_dns.zone(),
                _messages(),
                _metrics(),
                template_relay.relay(),
                template_relay.outbox(),
                template_relay.handover(),
                _limits(),
            )
        )
        + "\n"
    )


def _head() -> str:
    sentence = _(
        "The configuration of Zegel. What is commented out is the default: take the # away to change it.\n"
        "After a change: systemctl reload zegel (addresses to listen on need a restart). To see if it is right: zegel status"
    )
    return "\n".join(f"# {line}" for line in sentence.split("\n"))


def _milter() -> str:
    return section(
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
    general = section(
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
    general = section(
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
        (
            "received_spf",
            "false",
            _("Write the results of SPF into Received-SPF as well, for filters that read that; Authentication-Results has them anyway."),
        ),
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
        (
            "release_to",
            '""',
            _("With keep: the mail server that takes what is released (empty: the outbox's next hop; with mx it has to be named)."),
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
    return section(
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


def _messages() -> str:
    return section(
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
    return section("metrics", ("listen", '"127.0.0.1:9199"', _("Where Prometheus reads /metrics; empty switches it off.")))


def _limits() -> str:
    return section(
        "limits",
        ("dns_seconds", "20.0", _("Seconds that all questions to DNS for one message may take together.")),
        ("questions", "100", _("Questions to DNS for one message.")),
        ("signatures", "10", _("Signatures that are checked in one message.")),
        ("header_bytes", "262144", _("Bytes of header that are read.")),
        ("arc_sets", "50", _("ARC sets that are read.")),
    )
