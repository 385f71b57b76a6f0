"""Does what a plan says, or nothing: keeps copies, edits with ``postconf``, lets ``postfix check`` judge, and goes back when it objects.

Everything works on the folder that the plan names. Only this room writes beside Postfix.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from zegel.config import listen_address
from zegel.postfix import maincf, opendkim
from zegel.postfix.maincf import PostfixError
from zegel.postfix.plan import Plan, SocketFolder, make
from zegel.words import N_

OPENDKIM_FILES = (Path("/etc/opendkim.conf"), Path("/etc/default/opendkim"))
_FILES = ("main.cf", "master.cf")
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done: the copies of the files as they were, whether the folder was made or mended, whether Postfix was reloaded."""

    copies: tuple[Path, ...] = ()
    folder: bool = False
    reloaded: bool = False
    warnings: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return bool(self.copies) or self.folder


def opendkim_addresses(files: tuple[Path, Path] = OPENDKIM_FILES) -> tuple[str, ...]:
    """Where opendkim's own configuration says that it listens; empty without one."""
    texts = []
    for file in files:
        try:
            with file.open("rb") as stream:
                texts.append(stream.read(_MOST).decode("utf-8", "replace"))
        except OSError:
            texts.append("")
    return opendkim.configured(texts[0], texts[1])


def prepare(
    folder: Path, listen: str, *, owner: str = "zegel", group: str = "postfix", opendkim_files: tuple[Path, Path] = OPENDKIM_FILES
) -> Plan:
    """Read what there is and make the plan. ``listen`` as in zegel.toml. Raises :class:`PostfixError`, ``ConfigError``."""
    settings = maincf.read(folder)
    path = listen_address(listen).path
    present = look(Path(path).parent) if path else None
    return make(settings, listen, opendkim=opendkim_addresses(opendkim_files), present=present, owner=owner, group=group)


def look(path: Path) -> SocketFolder | None:
    """The folder as it is; None when there is none (or something else stands there)."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    return SocketFolder(path, _user_name(found.st_uid), _group_name(found.st_gid), stat.S_IMODE(found.st_mode))


def apply(plan: Plan, *, reload: bool | None = None) -> Applied:
    """Do what the plan says; a plan without changes touches nothing.

    ``reload``: True or False, or None for "when this Postfix runs". Raises :class:`PostfixError`; then all is as it was.
    """
    if plan.problems:
        numbered = [(f"problem{number}", problem) for number, problem in enumerate(plan.problems)]
        raise PostfixError(" ".join(f"{{{number}}}" for number, _problem in numbered), **dict(numbered))
    if plan.is_empty:
        return Applied()
    if os.geteuid() != 0:
        raise PostfixError(N_("only root may change Postfix; say it again with sudo (--dry-run shows the changes to anybody)"))
    with contextlib.ExitStack() as undo:
        folder = plan.socket_folder is not None and _make_folder(plan.socket_folder, undo)
        copies: tuple[Path, ...] = ()
        warnings = ""
        if plan.changes:
            _check_before(plan.folder)
            copies = _copy(plan.folder)
            undo.callback(_restore, plan.folder, copies)
            _edit(plan)
            warnings = _check_after(plan, copies)
        undo.pop_all()
    reloaded = bool(plan.changes) and (maincf.is_running(plan.folder) if reload is None else reload)
    if reloaded:
        maincf.reload(plan.folder)
    return Applied(copies, folder, reloaded, warnings)


def _check_before(folder: Path) -> None:
    try:
        maincf.check(folder)
    except PostfixError as error:
        raise PostfixError(N_("Postfix is not in order as it is now; mend that first. {error}"), error=error) from None


def _edit(plan: Plan) -> None:
    maincf.edit(plan.folder, [(change.parameter, change.after) for change in plan.changes if not change.service])
    for change in plan.changes:
        if change.service:
            maincf.edit_service(plan.folder, change.service, change.parameter, change.after)


def _check_after(plan: Plan, copies: tuple[Path, ...]) -> str:
    """The warnings of ``postfix check``; raises when it objects, or when Postfix does not have the values that were written."""
    try:
        warnings = maincf.check(plan.folder)
        now = maincf.read(plan.folder)
        overrides = {service.label: service.overrides for service in now.services}
        for change in plan.changes:
            values = overrides.get(change.service, {}) if change.service else now.raw
            if values.get(change.parameter) != change.after:
                raise PostfixError(N_("postconf did not keep {parameter} = {value}"), parameter=change.parameter, value=change.after)
    except PostfixError as error:
        kept = ", ".join(str(copy) for copy in copies)
        raise PostfixError(
            N_("nothing was changed, the files are as they were (copies: {kept}). {error}"), kept=kept, error=error
        ) from None
    return warnings


def _copy(folder: Path) -> tuple[Path, ...]:
    """Keep main.cf and master.cf beside themselves, under a name with the time (UTC)."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    copies = []
    for name in _FILES:
        for number in range(100):
            copy = folder / f"{name}.zegel-{moment}{f'-{number}' if number else ''}"
            with contextlib.suppress(FileExistsError):
                _write_new(copy, (folder / name).read_bytes(), (folder / name).stat())
                copies.append(copy)
                break
        else:
            raise PostfixError(N_("{folder} is full of copies of {name}; remove old ones"), folder=folder, name=name)
    return tuple(copies)


def _write_new(path: Path, content: bytes, like: os.stat_result) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:
        stream.write(content)
        os.fchown(stream.fileno(), like.st_uid, like.st_gid)
        os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
        stream.flush()
        os.fsync(stream.fileno())


def _restore(folder: Path, copies: tuple[Path, ...]) -> None:
    for name, copy in zip(_FILES, copies, strict=True):
        content, like = copy.read_bytes(), copy.stat()
        if (folder / name).read_bytes() != content:
            fresh = folder / f"{copy.name}.restore"
            _write_new(fresh, content, like)
            fresh.replace(folder / name)


def _make_folder(wanted: SocketFolder, undo: contextlib.ExitStack) -> bool:
    """Make the folder, or give it the owner, group and mode that it needs. The queue folder above it belongs to Postfix and must exist."""
    try:
        user = pwd.getpwnam(wanted.owner).pw_uid
    except KeyError:
        sentence = N_("there is no user {owner} yet; make it: useradd --system --home-dir /var/lib/zegel --shell /usr/sbin/nologin {owner}")
        raise PostfixError(sentence, owner=wanted.owner) from None
    try:
        group = grp.getgrnam(wanted.group).gr_gid
    except KeyError:
        raise PostfixError(N_("there is no group {group}; is Postfix installed?"), group=wanted.group) from None
    try:
        before = look(wanted.path)
        if before is None:
            wanted.path.mkdir(0o700)
            undo.callback(wanted.path.rmdir)
        else:
            found = wanted.path.lstat()
            undo.callback(os.chmod, wanted.path, stat.S_IMODE(found.st_mode))
            undo.callback(os.chown, wanted.path, found.st_uid, found.st_gid)
        # Closed before it changes hands: mkdir above made it 0700, and chown clears the set-group-id bit.
        os.chown(wanted.path, user, group, follow_symlinks=False)
        wanted.path.chmod(wanted.mode)
    except OSError as error:
        raise PostfixError(N_("the folder {path} cannot be made: {error}"), path=wanted.path, error=error.strerror) from None
    return True


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
