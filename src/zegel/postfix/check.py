"""What is right and what is wrong beside Postfix, each with a sentence and the next step. It changes nothing.

The settings come from :mod:`zegel.postfix.maincf`; the socket itself is looked at in :mod:`zegel.postfix.reach`. What is said about
signatures that break rests on where Postfix works on a message: cleanup(8) rewrites addresses, adds missing fields, applies header_checks
*before* it hands the message to a milter; smtp(8) works on it *after* (smtp_*_checks, smtp_generic_maps, 8-bit conversion, long lines).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from zegel.postfix import maincf, milterlist, reach
from zegel.postfix.apply import OPENDKIM_FILES, opendkim_addresses
from zegel.postfix.finding import Finding, Level, advice, command, ok, warning, wrong
from zegel.postfix.maincf import Service, Settings
from zegel.postfix.opendkim import is_opendmarc
from zegel.postfix.plan import LISTS, MACROS, READ_BY, advised_listen, missing_macros, postfix_address, service_command
from zegel.postfix.takeover import PROTOCOL, Lists, is_reinjection, own_entry, protocol_of
from zegel.words import N_, Sentence

_SETUP_WORDS = "zegel postfix setup --dry-run"
SETUP = command(_SETUP_WORDS)
_SHADOWED = ("milter_default_action", "milter_protocol", "milter_connect_macros", "milter_mail_macros", "internal_mail_filter_classes")
_AFTER_SIGNING = (
    "smtp_generic_maps",
    "smtp_header_checks",
    "smtp_mime_header_checks",
    "smtp_nested_header_checks",
    "smtp_body_checks",
    "milter_header_checks",
)


def run(folder: Path, listen: str, *, opendkim_files: tuple[Path, Path] = OPENDKIM_FILES) -> tuple[Finding, ...]:
    """Look at the Postfix of this folder and at our socket; ``listen`` as in zegel.toml. Raises ``PostfixError``, ``ConfigError``."""
    settings = maincf.read(folder)
    found = (*of_settings(settings, listen, opendkim_addresses(opendkim_files)), *reach.of_socket(settings, listen))
    return tuple(replace(finding, step=_for_folder(finding.step, folder)) for finding in found)


def _for_folder(step: Sentence | None, folder: Path) -> Sentence | None:
    """The step with the folder in its commands, where that is not the usual one: else they would change another Postfix."""
    if step is None or folder == maincf.DEFAULT_FOLDER:
        return step
    name = shlex.quote(str(folder))

    def here(words: str) -> str:
        return re.sub(r"\bpostconf -e\b", f"postconf -c {name} -e", words).replace(_SETUP_WORDS, f"{_SETUP_WORDS} --config-dir {name}")

    # Commands are values, so that the sentence stays the one that the catalogues have.
    return Sentence(step.sentence, **{key: here(value) if isinstance(value, str) else value for key, value in step.values.items()})


def worst(findings: tuple[Finding, ...]) -> Level:
    """The gravest level among the findings."""
    return max((finding.level for finding in findings), key=tuple(Level).index, default=Level.OK)


def of_settings(settings: Settings, listen: str, opendkim: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    """The findings that the settings alone give; pure. Raises ``ConfigError``."""
    address = postfix_address(listen, settings.queue_directory)
    lists = Lists(settings, address, opendkim)
    return (
        *_main_lists(settings, lists),
        *_other_signers(settings),
        *_services(settings, lists),
        *_chroot(settings, address),
        *_failing(settings, lists),
        *_protocol(settings, lists),
        *_whole_mail(settings),
        *_before_us(settings),
        *_after_us(settings),
    )


def _main_lists(settings: Settings, lists: Lists) -> Iterator[Finding]:
    for parameter in LISTS:
        entries = settings.milters(parameter)
        ours = [number for number, entry in enumerate(entries) if lists.is_ours(entry.address)]
        old = [entry.address for entry in entries if lists.is_opendkim(entry.address)]
        if not ours:
            text = N_("Zegel ({address}) is not in {parameter}; that mail is neither signed nor checked")
            yield wrong(parameter, Sentence(text, address=lists.address, parameter=parameter), SETUP)
        elif len(ours) > 1:
            yield wrong(parameter, Sentence(N_("Zegel is in {parameter} twice: mail is signed twice"), parameter=parameter), SETUP)
        else:
            yield ok(parameter, Sentence(N_("Zegel is in {parameter}"), parameter=parameter))
            yield from _order(parameter, [entry.address for entry in entries[ours[0] + 1 :]])
        if old:
            text = N_("opendkim ({old}) is in {parameter}: mail would be signed twice, or wait for a server that is gone")
            yield wrong(parameter, Sentence(text, old=", ".join(old), parameter=parameter), SETUP)


def _other_signers(settings: Settings) -> Iterator[Finding]:
    for entry in settings.milters("smtpd_milters"):
        if "rspamd" in entry.address.lower() or milterlist.same(entry.address, "inet:localhost:11332", settings.queue_directory):
            text = N_("rspamd ({address}) can sign mail too; where its dkim_signing is on, mail gets two signatures")
            step = N_("switch it off: write enabled = false; in /etc/rspamd/local.d/dkim_signing.conf")
            yield advice("rspamd", Sentence(text, address=entry.address), step)


def _order(parameter: str, behind: list[str]) -> Iterator[Finding]:
    if risky := [address for address in behind if not is_opendmarc(address)]:
        text = N_("in {parameter} these come after Zegel: {behind}. If one of them changes a message, our signature breaks")
        step = Sentence(N_("put Zegel behind them in {parameter}, unless they only look"), parameter=parameter)
        yield warning(parameter, Sentence(text, parameter=parameter, behind=", ".join(risky)), step)


def _services(settings: Settings, lists: Lists) -> Iterator[Finding]:
    for service in settings.speakers:
        if READ_BY[service.program] in service.overrides:
            yield _own_list(settings, lists, service)
        yield from _passing(settings, service)
        for parameter in _SHADOWED:
            value, general = service.overrides.get(parameter), settings.expanded.get(parameter, "")
            if value is not None and value != general:
                text = N_("{service} in master.cf has its own {parameter} = {value}, which hides {general} of main.cf")
                sentence = Sentence(text, service=service.label, parameter=parameter, value=value, general=general)
                yield warning(service.label, sentence, N_("take it out of master.cf, unless it is meant so"))


def _own_list(settings: Settings, lists: Lists, service: Service) -> Finding:
    parameter, label = READ_BY[service.program], service.label
    addresses = [entry.address for entry in settings.milters(parameter, service)]
    if old := [address for address in addresses if lists.is_opendkim(address)]:
        text = N_("{service} in master.cf has its own {parameter}, with opendkim ({old})")
        return wrong(label, Sentence(text, service=label, parameter=parameter, old=", ".join(old)), SETUP)
    if any(map(lists.is_ours, addresses)):
        return ok(label, Sentence(N_("{service} in master.cf has its own {parameter}, with Zegel"), service=label, parameter=parameter))
    if not addresses and is_reinjection(service):
        return ok(label, Sentence(N_("{service} in master.cf takes mail back from a filter and passes no milter"), service=label))
    text = N_("{service} in master.cf has its own {parameter}, which hides main.cf's and has no Zegel in it")
    step = N_("if its mail must be signed or checked: {command}")
    words = service_command(settings, service, parameter, lists.own_entry)
    return warning(label, Sentence(text, service=label, parameter=parameter), Sentence(step, command=words))


def _passing(settings: Settings, service: Service) -> Iterator[Finding]:
    """Whether mail passes the milters of a service at all, and whether it passes them once more."""
    overrides, label = service.overrides, service.label
    if "no_milters" in overrides.get("receive_override_options", "") and not is_reinjection(service):
        text = N_("{service} in master.cf has no_milters in receive_override_options: its mail is neither signed nor checked")
        yield warning(label, Sentence(text, service=label), N_("take no_milters out of it, or leave it for mail that comes back"))
    elif is_reinjection(service) and "smtpd_milters" not in overrides and "no_milters" not in _options(settings, overrides):
        text = N_("{service} in master.cf seems to take mail back from a content filter, and passes it to the milters once more")
        step = N_("give it -o smtpd_milters= , or its own -o milter_macro_daemon_name= , listed in zegel.toml under outbound.reinjected")
        yield warning(label, Sentence(text, service=label), step)


def _options(settings: Settings, overrides: Mapping[str, str]) -> str:
    return overrides.get("receive_override_options", settings.expanded.get("receive_override_options", ""))


def _chroot(settings: Settings, address: str) -> Iterator[Finding]:
    path = address.removeprefix("unix:")
    if path == address:
        return
    blind = [service.label for service in settings.speakers if service.chroot] if path.startswith("/") else []
    if blind:
        text = N_("{services} run inside {queue} and cannot see {path}")
        step = N_("write in zegel.toml, under [milter]: listen = [{advice!r}], then run: {command}")
        sentence = Sentence(text, services=", ".join(blind), queue=settings.queue_directory, path=path)
        yield wrong("chroot", sentence, Sentence(step, advice=advised_listen(settings), command=_SETUP_WORDS))
    else:
        yield ok("chroot", N_("every service that talks to a milter can see the path of the socket"))


def _failing(settings: Settings, lists: Lists) -> Iterator[Finding]:
    general = settings.expanded.get("milter_default_action", "tempfail")
    own = [entry.option("default_action") or general for entry in settings.milters("smtpd_milters") if lists.is_ours(entry.address)]
    name = "milter_default_action"
    match own[0] if own else general:
        case "tempfail":
            yield ok(
                name, N_("while Zegel is down, senders are told to try again later (tempfail): nothing leaves unsigned, nothing is lost")
            )
        case "accept":
            text = N_("while Zegel is down, mail passes unsigned and unchecked (accept)")
            step = N_("better: {{ {address}, default_action=tempfail }} in smtpd_milters and non_smtpd_milters")
            yield warning(name, text, Sentence(step, address=lists.address))
        case other:
            text = N_("while Zegel is down, Postfix answers with {action}: mail is refused or put aside instead of tried again")
            step = N_("better: {{ {address}, default_action=tempfail }} in smtpd_milters and non_smtpd_milters")
            yield warning(name, Sentence(text, action=other), Sentence(step, address=lists.address))
    limit = re.match(r"(\d+)s?$", settings.expanded.get("milter_content_timeout", "300s"))
    if limit and int(limit[1]) < 60:
        text = N_("Postfix waits only {seconds} seconds for a milter at the end of a message; slow DNS of a sender can take longer")
        yield warning("milter_content_timeout", Sentence(text, seconds=limit[1]), command("postconf -e 'milter_content_timeout = 300s'"))


def _protocol(settings: Settings, lists: Lists) -> Iterator[Finding]:
    own = [entry.option("protocol") for entry in settings.milters("smtpd_milters") if lists.is_ours(entry.address)]
    version = int(own[0]) if own and own[0].isdecimal() else protocol_of(settings)
    if version < PROTOCOL:
        text = N_("Postfix speaks milter protocol {version} to Zegel; below 6 header fields do not arrive byte for byte")
        step = Sentence(N_("in smtpd_milters and non_smtpd_milters write: {entry}"), entry=own_entry(settings, lists.address))
        yield wrong("milter_protocol", Sentence(text, version=version), step)
    else:
        yield ok("milter_protocol", Sentence(N_("Postfix speaks milter protocol {version}"), version=version))
    for parameter in MACROS:
        if missing := missing_macros(settings, parameter):
            text = N_("{parameter} was narrowed and leaves out {macros}: Zegel cannot tell who is authenticated")
            yield wrong(parameter, Sentence(text, parameter=parameter, macros=" ".join(missing)), SETUP)


def _whole_mail(settings: Settings) -> Iterator[Finding]:
    if "bounce" in settings.expanded.get("internal_mail_filter_classes", ""):
        yield ok("internal_mail_filter_classes", N_("bounces are signed too"))
    else:
        yield warning("internal_mail_filter_classes", N_("bounces that Postfix itself writes pass no milter and leave unsigned"), SETUP)
    if "no_milters" in settings.expanded.get("receive_override_options", ""):
        yield wrong("receive_override_options", N_("main.cf says no_milters: no mail passes any milter"), N_("take no_milters out of it"))
    if maps := settings.expanded.get("smtpd_milter_maps"):
        text = N_("smtpd_milter_maps = {maps} gives some clients other milters; their mail may not pass Zegel")
        yield advice("smtpd_milter_maps", Sentence(text, maps=maps), N_("look whether a client that must be signed for is in it"))
    if settings.expanded.get("smtputf8_enable") == "no":
        text = N_("Postfix refuses addresses and header fields in UTF-8 (smtputf8_enable = no)")
        yield advice("smtputf8_enable", text, N_("nothing to do, unless you write to such addresses"))


def _before_us(settings: Settings) -> Iterator[Finding]:
    """What cleanup does before the milter: our own signature covers it, but it can break one that a message brings along."""
    clients = settings.expanded.get("local_header_rewrite_clients", "")
    if "permit_mynetworks" in clients or "static:all" in clients:
        text = N_("Postfix completes addresses and fields in mail from local_header_rewrite_clients = {clients} before Zegel checks it")
        step = N_("harmless for what you sign; if a gateway hands over mail of others: {command}")
        words = "postconf -e 'local_header_rewrite_clients ='"
        yield warning("local_header_rewrite_clients", Sentence(text, clients=clients), Sentence(step, command=words))
    if domain := settings.expanded.get("remote_header_rewrite_domain"):
        text = N_(
            "Postfix changes headers of mail from outside (remote_header_rewrite_domain = {domain}) before Zegel checks the signature"
        )
        yield warning(
            "remote_header_rewrite_domain", Sentence(text, domain=domain), command("postconf -e 'remote_header_rewrite_domain ='")
        )
    if settings.expanded.get("always_add_missing_headers") == "yes":
        text = N_("Postfix adds missing Date, From or Message-ID fields to mail from outside before Zegel checks the signature")
        yield advice("always_add_missing_headers", text, command("postconf -e 'always_add_missing_headers = no'"))


def _after_us(settings: Settings) -> Iterator[Finding]:
    """What happens to a message once it is signed."""
    for parameter in _AFTER_SIGNING:
        if value := settings.expanded.get(parameter):
            text = N_("{parameter} = {value} works on mail that is signed already; a change to a signed part breaks the signature")
            yield warning(
                parameter, Sentence(text, parameter=parameter, value=value), N_("look whether it changes From, Subject or the body")
            )
    if value := settings.expanded.get("content_filter"):
        text = N_("content_filter = {value} gets mail that is signed already; a filter that changes it breaks the signature")
        yield warning("content_filter", Sentence(text, value=value), N_("let the filter only look, or run it as a milter before Zegel"))
    if settings.expanded.get("disable_mime_output_conversion") != "yes":
        text = N_("8-bit mail to a server without 8BITMIME is converted after it is signed, which breaks the signature")
        yield advice("disable_mime_output_conversion", text, command("postconf -e 'disable_mime_output_conversion = yes'"))
    limit = settings.expanded.get("smtp_line_length_limit", "998")
    if limit.isdecimal() and 0 < int(limit) < 998:
        text = N_("lines over {limit} octets are cut after signing, which breaks the signature")
        yield warning("smtp_line_length_limit", Sentence(text, limit=limit), command("postconf -e 'smtp_line_length_limit = 998'"))
