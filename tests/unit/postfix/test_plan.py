from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from zegel.config import ConfigError
from zegel.postfix import plan
from zegel.postfix.maincf import Service, Settings

OURS = "unix:zegel/milter.sock"
QUEUE = "/var/spool/postfix"
LISTEN = f"unix:{QUEUE}/zegel/milter.sock"
RSPAMD, DKIM, DMARC = "inet:localhost:11332", "inet:localhost:8891", "local:opendmarc/opendmarc.sock"
# What Postfix 3.7 has by default.
DEFAULTS = {
    "internal_mail_filter_classes": "",
    "milter_connect_macros": "j {daemon_name} {daemon_addr} v _",
    "milter_default_action": "tempfail",
    "milter_mail_macros": "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    "milter_protocol": "6",
    "non_smtpd_milters": "",
    "queue_directory": QUEUE,
    "smtpd_milters": "",
}
SMTP = Service("smtp", "inet", "smtpd", chroot=True)
CLEANUP = Service("cleanup", "unix", "cleanup", chroot=True)


def settings(services: tuple[Service, ...] = (), **parameters: str) -> Settings:
    """Settings as Postfix would have them; ``expanded`` is the same because these tests fill in only lists."""
    values = {**DEFAULTS, **parameters}
    return Settings(Path("/etc/postfix"), values, values, (SMTP, CLEANUP, *services))


def applied(before: Settings, what: plan.Plan) -> Settings:
    """The settings after a plan."""
    main = {change.parameter: change.after for change in what.changes if not change.service}
    services = tuple(
        replace(service, overrides={**service.overrides, **{c.parameter: c.after for c in what.changes if c.service == service.label}})
        for service in before.services
    )
    return Settings(before.folder, {**before.raw, **main}, {**before.expanded, **main}, services)


def after(what: plan.Plan) -> Mapping[str, str]:
    return {f"{change.service}/{change.parameter}" if change.service else change.parameter: change.after for change in what.changes}


@pytest.mark.parametrize(
    ("smtpd", "non_smtpd", "new_smtpd", "new_non_smtpd"),
    [
        pytest.param("", "", OURS, OURS, id="fresh"),
        pytest.param("", "$smtpd_milters", OURS, None, id="fresh, one list names the other"),
        pytest.param(RSPAMD, "", f"{RSPAMD}, {OURS}", OURS, id="last, after what changes mail"),
        pytest.param(DKIM, DKIM, OURS, OURS, id="opendkim alone"),
        pytest.param(DKIM, "$smtpd_milters", OURS, None, id="opendkim, named"),
        pytest.param(f"{DKIM},{DMARC}", DKIM, f"{OURS}, {DMARC}", OURS, id="in opendkim's place, before opendmarc"),
        pytest.param(f"{RSPAMD} {DKIM} {DMARC}", "", f"{RSPAMD}, {OURS}, {DMARC}", OURS, id="in the middle"),
        pytest.param(f"{DMARC} {RSPAMD} {DKIM}", "", f"{DMARC}, {RSPAMD}, {OURS}", OURS, id="at the end"),
        pytest.param(f"{RSPAMD}, {DMARC}", "", f"{RSPAMD}, {OURS}, {DMARC}", OURS, id="before opendmarc, which reads our results"),
        pytest.param(f"{DKIM}, {DKIM}", "", OURS, OURS, id="opendkim twice"),
        pytest.param(f"{DKIM}, {OURS}", f"{OURS} {DKIM}", OURS, OURS, id="both already"),
        pytest.param(f"{OURS}, {RSPAMD}, unix:/zegel/milter.sock", OURS, f"{OURS}, {RSPAMD}", None, id="ours twice"),
        pytest.param("{ inet:127.0.0.1:8891, default_action=accept }", OURS, OURS, None, id="opendkim in braces"),
        pytest.param(
            "{ inet:localhost:11332, default_action=accept }, unix:/opendkim/opendkim.sock",
            OURS,
            f"{{ inet:localhost:11332, default_action=accept }}, {OURS}",
            None,
            id="another in braces stays as it is",
        ),
        pytest.param(OURS, OURS, None, None, id="set up"),
        pytest.param(f"inet:a:1  {OURS}", "$smtpd_milters", None, None, id="set up, the administrator's own spacing stays"),
        pytest.param(f"{{ {OURS}, default_action=accept }}", OURS, None, None, id="set up, with the administrator's own options"),
        pytest.param("$spam, $signer", "$signer", f"$spam, {OURS}", OURS, id="a parameter that holds opendkim"),
        pytest.param("$both", "", f"{RSPAMD}, {OURS}", OURS, id="a parameter that holds opendkim and another"),
        pytest.param("$spam", "", f"$spam, {OURS}", OURS, id="a parameter without opendkim stays"),
        pytest.param("${old?{inet:x:1}}", "", f"${{old?{{inet:x:1}}}}, {OURS}", OURS, id="a conditional stays"),
    ],
)
def test_the_lists(smtpd: str, non_smtpd: str, new_smtpd: str | None, new_non_smtpd: str | None) -> None:
    before = settings(smtpd_milters=smtpd, non_smtpd_milters=non_smtpd, spam=RSPAMD, signer=DKIM, both=f"{RSPAMD} {DKIM}")
    made = plan.make(before, LISTEN)
    expected = {"smtpd_milters": new_smtpd or smtpd, "non_smtpd_milters": new_non_smtpd or non_smtpd}
    now = applied(before, made)
    assert {name: now.raw[name] for name in plan.LISTS} == expected
    assert set(after(made)) & set(plan.LISTS) == {name for name in plan.LISTS if expected[name] != before.raw[name]}
    again = plan.make(now, LISTEN)
    assert again.changes == ()


