"""What would change in Postfix so that Zegel signs and checks its mail: worked out, not done.

Pure: the settings as :mod:`zegel.postfix.maincf` read them, and our address, give a :class:`Plan`. A second plan, on the settings that the
first one gives, is empty. The lists of milters are :mod:`zegel.postfix.takeover`'s work. MILTER_README; postconf(5).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from zegel.config import listen_address
from zegel.postfix import milterlist
from zegel.postfix.maincf import Service, Settings
from zegel.postfix.takeover import Lists, is_reinjection, without_spaces
from zegel.words import N_, Sentence, Translate

# Which program reads which list: cleanup connects for mail that did not come by SMTP.
READ_BY = {"smtpd": "smtpd_milters", "cleanup": "non_smtpd_milters"}
LISTS = tuple(READ_BY.values())
# What we must hear, and when, in the milter protocol's names. The client's address and port come with the connection itself.
MACROS = {"milter_connect_macros": ("j", "{daemon_name}", "v"), "milter_mail_macros": ("i", "{auth_type}", "{auth_authen}")}
STOP_OPENDKIM = "systemctl disable --now opendkim"


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter that gets another value; ``service`` names the line of master.cf (``submission/inet``), empty means main.cf."""

    parameter: str
    before: str
    after: str
    why: Sentence
    service: str = ""


@dataclass(frozen=True, slots=True)
class SocketFolder:
    """The folder of our socket: its owner makes the socket, its group may enter, others may not."""

    path: Path
    owner: str = "zegel"
    group: str = "postfix"
    mode: int = 0o2710

    @property
    def command(self) -> str:
        """The shell command that makes it."""
        return f"install -d -o {shlex.quote(self.owner)} -g {shlex.quote(self.group)} -m {self.mode:04o} {shlex.quote(str(self.path))}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from what Postfix has to what it needs; ``problems`` come first, ``afterwards`` are the administrator's commands."""

    folder: Path
    address: str
    changes: tuple[Change, ...]
    socket_folder: SocketFolder | None
    notes: tuple[Sentence, ...]
    problems: tuple[Sentence, ...]
    afterwards: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to change."""
        return not self.changes and self.socket_folder is None


def advised_listen(settings: Settings) -> str:
    """The address that ``milter.listen`` of zegel.toml had best hold beside this Postfix: a socket that its chrooted smtpd can see."""
    return f"unix:{settings.queue_directory}/zegel/milter.sock"


def postfix_address(listen: str, queue_directory: str) -> str:
    """Our address in Postfix's words: relative to the queue folder when the socket is inside it. Raises ``ConfigError``."""
    where = listen_address(listen)
    if where.path:
        path = posixpath.normpath(where.path)
        inside = milterlist.is_inside(path, queue_directory)
        return f"unix:{posixpath.relpath(path, queue_directory)}" if inside else f"unix:{path}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(where.host, where.host)  # noqa: S104 - where to connect, not to listen
    return f"inet:[{host}]:{where.port}" if ":" in host else f"inet:{host}:{where.port}"


def make(
    settings: Settings,
    listen: str,
    *,
    opendkim: tuple[str, ...] = (),
    present: SocketFolder | None = None,
    owner: str = "zegel",
    group: str = "postfix",
) -> Plan:
    """Work out the plan for ``listen`` (as in zegel.toml).

    ``opendkim`` are the addresses of its own configuration, ``present`` is the socket folder as it is now. Raises ``ConfigError``.
    """
    address = postfix_address(listen, settings.queue_directory)
    work = _Work(settings, address, opendkim)
    changes = (*work.lists(), *work.service_lists(), *work.bounces(), *work.macros())
    wanted = _socket_folder(listen, settings, owner, group)
    return Plan(
        folder=settings.folder,
        address=address,
        changes=changes,
        socket_folder=wanted if wanted != present else None,
        notes=tuple(work.notes),
        problems=tuple(_problems(settings, address)),
        afterwards=tuple(work.afterwards),
    )


