"""The daemon's start and end: what cannot start says why, leaves nothing behind and mends nothing by itself; what runs ends with 0."""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import structlog

from support.daemon import Daemon
from support.messages import DAY, outbound
from support.mta import Mta
from support.proof import fields, results
from support.servers import wait_for
from zegel import app
from zegel.app import daemon as daemon_room
from zegel.app import shared
from zegel.app.part import Announce, Commit
from zegel.authres.claim import normal
from zegel.config import Config, ConfigError, Inbound, parse
from zegel.gateway.recorder import Rules
from zegel.gateway.site import make_site
from zegel.grammar.domain import Domain
from zegel.store import messages, search
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.messages import Keeping, Owners
from zegel.store.retention import Term
from zegel.store.snapshot import Snapshot
from zegel.verdict.policy import Mode, Site


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ZEGEL_MASTER_KEY", raising=False)
    yield
    structlog.reset_defaults()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon()
    made.add_key("example.org", "e1")
    yield made
    made.remove()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def serve(daemon: Daemon, config: Path | None = None) -> list[str]:
    said: list[str] = []
    app.serve(daemon.data, config, announce=said.append)
    return said


def test_a_missing_master_key_is_not_made_anew(daemon: Daemon) -> None:
    (daemon.data / "master.key").unlink()
    with pytest.raises(StoreError, match="master"):
        serve(daemon)
    assert not (daemon.data / "master.key").exists()


