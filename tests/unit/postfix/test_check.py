from __future__ import annotations

from pathlib import Path

import pytest

from zegel.postfix import check
from zegel.postfix.finding import Finding, Level
from zegel.postfix.maincf import Service, Settings

QUEUE = "/var/spool/postfix"
LISTEN = f"unix:{QUEUE}/zegel/milter.sock"
OURS, DKIM = "unix:zegel/milter.sock", "inet:localhost:8891"
READY = {
    "disable_mime_output_conversion": "yes",
    "internal_mail_filter_classes": "bounce",
    "local_header_rewrite_clients": "permit_inet_interfaces",
    "milter_connect_macros": "j {daemon_name} {daemon_addr} v _",
    "milter_content_timeout": "300s",
    "milter_default_action": "tempfail",
    "milter_mail_macros": "i {auth_type} {auth_authen} {mail_addr}",
    "milter_protocol": "6",
    "non_smtpd_milters": "$smtpd_milters",
    "queue_directory": QUEUE,
    "smtp_line_length_limit": "998",
    "smtpd_milters": OURS,
    "smtputf8_enable": "yes",
}
SMTP = Service("smtp", "inet", "smtpd", chroot=True)


def findings(*services: Service, listen: str = LISTEN, **parameters: str) -> tuple[Finding, ...]:
    values = {**READY, **parameters}
    return check.of_settings(Settings(Path("/etc/postfix"), values, values, (SMTP, *services)), listen, ("unix:var/dkim.sock",))


def about(found: tuple[Finding, ...], level: Level) -> set[str]:
    return {finding.about for finding in found if finding.level is level}


def test_all_is_well() -> None:
    found = findings()
    assert check.worst(found) is Level.OK
    assert about(found, Level.OK) >= {"smtpd_milters", "non_smtpd_milters", "milter_default_action", "milter_protocol", "chroot"}
    assert all(not finding.step for finding in found)


@pytest.mark.parametrize(
    ("parameter", "value", "level"),
    [
        ("smtpd_milters", "", Level.WRONG),
        ("smtpd_milters", "inet:localhost:11332", Level.WRONG),
        ("smtpd_milters", f"{OURS}, unix:/zegel/milter.sock", Level.WRONG),
        ("smtpd_milters", f"{DKIM}, {OURS}", Level.WRONG),
        ("smtpd_milters", f"unix:var/dkim.sock, {OURS}", Level.WRONG),
        ("smtpd_milters", f"{OURS}, inet:localhost:11332", Level.WARNING),
        ("non_smtpd_milters", "", Level.WRONG),
        ("milter_default_action", "accept", Level.WARNING),
        ("milter_default_action", "reject", Level.WARNING),
        ("milter_protocol", "2", Level.WRONG),
        ("milter_connect_macros", "j v", Level.WRONG),
        ("milter_mail_macros", "i", Level.WRONG),
        ("milter_content_timeout", "20s", Level.WARNING),
        ("internal_mail_filter_classes", "", Level.WARNING),
        ("receive_override_options", "no_milters", Level.WRONG),
        ("smtpd_milter_maps", "cidr:/etc/postfix/milter_map", Level.ADVICE),
        ("smtputf8_enable", "no", Level.ADVICE),
        ("disable_mime_output_conversion", "no", Level.ADVICE),
        ("local_header_rewrite_clients", "permit_mynetworks", Level.WARNING),
        ("remote_header_rewrite_domain", "example.org", Level.WARNING),
        ("always_add_missing_headers", "yes", Level.ADVICE),
        ("smtp_generic_maps", "hash:/etc/postfix/generic", Level.WARNING),
        ("smtp_header_checks", "pcre:/etc/postfix/strip", Level.WARNING),
        ("milter_header_checks", "pcre:/etc/postfix/strip", Level.WARNING),
        ("content_filter", "smtp:[127.0.0.1]:10024", Level.WARNING),
        ("smtp_line_length_limit", "512", Level.WARNING),
    ],
)
def test_each_fault_is_found_with_a_next_step(parameter: str, value: str, level: Level) -> None:
    found = findings(**{parameter: value})
    faults = [finding for finding in found if finding.level is level]
    assert parameter in {finding.about for finding in faults}
    assert check.worst(found) is level
    assert all(finding.step for finding in faults)


def test_rspamd_may_sign_too() -> None:
    found = findings(smtpd_milters=f"inet:localhost:11332, {OURS}")
    assert about(found, Level.ADVICE) == {"rspamd"}
    assert check.worst(found) is Level.ADVICE


def test_a_cleanup_of_its_own_without_us() -> None:
    cleanup = Service("cleanup", "unix", "cleanup", chroot=True, overrides={"non_smtpd_milters": ""})
    assert about(findings(cleanup), Level.WARNING) == {"cleanup/unix"}


def test_opendmarc_behind_us_is_well() -> None:
    assert check.worst(findings(smtpd_milters=f"{OURS}, local:opendmarc/opendmarc.sock")) is Level.OK


def test_our_own_options_stand_above_the_general_ones() -> None:
    entry = f"{{ {OURS}, protocol=6, default_action=tempfail }}"
    assert check.worst(findings(smtpd_milters=entry, milter_default_action="accept", milter_protocol="2")) is Level.OK
    risky = findings(smtpd_milters=f"{{ {OURS}, default_action=accept }}")
    assert about(risky, Level.WARNING) == {"milter_default_action"}


@pytest.mark.parametrize(
    ("name", "overrides", "level"),
    [
        ("submission", {}, Level.OK),
        ("submission", {"smtpd_milters": OURS}, Level.OK),
        ("submission", {"smtpd_milters": "$smtpd_milters_of_ours"}, Level.OK),
        ("submission", {"smtpd_milters": ""}, Level.WARNING),
        ("submission", {"smtpd_milters": DKIM}, Level.WRONG),
        ("submission", {"receive_override_options": "no_milters"}, Level.WARNING),
        ("submission", {"non_smtpd_milters": ""}, Level.OK),
        ("submission", {"milter_default_action": "accept"}, Level.WARNING),
        ("submission", {"milter_default_action": "tempfail"}, Level.OK),
        ("127.0.0.1:10025", {"smtpd_milters": ""}, Level.OK),
        ("127.0.0.1:10025", {"receive_override_options": "no_milters,no_address_mappings"}, Level.OK),
        ("127.0.0.1:10025", {"content_filter": ""}, Level.WARNING),
    ],
)
def test_services(name: str, overrides: dict[str, str], level: Level) -> None:
    service = Service(name, "inet", "smtpd", chroot=False, overrides=overrides)
    found = findings(service, smtpd_milters_of_ours=OURS)
    assert check.worst(found) is level
    if level is not Level.OK:
        assert service.label in about(found, level)


def test_a_chrooted_service_cannot_see_a_socket_outside() -> None:
    outside = findings(listen="unix:/run/zegel/milter.sock", smtpd_milters="unix:/run/zegel/milter.sock")
    assert about(outside, Level.WRONG) == {"chroot"}
    assert "chroot" not in about(findings(listen="inet:127.0.0.1:9", smtpd_milters="inet:127.0.0.1:9"), Level.WRONG)