class _Work:
    """One plan while it is being made: the settings as they become, and what there is to say on the way."""

    def __init__(self, settings: Settings, address: str, opendkim: tuple[str, ...]) -> None:
        self.settings, self.keeper = settings, Lists(settings, address, opendkim)
        self.parameters: dict[str, str] = dict(settings.raw)
        self.notes: list[Sentence] = []
        self.afterwards: list[str] = []
        if any(self.keeper.is_ours(other) for other in opendkim):
            text = N_("opendkim is set to listen on {address} too; stop it before Zegel starts: {command}")
            self.notes.append(Sentence(text, address=address, command=STOP_OPENDKIM))
            self.afterwards.append(STOP_OPENDKIM)
        if settings.expanded.get("content_filter"):
            text = N_("mail passes content_filter = {filter} after Zegel has signed it; a filter that changes it breaks the signature")
            self.notes.append(Sentence(text, filter=settings.expanded["content_filter"]))
        if settings.expanded.get("smtpd_milter_maps"):
            text = N_("smtpd_milter_maps = {maps} gives some clients other milters, so that their mail may not pass Zegel: left alone")
            self.notes.append(Sentence(text, maps=settings.expanded["smtpd_milter_maps"]))

    def lists(self) -> list[Change]:
        found = []
        for parameter in LISTS:
            before = self.settings.raw.get(parameter, "")
            after, removed = self.keeper.rewritten(before, self.parameters)
            self.parameters[parameter] = after
            if after != before:
                found.append(Change(parameter, before, after, _why(parameter, removed)))
            self._took_over(removed)
        return found

    def service_lists(self) -> list[Change]:
        """A service with its own list does not see main.cf's: where that list leads to opendkim, its mail would stop with opendkim."""
        found = []
        for service in self.settings.speakers:
            parameter = READ_BY[service.program]
            before = service.overrides.get(parameter, "")
            parameters = {**self.parameters, **service.overrides}
            entries = milterlist.entries(before, parameters)
            if any(self.keeper.is_opendkim(entry.address) for entry in entries):
                after, removed = self.keeper.rewritten(before, parameters)
                why = Sentence(N_("this service of master.cf has its own list, which leads to opendkim; Zegel takes its place there"))
                found.append(Change(parameter, before, without_spaces(after), why, service.label))
                self._took_over(removed)
            elif parameter in service.overrides and not any(self.keeper.is_ours(entry.address) for entry in entries):
                self.notes.append(self._left_alone(service, parameter))
        return found

    def bounces(self) -> list[Change]:
        before = self.settings.raw.get("internal_mail_filter_classes", "")
        if "bounce" in re.split(r"[,\s]+", milterlist.expand(before, self.parameters)):
            return []
        why = Sentence(N_("bounces that Postfix itself writes go out signed too; by default they pass no milter"))
        return [Change("internal_mail_filter_classes", before, ", ".join(filter(None, (before, "bounce"))), why)]

    def macros(self) -> list[Change]:
        found = []
        for parameter in MACROS:
            before, missing = self.settings.raw.get(parameter, ""), missing_macros(self.settings, parameter)
            if missing:
                why = N_("Zegel must hear {macros} to know who is authenticated and which listener took the mail")
                found.append(Change(parameter, before, " ".join((*before.split(), *missing)), Sentence(why, macros=" ".join(missing))))
        return found

    def _took_over(self, removed: tuple[str, ...]) -> None:
        if removed and STOP_OPENDKIM not in self.afterwards:
            text = N_("then stop opendkim, once Zegel runs and Postfix has been reloaded: {command}")
            self.notes.append(Sentence(text, command=STOP_OPENDKIM))
            self.afterwards.append(STOP_OPENDKIM)

    def _left_alone(self, service: Service, parameter: str) -> Sentence:
        value = service.overrides[parameter]
        if not value and is_reinjection(service):
            text = N_("{service} in master.cf passes no milter: right for a listener behind a content filter, left alone")
            return Sentence(text, service=service.label)
        text = N_(
            "{service} in master.cf has its own {parameter} = {value}, without Zegel: left alone. If Zegel must see its mail: {command}"
        )
        command = service_command(self.settings, service, parameter, self.keeper.own_entry)
        return Sentence(text, service=service.label, parameter=parameter, value=value, command=command)


