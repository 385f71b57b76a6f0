"""The page for the person who owns the DNS: what to enter, record by record, and what each name server has now.

One file, in which nothing is loaded from elsewhere and nothing runs; what is to be copied is marked whole by one click. What strangers
wrote (DNS) is escaped as everything is. The same as plain text is for a mail.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable
from html import escape
from string import Template
from typing import TYPE_CHECKING

from zegel.cli.handoff_style import STYLE
from zegel.cli.publish import relative
from zegel.cli.screen import safe
from zegel.rollout.records import TTL, as_split, as_value, as_zone_line
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.rollout.handoff import Entry, Handoff
    from zegel.rollout.readback import Sight

Translate = Callable[[str], str]
_MAX_SEEN, _MAX_TEXT = 4, 600

_TITLES = {
    "dkim": (N_("DKIM key"), N_("With it, receivers check that mail of this domain is genuine and unchanged.")),
    "slot": (
        N_("DKIM key, by a pointer"),
        N_("It points to a key that we look after. Enter it once; when the key changes, you have nothing to do."),
    ),
    "spf": (N_("SPF"), N_("It says which servers may send mail for this domain.")),
    "dmarc": (N_("DMARC"), N_("It says what receivers do with mail that fails the checks, and where they report.")),
    "consent": (N_("Consent to reports"), N_("It says that reports about another domain may be sent here.")),
    "mta-sts": (N_("MTA-STS"), N_("It says that mail to this domain is to be encrypted. It goes with a file on a web server: see below.")),
    "tls-rpt": (N_("TLS-RPT"), N_("It says where others report trouble with encryption.")),
    "null-mx": (N_("No mail server"), N_("It says that this domain takes no mail.")),
}
_STATES = {
    "visible": ("good", N_("as it should be")),
    "absent": ("todo", N_("not there yet")),
    "different": ("wrong", N_("not right")),
    "revoked": ("wrong", N_("not right")),
    "unavailable": ("unknown", N_("not known")),
}
# xgettext finds nothing inside the braces of a string.
_FILE, _STAY, _NOW, _HINT = N_("The file of MTA-STS"), N_("Records that stay"), N_("Now"), N_("Good to know")
_QUESTIONS = N_("Questions: {contact}")
_HINTS = (
    N_("Enter every value as it stands here, on one line and without quotes around it."),
    N_(
        "Most forms add the domain to the name by themselves: enter the short name. If yours wants the full name, take that, with a dot at "
        "its end if it asks for one."
    ),
    N_("A long value is one record. If the form takes at most 255 characters, enter the pieces shown below it, in the same record."),
    N_("Underscores belong to the names. A form that refuses them has a setting for it, or takes them for TXT records only."),
    N_("Where another record of the same kind stands already, change it: a second one beside it makes both useless."),
)


def as_html(page: Handoff, translate: Translate, *, language: str, contact: str = "") -> str:
    """The page as one HTML file. ``translate`` knows the reader's language, whose code is ``language``."""

    def say(sentence: str, **values: object) -> str:
        return escape(translate(sentence).format(**values))

    done = len(page.entries) - page.missing
    return _PAGE.substitute(
        language=escape(language),
        style=STYLE,
        title=say(N_("DNS records for {domain}"), domain=page.domain),
        domain=escape(page.domain.unicode),
        eyebrow=say(N_("For whoever manages the DNS of")),
        intro=say(N_("Please enter these records in the zone {zone}, as they stand. Nothing else in it has to change."), zone=page.zone),
        progress=say(N_("{done} of {count} are as they should be"), done=done, count=len(page.entries)),
        share=100 * done // max(len(page.entries), 1),
        date=say(N_("Seen at {time}"), time=_time(page)),
        contact=f'<p class="contact">{say(_QUESTIONS, contact=contact)}</p>' if contact else "",
        hints="".join(f"<li>{say(hint)}</li>" for hint in _HINTS),
        hints_title=say(_HINT),
        entries="".join(_entry(number, entry, page, translate) for number, entry in enumerate(page.entries, 1)),
        rest=_rest(page, say),
        footer=say(N_("Written by Zegel from what the name servers themselves said, not from a cache.")),
    )


def _entry(number: int, entry: Entry, page: Handoff, translate: Translate) -> str:
    def say(sentence: str, **values: object) -> str:
        return escape(translate(sentence).format(**values))

    record, wish = entry.wish.record, entry.wish
    title, why = _TITLES[wish.purpose]
    kind, state = _STATES[entry.seen.outcome]
    fields = [
        (say(N_("Name")), _copy(relative(record, page.zone))),
        (say(N_("Type")), _copy(record.type)),
        (say(N_("Value")), _copy(as_value(record), long=True)),
    ]
    others = [(say(N_("Full name")), _copy(record.name)), (say(N_("TTL, in seconds")), _copy(str(TTL)))]
    if len(record.strings) > 1:
        others.append((say(N_("In pieces of 255")), _copy(as_split(record), long=True)))
    others.append((say(N_("Line of a zone file")), _copy(as_zone_line(record), long=True)))
    note = "" if wish.note is None else f'<p class="note">{escape(_upper(wish.note.told(translate)))}</p>'
    return _ENTRY.substitute(
        kind=kind,
        number=number,
        title=say(title),
        state=say(state),
        why=say(why),
        note=note,
        # What is right already needs no entering, and is shown to who asks.
        fields="" if kind == "good" else f"<dl>{_fields(fields)}</dl>",
        others_title=say(N_("The record")) if kind == "good" else say(N_("If your form wants it another way")),
        others=_fields([*fields, *others] if kind == "good" else others),
        seen_title=say(N_("What the name servers have now")),
        finding=escape(_upper(entry.seen.sentence.told(translate))),
        sights=_sights(entry.seen.sights, translate),
    )


