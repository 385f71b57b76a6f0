"""What the page of the benchmarks says of its figures: no peer is left out, and a peer that is better is named."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from bench import authenticate, dkim, dns, hotspots, memory, milters, page, peers, postfix, relay, spf
from bench.milters import Milter
from bench.peers import Comparison, Timing
from bench.postfix import Case, Figure, Mail

CASE = Case("sign", 2_000, 1)
TITLES = [Milter(name, "sign", way).title for way in milters.WAYS for name in (milters.OURS, milters.THEIRS)]
INBOUND = Case("judge", 2_000, 1)
JUDGES = (milters.OURS, milters.CHAIN, milters.RSPAMD)


def figures(titles: Sequence[str]) -> dict[str, Figure]:
    """Ours takes twice the mail for the same CPU."""
    return {milters.NONE: Figure(900, 0.0), **{title: Figure(400 if milters.OURS in title else 200, 0.001) for title in titles}}


MAIL = Mail({CASE: figures(TITLES), INBOUND: figures(JUDGES)}, dict.fromkeys((*TITLES, *JUDGES), 50_000_000))
SPF = spf.Row("a and mx", 0.00002, 0.0001, 0.00004, 0.0002)
DNS = dns.Figure("a question asked over UDP", 100.0, 300.0, "dnspython")
VERDICT = [authenticate.Row("DKIM alone", 0.0002), authenticate.Row("all, unsigned", 0.0003)]


RELAYED = relay.Relayed(
    {mode: {relay.OURS: relay.Figure(400, 300, 0.003), relay.THEIRS: relay.Figure(200, 150, 0.006)} for mode in relay.MODES}, 260
)


def libraries(**sign: float) -> Comparison:
    """All at 1 ms, some of them faster or slower at signing; dkimpy is not there."""
    names = (peers.OURS, peers.OURS_DEFAULT, *peers.NAMES[:-1])
    row = {name: Timing(0.001, sign.get(name.replace("-", "_"), 0.001)) for name in names}
    return Comparison(dict.fromkeys(peers.SIZES, row), ("dkimpy",))


def run(
    mail: Mail = MAIL,
    relayed: relay.Relayed = RELAYED,
    load: float = 0.1,
    evaluation: spf.Row = SPF,
    question: dns.Figure = DNS,
    short: bool = False,
    **sign: float,
) -> str:
    rows = [dkim.Row("sign rsa2048", 1_000, 0.0004, 0.0002)]
    held = memory.Memory(100_000, 200_000, {10_000: 60_000_000})
    return page.write(page.Run(rows, libraries(**sign), VERDICT, [evaluation], [question], mail, relayed, held, 3, load, short))


def losses(text: str) -> str:
    return text.partition("## Where the others are better")[2].partition("\n##")[0]


def test_a_missing_library_is_named() -> None:
    text = run()
    assert "dkimpy is missing" in text
    assert "| dkimpy | missing | missing | missing | missing | missing | missing |" in text


def test_where_nobody_is_better_the_page_says_so() -> None:
    assert "Nowhere in this run." in run()


def test_a_busy_machine_is_told() -> None:
    assert "**The machine was busy with other work when this run began (load 4.0" in run(load=4.0)
    assert "busy" not in run()


def test_a_library_that_is_faster_is_told() -> None:
    text = run(go_msgauth=0.0009)
    assert "- go-msgauth takes 0.90 of Zegel's time to sign 10 kB." in text
    assert "to verify" not in text.partition("## Where the others are better")[2].partition("##")[0]


def test_a_milter_that_is_better_is_told() -> None:
    table = {CASE: {**MAIL.table[CASE], "opendkim (tcp)": Figure(500, 0.0005)}}
    told = losses(run(Mail(table, {**MAIL.memory, "opendkim (unix)": 10_000_000}))).splitlines()
    assert told[2:] == [
        "- Postfix with opendkim (tcp) takes 1.25 times the messages per second of Zegel (tcp) (sign, 2 kB, 1 at a time).",
        "- opendkim (tcp) uses 0.50 of the CPU per message of Zegel (tcp) (sign, 2 kB, 1 at a time).",
        "- After the load of its section opendkim (unix) held 10 MB of memory, Zegel (unix) 50 MB.",
    ]


def test_of_those_that_judge_each_that_is_better_is_told() -> None:
    table = {INBOUND: {**MAIL.table[INBOUND], milters.CHAIN: Figure(300, 0.0009), milters.RSPAMD: Figure(440, 0.002)}}
    told = losses(run(Mail(table, {**MAIL.memory, milters.CHAIN: 20_000_000}))).splitlines()
    assert told[2:] == [
        "- opendkim + opendmarc uses 0.90 of the CPU per message of Zegel (judge, 2 kB, 1 at a time).",
        "- Postfix with rspamd takes 1.10 times the messages per second of Zegel (judge, 2 kB, 1 at a time).",
        "- After the load of its section opendkim + opendmarc held 20 MB of memory, Zegel 50 MB.",
    ]


def test_who_is_better_at_spf_or_dns_is_told() -> None:
    told = losses(run(evaluation=SPF._replace(theirs_both=0.00003), question=DNS._replace(other=80.0))).splitlines()
    assert told[2:] == [
        "- pyspf takes 0.75 of Zegel's time for both identities (a and mx).",
        "- dnspython takes 0.80 of Zegel's time (a question asked over UDP).",
    ]


def test_the_tables_of_spf_dns_and_the_verdict() -> None:
    text = run()
    assert "| a and mx | 50,000 | 10,000 | 5.0 | 25,000 | 5,000 | 5.0 |" in text
    assert "| a question asked over UDP | 100.0 | 300.0 | 3.0 | dnspython |" in text
    assert "| all, unsigned | 300 | 1.50 |" in text
    assert "| opendkim + opendmarc | 50 MB |" in text


def test_the_last_line_of_spf_adds_seconds_not_ratios() -> None:
    slow = spf.Row("slow", 0.00004, 0.0019, 0.00004, 0.0002)
    assert spf.lines([SPF, slow])[-1] == "| all, one of each | 33,333 | 1,000 | 33.3 | 25,000 | 5,000 | 5.0 |"


def test_a_short_run_is_told() -> None:
    assert "This was a short run" in run(short=True)
    assert "This was a short run" not in run()


def test_the_tables_of_postfix() -> None:
    assert postfix.lines(MAIL.table, "sign")[4] == "| 2 kB, 1 | 900 | 400 | 200 | 2.00 | 400 | 200 | 2.00 |"
    assert postfix.lines(MAIL.table, "sign")[-1] == "| 2 kB, 1 | 1000 | 1000 | 1.00 | 1000 | 1000 | 1.00 |"
    assert postfix.lines(MAIL.table, "judge")[2] == "| body, sessions | no milter | Zegel | opendkim + opendmarc | ratio | rspamd | ratio |"
    assert postfix.lines(MAIL.table, "judge")[4] == "| 2 kB, 1 | 900 | 400 | 200 | 2.00 | 200 | 2.00 |"
    assert postfix.lines(MAIL.table, "judge")[-1] == "| 2 kB, 1 | 1000 | 1000 | 1.00 | 1000 | 1.00 |"


def test_a_short_run_has_a_case_with_fifty_sessions_and_each_work() -> None:
    assert {(case.size, case.sessions) for case in postfix.SHORT} == {(2_000, 1), (10_000, 10), (10_000, 50), (100_000, 10)}
    assert {case.work for case in postfix.SHORT} == set(milters.WORKS)
    assert {case for case in postfix.CASES if case.work == "judge"} == {
        Case("judge", size, sessions) for size in (2_000, 10_000) for sessions in (1, 10)
    }


def test_the_best_of_two_rounds_is_the_lower_of_each() -> None:
    assert Timing(2.0, 1.0).best(Timing(1.0, 2.0)) == Timing(1.0, 1.0)
    assert Timing(2.0, 1.0).best(None) == Timing(2.0, 1.0)


def test_stacks_are_counted_from_the_loop_down_and_without_idle_threads() -> None:
    loop = "main (zegel/cli/main.py:99);Runner.run (asyncio/runners.py:118)"
    found = hotspots.count(
        f"{loop};A.take (zegel/a.py:10);b (libc.so.6) 3\n{loop};A.take (zegel/a.py:12) 2\n{loop};epoll_wait (libc.so.6) 9\n"
        "Thread.run (threading.py:982);poll (libc.so.6) 9\n"
    )
    assert found.samples == 5
    assert found.own == {"A.take (zegel/a.py) -> b (libc.so.6)": 3, "A.take (zegel/a.py)": 2}
    assert found.whole == {"Runner.run (asyncio/runners.py)": 5, "A.take (zegel/a.py)": 5}


def test_the_cpu_of_a_milter_is_that_of_its_process() -> None:
    own = Milter("this", "sign", "unix", pids=(os.getpid(),))
    before, start = own.cpu(), time.process_time()
    sum(number * number for number in range(200_000))
    assert abs((own.cpu() - before) - (time.process_time() - start)) < 0.05
    assert own.rss() > 1_000_000
    assert replace(own, pids=()).cpu() == 0


def test_the_cpu_of_a_milter_in_two_processes_is_that_of_both_and_their_children() -> None:
    busy = "sum(n * n for n in range(300_000)); import time; print(flush=True); time.sleep(60)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    with contextlib.ExitStack() as stack:
        started = []
        for code in (busy, nested):
            child = stack.enter_context(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True))
            stack.callback(os.killpg, child.pid, signal.SIGKILL)
            started.append(child)
        for child in started:
            assert child.stdout is not None
            assert child.stdout.readline() == b"\n"
        one, other = (Milter("one of two", "judge", "unix", pids=(child.pid,)) for child in started)
        both = replace(one, pids=(*one.pids, *other.pids))
        assert len(milters._family(both.pids)) == 3
        assert abs(both.cpu() - one.cpu() - other.cpu()) < 0.05
        assert min(one.cpu(), other.cpu()) > 0.01
        assert both.rss() > max(one.rss(), other.rss())


def test_the_relay_stands_beside_postfix_and_where_it_is_behind_it_says_so() -> None:
    text = run()
    assert "| with TLS: accepted per second | 400 | 200 | 2.00 |" in text
    assert "| without TLS: per second, until all is handed on | 300 | 150 | 2.00 |" in text
    assert "| without TLS: CPU per message, in \u00b5s | 3000 | 6000 | 0.50 |" in text
    assert "does 260 fsyncs" in text
    assert "relay" not in losses(text)
    slow = RELAYED._replace(table={relay.MODES[0]: {relay.OURS: relay.Figure(100, 75, 0.01), relay.THEIRS: relay.Figure(200, 150, 0.005)}})
    told = losses(run(relayed=slow))
    assert f"{relay.THEIRS} accepts 2.00 times the messages per second of Zegel's relay (without TLS)." in told
    assert f"{relay.THEIRS} hands on 2.00 times" in told
    assert f"{relay.THEIRS} uses 0.50 of the CPU per message" in told
