"""What the page of the benchmarks says of its figures: no peer is left out, and a peer that is better is named."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from bench import dkim, hotspots, memory, milters, page, peers, postfix
from bench.milters import Milter
from bench.peers import Comparison, Timing
from bench.postfix import Case, Figure, Mail

CASE = Case("sign", 2_000, 1)
TITLES = [Milter(name, "sign", way).title for way in milters.WAYS for name in (milters.OURS, milters.THEIRS)]
MAIL = Mail(
    {CASE: {milters.NONE: Figure(900, 0.0), **{title: Figure(400 if milters.OURS in title else 200, 0.001) for title in TITLES}}},
    dict.fromkeys(TITLES, 50_000_000),
)


def libraries(**sign: float) -> Comparison:
    """All at 1 ms, some of them faster or slower at signing; dkimpy is not there."""
    names = (peers.OURS, peers.OURS_DEFAULT, *peers.NAMES[:-1])
    row = {name: Timing(0.001, sign.get(name.replace("-", "_"), 0.001)) for name in names}
    return Comparison(dict.fromkeys(peers.SIZES, row), ("dkimpy",))


def run(mail: Mail = MAIL, load: float = 0.1, **sign: float) -> str:
    rows = [dkim.Row("sign rsa2048", 1_000, 0.0004, 0.0002)]
    return page.write(page.Run(rows, libraries(**sign), mail, memory.Memory(100_000, 200_000, {10_000: 60_000_000}), 3, load))


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
    text = run(Mail(table, {**MAIL.memory, "opendkim (unix)": 10_000_000}))
    assert "Postfix with opendkim takes 1.25 times the messages per second (sign, 2 kB, 1 at a time, tcp)." in text
    assert "opendkim uses 0.50 of Zegel's CPU per message (sign, 2 kB, 1 at a time, tcp)." in text
    assert "opendkim held 10 MB of memory, Zegel 50 MB (unix)." in text
    assert "(unix)." not in text.partition("CPU per message (sign")[0].partition("## Where")[2]


def test_the_tables_of_postfix() -> None:
    assert postfix.lines(MAIL.table, "sign")[4] == "| 2 kB, 1 | 900 | 400 | 200 | 2.00 | 400 | 200 | 2.00 |"
    assert postfix.lines(MAIL.table, "sign")[-1] == "| 2 kB, 1 | 1000 | 1000 | 1.00 | 1000 | 1000 | 1.00 |"


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
    own = Milter("this", "sign", "unix", pid=os.getpid())
    before, start = own.cpu(), time.process_time()
    sum(number * number for number in range(200_000))
    assert abs((own.cpu() - before) - (time.process_time() - start)) < 0.05
    assert own.rss() > 1_000_000
    assert replace(own, pid=0).cpu() == 0