def test_another_master_key_is_refused(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (daemon.data / "master.key").read_bytes()
    monkeypatch.setenv("ZEGEL_MASTER_KEY", base64.b64encode(b"k" * 32).decode())
    with pytest.raises(StoreError, match="master key"):
        serve(daemon)
    assert (daemon.data / "master.key").read_bytes() == before


@pytest.mark.parametrize("text", ["x", "AAAA", "é"])
def test_a_master_key_that_is_none_is_refused(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ZEGEL_MASTER_KEY", text)
    with pytest.raises(StoreError, match="ZEGEL_MASTER_KEY"):
        serve(daemon)


def test_a_master_key_that_others_can_read_is_refused(daemon: Daemon) -> None:
    (daemon.data / "master.key").chmod(0o640)
    with pytest.raises(StoreError, match=r"0?600"):
        serve(daemon)


def test_a_taken_port_is_named(daemon: Daemon, taken: int) -> None:
    daemon.listen = f"inet:127.0.0.1:{taken}"
    daemon.write_config()
    with pytest.raises(app.ListenError, match=rf"cannot listen on inet:127\.0\.0\.1:{taken}"):
        serve(daemon)


def test_a_taken_port_for_the_metrics_is_named(daemon: Daemon, taken: int) -> None:
    daemon.metrics_port = taken
    daemon.write_config()
    with pytest.raises(app.ListenError, match=rf"127\.0\.0\.1:{taken} for metrics: it is taken.*zegel status.*metrics\.listen"):
        serve(daemon)


def test_a_start_that_fails_half_way_leaves_no_socket(daemon: Daemon, taken: int) -> None:
    path = daemon.folder / "milter.sock"
    daemon.listen = f'unix:{path}", "inet:127.0.0.1:{taken}'
    daemon.write_config()
    with pytest.raises(app.ListenError, match="cannot listen"):
        serve(daemon)
    assert not path.exists()


@pytest.mark.parametrize(
    ("milter", "error", "named"),
    [
        ('socket_group = "no-such-group"', ConfigError, "milter.socket_group"),
        ("drain_seconds = nan", ConfigError, "milter.drain_seconds"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_named(daemon: Daemon, milter: str, error: type[Exception], named: str) -> None:
    path = daemon.folder / "milter.sock"
    daemon.listen, daemon._milter = f"unix:{path}", milter
    daemon.write_config()
    with pytest.raises(error, match=named):
        serve(daemon)
    assert not path.exists()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ('[dns]\nzone = "/nowhere/zone"\n', r"dns\.zone: .*/nowhere/zone"),
        ('[dns]\nnameservers = ["resolver.example"]\n', r"dns\.nameservers: .*resolver\.example"),
        ("[dns]\n[dns]\n", "not valid TOML"),
    ],
)
def test_a_resolver_that_cannot_be_is_named(daemon: Daemon, config: str, named: str) -> None:
    daemon.write_config(config)
    with pytest.raises(ConfigError, match=named):
        serve(daemon)


def test_a_zone_file_that_is_none_is_named(daemon: Daemon) -> None:
    daemon.zone_file.write_text("( no zone\n")
    with pytest.raises(ConfigError, match=r"dns\.zone: .*: this is no zone file.*; write another"):
        serve(daemon)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_zone_that_is_no_text_or_no_file_is_told_in_plain_words(daemon: Daemon, content: bytes | None) -> None:
    daemon.zone_file.unlink(missing_ok=True)
    if content is None:
        daemon.zone_file.mkdir()
    else:
        daemon.zone_file.write_bytes(content)
    daemon.write_config()
    with pytest.raises(ConfigError, match=rf"dns\.zone: {daemon.zone_file}.*; write another") as refused:
        serve(daemon)
    assert "Errno" not in str(refused.value)
    assert "codec" not in str(refused.value)


def test_a_named_configuration_must_be_there(daemon: Daemon) -> None:
    with pytest.raises(ConfigError, match=r"no configuration /nowhere\.toml; make it: zegel init"):
        serve(daemon, Path("/nowhere.toml"))


def test_the_usual_configuration_may_be_absent(tmp_path: Path) -> None:
    assert app.read_config(None, tmp_path) == Config()


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "zegel.toml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"zegel\.toml") as refused:
        app.read_config(None, tmp_path)
    assert "Errno" not in str(refused.value)
    assert "codec" not in str(refused.value)


def test_a_configuration_that_everybody_can_change_is_nobodys(tmp_path: Path) -> None:
    file = tmp_path / "zegel.toml"
    file.write_text("")
    for mode, taken in ((0o600, True), (0o664, True), (0o666, False), (0o602, False)):
        file.chmod(mode)
        if taken:
            assert app.read_config(file, tmp_path) == Config()
        else:
            with pytest.raises(ConfigError, match=r"chmod o-w .*zegel\.toml"):
                app.read_config(file, tmp_path)


@pytest.mark.parametrize(("number", "host", "warned"), [(signal.SIGTERM, "127.0.0.1", False), (signal.SIGINT, "0.0.0.0", True)])
def test_a_signal_ends_it_with_0_and_an_address_that_others_can_reach_is_noted(
    daemon: Daemon, number: signal.Signals, host: str, warned: bool
) -> None:
    daemon.listen = f"inet:{host}:{daemon.port}"
    daemon.write_config()
    daemon.start()
    assert ("reachable from other machines" in daemon.log()) == warned
    daemon.signal(number)
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.log()
    assert "event=stopped messages_cut=0" in daemon.log()


@pytest.fixture(scope="module")
def running() -> Iterator[Daemon]:
    """One daemon for all that look at one which runs: it has no name for its results, and an old message and a new one in its store."""
    made = Daemon(authserv_id="", inbound="received_spf = true")
    made.add_key("example.org", "e1")
    with Store.open(made.data) as store, store.writing() as tx:
        assert store.vault is not None
        records = [outbound(1, time=int(time.time()) - 31 * DAY), outbound(2, time=int(time.time()))]
        messages.add(tx, records, Keeping(Addresses(store.vault, hashed=False)), Owners(tx), {})
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ZEGEL_MASTER_KEY", raising=False)
        with made:
            yield made
            assert made.stop() == 0


def test_results_carry_the_name_of_this_machine_when_none_is_written(running: Daemon) -> None:
    with Mta(("127.0.0.1", running.port)) as mta:
        mta.open()
        message = mta.send(b"From: a@example.com\r\n\r\n").message
    assert results(message).startswith(f"{normal(socket.getfqdn())}; dkim=none; spf=")
    assert [field.name for field in fields(message)[:3]] == [b"Authentication-Results", b"Received-SPF", b"Received-SPF"]


@pytest.mark.parametrize("wrong", ["configuration", "master key", "port"])
def test_what_cannot_start_ends_with_one_sentence_and_not_with_0(daemon: Daemon, taken: int, wrong: str) -> None:
    if wrong == "configuration":
        daemon.write_config("[mitler]\n")
    elif wrong == "port":
        daemon.listen = f"inet:127.0.0.1:{taken}"
        daemon.write_config()
    else:
        daemon.environment["ZEGEL_MASTER_KEY"] = base64.b64encode(b"k" * 32).decode()
    assert daemon.run() not in (0, None)
    assert "Traceback" not in daemon.log()
    assert daemon.log().strip()


def test_what_is_recorded_follows_the_configuration(daemon: Daemon) -> None:
    with Store.open(daemon.data) as store:
        assert store.vault is not None
        usual = app.record_rules(parse(""), store.vault)
        assert usual.term == Term(30, 14)
        assert usual.keeping is not None
        assert (usual.keeping.stories, usual.keeping.subjects, usual.keeping.addresses.hashed) == (True, False, False)
        changed = app.record_rules(parse("[messages]\nkeep_days = 9\nstory_days = 0\nhash_addresses = true\nsubject = true"), store.vault)
        assert changed.term == Term(9, 0)
        assert changed.keeping is not None
        assert (changed.keeping.stories, changed.keeping.subjects, changed.keeping.addresses.hashed) == (False, True, True)
        assert app.record_rules(parse("[messages]\nrecord = false"), store.vault) == Rules(None, Term(30, 14))


def test_a_running_daemon_lets_messages_run_out(running: Daemon) -> None:
    with Store.read_only(running.data) as store:

        def left() -> set[str]:
            with store.reading() as tx:
                return {message.queue_id for message in search.find(tx, search.Wanted(), limit=10)} & {"4Wx1", "4Wx2"}

        wait_for(lambda: left() == {"4Wx2"}, what="the old message is gone")
        assert "fault" not in running.log()


def test_a_new_domain_of_the_store_is_ours_at_once(running: Daemon) -> None:
    def told(mta: Mta) -> str:
        before = running.log().count("event=verified")
        mta.send(b"From: info@shop.example\r\n\r\n", "info@shop.example")
        running.wait_log("event=verified", before + 1)
        return [line for line in running.log().splitlines() if "event=verified" in line][-1]

    with Mta(("127.0.0.1", running.port)) as mta:
        mta.open()
        assert "marks=" not in told(mta)
        running.add_key("shop.example", "s1")
        wait_for(lambda: "marks=imitates_us" in told(mta), what="the new domain is ours")


def test_a_reload_while_the_store_is_followed_is_not_undone(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site is made in a thread when domains change; a SIGHUP that comes meanwhile has made a later one."""
    following = threading.Event()

    def slowly(inbound: Inbound, store: Iterable[Domain] = ()) -> Site:
        if threading.current_thread() is not threading.main_thread():
            following.set()
            wait_for(lambda: daemons[0].shared.settings.site.mode is Mode.REJECT, what="the reload")
        return make_site(inbound, store)

    async def run() -> tuple[Mode, bool]:
        with Store.open(daemon.data) as store:
            daemons.append(app.Daemon(parse('[metrics]\nlisten = ""\n'), store, lambda: parse('[inbound]\nmode = "reject"\n')))
            monkeypatch.setattr(shared, "make_site", slowly)
            task = asyncio.create_task(daemons[0].follow_store())
            daemon.add_key("shop.example", "s1")
            assert await asyncio.to_thread(following.wait, 60)
            daemons[0].reload()
            shop = Domain.parse("shop.example")
            await asyncio.to_thread(wait_for, lambda: daemons[0].shared.settings.site.own_domains.holding(shop) is not None)
            await asyncio.sleep(daemon_room._POLL_SECONDS * 1.5)
            task.cancel()
            site = daemons[0].shared.settings.site
            return site.mode, site.own_domains.holding(shop) is not None

    daemons: list[app.Daemon] = []
    assert asyncio.run(run()) == (Mode.REJECT, True)


class Stubborn:
    """A part that cannot take over another configuration, nor stop in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self, announce: Announce) -> None:
        self.calls.append("start")

    def prepare(self, config: Config) -> Commit:
        raise ConfigError("not this one")

    def changed(self, snapshot: Snapshot) -> None:
        self.calls.append(f"changed {len(snapshot.domains)}")

    async def stop(self, seconds: float) -> None:
        raise OSError("stuck")


def test_a_part_that_refuses_a_configuration_keeps_all_of_them_as_they_are(daemon: Daemon) -> None:
    async def run() -> list[str]:
        with Store.open(daemon.data) as store:
            running = app.Daemon(
                parse('[metrics]\nlisten = ""\n[milter]\nlisten = ["inet:127.0.0.1:0"]'), store, lambda: parse('[inbound]\nmode = "reject"')
            )
            part = Stubborn()
            running._parts.insert(0, part)
            task = asyncio.create_task(running.run(lambda _: None))
            await asyncio.sleep(0)
            running.reload()
            assert running.shared.settings.site.mode is Mode.OBSERVE
            await asyncio.to_thread(daemon.add_key, "shop.example", "s1")
            await asyncio.to_thread(wait_for, lambda: len(part.calls) > 1, 60, "the change is told")
            running._stop.set()
            assert await task == 0  # the milter ended, though the other part did not
            return part.calls

    assert asyncio.run(run()) == ["start", "changed 2"]
