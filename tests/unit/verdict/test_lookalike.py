"""Look-alikes: each kind, what is never one, and what a check costs. RFC 9989 2.2 and RFC 9989 11.4 leave them to the receiver."""

from __future__ import annotations

import pytest

from support.work import calls
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain
from zegel.verdict.lookalike import LookAlike, LookAlikeKind, LookAlikes, is_one_edit

OURS = ("example.be", "kbc.be", "my-company.co.uk", "mail.gent.example.nl", "xn--mnchen-3ya.de")
PARTNERS = ("paypal.com", "microsoft.com", "orange.fr", "bol.com", "service.be")
LISTED = LookAlikes(
    map(Domain.parse, OURS),
    map(Domain.parse, PARTNERS),
    organizational=organizational_domain,
    names={Domain("example.be"): ["Stad Gent", "Info Support NV"]},
)

FLAGGED = [
    # The picture is the same, under the same top level or another.
    ("exаmple.be", "idn example.be"),  # Cyrillic а
    ("xn--exmple-4nf.be", "idn example.be"),
    ("mail.xn--exmple-4nf.com", "idn example.be"),
    ("éxample.be", "idn example.be"),
    ("kbс.be", "idn kbc.be"),  # Cyrillic с: a short name is no less the same picture
    ("раураӏ.com", "idn paypal.com"),
    ("rnicrosoft.com", "confusable microsoft.com"),
    ("micros0ft.com", "confusable microsoft.com"),
    ("paypa1.net", "confusable paypal.com"),
    ("paypai.com", "confusable paypal.com"),
    ("munchen.de", "confusable xn--mnchen-3ya.de"),
    ("b01.com", "confusable bol.com"),  # two places
    # One edit, of each kind.
    ("examplle.be", "one_edit example.be"),
    ("exmple.be", "one_edit example.be"),
    ("exemple.be", "one_edit example.be"),
    ("exmaple.be", "one_edit example.be"),
    ("examples.be", "one_edit example.be"),
    ("aexample.be", "one_edit example.be"),
    ("ex-ample.be", "one_edit example.be"),
    ("mycompany.co.uk", "one_edit my-company.co.uk"),
    ("microsofft.net", "one_edit microsoft.com"),  # long enough to be told under another top level
    # Another top level.
    ("example.org", "swapped_tld example.be"),
    ("news.example.co.uk", "swapped_tld example.be"),
    ("my-company.com", "swapped_tld my-company.co.uk"),
    ("paypal.be", "swapped_tld paypal.com"),
    # A word added.
    ("paypal-security.com", "added_word paypal.com security"),
    ("secure-example.be", "added_word example.be secure"),
    ("example-be.com", "added_word example.be be"),
    ("example-garden.be", "added_word example.be garden"),
    ("my-company-invoices.net", "added_word my-company.co.uk invoices"),
    ("the-my-company.net", "added_word my-company.co.uk the"),
    ("kbc-login.be", "added_word kbc.be login"),
    ("login-kbc.net", "added_word kbc.be login"),
    ("kbc-be.net", "added_word kbc.be be"),
    ("paypallogin.com", "added_word paypal.com login"),
    ("factuurexample.be", "added_word example.be factuur"),
    ("examplebe.com", "added_word example.be be"),
    ("paypa1-1ogin.com", "added_word paypal.com 1ogin"),
    # Our name before another's.
    ("example.be.attacker.com", "subdomain example.be attacker.com"),
    ("www.example.be.a.b.attacker.com", "subdomain example.be attacker.com"),
    ("example-be.attacker.com", "subdomain example.be attacker.com"),
    ("paypal.com.attacker.example", "subdomain paypal.com attacker.example"),
    ("my-company.co.uk.attacker.com", "subdomain my-company.co.uk attacker.com"),
    ("my-company-co-uk.attacker.com", "subdomain my-company.co.uk attacker.com"),
    ("xn--exmple-4nf.be.attacker.com", "subdomain example.be attacker.com"),
]
NEVER = [
    *OURS,
    *PARTNERS,
    "mail.example.be",
    "a.b.c.example.be",
    "example.be.example.be",
    "paypal-security.com.paypal.com",
    "example.nl",  # above what is listed: of the same organisation
    "other.example.nl",
    "www.orange.fr",
    # Under six letters, one edit is no evidence, nor is one letter of the same look.
    "kbs.be",
    "kb.be",
    "kbcc.be",
    "kcb.be",
    "b0l.com",
    "boll.com",
    # Three letters are taken under every top level.
    "kbc.com",
    "bol.nl",
    # Two edits; one edit and another top level, of a name that is not long.
    "exxamplle.be",
    "exemple.com",
    # Without a hyphen, only words that hardly anybody joins in honesty; without bait, only long names.
    "paypalmail.com",
    "bolcom.net",
    "kbc-garden.be",
    "kbclogin.be",
    "sexample.eu",
    "service-point.nl",
    "service.com",
    "mycompanyco-uk.net",
    "customer-service.com",
    "orangery.com",
    # A label of ours alone before another's name is how mail services name their customers.
    "example.mailservice.com",
    "be.attacker.com",
    "attacker.com",
    "com",
    "be",
]
DISPLAYED = [
    ("info@example.be", "display_address example.be info@example.be"),
    ('Jan Peeters "jan.peeters@mail.example.be"', "display_address example.be jan.peeters@mail.example.be"),
    ("info@exаmple.be", "display_address example.be info@exаmple.be"),
    ("Accounts (PayPal.com)", "display_domain paypal.com PayPal.com"),
    ("www.paypa1.com", "display_domain paypal.com www.paypa1.com"),
    ("PayPal", "display_name paypal.com PayPal"),
    ("PayPaI", "display_name paypal.com PayPaI"),
    ("Раура1", "display_name paypal.com Раура1"),
    ("P a y P a l", "display_name paypal.com P a y P a l"),
    ("PayPal Inc. Customer Service", "display_name paypal.com PayPal Inc. Customer Service"),
    ("My Company", "display_name my-company.co.uk My Company"),
    ("Microsoft-Support", "display_name microsoft.com Microsoft-Support"),
    ("Stad Gent", "display_name example.be Stad Gent"),
    ("Dienst Financiën - STAD GENT - facturen", "display_name example.be Dienst Financiën - STAD GENT - facturen"),
    ("Info Support", "display_name example.be Info Support"),
    ("Example", "display_name example.be Example"),
    ("Jan of Example", ""),
    ("Microsoft Fan Club", ""),
    ("KBC", ""),
    ("Service", ""),
    ("Gent", ""),
    ("Jan Peeters", ""),
    ("jan@attacker.com", ""),
    ("v1.2.3 released", ""),
    ("", ""),
]