def _why(parameter: str, removed: tuple[str, ...]) -> Sentence:
    if removed:
        text = N_("Zegel takes the place of opendkim ({removed}); with both, mail would be signed twice")
        return Sentence(text, removed=", ".join(removed))
    if parameter == "smtpd_milters":
        return Sentence(
            N_("mail that comes by SMTP passes Zegel after the milters that change it, so that the signature covers what leaves")
        )
    return Sentence(N_("mail from the sendmail command, and bounces, pass Zegel too"))


def service_command(settings: Settings, service: Service, parameter: str, own_entry: str) -> str:
    """The shell command that puts us last in a service's own list."""
    value = without_spaces(", ".join(filter(None, (service.overrides.get(parameter, ""), own_entry))))
    return shlex.join(["postconf", "-c", str(settings.folder), "-P", f"{service.label}/{parameter}={value}"])


def missing_macros(settings: Settings, parameter: str) -> tuple[str, ...]:
    """Those of :data:`MACROS` that a narrowed list of Postfix leaves out."""
    present = set(re.split(r"[,\s]+", settings.expanded.get(parameter, "")))
    return tuple(name for name in MACROS[parameter] if name not in present and name.strip("{}") not in present)


def _socket_folder(listen: str, settings: Settings, owner: str, group: str) -> SocketFolder | None:
    path = listen_address(listen).path
    if not path:
        return None
    parent = posixpath.dirname(posixpath.normpath(path))
    return SocketFolder(Path(parent), owner, group) if milterlist.is_inside(parent, settings.queue_directory) else None


def _problems(settings: Settings, address: str) -> list[Sentence]:
    found = []
    if "no_milters" in settings.expanded.get("receive_override_options", ""):
        text = N_("main.cf has receive_override_options = no_milters, so that no mail passes any milter; take no_milters out of it")
        found.append(Sentence(text))
    path = address.removeprefix("unix:")
    chrooted = [service.label for service in settings.speakers if service.chroot]
    if path != address and path.startswith("/") and chrooted:
        text = N_("{services} run inside {queue} and cannot see {path}; write in zegel.toml, under [milter]: listen = [{advice!r}]")
        services, advice = ", ".join(chrooted), advised_listen(settings)
        found.append(Sentence(text, services=services, queue=settings.queue_directory, path=path, advice=advice))
    if path != address and "/" not in path:
        text = N_(
            "the socket {path} would lie in Postfix's queue folder itself; write in zegel.toml, under [milter]: listen = [{advice!r}]"
        )
        found.append(Sentence(text, path=path, advice=advised_listen(settings)))
    return found


def render(plan: Plan, translate: Translate = N_) -> str:
    """The plan as text: each change as a small diff with its reason, the folder as the command it equals, then what is left to do."""
    lines = []
    for change in plan.changes:
        place = plan.folder / ("master.cf" if change.service else "main.cf")
        label = f"{change.service}: " if change.service else ""
        before, after = f"- {change.parameter} = {change.before}", f"+ {change.parameter} = {change.after}"
        lines += [f"{place}: {label}{change.why.told(translate)}", before.rstrip(), after.rstrip(), ""]
    if plan.socket_folder:
        heading = translate(N_("The folder of the socket, for Zegel to write and Postfix to enter:"))
        lines += [heading, f"$ {plan.socket_folder.command}", ""]
    if plan.is_empty:
        sentence = Sentence(N_("Nothing to change: Postfix is set up for Zegel at {address}."), address=plan.address)
        lines += [sentence.told(translate), ""]
    for problem in plan.problems:
        lines += [Sentence(N_("First: {problem}"), problem=problem).told(translate), ""]
    for note in plan.notes:
        lines += [Sentence(N_("Note: {note}"), note=note).told(translate), ""]
    if plan.afterwards:
        lines += [translate(N_("Afterwards:")), *(f"$ {command}" for command in plan.afterwards), ""]
    return "\n".join(lines)
