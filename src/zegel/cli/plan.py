"""``zegel domain plan``: what a domain publishes beside its keys, decided by its owner: said in full, changed option by option."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import place, publish, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.rollout.records import as_value

if TYPE_CHECKING:
    from zegel.rollout.wanted import Holdings

_Policy = Literal["none", "quarantine", "reject"]
Many = list[str] | None


def plan(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))],
    egress: Annotated[
        Many,
        typer.Option(
            metavar="WHERE",
            help=_("From where its mail leaves: an address, a network, a host name, or the word a or mx. Several times for several."),
        ),
    ] = None,
    include: Annotated[Many, typer.Option(metavar="NAME", help=_("A service that sends for it, by the name its SPF record has."))] = None,
    spf_all: Annotated[
        Literal["softfail", "fail"] | None, typer.Option(help=_("What SPF says of all other senders: softfail (~all) or fail (-all)."))
    ] = None,
    policy: Annotated[
        _Policy | None, typer.Option(help=_("The DMARC policy; begin with none, and read the reports before you go further."))
    ] = None,
    subdomains: Annotated[_Policy | None, typer.Option(help=_("The policy for names below it (sp=), where it is another."))] = None,
    nonexistent: Annotated[
        _Policy | None, typer.Option(help=_("The policy for names below it that do not exist (np=), where it is another."))
    ] = None,
    testing: Annotated[bool | None, typer.Option(help=_("Receivers take the policy one step down (t=y)."))] = None,
    rua: Annotated[Many, typer.Option(metavar="ADDRESS", help=_("Where DMARC reports go."))] = None,
    tls_rpt: Annotated[Many, typer.Option(metavar="ADDRESS", help=_("Where reports about encryption go."))] = None,
    mta_sts: Annotated[
        Literal["testing", "enforce", "none", "off"] | None,
        typer.Option(help=_("MTA-STS: testing, enforce, none (to end it), or off (no record).")),
    ] = None,
    mx: Annotated[Many, typer.Option(metavar="HOST", help=_("A mail server of the domain, for MTA-STS; *.example.be is possible."))] = None,
    parked: Annotated[bool | None, typer.Option(help=_("The domain neither sends nor receives mail."))] = None,
    clear: Annotated[bool, typer.Option("--clear", help=_("Begin anew: what is not said in this command is gone."))] = False,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
) -> None:
    """Show the plan of a domain, or change it."""
    said = {key: value for key, value in locals().items() if key not in ("ctx", "name", "clear", "json") and value is not None}
    here, domain = place.of(ctx), place.domain(name)
    changes: dict[str, Any] = {key: tuple(filter(None, value)) if isinstance(value, list) else value for key, value in said.items()}
    if changes.get("mta_sts") == "off":
        changes["mta_sts"] = None
    with here.store(create=False) if changes or clear else here.store_to_look() as store:
        import msgspec

        from zegel.rollout.wanted import holdings
        from zegel.store import plans

        if changes or clear:
            with store.writing() as tx:
                base = plans.Plan() if clear else plans.get(tx, domain) or plans.Plan()
                plans.put(tx, domain, msgspec.structs.replace(base, **changes), now=int(time.time()))
        with store.reading() as tx:
            of = holdings(tx, domain)
        if json:
            screen.json_line({"domain": domain, "plan": msgspec.to_builtins(of.plan)})
        else:
            _show(here, of, changed=bool(changes or clear))


def _show(here: Place, of: Holdings, *, changed: bool) -> None:
    """The records that the plan comes to, and what is wrong with them."""
    from zegel.rollout.wanted import faults, wanted

    wishes = [wish for wish in wanted(of) if wish.key is None and wish.purpose != "slot"]
    if changed:
        screen.marked(Mark.OK, _("the plan of {domain} is kept; nothing is published yet").format(domain=of.domain))
    if not wishes:
        screen.say(_("Nothing is planned for {domain} beside its keys. For example:").format(domain=of.domain))
        screen.command(here.command(f"domain plan {of.domain} --egress 192.0.2.25 --policy none --rua dmarc@{of.domain}"))
        return
    for wish in wishes:
        screen.say(publish.purpose(wish), style="bold")
        screen.columns(wish.record.name, wish.record.type, as_value(wish.record))
    for fault in faults(of):
        screen.marked(Mark.WRONG, told(fault))
    _tell_lookups(here, of)
    if changed:
        screen.say(_("To publish it, or to see first what would change:"))
        screen.command(here.command(f"domain publish {of.domain} --dry-run"))


def _tell_lookups(here: Place, of: Holdings) -> None:
    """How many look-ups the SPF record costs a receiver. RFC 7208 4.6.4: over ten, it counts for nothing."""
    from zegel.adapters.resolver import SystemResolver
    from zegel.front import drive
    from zegel.rollout import lookups
    from zegel.rollout.wanted import spf_text

    if not (text := spf_text(of.plan)):
        return
    config = here.read_config()
    # Without an include there is nothing to ask, and no name server is needed.
    resolver = place.resolver(config) if of.plan.include else SystemResolver()
    with screen.waiting(_("Counting the look-ups of the SPF record")):
        cost = drive(lookups.count(text), resolver, config.limits)
    if not cost.total:
        return
    each = ", ".join(f"{name} {number}" for name, number in cost.by_include.items())
    words = {"count": cost.total, "most": lookups.MOST, "each": each}
    if cost.total > lookups.MOST:
        sentence = _("the SPF record costs {count} look-ups, and with more than {most} it counts for nothing: take an include out ({each})")
        screen.marked(Mark.WRONG, sentence.format(**words))
    else:
        screen.marked(Mark.OK, _("the SPF record costs {count} look-ups of {most}").format(**words))
    for name in cost.missing:
        screen.marked(Mark.WRONG, _("{name} has no SPF record: including it makes the whole record fail").format(name=name))