def told(found: tuple[LookAlike, ...]) -> str:
    words = {LookAlikeKind.ADDED_WORD, LookAlikeKind.SUBDOMAIN, *list(LookAlikeKind)[-3:]}
    return "; ".join(f"{one.kind} {one.ours} {one.word if one.kind in words else ''}".strip() for one in found)


@pytest.mark.parametrize(("seen", "expected"), FLAGGED)
def test_a_look_alike(seen: str, expected: str) -> None:
    found = LISTED.find(Domain.parse(seen))
    assert told(found) == expected
    for one in found:
        assert one.seen == Domain.parse(seen)
        assert one.partner is (one.ours in PARTNERS)
        assert "{" not in str(one.told)
        assert str(one.seen) in str(one.told)


@pytest.mark.parametrize("seen", NEVER)
def test_no_look_alike(seen: str) -> None:
    assert LISTED.find(Domain.parse(seen)) == ()


@pytest.mark.parametrize(("name", "expected"), DISPLAYED)
def test_a_name_that_shows_us(name: str, expected: str) -> None:
    assert told(LISTED.find(Domain("x.attacker.com"), name)) == expected


@pytest.mark.parametrize("seen", ["example.be", "mail.example.be", "paypal.com", "x.paypal.com", "gent.example.nl"])
def test_who_is_listed_may_have_any_name(seen: str) -> None:
    found = (
        LISTED.find(Domain.parse(seen), "info@example.be Stad Gent") if seen != "gent.example.nl" else LISTED.find(Domain(seen), "Example")
    )
    assert told(found) == ("" if seen != "gent.example.nl" else "display_name example.be Example")