@pytest.mark.parametrize(
    ("action", "protocol", "entry"),
    [
        ("tempfail", "6", OURS),
        ("accept", "6", f"{{ {OURS}, default_action=tempfail }}"),
        ("accept", "2", f"{{ {OURS}, protocol=6, default_action=tempfail }}"),
        ("tempfail", "2 no_body", f"{{ {OURS}, protocol=6 }}"),
    ],
)
def test_what_others_have_stays_and_our_entry_says_what_we_need(action: str, protocol: str, entry: str) -> None:
    before = settings(smtpd_milters=f"{RSPAMD}, {DKIM}", milter_default_action=action, milter_protocol=protocol)
    made = plan.make(before, LISTEN)
    assert after(made)["smtpd_milters"] == f"{RSPAMD}, {entry}"
    assert {"milter_default_action", "milter_protocol"}.isdisjoint(after(made))
    assert plan.make(applied(before, made), LISTEN).changes == ()


def test_a_plain_entry_of_ours_gets_what_it_needs() -> None:
    before = settings(smtpd_milters=OURS, non_smtpd_milters="$smtpd_milters", milter_default_action="accept")
    made = plan.make(before, LISTEN)
    assert after(made)["smtpd_milters"] == f"{{ {OURS}, default_action=tempfail }}"
    assert "non_smtpd_milters" not in after(made)
    assert plan.make(applied(before, made), LISTEN).changes == ()


@pytest.mark.parametrize(("before", "expected"), [("", "bounce"), ("notify", "notify, bounce"), ("bounce", None), ("notify bounce", None)])
def test_bounces(before: str, expected: str | None) -> None:
    made = plan.make(settings(internal_mail_filter_classes=before), LISTEN)
    assert after(made).get("internal_mail_filter_classes") == expected


def test_macros_are_completed_only_when_narrowed() -> None:
    assert not set(plan.MACROS) & set(after(plan.make(settings(), LISTEN)))
    before = settings(milter_connect_macros="j, {daemon_name}", milter_mail_macros="i {mail_addr}")
    made = plan.make(before, LISTEN)
    assert after(made)["milter_connect_macros"] == "j, {daemon_name} v"
    assert after(made)["milter_mail_macros"] == "i {mail_addr} {auth_type} {auth_authen}"
    assert plan.make(applied(before, made), LISTEN).changes == ()


def test_a_service_with_opendkim_of_its_own_is_changed_too() -> None:
    submission = Service("submission", "inet", "smtpd", chroot=True, overrides={"smtpd_milters": f"{RSPAMD},{DKIM}"})
    before = settings((submission,), milter_default_action="accept")
    made = plan.make(before, LISTEN)
    assert after(made)["submission/inet/smtpd_milters"] == f"{RSPAMD},{{{OURS},default_action=tempfail}}"
    assert any("opendkim" in command for command in made.afterwards)
    assert plan.make(applied(before, made), LISTEN).changes == ()