def _sights(sights: Iterable[Sight], translate: Translate) -> str:
    """The servers, those that have the same together."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Sight]] = {}
    for sight in sights:
        groups.setdefault((sight.seen.outcome, sight.seen.difference, sight.seen.seen), []).append(sight)
    found = []
    for together in groups.values():
        seen = together[0].seen
        kind, state = _STATES[seen.outcome]
        texts = "".join(f"<code>{escape(safe(text[:_MAX_TEXT]))}</code>" for text in seen.seen[:_MAX_SEEN]) if kind == "wrong" else ""
        said = translate(state) if len(groups) == 1 or kind == "good" else translate(seen.sentence).format(**seen.values)
        names = ", ".join(dict.fromkeys(sight.server for sight in together))
        found.append(f'<li class="{kind}"><b>{escape(names)}</b> <span>{escape(said)}</span>{texts}</li>')
    return "".join(found)


def _upper(sentence: str) -> str:
    """A sentence with its first letter as at the beginning of a paragraph; a name there stays as it is."""
    first = sentence.partition(" ")[0]
    return sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence


def _fields(fields: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in fields)


def _copy(text: str, *, long: bool = False) -> str:
    """What is to be copied: one click marks all of it."""
    return f'<code class="copy{" long" if long else ""}">{escape(safe(text))}</code>'


def _rest(page: Handoff, say: Callable[..., str]) -> str:
    """The file of MTA-STS, and the records of others that must stay."""
    found = ""
    if page.policy:
        text = say(
            N_("Put this text at https://mta-sts.{domain}/.well-known/mta-sts.txt, on a web server with a valid certificate."),
            domain=page.domain,
        )
        found += f'<section class="card plain"><h2>{say(_FILE)}</h2><p>{text}</p><pre>{escape(page.policy)}</pre></section>'
    if page.foreign:
        rows = "".join(f"<li><code>{escape(one.record_name)}</code> {escape(one.service)}</li>" for one in page.foreign)
        text = say(N_("They belong to services that send for this domain. Please leave them as they are."))
        found += f'<section class="card plain"><h2>{say(_STAY)}</h2><p>{text}</p><ul>{rows}</ul></section>'
    return found


def as_text(page: Handoff, translate: Translate, *, contact: str = "") -> list[str]:
    """The page as lines of plain text, none longer than a mail likes but those that are to be copied."""

    def say(sentence: str, **values: object) -> str:
        return translate(sentence).format(**values)

    def prose(text: str, first: str = "", after: str | None = None) -> list[str]:
        more = first if after is None else after
        return textwrap.wrap(text, 76, initial_indent=first, subsequent_indent=more, break_long_words=False, break_on_hyphens=False)

    lines = [say(N_("DNS records for {domain}"), domain=page.domain), ""]
    lines += prose(
        say(N_("Please enter these records in the zone {zone}, as they stand. Nothing else in it has to change."), zone=page.zone)
    )
    if contact:
        lines += prose(say(_QUESTIONS, contact=contact))
    for number, entry in enumerate(page.entries, 1):
        record = entry.wish.record
        title, why = _TITLES[entry.wish.purpose]
        state = _STATES[entry.seen.outcome][1]
        lines += ["", f"{number}. {say(title)}: {say(state)}", *prose(say(why), "   ")]
        if entry.wish.note is not None:
            lines += prose(entry.wish.note.told(translate), "   ")
        pairs = [
            (say(N_("Name")), relative(record, page.zone)),
            (say(N_("Full name")), record.name),
            (say(N_("Type")), record.type),
            (say(N_("Value")), as_value(record)),
        ]
        if len(record.strings) > 1:
            pairs.append((say(N_("In pieces of 255")), as_split(record)))
        lines += [f"   {name}: {value}" for name, value in pairs]
        lines += prose(f"{say(_NOW)}: {entry.seen.sentence.told(translate)}", "   ")
        texts = dict.fromkeys(text for sight in entry.seen.sights for text in sight.seen.seen)
        if not entry.seen.everywhere:
            lines += [f"      {text[:_MAX_TEXT]}" for text in list(texts)[:_MAX_SEEN]]
    if page.policy:
        url = f"https://mta-sts.{page.domain}/.well-known/mta-sts.txt"
        lines += ["", f"{say(_FILE)}: {url}", *(f"   {line}" for line in page.policy.splitlines())]
    if page.foreign:
        lines += ["", f"{say(_STAY)}:", *(f"   {one.record_name} {one.service}".rstrip() for one in page.foreign)]
    lines += [
        "",
        f"{say(_HINT)}:",
        *(line for hint in _HINTS for line in prose(say(hint), "- ", "  ")),
        "",
        say(N_("Seen at {time}"), time=_time(page)),
    ]
    return lines


def _time(page: Handoff) -> str:
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(page.time))


_PAGE = Template("""<!DOCTYPE html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<p class="eyebrow">$eyebrow</p>
<h1>$domain</h1>
<p class="intro">$intro</p>
<div class="progress"><div class="bar"><i style="width:$share%"></i></div><p><b>$progress</b><span>$date</span></p></div>
$contact
</header>
<main>
$entries
$rest
<section class="card plain hints"><h2>$hints_title</h2><ul>$hints</ul></section>
</main>
<footer>$footer</footer>
</body>
</html>
""")
_ENTRY = Template("""<article class="card $kind">
<h2><span class="number">$number</span> $title <span class="state">$state</span></h2>
<p>$why</p>$note
$fields
<details><summary>$others_title</summary><dl>$others</dl></details>
<div class="seen"><h3>$seen_title</h3><p>$finding</p><ul>$sights</ul></div>
</article>
""")
