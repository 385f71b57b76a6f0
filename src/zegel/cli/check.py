"""``zegel check``: is a domain DKIM-proof, what is wrong, and which record would mend it.

Exit status 0 when nothing is wrong, 1 when something is (with ``--strict`` also for warnings; with ``--profile`` when what it demands is
not met), 2 for usage.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zegel.cli import outcomes, place, screen
from zegel.cli.check_message import Session, check_messages
from zegel.cli.outcomes import Beside
from zegel.cli.place import Place
from zegel.cli.screen import Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.check.dkim import Selector
    from zegel.check.report import Options
    from zegel.grammar.domain import Domain

_MAX_DOMAINS = 100_000
_MAX_SELECTORS = 50


def check(
    ctx: typer.Context,
    domains: Annotated[list[str] | None, typer.Argument(metavar="DOMAIN", help=_("The domains to check, anybody's."))] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Check the domains in this file too, one a line; - is standard input."))
    ] = None,
    selector: Annotated[list[str] | None, typer.Option(metavar="NAME", help=_("Look at this DKIM selector; once for each."))] = None,
    guess: Annotated[bool, typer.Option("--guess", help=_("Try well-known DKIM selectors too."))] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help=_("Fetch the policy file of MTA-STS over HTTPS."))] = False,
    connect: Annotated[bool, typer.Option("--connect", help=_("Connect to the mail servers (port 25) and look at their TLS."))] = False,
    parked: Annotated[bool, typer.Option("--parked", help=_("The domains have no mail: check that they say so."))] = False,
    strict: Annotated[bool, typer.Option("--strict", help=_("Exit status 1 for warnings too."))] = False,
    zone: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Answer from this zone file instead of DNS."), exists=True, dir_okay=False)
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=_("What others ask: google, yahoo, microsoft, internet.nl, bod-18-01, belgium or all.")),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=_("Write the report as a page for people, to print."))] = None,
    language: Annotated[
        Literal["en", "nl"] | None, typer.Option(help=_("The language of the reader of that page; without it, yours."))
    ] = None,
    message: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help=_("Check this test mail instead of a domain; - is standard input."))
    ] = None,
    ip: Annotated[
        str, typer.Option(metavar="ADDRESS", help=_("Of a test mail: the host that sent it, where its header does not tell."))
    ] = "",
    helo: Annotated[str, typer.Option(metavar="NAME", help=_("The name that this host gave in HELO or EHLO."))] = "",
    mail_from: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_("The sender of the envelope, instead of Return-Path."))] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("The time to judge a test mail at, in seconds since 1970."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each domain or test mail."))] = False,
) -> None:
    """Check domains, or test mails."""
    beside = Beside(profile or (), html, now=now, language=language)
    if message:
        if domains or file:
            raise Refusal(_("check either domains or test mails, not both at once"))
        session = Session(ip, helo, mail_from, zone, now)
        raise typer.Exit(check_messages(place.of(ctx), message, session, beside, json=json))
    wanted = list(_wanted(domains or [], file))
    if not wanted:
        raise Refusal(_("name a domain to check, as in: zegel check example.be"))
    from zegel.adapters import pump

    here = place.of(ctx)
    resolver, online = place.resolver(here.read_config(), zone), zone is None
    given = _given(selector or [])
    with ExitStack() as stack:
        options = _options(here, given, stack, resolver, guess=guess, parked=parked)
        work = _run(wanted, resolver, options, beside, fetch=fetch and online, connect=connect and online, json=json, strict=strict)
        failed = pump.run(work)
    beside.finish(quiet=json)
    raise typer.Exit(int(beside.failed if beside.profiles else failed))


def _wanted(named: Sequence[str], file: Path | None) -> Iterator[Domain]:
    """The domains, each once, in order. Raises Refusal, OSError."""
    seen: set[Domain] = set()
    for text, where in (*((text, "") for text in named), *_lines(file)):
        try:
            found = place.domain(text)
        except Refusal as error:
            raise Refusal(f"{where}{error}") from None
        if found not in seen:
            seen.add(found)
            yield found


def _lines(file: Path | None) -> Iterator[tuple[str, str]]:
    """The lines of a file that name something, each with its place for an error."""
    if file is None:
        return
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refusal(_("{file} is not text; write one domain a line").format(file=file)) from None
    except OSError as error:
        raise Refusal(_("{file} cannot be read: {error}").format(file=file, error=error.strerror or error)) from None
    lines = text.removeprefix("\ufeff").splitlines()
    if len(lines) > _MAX_DOMAINS:
        raise Refusal(_("{file} has more than {most} lines; split it").format(file=file, most=_MAX_DOMAINS))
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if word:
            yield word, f"{file}:{number}: "


def _given(names: Sequence[str]) -> tuple[Selector, ...]:
    from zegel.check.dkim import Selector
    from zegel.grammar.domain import Domain

    if len(names) > _MAX_SELECTORS:
        raise Refusal(_("at most {most} selectors can be looked at").format(most=_MAX_SELECTORS))
    found = []
    for name in names:
        try:
            found.append(Selector(str(Domain.parse(name))))
        except ValueError:
            raise Refusal(_("'{text}' cannot be a selector; take letters, digits and hyphens").format(text=name[:100])) from None
    return tuple(found)


def _options(
    here: Place, given: tuple[Selector, ...], stack: ExitStack, resolver: AsyncResolver, *, guess: bool, parked: bool
) -> Callable[[Domain], Options]:
    """What is known of each domain; the store is opened when there is one."""
    from zegel.check.dkim import Selector, Source
    from zegel.check.report import Options

    guesses: tuple[Selector, ...] = ()
    if guess:
        from zegel.store.selectors import WELL_KNOWN

        guesses = tuple(Selector(name, Source.GUESSED) for name in sorted(WELL_KNOWN))
    known = _known(here, stack)
    trusted = bool(getattr(resolver, "trusts_ad", False))

    def of(domain: Domain) -> Options:
        selectors, ours = known(domain)
        return Options((*given, *selectors, *guesses), trusted=trusted, parked=True if parked else None, ours=ours)

    return of


def _known(here: Place, stack: ExitStack) -> Callable[[Domain], tuple[tuple[Selector, ...], bool]]:
    """The selectors that our own store knows, and whether a domain is in it; nothing where there is no store.

    One that cannot be opened is told of, and the check goes on without.
    """
    try:
        if not (here.data / "zegel.db").exists():
            return lambda domain: ((), False)
        from zegel.check import known
        from zegel.store.errors import StoreError
    except OSError as error:
        screen.fail(f"{here.data}: {error.strerror}")
        return lambda domain: ((), False)
    try:
        tx = stack.enter_context(stack.enter_context(here.store_to_look()).reading())
    except StoreError as error:
        screen.fail(here.localised(told(error)))
        return lambda domain: ((), False)
    return lambda domain: (known.selectors(tx, domain), known.is_ours(tx, domain))


async def _run(
    wanted: list[Domain],
    resolver: AsyncResolver,
    options: Callable[[Domain], Options],
    beside: Beside,
    *,
    fetch: bool,
    connect: bool,
    json: bool,
    strict: bool,
) -> bool:
    """Check and show; True when something is wrong."""
    from zegel.adapters.mailhost import MailHosts
    from zegel.check.plain import as_plain
    from zegel.check.run import Reach, check_many, check_one
    from zegel.cli import checked

    reach = Reach(fetch, MailHosts() if connect else None)
    if len(wanted) == 1 and not json:
        with screen.waiting(_("Asking DNS")):
            report = await check_one(wanted[0], resolver, options(wanted[0]), reach)
        found = beside.domain(report)
        if found:
            outcomes.show(found)  # the list that was asked for, and nothing else
        else:
            checked.show(report)
        return report.failed(strict=strict)
    wrong, answers = 0, Counter[str]()
    width = max(map(len, wanted))
    with screen.bar(_("Checking"), len(wanted)) as bar:
        async for report in check_many(wanted, resolver, options, reach):
            found = beside.domain(report)
            with bar.aside() if bar else ExitStack():
                if json:
                    screen.json_line({**as_plain(report), "profiles": list(map(outcomes.as_json, found))})
                else:
                    checked.line(report, width)
            if bar:
                bar.advance()
            wrong += report.failed(strict=strict)
            answers[report.proof.answer] += 1
    if not json:
        checked.total(answers, wrong)
    return wrong > 0