def test_who_is_of_the_same_organisation_may_too() -> None:
    """Only a name below is listed: its organisation's other names are not ours to vouch for, and no imitation."""
    lookalikes = LookAlikes([Domain("mail.provincie.be")], organizational=organizational_domain)
    for name in ("info@provincie.be", "provincie.be", "Provincie"):
        assert lookalikes.find(Domain("www.provincie.be"), name) == ()
        assert len(lookalikes.find(Domain("www.elders.be"), name)) == 1


def test_both_findings_are_told() -> None:
    found = LISTED.find(Domain("examp1e.be"), "Stad Gent")
    assert [str(one.told) for one in found] == [
        "examp1e.be looks like example.be, written with other letters of the same look",
        'the name that people are shown, "Stad Gent", is that of example.be; the mail is from examp1e.be',
    ]


def test_what_a_stranger_wrote_is_safe_to_print() -> None:
    """An A-label may hold anything: here an override of the direction of text."""
    found = LISTED.find(Domain("xn--example-376c.be"), "Stad\u202e Gent")
    assert [one.word for one in found] == ["exam\ufffdple", "Stad\ufffd Gent"]
    assert all(str(one.told).isprintable() for one in found)


def test_nothing_listed_nothing_found() -> None:
    nobody = LookAlikes((), organizational=organizational_domain)
    assert nobody.find(Domain("examp1e.be"), "info@example.be") == ()
    with pytest.raises(ValueError, match="which is not listed"):
        LookAlikes((), organizational=organizational_domain, names={Domain("example.be"): ["x"]})


def test_one_edit_is_one() -> None:
    letters = "abc"
    words = [""] + [a + b for a in ("", *letters) for b in ("", *letters)] + ["abca", "acba", "abcab", "abacb"]
    for one in words:
        for other in words:
            assert is_one_edit(one, other) == (other in _edited(one, letters) and one != other), (one, other)


def _edited(word: str, letters: str) -> set[str]:
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    out = {a + b[1:] for a, b in cuts if b} | {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return out | {a + c + b[1:] for a, b in cuts if b for c in letters} | {a + c + b for a, b in cuts for c in letters}


HOSTILE = (
    "-".join("ab" * 10) + ".com",
    "x" * 63 + ".com",
    "example.be." * 20 + "attacker.com",
    "a." * 120 + "com",
    "xn--" + "a" * 59 + ".be",
)


@pytest.mark.parametrize("seen", ["newsletter.some-sender.com", *HOSTILE], ids=lambda seen: seen[:30])
def test_a_check_costs_the_same_however_many_are_listed(seen: str) -> None:
    few, many = (
        LookAlikes([Domain(f"organisation{'abcdefghij'[n % 10]}{n}x.be") for n in range(count)], organizational=organizational_domain)
        for count in (50, 800)
    )
    name = "info@a.b.c " * 20
    costs = [calls(lambda listed=listed: listed.find(Domain.parse(seen), name)) for listed in (few, many)]  # type: ignore[misc]
    assert costs[1] <= 1.1 * costs[0]
    assert costs[1] < 10_000


def test_a_sender_seen_again_is_not_judged_again() -> None:
    domain = Domain("newsletter.some-sender.com")
    first, again = (calls(lambda: LISTED.find(domain)) for _ in range(2))
    assert again * 5 < first