def test_a_listener_behind_a_filter_and_a_list_without_us_are_left_alone_and_told() -> None:
    reinjection = Service("127.0.0.1:10025", "inet", "smtpd", chroot=False, overrides={"smtpd_milters": ""})
    submission = Service("submission", "inet", "smtpd", chroot=True, overrides={"smtpd_milters": RSPAMD})
    made = plan.make(settings((reinjection, submission)), LISTEN)
    assert not [change for change in made.changes if change.service]
    assert [note for note in made.notes if "127.0.0.1:10025/inet" in str(note)]
    assert [note for note in made.notes if f"submission/inet/smtpd_milters={RSPAMD},{OURS}" in str(note)]


def test_opendkim_is_known_by_its_own_configuration() -> None:
    made = plan.make(settings(smtpd_milters="unix:var/dkim.sock"), LISTEN, opendkim=(f"unix:{QUEUE}/var/dkim.sock",))
    assert after(made)["smtpd_milters"] == OURS
    assert any("opendkim" in command for command in made.afterwards)
    untouched = plan.make(settings(smtpd_milters="unix:var/dkim.sock"), LISTEN)
    assert after(untouched)["smtpd_milters"] == f"unix:var/dkim.sock, {OURS}"
    assert not any("opendkim" in command for command in untouched.afterwards)


def test_the_address_that_opendkim_has_too_is_ours_and_told() -> None:
    made = plan.make(settings(smtpd_milters=DKIM), "inet:127.0.0.1:8891", opendkim=(DKIM,))
    assert "smtpd_milters" not in after(made)
    assert any("opendkim" in str(note) for note in made.notes)


@pytest.mark.parametrize(
    ("listen", "address", "problem"),
    [
        (LISTEN, OURS, False),
        ("inet:127.0.0.1:8891", "inet:127.0.0.1:8891", False),
        ("inet:0.0.0.0:8891", "inet:127.0.0.1:8891", False),
        ("inet6:[::1]:8891", "inet:[::1]:8891", False),
        ("unix:/run/zegel/milter.sock", "unix:/run/zegel/milter.sock", True),
        (f"unix:{QUEUE}/milter.sock", "unix:milter.sock", True),
    ],
)
def test_our_address(listen: str, address: str, problem: bool) -> None:
    made = plan.make(settings(), listen)
    assert made.address == address
    assert after(made)["smtpd_milters"] == address
    assert bool(made.problems) is problem


def test_a_socket_elsewhere_is_no_problem_where_nothing_is_chrooted() -> None:
    before = settings()
    open_ones = replace(before, services=tuple(replace(service, chroot=False) for service in before.services))
    assert plan.make(open_ones, "unix:/run/zegel/milter.sock").problems == ()


def test_no_milters_for_all_mail_is_a_problem() -> None:
    assert plan.make(settings(receive_override_options="no_milters"), LISTEN).problems


def test_a_bad_address_is_refused() -> None:
    with pytest.raises(ConfigError):
        plan.make(settings(), "zegel/milter.sock")


def test_the_socket_folder_is_a_step_until_it_is_right() -> None:
    made = plan.make(settings(), LISTEN)
    assert made.socket_folder == plan.SocketFolder(Path(QUEUE, "zegel"), "zegel", "postfix", 0o2710)
    assert plan.make(settings(), LISTEN, present=made.socket_folder).socket_folder is None
    assert plan.make(settings(), LISTEN, present=replace(made.socket_folder, mode=0o755)).socket_folder == made.socket_folder
    assert plan.make(settings(), "inet:127.0.0.1:8891").socket_folder is None


def test_render_shows_every_line_that_changes() -> None:
    submission = Service("submission", "inet", "smtpd", chroot=True, overrides={"smtpd_milters": DKIM})
    made = plan.make(settings((submission,), smtpd_milters=f"{RSPAMD}, {DKIM}"), LISTEN)
    lines = plan.render(made).splitlines()
    for change in made.changes:
        assert f"- {change.parameter} = {change.before}".rstrip() in lines
        assert f"+ {change.parameter} = {change.after}" in lines
    assert f"$ install -d -o zegel -g postfix -m 2710 {QUEUE}/zegel" in lines
    assert "$ systemctl disable --now opendkim" in lines
    assert any("submission/inet" in line for line in lines if line.startswith("/etc/postfix/master.cf"))


def test_render_of_an_empty_plan_has_no_diff() -> None:
    ready = settings(smtpd_milters=OURS, non_smtpd_milters=OURS, internal_mail_filter_classes="bounce")
    made = plan.make(ready, LISTEN, present=plan.SocketFolder(Path(QUEUE, "zegel")))
    assert made.is_empty
    assert not [line for line in plan.render(made).splitlines() if line[:2] in ("- ", "+ ", "$ ")]
